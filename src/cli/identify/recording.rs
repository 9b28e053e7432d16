//! A trace as samples for identification: positions smoothed and differentiated, torques smoothed alike.

use crate::calibration::PayloadSample;
use crate::config::problem::Problem;
use crate::joints::JointVector;

/// Cycles to each side of which a parabola is fitted: 25 ms at 1 kHz hide the steps of an encoder.
const HALF_WIDTH: usize = 25;
/// Cycles between two samples: nearer ones say the same.
const STEP: usize = 20;

/// One cycle of the trace.
struct Row {
    time_s: f64,
    q: Vec<f64>,
    torques: Vec<f64>,
}

/// The samples of all cycles in which a run was under way.
///
/// # Errors
/// A column is missing or a line is not made of numbers.
pub(super) fn samples(text: &str, joints: usize) -> Result<Vec<PayloadSample>, Problem> {
    let mut lines = text.lines();
    let heading: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
    let column = |wanted: &str, units: &[&str]| {
        let names: Vec<String> = units.iter().map(|unit| format!("{wanted}{unit}")).collect();
        heading.iter().position(|name| names.iter().any(|wanted| wanted == name)).ok_or_else(|| {
            Problem::new(
                "line 1",
                format!("no column `{}`", names.join("` or `")),
                format!("a trace of an arm of {joints} joints with its torques"),
                "record it with `motiond simulate --trace`, or name its cell with --cell",
            )
        })
    };
    let time = column("time_s", &[""])?;
    let segment = column("segment", &[""])?;
    let positions: Vec<usize> =
        (1..=joints).map(|joint| column(&format!("qa{joint}"), &["_rad", "_m"])).collect::<Result<_, _>>()?;
    let torques: Vec<usize> =
        (1..=joints).map(|joint| column(&format!("tau{joint}"), &["_nm", "_n"])).collect::<Result<_, _>>()?;
    let mut runs: Vec<Vec<Row>> = vec![Vec::new()];
    for (line, number) in lines.zip(2..) {
        let fields: Vec<&str> = line.split(',').collect();
        let read = |at: usize| {
            fields
                .get(at)
                .and_then(|field| field.parse::<f64>().ok())
                .filter(|value| value.is_finite())
                .ok_or_else(|| {
                    let place = format!("line {number}, column {}", at + 1);
                    Problem::new(place, "not a finite number", "a number", "record the motion again")
                })
        };
        let all = |columns: &[usize]| columns.iter().map(|at| read(*at)).collect::<Result<Vec<f64>, _>>();
        if read(segment)? < 0.0 {
            if runs.last().is_some_and(|run| !run.is_empty()) {
                runs.push(Vec::new());
            }
            continue;
        }
        let row = Row { time_s: read(time)?, q: all(&positions)?, torques: all(&torques)? };
        if let Some(run) = runs.last_mut() {
            run.push(row);
        }
    }
    Ok(runs.iter().flat_map(|run| smoothed(run, joints)).collect())
}

/// Parabolas through a run, one every [`STEP`] cycles. Source: Savitzky, Golay 1964.
fn smoothed(run: &[Row], joints: usize) -> Vec<PayloadSample> {
    run.windows(2 * HALF_WIDTH + 1)
        .step_by(STEP)
        .filter_map(|window| {
            let dt = (window.last()?.time_s - window.first()?.time_s) / (2.0 * as_f64(HALF_WIDTH));
            let fitted = |value: &dyn Fn(&Row) -> f64| parabola(window, value);
            let of = |pick: &dyn Fn(&Row, usize) -> f64, scale: [f64; 3], order: usize| {
                JointVector::from_fn(joints, |joint| fitted(&|row| pick(row, joint))[order] * scale[order])
            };
            let scale = [1.0, 1.0 / dt, 2.0 / (dt * dt)];
            let position = |row: &Row, joint: usize| row.q[joint];
            let torque = |row: &Row, joint: usize| row.torques[joint];
            Some(PayloadSample {
                q: of(&position, scale, 0),
                qd: of(&position, scale, 1),
                qdd: of(&position, scale, 2),
                torques: of(&torque, scale, 0),
            })
        })
        .collect()
}

/// Coefficients of the parabola nearest to a window, in cycles from its middle.
fn parabola(window: &[Row], value: &dyn Fn(&Row) -> f64) -> [f64; 3] {
    let (mut ones, mut squares, mut fourths) = (0.0, 0.0, 0.0);
    let mut sums = [0.0; 3];
    for (index, row) in window.iter().enumerate() {
        let k = as_f64(index) - as_f64(HALF_WIDTH);
        let y = value(row);
        ones += 1.0;
        squares += k * k;
        fourths += k.powi(4);
        sums[0] += y;
        sums[1] += k * y;
        sums[2] += k * k * y;
    }
    let determinant = ones * fourths - squares * squares;
    [
        (fourths * sums[0] - squares * sums[2]) / determinant,
        sums[1] / squares,
        (ones * sums[2] - squares * sums[0]) / determinant,
    ]
}

#[expect(clippy::cast_precision_loss, reason = "a number of cycles in a window")]
fn as_f64(count: usize) -> f64 {
    count as f64
}
