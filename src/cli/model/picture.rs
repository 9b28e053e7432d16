//! `motiond model picture`: arm, frames and capsules as SVG, seen from the side, from the front and from above.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use nalgebra::Vector3;

use super::source::ModelSource;
use crate::cli::{Exit, print, print_error};
use crate::collision::PosedCapsule;
use crate::config::collision_model::{CollisionModel, collision_model};
use crate::config::kinematic_model::KinematicModel;
use crate::geometry::Pose;
use crate::joints::JointVector;
use crate::kinematics::JointKind;

/// Width of the drawing area of a view, pixels.
const VIEW_WIDTH: f64 = 420.0;
/// Height of it.
const VIEW_HEIGHT: f64 = 460.0;
/// Room around each view for title and numbers.
const MARGIN: f64 = 54.0;
/// Length of a drawn frame axis, share of the larger side of the picture.
const AXIS_SHARE: f64 = 0.07;
const AXIS_COLOURS: [&str; 3] = ["#c62828", "#2e7d32", "#1565c0"];
const LINK_COLOURS: [&str; 8] =
    ["#607d8b", "#5c6bc0", "#26a69a", "#ef6c00", "#8d6e63", "#7e57c2", "#43a047", "#d81b60"];

/// Arguments of `motiond model picture`.
#[derive(Debug, Args)]
pub(super) struct PictureArguments {
    #[command(flatten)]
    source: ModelSource,
    /// Joint positions, rad or m, with commas between; otherwise all zero
    #[arg(long, value_name = "Q,…", value_delimiter = ',', allow_negative_numbers = true)]
    q: Option<Vec<f64>>,
    /// The picture; otherwise it goes to standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Draws the model.
pub(super) fn picture(arguments: &PictureArguments) -> anyhow::Result<Exit> {
    let model = match arguments.source.load(false) {
        Ok(model) => model,
        Err(exit) => return Ok(exit),
    };
    let joints = model.chain.joint_count();
    let q = match &arguments.q {
        None => Some(JointVector::zeros(joints)),
        Some(values) => JointVector::from_slice(values).filter(|q| q.len() == joints && q.is_finite()),
    };
    let Some(q) = q else {
        print_error(&format!(
            "--q: {joints} finite numbers are needed, for {}",
            model.joint_names.join(", ")
        ));
        return Ok(Exit::Mistake);
    };
    let svg = draw(&model, &q);
    match &arguments.output {
        None => print(&svg),
        Some(path) => {
            if let Err(error) = std::fs::write(path, svg) {
                print_error(&format!("{}: cannot be written: {error}", path.display()));
                return Ok(Exit::Failure);
            }
        }
    }
    Ok(Exit::Success)
}

/// A direction to look from: which base axes go to the right and up, and which looks at the viewer.
struct View {
    title: &'static str,
    right: usize,
    up: usize,
    names: [&'static str; 2],
    /// +1 or −1: sense of the axis that goes to the right.
    sign: f64,
    depth: usize,
    depth_sign: f64,
}

const VIEWS: [View; 3] = [
    View {
        title: "from the right side",
        right: 0,
        up: 2,
        names: ["x", "z"],
        sign: 1.0,
        depth: 1,
        depth_sign: -1.0,
    },
    View {
        title: "from the front",
        right: 1,
        up: 2,
        names: ["y", "z"],
        sign: 1.0,
        depth: 0,
        depth_sign: 1.0,
    },
    View { title: "from above", right: 0, up: 1, names: ["x", "y"], sign: 1.0, depth: 2, depth_sign: 1.0 },
];

/// What is drawn, in the base frame.
struct Scene {
    frames: Vec<(String, Pose)>,
    joints: Vec<(String, bool, Vector3<f64>)>,
    capsules: Vec<(usize, PosedCapsule)>,
    low: Vector3<f64>,
    high: Vector3<f64>,
}

fn scene(model: &KinematicModel, collisions: Option<&CollisionModel>, q: &JointVector) -> Scene {
    let links = model.chain.link_poses(q);
    let poses = links.as_slice();
    let last = poses.len().saturating_sub(1);
    let mut frames = Vec::new();
    if let (Some(base), Some(tip)) = (poses.first(), poses.get(last)) {
        frames.push((model.base_link.clone(), *base));
        frames.push((model.tip_link.clone(), *tip));
    }
    let joints = model
        .joint_names
        .iter()
        .zip(poses.iter().skip(1))
        .enumerate()
        .map(|(joint, (name, pose))| {
            let slides = model.chain.joint_kind(joint) == Some(JointKind::Prismatic);
            (name.clone(), slides, pose.translation.vector)
        })
        .collect();
    let capsules: Vec<(usize, PosedCapsule)> = collisions.map_or_else(Vec::new, |collisions| {
        let posed = collisions.arm.posed(&links);
        let numbers = collisions.arm.capsules().iter().map(|capsule| usize::from(capsule.link));
        numbers.zip(posed.as_slice().iter().copied()).collect()
    });
    let (mut low, mut high) = (Vector3::repeat(f64::INFINITY), Vector3::repeat(f64::NEG_INFINITY));
    let mut hold = |point: Vector3<f64>, radius: f64| {
        (low, high) = (low.inf(&point.add_scalar(-radius)), high.sup(&point.add_scalar(radius)));
    };
    poses.iter().for_each(|pose| hold(pose.translation.vector, 0.02));
    for (_, capsule) in &capsules {
        hold(capsule.start, capsule.radius_m);
        hold(capsule.end(), capsule.radius_m);
    }
    Scene { frames, joints, capsules, low, high }
}

/// The whole picture.
fn draw(model: &KinematicModel, q: &JointVector) -> String {
    let collisions = collision_model(model, &[], &[]).ok();
    let scene = scene(model, collisions.as_ref(), q);
    let columns = f64::from(u8::try_from(VIEWS.len()).unwrap_or(u8::MAX));
    let (width, height) = (columns * (VIEW_WIDTH + 2.0 * MARGIN), VIEW_HEIGHT + 2.0 * MARGIN + 70.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" \
         height=\"{height:.0}\" font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" \
         fill=\"#ffffff\"/>\n"
    );
    let title = escaped(&format!("{}: {} to {}", model.name, model.base_link, model.tip_link));
    let _ =
        writeln!(svg, "<text x=\"{MARGIN}\" y=\"28\" font-size=\"18\" font-weight=\"bold\">{title}</text>");
    // One scale for all views.
    let scale = VIEWS
        .iter()
        .map(|view| {
            let span = scene.high - scene.low;
            (VIEW_WIDTH / span[view.right].max(1e-3)).min(VIEW_HEIGHT / span[view.up].max(1e-3))
        })
        .fold(f64::INFINITY, f64::min);
    for (index, view) in (0_u8..).zip(&VIEWS) {
        let left = f64::from(index) * (VIEW_WIDTH + 2.0 * MARGIN) + MARGIN;
        draw_view(&mut svg, &scene, view, (left, MARGIN + 10.0), scale);
    }
    let values: Vec<String> = model
        .joint_names
        .iter()
        .enumerate()
        .map(|(joint, name)| match model.chain.joint_kind(joint) {
            Some(JointKind::Prismatic) => format!("{name} {:.1} mm", q.get(joint) * 1e3),
            Some(JointKind::Revolute | JointKind::Continuous) | None => {
                format!("{name} {:.1}°", q.get(joint).to_degrees())
            }
        })
        .collect();
    let line = |number: f64| height - 44.0 + 20.0 * number;
    let _ =
        writeln!(svg, "<text x=\"{MARGIN}\" y=\"{:.0}\">{}</text>", line(0.0), escaped(&values.join("   ")));
    let nearest = collisions.as_ref().and_then(|collisions| {
        let posed = collisions.arm.posed(&model.chain.link_poses(q));
        let nearest = collisions.arm.nearest(&posed)?;
        let name = |index: u8| collisions.names.get(usize::from(index)).map_or("", String::as_str);
        Some(format!(
            "nearest: {} and {}, {:.1} mm",
            name(nearest.pair.0),
            name(nearest.pair.1),
            nearest.distance_m * 1e3
        ))
    });
    let nearest = nearest.unwrap_or_else(|| "no shapes to measure distances of".to_owned());
    let _ = writeln!(
        svg,
        "<text x=\"{MARGIN}\" y=\"{:.0}\" fill=\"#555555\">{}; frames: <tspan fill=\"{}\">x</tspan> \
         <tspan fill=\"{}\">y</tspan> <tspan fill=\"{}\">z</tspan>; circles: joint axes; wide bars: capsules</text>",
        line(1.0),
        escaped(&nearest),
        AXIS_COLOURS[0],
        AXIS_COLOURS[1],
        AXIS_COLOURS[2],
    );
    svg.push_str("</svg>\n");
    svg
}

fn draw_view(svg: &mut String, scene: &Scene, view: &View, (left, top): (f64, f64), scale: f64) {
    let centre = (scene.low + scene.high) * 0.5;
    let at = |point: &Vector3<f64>| {
        (
            left + VIEW_WIDTH / 2.0 + view.sign * (point[view.right] - centre[view.right]) * scale,
            top + VIEW_HEIGHT / 2.0 - (point[view.up] - centre[view.up]) * scale,
        )
    };
    let _ = writeln!(
        svg,
        "<text x=\"{left:.1}\" y=\"{:.1}\" font-weight=\"bold\">{}</text>",
        top - 8.0,
        view.title
    );
    draw_grid(svg, view, (left, top), scale, &centre);
    // What is farther away first.
    let mut capsules: Vec<&(usize, PosedCapsule)> = scene.capsules.iter().collect();
    let depth = |capsule: &PosedCapsule| view.depth_sign * (capsule.start + capsule.along * 0.5)[view.depth];
    capsules.sort_by(|a, b| depth(&a.1).total_cmp(&depth(&b.1)));
    for (link, capsule) in capsules {
        let ((x1, y1), (x2, y2)) = (at(&capsule.start), at(&capsule.end()));
        let width = 2.0 * capsule.radius_m * scale;
        let colour = LINK_COLOURS[link % LINK_COLOURS.len()];
        // A hair of length, so that a capsule seen from its end still gets round caps.
        let x2 = if (x2 - x1).hypot(y2 - y1) < 0.01 { x1 + 0.01 } else { x2 };
        for (stroke, width, opacity) in [(colour, width, "0.30"), (colour, 1.5, "0.9")] {
            let _ = writeln!(
                svg,
                "<line x1=\"{x1:.2}\" y1=\"{y1:.2}\" x2=\"{x2:.2}\" y2=\"{y2:.2}\" stroke=\"{stroke}\" \
                 stroke-width=\"{width:.2}\" stroke-linecap=\"round\" stroke-opacity=\"{opacity}\"/>"
            );
        }
    }
    let points: Vec<String> = std::iter::once(scene.frames.first().map(|(_, pose)| pose.translation.vector))
        .flatten()
        .chain(scene.joints.iter().map(|(_, _, at)| *at))
        .chain(scene.frames.get(1).map(|(_, pose)| pose.translation.vector))
        .map(|point| {
            let (x, y) = at(&point);
            format!("{x:.2},{y:.2}")
        })
        .collect();
    let _ = writeln!(
        svg,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"#222222\" stroke-width=\"2\"/>",
        points.join(" ")
    );
    // Joints that lie on top of each other in this view share a label.
    let mut labels: Vec<((f64, f64), String)> = Vec::new();
    for (name, slides, point) in &scene.joints {
        let (x, y) = at(point);
        let form = if *slides {
            format!("<rect x=\"{:.2}\" y=\"{:.2}\" width=\"8\" height=\"8\"", x - 4.0, y - 4.0)
        } else {
            format!("<circle cx=\"{x:.2}\" cy=\"{y:.2}\" r=\"4\"")
        };
        let _ = writeln!(svg, "{form} fill=\"#ffffff\" stroke=\"#222222\" stroke-width=\"1.5\"/>");
        match labels
            .iter_mut()
            .find(|((other_x, other_y), _)| (other_x - x).abs() < 52.0 && (other_y - y).abs() < 14.0)
        {
            Some((_, label)) => {
                let short = name.strip_prefix("joint_").unwrap_or(name);
                let _ = write!(label, ", {short}");
            }
            None => labels.push(((x, y), name.clone())),
        }
    }
    for ((x, y), label) in labels {
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" font-size=\"11\" stroke=\"#ffffff\" stroke-width=\"3\" \
             paint-order=\"stroke\" fill=\"#222222\">{}</text>",
            x + 8.0,
            y - 7.0,
            escaped(&label)
        );
    }
    let length = AXIS_SHARE * VIEW_WIDTH.max(VIEW_HEIGHT) / scale;
    for (name, pose) in &scene.frames {
        let origin = pose.translation.vector;
        let (x1, y1) = at(&origin);
        for (axis, colour) in AXIS_COLOURS.iter().enumerate() {
            let mut direction = Vector3::zeros();
            direction[axis] = length;
            let (x2, y2) = at(&(origin + pose.rotation * direction));
            let _ = writeln!(
                svg,
                "<line x1=\"{x1:.2}\" y1=\"{y1:.2}\" x2=\"{x2:.2}\" y2=\"{y2:.2}\" stroke=\"{colour}\" \
                 stroke-width=\"2.5\"/>"
            );
        }
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" font-size=\"11\" font-style=\"italic\" stroke=\"#ffffff\" \
             stroke-width=\"3\" paint-order=\"stroke\" fill=\"#222222\">{}</text>",
            x1 + 8.0,
            y1 + 16.0,
            escaped(name)
        );
    }
}

