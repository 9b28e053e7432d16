//! Drives behind frames: states, following, stops, faults, brakes, wrapped counters.

use super::super::motor::wrap;
use super::support::{Inputs, Outputs, Wire, servo};
use crate::devices::objects as o;
use crate::simulator::{DeviceParameters, DriveParameters, EncoderKind, Injection, SimulatedDevice};
use crate::units::Nanoseconds;

pub(super) fn with(change: impl FnOnce(&mut DriveParameters)) -> SimulatedDevice {
    let mut drive = servo();
    if let DeviceParameters::ServoDrive(parameters) = &mut drive.parameters {
        change(parameters);
    }
    drive
}

pub(super) fn enabled(drive: SimulatedDevice) -> (Wire, Outputs) {
    let mut wire = Wire::new(vec![drive]);
    let outputs = wire.drive_enabled(0);
    (wire, outputs)
}

/// Cycles with a target that moves by `step` each time.
pub(super) fn travel(wire: &mut Wire, outputs: &mut Outputs, cycles: usize, step: i32) -> Inputs {
    let mut inputs = None;
    for _ in 0..cycles {
        outputs.target = outputs.target.wrapping_add(step);
        inputs = Some(wire.cycle(0, *outputs));
    }
    inputs.unwrap()
}

pub(super) fn is(state: &'static str) -> impl Fn(Inputs) -> bool {
    move |inputs| inputs.state() == state
}

#[test]
fn the_enable_sequence_shows_each_state_and_opens_the_brake() {
    let mut wire = Wire::new(vec![servo()]);
    wire.drive_in_op(0);
    let mut outputs = Outputs { mode: o::MODE_CSP, ..Outputs::default() };
    let inputs = wire.cycle(0, outputs);
    assert_eq!(inputs.state(), "switch on disabled");
    assert_ne!(inputs.statusword & o::STATUS_VOLTAGE_ENABLED, 0);
    outputs.target = inputs.position;
    let sequence = [(0x06, "ready to switch on"), (0x07, "switched on"), (0x0F, "operation enabled")];
    for (controlword, state) in sequence {
        outputs.controlword = controlword;
        wire.cycle_until(0, outputs, 3, is(state));
    }
    let inputs = wire.cycle(0, outputs);
    assert_eq!(inputs.statusword & o::STATUS_FOLLOWS_COMMAND, 0, "the brake is still closed");
    assert!(!wire.segment.drive(0).unwrap().brake_open);
    let begin = wire.now;
    let follows = |inputs: Inputs| inputs.statusword & o::STATUS_FOLLOWS_COMMAND != 0;
    wire.cycle_until(0, outputs, 100, follows);
    assert!(wire.segment.drive(0).unwrap().brake_open);
    let took = wire.now.since(begin).0;
    assert!((55_000_000..=62_000_000).contains(&took), "brake open delay of 60 ms: {took} ns");
}

#[test]
fn disabling_closes_the_brake_before_torque_goes() {
    let (mut wire, mut outputs) = enabled(servo());
    outputs.controlword = 0x07;
    let begin = wire.now;
    wire.cycle(0, outputs);
    wire.cycle(0, outputs);
    assert!(wire.segment.drive(0).unwrap().energised);
    wire.cycle_until(0, outputs, 100, is("switched on"));
    let took = wire.now.since(begin).0;
    assert!((40_000_000..=46_000_000).contains(&took), "brake close delay of 40 ms: {took} ns");
    assert!(!wire.segment.drive(0).unwrap().energised && !wire.segment.drive(0).unwrap().brake_open);
}

#[test]
fn disabling_voltage_takes_torque_away_at_once() {
    let (mut wire, mut outputs) = enabled(servo());
    outputs.controlword = 0x00;
    wire.cycle(0, outputs);
    let inputs = wire.cycle(0, outputs);
    assert_eq!(inputs.state(), "switch on disabled");
    assert!(!wire.segment.drive(0).unwrap().energised);
}

#[test]
fn the_lag_at_constant_speed_is_speed_over_position_gain() {
    let (mut wire, mut outputs) = enabled(servo());
    // 20 motor turns a second.
    let step = (20 << 23) / 1000;
    travel(&mut wire, &mut outputs, 500, step);
    let drive = wire.segment.drive(0).unwrap();
    let lag = drive.demand_counts - drive.position_counts;
    let expected = f64::from(step) * 1000.0 / 80.0;
    assert!((lag / expected - 1.0).abs() < 0.01, "lag {lag}, expected {expected}");
    let inputs = wire.cycle(0, outputs);
    assert!((f64::from(inputs.velocity) / (f64::from(step) * 1000.0) - 1.0).abs() < 0.01);
}

