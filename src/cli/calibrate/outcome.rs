//! What a calibration found: the lines for the cell file or model, residuals, and whether they are good enough.

use nalgebra::{UnitQuaternion, Vector3};
use serde_json::{Value, json};

use super::measurements::{PositionerAxis, Task};
use crate::calibration::{
    CalibrationProblem, KinematicCalibration, KinematicMeasurement, KinematicTask, Parameter, ParameterKind,
    Residuals, kinematic_calibration, linear_axis, rigid_fit, rotary_axis, tool_direction, tool_position,
    work_object,
};
use crate::config::kinematic_model::KinematicModel;
use crate::config::problem::Problem;
use crate::geometry::Pose;
use crate::kinematics::JointKind;

/// A result with its residuals.
#[derive(Debug)]
pub(super) struct Outcome {
    /// Lines for the cell file (TOML) or the robot model (URDF).
    pub(super) snippet: String,
    /// The numbers as JSON.
    found: Value,
    /// Residuals, each with what was measured.
    residuals: Vec<(String, Residuals)>,
    /// What a person should know besides.
    remarks: Vec<String>,
}

impl Outcome {
    /// Why the result is not accepted, if it is not: a residual above `accept_mm`.
    pub(super) fn refusal(&self, accept_mm: f64) -> Option<Problem> {
        let worst = self
            .residuals
            .iter()
            .filter_map(|(what, residuals)| {
                residuals.worst().map(|(index, distance)| (what, index, distance))
            })
            .max_by(|a, b| a.2.total_cmp(&b.2))?;
        let (what, index, distance) = worst;
        (distance * 1e3 > accept_mm).then(|| {
            Problem::new(
                format!("{what}[{index}]"),
                format!("is the worst: {:.3} mm from the result", distance * 1e3),
                format!("at most {accept_mm} mm"),
                "measure this point again; nothing was written. A larger limit: --accept-mm",
            )
        })
    }

    /// For programs.
    pub(super) fn json(&self) -> Value {
        let residuals: serde_json::Map<String, Value> = self
            .residuals
            .iter()
            .map(|(what, residuals)| {
                let each: Vec<f64> = residuals.0.iter().map(|distance| distance * 1e3).collect();
                let entry = json!({
                    "mean_mm": residuals.mean_m() * 1e3,
                    "max_mm": residuals.max_m() * 1e3,
                    "worst": residuals.worst().map(|(index, _)| index),
                    "each_mm": each,
                });
                (what.clone(), entry)
            })
            .collect();
        json!({ "found": self.found, "residuals": residuals, "remarks": self.remarks, "snippet": self.snippet })
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let mut lines = vec![self.snippet.trim_end().to_owned(), String::new()];
        for (what, residuals) in &self.residuals {
            if let Some((index, distance)) = residuals.worst() {
                lines.push(format!(
                    "{what}: {} measurements, mean {:.3} mm, largest {:.3} mm ({what}[{index}])",
                    residuals.0.len(),
                    residuals.mean_m() * 1e3,
                    distance * 1e3,
                ));
            }
        }
        lines.extend(self.remarks.iter().cloned());
        lines.join("\n")
    }
}