/// Frame and lines at round numbers, labelled in mm.
fn draw_grid(svg: &mut String, view: &View, (left, top): (f64, f64), scale: f64, centre: &Vector3<f64>) {
    let _ = writeln!(
        svg,
        "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{VIEW_WIDTH}\" height=\"{VIEW_HEIGHT}\" fill=\"#fafafa\" \
         stroke=\"#bbbbbb\"/>"
    );
    let step = round_step(VIEW_WIDTH / scale);
    for (vertical, axis, extent) in [(true, view.right, VIEW_WIDTH), (false, view.up, VIEW_HEIGHT)] {
        let half = 0.5 * extent / scale;
        let mut number = ((centre[axis] - half) / step).ceil();
        // At most as many lines as fit the shortest step.
        for _ in 0..24 {
            let value = number * step;
            if value > centre[axis] + half {
                break;
            }
            let offset = (value - centre[axis]) * scale;
            let label = format!("{:.0}", value * 1e3 + 0.0);
            let _ = if vertical {
                let x = left + VIEW_WIDTH / 2.0 + view.sign * offset;
                writeln!(
                    svg,
                    "<line x1=\"{x:.1}\" y1=\"{top:.1}\" x2=\"{x:.1}\" y2=\"{:.1}\" stroke=\"#dddddd\"/>\n<text \
                     x=\"{x:.1}\" y=\"{:.1}\" font-size=\"10\" text-anchor=\"middle\" fill=\"#555555\">{label}</text>",
                    top + VIEW_HEIGHT,
                    top + VIEW_HEIGHT + 14.0
                )
            } else {
                let y = top + VIEW_HEIGHT / 2.0 - offset;
                writeln!(
                    svg,
                    "<line x1=\"{left:.1}\" y1=\"{y:.1}\" x2=\"{:.1}\" y2=\"{y:.1}\" stroke=\"#dddddd\"/>\n<text \
                     x=\"{:.1}\" y=\"{:.1}\" font-size=\"10\" text-anchor=\"end\" fill=\"#555555\">{label}</text>",
                    left + VIEW_WIDTH,
                    left - 5.0,
                    y + 3.5
                )
            };
            number += 1.0;
        }
    }
    let _ = writeln!(
        svg,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{} in mm →</text>\n<text x=\"{:.1}\" y=\"{:.1}\" \
         text-anchor=\"end\">↑ {} in mm</text>",
        left + VIEW_WIDTH,
        top + VIEW_HEIGHT + 30.0,
        view.names[0],
        left + VIEW_WIDTH,
        top - 8.0,
        view.names[1],
    );
}