#[test]
fn with_the_velocity_offset_there_is_next_to_no_lag() {
    let (mut wire, mut outputs) = enabled(servo());
    let step = (20 << 23) / 1000;
    outputs.velocity_offset = step * 1000;
    travel(&mut wire, &mut outputs, 500, step);
    let drive = wire.segment.drive(0).unwrap();
    let lag = drive.demand_counts - drive.position_counts;
    assert!(lag.abs() < f64::from(step) * 0.3, "lag {lag}");
}

#[test]
fn targets_are_interpolated_within_the_bus_cycle() {
    let (mut wire, mut outputs) = enabled(servo());
    outputs.target += 4000;
    wire.cycle(0, outputs);
    // SYNC0 comes 0.5 ms after the frame; from then on the setpoint takes one cycle to the target.
    let start = wire.segment.drive(0).unwrap().demand_counts;
    wire.wait(Nanoseconds(600_000));
    wire.cycle(0, outputs);
    wire.wait(Nanoseconds(600_000));
    let end = wire.segment.drive(0).unwrap().demand_counts;
    assert!((end - start - 4000.0).abs() < 2.0, "{start} to {end}");
    let speed = wire.segment.drive(0).unwrap().velocity_counts_s;
    assert!(speed > 0.0 && speed < 4000.0 * 1000.0, "no step in the setpoint: {speed} counts/s");
}

#[test]
fn the_position_counter_wraps_without_a_jump() {
    for (bits, initial, step) in
        [(32, i32::MAX - 40_000, 1000), (32, i32::MIN + 40_000, -1000), (24, 8_380_000, 1000)]
    {
        let (mut wire, mut outputs) = enabled(with(|parameters| {
            parameters.counter_bits = bits;
            parameters.initial_position_counts = i64::from(initial);
        }));
        assert_eq!(outputs.target, initial);
        let mut last = initial;
        for _ in 0..200 {
            outputs.target = wrap(i64::from(outputs.target) + i64::from(step), bits);
            let inputs = wire.cycle(0, outputs);
            let moved = wrap(i64::from(inputs.position) - i64::from(last), bits);
            assert!(moved.abs() <= 1100, "a jump of {moved} counts");
            last = inputs.position;
        }
        for _ in 0..300 {
            last = wire.cycle(0, outputs).position;
        }
        assert_ne!(last.signum(), initial.signum(), "it has wrapped");
        assert!(wrap(i64::from(last) - i64::from(outputs.target), bits).abs() <= 1);
    }
}

#[test]
fn a_following_error_beyond_window_and_time_is_a_fault() {
    let (mut wire, mut outputs) = enabled(servo());
    wire.download(0, o::FOLLOWING_ERROR_WINDOW, 0, &10_000_u32.to_le_bytes()).unwrap();
    wire.download(0, o::FOLLOWING_ERROR_TIMEOUT, 0, &10_u16.to_le_bytes()).unwrap();
    wire.segment.inject(Injection::PlantStall { drive: 0.into(), stalled: true }).unwrap();
    outputs.target += 20_000;
    let flagged = |inputs: Inputs| inputs.statusword & o::STATUS_FOLLOWING_ERROR != 0;
    let inputs = wire.cycle_until(0, outputs, 5, flagged);
    assert_eq!(inputs.error_code, 0, "not for long enough");
    let begin = wire.now;
    let inputs = wire.cycle_until(0, outputs, 20, |inputs| inputs.error_code != 0);
    assert_eq!(inputs.error_code, 0x8611);
    let took = wire.now.since(begin).0;
    assert!((9_000_000..=12_000_000).contains(&took), "{took} ns");
    assert_eq!(wire.cycle_until(0, outputs, 100, is("fault")).state(), "fault");
    assert!(!wire.segment.drive(0).unwrap().energised);
}

#[test]
fn a_short_following_error_is_forgiven() {
    let (mut wire, mut outputs) = enabled(servo());
    wire.download(0, o::FOLLOWING_ERROR_WINDOW, 0, &10_000_u32.to_le_bytes()).unwrap();
    wire.download(0, o::FOLLOWING_ERROR_TIMEOUT, 0, &10_u16.to_le_bytes()).unwrap();
    outputs.target += 20_000;
    for _ in 0..7 {
        wire.cycle(0, outputs);
    }
    outputs.target -= 20_000;
    for _ in 0..50 {
        assert_eq!(wire.cycle(0, outputs).error_code, 0);
    }
}