/// Calculates.
pub(super) fn solve(task: &Task, name: &str) -> Result<Outcome, CalibrationProblem> {
    match task {
        Task::Tcp { poses, direction } => {
            let fit = tool_position(poses)?;
            let rotation = match direction {
                Some(direction) => tool_direction(&fit, direction)?,
                None => UnitQuaternion::identity(),
            };
            let pose = Pose::from_parts(fit.tool_in_flange.into(), rotation);
            let mut remarks = vec![
                format!("largest angle between two poses: {:.1}°", fit.spread_rad.to_degrees()),
                "mass and centre of gravity are not measured here: put in those of the tool".to_owned(),
            ];
            if direction.is_none() {
                remarks.push("without z_pose the tool is oriented like the flange".to_owned());
            }
            Ok(Outcome {
                snippet: format!(
                    "[tools.{name}]\n{}mass_kg = 0.0\ncenter_of_gravity_mm = [0.0, 0.0, 0.0]\n",
                    pose_lines(&pose)
                ),
                found: pose_json(&pose),
                residuals: vec![("poses".to_owned(), fit.residuals)],
                remarks,
            })
        }
        Task::WorkObject { points, checks } => {
            let pose = work_object(points)?;
            let distances = checks.iter().map(|(measured, expected)| {
                (measured - (pose * nalgebra::Point3::from(*expected)).coords).norm()
            });
            let residuals = Residuals(distances.collect());
            let mut remarks = Vec::new();
            if checks.is_empty() {
                remarks.push("three points always fit: `checks` with known places tell how well".to_owned());
            }
            Ok(Outcome {
                snippet: format!("[work_objects.{name}]\n{}", pose_lines(&pose)),
                found: pose_json(&pose),
                residuals: vec![("checks".to_owned(), residuals)],
                remarks,
            })
        }
        Task::Track { measurements } => {
            let axis = linear_axis(measurements)?;
            Ok(Outcome {
                snippet: format!(
                    "<!-- the joint of the track, when its frame is turned like the base of the arm -->\n\
                     <axis xyz=\"{}\"/>\n",
                    numbers(&axis.direction)
                ),
                found: json!({ "direction": axis.direction.as_slice(), "scale": axis.scale }),
                residuals: vec![("measurements".to_owned(), axis.residuals)],
                remarks: vec![format!("measured travel over that of the joint: {:.6}", axis.scale)],
            })
        }
        Task::Positioner { axes } => positioner(axes),
        Task::Base { pairs } => {
            let fit = rigid_fit(pairs)?;
            let pose = fit.x_first_second;
            Ok(Outcome {
                snippet: format!(
                    "# base of the second robot, in the base frame of the first\n[work_objects.{name}]\n{}",
                    pose_lines(&pose)
                ),
                found: pose_json(&pose),
                residuals: vec![("points".to_owned(), fit.residuals)],
                remarks: Vec::new(),
            })
        }
        Task::Kinematic { model, measurements, task } => kinematic(model, measurements, task),
    }
}

/// Each axis at joint angles zero, in the base frame.
fn positioner(axes: &[PositionerAxis]) -> Result<Outcome, CalibrationProblem> {
    let (mut snippet, mut found, mut residuals) = (String::new(), Vec::new(), Vec::new());
    let mut first: Option<Pose> = None;
    for axis in axes {
        let fit = rotary_axis(&axis.measurements)?;
        let mut x_base_axis = fit.x_base_axis;
        if let Some(x_base_first) = first {
            // The second axis rides on the first: back to where it is at zero.
            let back = UnitQuaternion::from_axis_angle(&Vector3::z_axis(), -axis.first_axis_rad);
            let turn = x_base_first
                * Pose::from_parts(nalgebra::Translation3::identity(), back)
                * x_base_first.inverse();
            x_base_axis = turn * x_base_axis;
        }
        let x_parent_axis = first.map_or(x_base_axis, |first| first.inverse() * x_base_axis);
        snippet.push_str(&format!(
            "<!-- {}: in {}; turns about z -->\n{}\n<axis xyz=\"0 0 1\"/>\n",
            axis.name,
            if first.is_some() { "the frame of the first axis" } else { "the base frame" },
            origin_line(&x_parent_axis),
        ));
        let mut entry = pose_json(&x_base_axis);
        if let Some(entry) = entry.as_object_mut() {
            entry.insert("name".to_owned(), json!(axis.name));
            entry.insert("radius_mm".to_owned(), json!(fit.radius_m * 1e3));
        }
        found.push(entry);
        residuals.push((format!("axes.{}", axis.name), fit.residuals));
        first = first.or(Some(x_base_axis));
    }
    Ok(Outcome { snippet, found: json!({ "axes": found }), residuals, remarks: Vec::new() })
}