/// A step of 1, 2 or 5 times a power of ten that cuts `span` in about six.
fn round_step(span: f64) -> f64 {
    let rough = (span / 6.0).max(1e-6);
    let power = 10_f64.powf(rough.log10().floor());
    let times = rough / power;
    power
        * if times < 1.5 {
            1.0
        } else if times < 3.5 {
            2.0
        } else if times < 7.5 {
            5.0
        } else {
            10.0
        }
}

/// Text that may stand in XML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::kinematic_model::EMBEDDED_MODELS;
    use quick_xml::events::Event;

    #[test]
    fn every_model_is_drawn_whole_within_its_views_as_well_formed_xml() {
        for embedded in EMBEDDED_MODELS {
            let model = embedded.load().expect("valid");
            let svg = draw(&model, &JointVector::zeros(model.chain.joint_count()));
            let mut reader = quick_xml::Reader::from_str(&svg);
            let mut lines = 0;
            loop {
                let event = reader.read_event().unwrap_or_else(|error| panic!("{}: {error}", model.name));
                if event == Event::Eof {
                    break;
                }
                lines +=
                    usize::from(matches!(event, Event::Empty(element) if element.name().as_ref() == b"line"));
            }
            assert!(lines > 3 * 2 * model.links.len(), "{}: {lines} lines", model.name);
            for name in &model.joint_names {
                let short = name.strip_prefix("joint_").unwrap_or(name);
                assert!(svg.contains(short), "{}: {name}", model.name);
            }
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{}", model.name);
        }
    }

    #[test]
    fn names_cannot_break_the_picture() {
        assert_eq!(escaped("a<b>&\"c\""), "a&lt;b&gt;&amp;&quot;c&quot;");
    }
}