#[test]
fn a_quick_stop_slows_down_on_its_ramp_and_ends_in_switch_on_disabled() {
    let (mut wire, mut outputs) = enabled(servo());
    travel(&mut wire, &mut outputs, 300, (20 << 23) / 1000);
    outputs.controlword = 0x02;
    wire.cycle_until(0, outputs, 3, is("quick stop active"));
    let rad_s = |wire: &Wire| {
        wire.segment.drive(0).unwrap().velocity_counts_s / f64::from(1 << 23) * std::f64::consts::TAU
    };
    // 125.7 rad/s at 5000 rad/s² take 25 ms; the loops need some ms to be on the ramp.
    wire.wait(Nanoseconds(7_000_000));
    let first = rad_s(&wire);
    wire.wait(Nanoseconds(10_000_000));
    let second = rad_s(&wire);
    assert!((first - second - 50.0).abs() < 0.5, "lost {} rad/s in 10 ms", first - second);
    wire.cycle_until(0, outputs, 20, |inputs| inputs.velocity.abs() < 10_000);
    wire.cycle_until(0, outputs, 100, is("switch on disabled"));
    assert!(!wire.segment.drive(0).unwrap().brake_open);
}

#[test]
fn a_quick_stop_that_stays_can_be_enabled_again() {
    let (mut wire, mut outputs) = enabled(servo());
    wire.download(0, o::QUICK_STOP_OPTION, 0, &6_i16.to_le_bytes()).unwrap();
    outputs.controlword = 0x02;
    for _ in 0..300 {
        wire.cycle(0, outputs);
    }
    let inputs = wire.cycle(0, outputs);
    assert_eq!(inputs.state(), "quick stop active");
    assert!(wire.segment.drive(0).unwrap().energised);
    outputs.controlword = 0x0F;
    outputs.target = inputs.position;
    wire.cycle_until(0, outputs, 3, is("operation enabled"));
}

#[test]
fn quick_stop_option_zero_takes_torque_away() {
    let (mut wire, mut outputs) = enabled(servo());
    wire.download(0, o::QUICK_STOP_OPTION, 0, &0_i16.to_le_bytes()).unwrap();
    outputs.controlword = 0x02;
    wire.cycle_until(0, outputs, 3, is("switch on disabled"));
    assert!(!wire.segment.drive(0).unwrap().energised);
}

#[test]
fn a_fault_stops_the_drive_and_is_reset_by_a_rising_edge() {
    let (mut wire, mut outputs) = enabled(servo());
    travel(&mut wire, &mut outputs, 300, (20 << 23) / 1000);
    wire.segment.inject(Injection::DriveFault { drive: 0.into(), code: 0x4310, lasts: true }).unwrap();
    let inputs = wire.cycle_until(0, outputs, 3, is("fault reaction active"));
    assert_eq!(inputs.error_code, 0x4310);
    wire.cycle_until(0, outputs, 200, is("fault"));
    outputs.controlword = 0x80;
    for _ in 0..5 {
        assert_eq!(wire.cycle(0, outputs).state(), "fault", "the cause lasts");
    }
    wire.segment.inject(Injection::DriveFault { drive: 0.into(), code: 0, lasts: false }).unwrap();
    for _ in 0..5 {
        assert_eq!(wire.cycle(0, outputs).state(), "fault", "no rising edge");
    }
    outputs.controlword = 0x00;
    wire.cycle(0, outputs);
    outputs.controlword = 0x80;
    let inputs = wire.cycle_until(0, outputs, 3, is("switch on disabled"));
    assert_eq!(inputs.error_code, 0);
}

#[test]
fn safe_torque_off_takes_torque_without_a_fault_and_keeps_it() {
    let (mut wire, mut outputs) = enabled(servo());
    let sto = |active| Injection::SafeTorqueOff { device: None, active };
    wire.segment.inject(sto(true)).unwrap();
    assert!(!wire.segment.drive(0).unwrap().energised);
    let inputs = wire.cycle_until(0, outputs, 3, is("switch on disabled"));
    assert_eq!(inputs.error_code, 0);
    outputs.controlword = 0x06;
    for _ in 0..5 {
        assert_eq!(wire.cycle(0, outputs).state(), "switch on disabled");
    }
    wire.segment.inject(sto(false)).unwrap();
    wire.cycle_until(0, outputs, 3, is("ready to switch on"));
}

