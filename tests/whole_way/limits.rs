//! Limits, on what the drives receive. Speed and acceleration are checked on counts, with their
//! quantisation; jerk on setpoints before quantisation, where one count would hide it.

use std::sync::{Arc, Mutex};

use motiond::boundary::sample_ring::Sample;
use motiond::cli::assembly::Assembly;
use motiond::devices::DrivePlace;
use motiond::joints::JointVector;
use motiond::machine::MachineState;
use motiond::telemetry::recorder::Recorder;

use crate::client::Client;

const DT: f64 = 1e-3;
/// Rounding of the differences, as a share of the limit.
const SHARE: f64 = 1e-3;
/// Noise of third differences of positions solved to 1e-12 rad, rad/s³.
const JERK_NOISE: f64 = 0.1;

#[derive(Default)]
struct Setpoints(Vec<JointVector>);

impl Recorder for Setpoints {
    fn sample(&mut self, sample: &Sample) {
        self.0.push(sample.q_setpoint);
    }
}

/// Runs the sample job with a hold on each kind of motion; gives setpoints and received joint positions.
fn run(assembly: &Assembly) -> (Vec<JointVector>, Vec<JointVector>, f64) {
    let mut client = Client::with(assembly, "", 1);
    let setpoints = Arc::new(Mutex::new(Setpoints::default()));
    client.cell.daemon_mut().add_recorder(Box::new(Arc::clone(&setpoints)));
    let scaling = assembly.cycle_settings().unwrap().scaling;
    let drives: Vec<DrivePlace> = assembly.cell.drives().iter().map(|(place, _)| *place).collect();
    client.welding_job();
    let mut received: Vec<Vec<i64>> = vec![Vec::new(); drives.len()];
    let mut collect = |client: &mut Client| {
        for (drive, position) in drives.iter().enumerate() {
            let list = &mut received[drive];
            let missed = client.cell.segment_mut().drain_received(*position, |setpoint| {
                if setpoint.is_following {
                    let last = list.last().copied().unwrap_or_else(|| i64::from(setpoint.target_position));
                    // Followed modulo 2³², so that a wrap is not a jump.
                    #[expect(clippy::cast_possible_truncation, reason = "the low 32 bits are the counter")]
                    let step = setpoint.target_position.wrapping_sub(last as i32);
                    list.push(last + i64::from(step));
                }
            });
            assert_eq!(missed, 0, "the record of received setpoints is too small");
        }
    };
    let holds = [300, 700, 1500, 8000, 25_000];
    for cycle in 0..60_000 {
        client.cycle();
        if holds.contains(&cycle) {
            client.command("hold").unwrap();
            client.until(MachineState::Held);
            client.command("resume").unwrap();
        }
        collect(&mut client);
        if client.cell.state() == MachineState::Ready {
            break;
        }
        if cycle == 20_000 || cycle == 40_000 {
            client.command("control.renew").unwrap();
        }
    }
    assert!(client.has_event(|event| event["state"] == "completed"), "{:#?}", client.last_events());
    let length = received.iter().map(Vec::len).min().unwrap();
    // The newest ones of all drives belong to the same cycles.
    let joints = (0..length)
        .map(|at| scaling.joints(|drive| received[drive][received[drive].len() - length + at]))
        .collect();
    // One count of the coarsest drive, through the coupling.
    let count_rad = (0..drives.len())
        .map(|drive| 1.0 / scaling.drive(drive).unwrap().counts_per_radian().abs())
        .fold(0.0, f64::max);
    let setpoints = setpoints.lock().unwrap().0.clone();
    (setpoints, joints, 1.1 * count_rad)
}

/// Every speed, acceleration or jerk beyond its limit: `order` 1, 2, 3.
fn excesses(positions: &[JointVector], order: usize, limits: &[f64], noise: f64) -> Vec<String> {
    let coefficients: &[f64] = match order {
        1 => &[-1.0, 1.0],
        2 => &[1.0, -2.0, 1.0],
        _ => &[-1.0, 3.0, -3.0, 1.0],
    };
    let scale = DT.powi(i32::try_from(order).unwrap());
    let mut found = Vec::new();
    for (cycle, window) in positions.windows(order + 1).enumerate() {
        for (joint, limit) in limits.iter().enumerate() {
            let difference: f64 =
                window.iter().zip(coefficients).map(|(q, factor)| q.get(joint) * factor).sum();
            let value = (difference / scale).abs();
            if value > limit * (1.0 + SHARE) + noise {
                found.push(format!("cycle {cycle}, joint {}: {value} > {limit} (order {order})", joint + 1));
            }
        }
    }
    found
}

#[test]
fn no_limit_is_exceeded_on_what_the_drives_receive() {
    let assembly = Assembly::load(None).unwrap();
    let (setpoints, received, count_rad) = run(&assembly);
    assert!(received.len() > 30_000, "{}", received.len());
    let limits = assembly.cell.joint_limits.as_slice();
    let speed: Vec<f64> = limits.iter().map(|limit| limit.speed_max).collect();
    let acceleration: Vec<f64> = limits.iter().map(|limit| limit.acceleration_max).collect();
    let jerk: Vec<f64> = limits.iter().map(|limit| limit.jerk_max).collect();
    assert_eq!(excesses(&received, 1, &speed, count_rad / DT), Vec::<String>::new());
    assert_eq!(excesses(&received, 2, &acceleration, 2.0 * count_rad / (DT * DT)), Vec::<String>::new());
    assert_eq!(excesses(&setpoints, 3, &jerk, JERK_NOISE), Vec::<String>::new());
    // The check can fail: with limits of a tenth it does, in every order.
    let tenth = |limits: &[f64]| limits.iter().map(|limit| limit * 0.1).collect::<Vec<_>>();
    assert!(!excesses(&received, 1, &tenth(&speed), count_rad / DT).is_empty());
    assert!(!excesses(&received, 2, &tenth(&acceleration), 2.0 * count_rad / (DT * DT)).is_empty());
    assert!(!excesses(&setpoints, 3, &tenth(&jerk), JERK_NOISE).is_empty());
}