fn kinematic(
    model: &KinematicModel,
    measurements: &[KinematicMeasurement],
    task: &KinematicTask,
) -> Result<Outcome, CalibrationProblem> {
    let found = kinematic_calibration(&model.chain, measurements, task)?;
    let mut snippet =
        String::from("<!-- origins of the joints of robot.urdf, corrections and offsets included -->\n");
    for (joint, name) in found.joints.iter().zip(&model.joint_names) {
        snippet.push_str(&format!("<!-- {name} --> {}\n", origin_line(&joint.origin)));
    }
    let parameters: Vec<Value> = found.parameters.iter().map(|one| parameter_json(model, one)).collect();
    let held: Vec<String> = found.held.iter().map(|one| named(model, one.joint, one.kind)).collect();
    let remarks = kinematic_remarks(model, &found, &held);
    Ok(Outcome {
        snippet,
        found: json!({
            "parameters": parameters,
            "held": held,
            "condition": found.condition,
            "instrument_base": pose_json(&found.x_instrument_base),
            "target_mm": (found.target_in_flange * 1e3).as_slice(),
            "before": { "mean_mm": found.before.mean_m() * 1e3, "max_mm": found.before.max_m() * 1e3 },
        }),
        residuals: vec![("measurements".to_owned(), found.residuals)],
        remarks,
    })
}

fn kinematic_remarks(model: &KinematicModel, found: &KinematicCalibration, held: &[String]) -> Vec<String> {
    let mut remarks = vec![format!(
        "before: mean {:.3} mm, largest {:.3} mm; condition {:.0}",
        found.before.mean_m() * 1e3,
        found.before.max_m() * 1e3,
        found.condition
    )];
    for one in &found.parameters {
        let (scale, unit) = unit_of(model, one);
        let deviation =
            one.deviation.map_or(String::new(), |deviation| format!(" ± {:.5}", deviation * scale));
        remarks.push(format!(
            "{}: {:+.5}{deviation} {unit}",
            named(model, one.joint, one.kind),
            one.value * scale
        ));
    }
    if !held.is_empty() {
        remarks.push(format!("the measurements do not tell, held at zero: {}", held.join(", ")));
    }
    remarks
}

fn named(model: &KinematicModel, joint: usize, kind: ParameterKind) -> String {
    let name = model.joint_names.get(joint).map_or("", String::as_str);
    match kind {
        ParameterKind::Offset => format!("offset of {name}"),
        ParameterKind::Shift(direction) => format!("shift {} of {name}", direction + 1),
        ParameterKind::Tilt(direction) => format!("tilt {} of {name}", direction + 1),
    }
}

fn unit_of(model: &KinematicModel, one: &Parameter) -> (f64, &'static str) {
    let slides = model.chain.joint_kind(one.joint) == Some(JointKind::Prismatic);
    match one.kind {
        ParameterKind::Shift(_) => (1e3, "mm"),
        ParameterKind::Offset if slides => (1e3, "mm"),
        ParameterKind::Offset | ParameterKind::Tilt(_) => (1_f64.to_degrees(), "deg"),
    }
}

fn parameter_json(model: &KinematicModel, one: &Parameter) -> Value {
    let (scale, unit) = unit_of(model, one);
    json!({
        "name": named(model, one.joint, one.kind),
        (format!("value_{unit}")): one.value * scale,
        (format!("deviation_{unit}")): one.deviation.map(|deviation| deviation * scale),
    })
}

fn pose_lines(pose: &Pose) -> String {
    let at = pose.translation.vector * 1e3;
    let [w, x, y, z] = quaternion(pose);
    format!(
        "position_mm = [{:.4}, {:.4}, {:.4}]\nquaternion_wxyz = [{w:.10}, {x:.10}, {y:.10}, {z:.10}]\n",
        at.x, at.y, at.z
    )
}

fn pose_json(pose: &Pose) -> Value {
    json!({
        "position_mm": (pose.translation.vector * 1e3).as_slice(),
        "quaternion_wxyz": quaternion(pose),
    })
}

/// With w not negative.
fn quaternion(pose: &Pose) -> [f64; 4] {
    let quaternion = pose.rotation.quaternion();
    let sign = if quaternion.w < 0.0 { -1.0 } else { 1.0 };
    [quaternion.w, quaternion.i, quaternion.j, quaternion.k].map(|part| sign * part)
}

fn origin_line(pose: &Pose) -> String {
    let (roll, pitch, yaw) = pose.rotation.euler_angles();
    format!(
        "<origin xyz=\"{}\" rpy=\"{}\"/>",
        numbers(&pose.translation.vector),
        numbers(&Vector3::new(roll, pitch, yaw))
    )
}

fn numbers(vector: &Vector3<f64>) -> String {
    format!("{:.9} {:.9} {:.9}", vector.x, vector.y, vector.z)
}