#[test]
fn lost_voltage_is_a_fault_that_lasts_as_long_as_the_loss() {
    let (mut wire, mut outputs) = enabled(servo());
    let loss = |lost| Injection::VoltageLoss { device: Some(0), lost };
    wire.segment.inject(loss(true)).unwrap();
    let inputs = wire.cycle_until(0, outputs, 3, is("fault"));
    assert_eq!((inputs.error_code, inputs.statusword & o::STATUS_VOLTAGE_ENABLED), (0x3220, 0));
    for controlword in [0x00, 0x80] {
        outputs.controlword = controlword;
        wire.cycle(0, outputs);
    }
    assert_eq!(wire.cycle(0, outputs).state(), "fault");
    wire.segment.inject(loss(false)).unwrap();
    for controlword in [0x00, 0x80] {
        outputs.controlword = controlword;
        wire.cycle(0, outputs);
    }
    wire.cycle_until(0, outputs, 3, is("switch on disabled"));
}

#[test]
fn losing_the_outputs_while_enabled_is_a_communication_fault() {
    let (mut wire, mut outputs) = enabled(servo());
    travel(&mut wire, &mut outputs, 100, 1000);
    wire.wait(Nanoseconds(102_000_000));
    assert_eq!(wire.segment.drive(0).unwrap().error_code, 0x7500);
    wire.wait(Nanoseconds(200_000_000));
    assert_eq!(wire.read_u16(0, 0x0134), 0x001B);
    assert!(!wire.segment.drive(0).unwrap().energised);
}

#[test]
fn a_mode_the_drive_does_not_know_is_not_followed() {
    let (mut wire, mut outputs) = enabled(servo());
    outputs.mode = 1;
    outputs.target += 10_000;
    let before = wire.segment.drive(0).unwrap().encoder_counts;
    for _ in 0..5 {
        assert_eq!(wire.cycle(0, outputs).mode_display, o::MODE_CSP, "the last one it knew");
    }
    outputs.mode = 0;
    outputs.target += 100_000;
    let held = wire.cycle_until(0, outputs, 3, |inputs| inputs.mode_display == 0);
    assert_eq!(held.statusword & o::STATUS_FOLLOWS_COMMAND, 0);
    for _ in 0..100 {
        wire.cycle(0, outputs);
    }
    let after = wire.cycle(0, outputs).position;
    assert!((after - before).abs() <= 10_001, "moved by {}", after - before);
}

#[test]
fn an_encoder_jump_shows_in_the_position_at_once() {
    let mut wire = Wire::new(vec![servo()]);
    wire.drive_in_op(0);
    let before = wire.cycle(0, Outputs::default()).position;
    wire.segment.inject(Injection::EncoderJump { drive: 0.into(), counts: -12_345 }).unwrap();
    wire.cycle(0, Outputs::default());
    assert_eq!(wire.cycle(0, Outputs::default()).position, before - 12_345);
}

#[test]
fn a_power_cycle_keeps_the_position_within_the_counter() {
    let (mut wire, mut outputs) = enabled(with(|parameters| parameters.counter_bits = 20));
    travel(&mut wire, &mut outputs, 600, 1000);
    for _ in 0..300 {
        wire.cycle(0, outputs);
    }
    let before = wire.segment.drive(0).unwrap();
    assert!(before.position_counts > f64::from(1 << 19), "beyond the counter");
    wire.segment.inject(Injection::PowerCycle { device: 0, off_for: Nanoseconds(50_000_000) }).unwrap();
    wire.wait(Nanoseconds(60_000_000));
    let after = wire.segment.drive(0).unwrap();
    assert_eq!(after.encoder_counts, before.encoder_counts);
    assert!(!after.energised && !after.brake_open);
}

#[test]
fn an_incremental_encoder_counts_from_zero_after_a_power_cycle() {
    let (mut wire, mut outputs) = enabled(with(|parameters| parameters.encoder = EncoderKind::Incremental));
    travel(&mut wire, &mut outputs, 100, 1000);
    assert!(wire.segment.drive(0).unwrap().encoder_counts > 50_000);
    wire.segment.inject(Injection::PowerCycle { device: 0, off_for: Nanoseconds(50_000_000) }).unwrap();
    wire.wait(Nanoseconds(60_000_000));
    assert!(wire.segment.drive(0).unwrap().encoder_counts.abs() <= 1);
}

#[test]
fn the_received_setpoints_are_recorded_in_order() {
    let (mut wire, mut outputs) = enabled(servo());
    wire.segment.drain_received(0, |_| {});
    let start = outputs.target;
    travel(&mut wire, &mut outputs, 20, 10);
    wire.wait(Nanoseconds(900_000));
    let mut targets = Vec::new();
    let lost = wire.segment.drain_received(0, |received| targets.push(received.target_position - start));
    assert_eq!(lost, 0);
    assert_eq!(targets[targets.len() - 20..], (1..=20).map(|step| step * 10).collect::<Vec<_>>());
    assert_eq!(wire.segment.last_received(0).unwrap().target_position, outputs.target);
}
