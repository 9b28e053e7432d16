//! Quantities that cell files and jobs write the same way, each with its unit in the key.

use nalgebra::{Quaternion, Translation3, UnitQuaternion};

use super::document::{Range, Table, Value};
use crate::geometry::Pose;

/// A coordinate, mm.
pub const COORDINATE: Range = Range::new(-20_000.0, 20_000.0, "mm");

/// Reads `position_mm` and `quaternion_wxyz` of a table.
///
/// The quaternion may be off unit length by one per cent, as rounded numbers are; it is normalised.
pub fn read_pose(table: &mut Table<'_>) -> Option<Pose> {
    let position = table
        .required("position_mm", || format!("a list of 3 numbers, {}", COORDINATE.describe()))
        .and_then(|value| value.vector::<3>(COORDINATE));
    let rotation = table
        .required("quaternion_wxyz", || "a list of 4 numbers, unit length".to_owned())
        .and_then(|value| read_quaternion(&value));
    let [x, y, z] = position?;
    Some(Pose::from_parts(Translation3::new(x * 1e-3, y * 1e-3, z * 1e-3), rotation?))
}

fn read_quaternion(value: &Value<'_>) -> Option<UnitQuaternion<f64>> {
    let [w, x, y, z] = value.vector::<4>(Range::new(-1.01, 1.01, ""))?;
    let quaternion = Quaternion::new(w, x, y, z);
    if (quaternion.norm() - 1.0).abs() > 0.01 {
        value.problem(
            format!("the length is {:.4}", quaternion.norm()),
            "unit length, within 0.01",
            "write w, x, y, z of a rotation; no rotation is [1, 0, 0, 0]",
        );
        return None;
    }
    Some(UnitQuaternion::from_quaternion(quaternion))
}

/// Reads a speed of the tool, written as `v_mm_s` or as `v_cm_min`, at most `max_m_s`: m/s.
pub fn read_speed(table: &mut Table<'_>, max_m_s: f64) -> Option<f64> {
    const SLOWEST_MM_S: f64 = 0.1;
    let max_mm_s = max_m_s * 1e3;
    let per_second = Range::new(SLOWEST_MM_S, max_mm_s, "mm/s");
    // 1 cm/min is a sixth of a mm/s.
    let per_minute = Range::new(SLOWEST_MM_S * 6.0, max_mm_s * 6.0, "cm/min");
    let v_mm_s = table.maybe("v_mm_s", |value| value.number(per_second).map(|speed| speed * 1e-3));
    let v_cm_min = table.maybe("v_cm_min", |value| value.number(per_minute).map(|speed| speed / 6e3));
    match (v_mm_s?, v_cm_min?) {
        (Some(speed), None) | (None, Some(speed)) => Some(speed),
        (None, None) => {
            table.problem(
                "v_mm_s",
                "missing",
                format!("{}, or `v_cm_min`: {}", per_second.describe(), per_minute.describe()),
                "add the speed of the tool",
            );
            None
        }
        (Some(_), Some(_)) => {
            table.problem("v_cm_min", "written beside `v_mm_s`", "one of the two", "remove one");
            None
        }
    }
}
