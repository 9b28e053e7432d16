//! Modes of operation, option codes, limits and inputs of a drive, by its objects.

use super::drive::{enabled, is, travel, with};
use super::support::{Inputs, Outputs, Wire, servo};
use crate::devices::objects as o;
use crate::simulator::{Cam, Injection, Switches};
use crate::units::Nanoseconds;

const TURN: i32 = 1 << 23;

fn with_mode(wire: &mut Wire, outputs: &mut Outputs, mode: i8) {
    outputs.mode = mode;
    wire.cycle_until(0, *outputs, 3, |inputs| inputs.mode_display == mode);
}

fn run(wire: &mut Wire, outputs: Outputs, cycles: usize) -> Inputs {
    (0..cycles).map(|_| wire.cycle(0, outputs)).last().unwrap()
}

fn velocity(wire: &mut Wire, target: i32) {
    wire.download(0, o::TARGET_VELOCITY, 0, &target.to_le_bytes()).unwrap();
}

fn inputs_word(wire: &mut Wire) -> u32 {
    u32::from_le_bytes(wire.upload(0, o::DIGITAL_INPUTS, 0).unwrap().try_into().unwrap())
}

#[test]
fn a_target_velocity_is_turned_at() {
    let (mut wire, mut outputs) = enabled(servo());
    with_mode(&mut wire, &mut outputs, o::MODE_CSV);
    let before = wire.cycle(0, outputs).position;
    assert_eq!(run(&mut wire, outputs, 50).position, before, "nothing commanded, nothing moves");
    velocity(&mut wire, 5 * TURN);
    let inputs = run(&mut wire, outputs, 100);
    assert!((f64::from(inputs.velocity) / f64::from(5 * TURN) - 1.0).abs() < 1e-3, "{}", inputs.velocity);
    assert_ne!(inputs.statusword & o::STATUS_FOLLOWS_COMMAND, 0);
    assert_eq!(inputs.statusword & (o::STATUS_FOLLOWING_ERROR | o::STATUS_TARGET_REACHED), 0);
    outputs.velocity_offset = TURN;
    let inputs = run(&mut wire, outputs, 100);
    assert!((f64::from(inputs.velocity) / f64::from(6 * TURN) - 1.0).abs() < 1e-3, "with the offset");
}

#[test]
fn a_target_torque_accelerates_as_the_inertia_says() {
    let (mut wire, mut outputs) = enabled(with(|parameters| {
        parameters.friction_nm = 0.0;
        parameters.viscous_friction_nm_s = 0.0;
    }));
    with_mode(&mut wire, &mut outputs, o::MODE_CST);
    wire.download(0, o::TARGET_TORQUE, 0, &100_i16.to_le_bytes()).unwrap();
    let first = run(&mut wire, outputs, 5);
    let second = run(&mut wire, outputs, 20);
    assert_eq!(second.torque, 100);
    // 0.127 N m on 1e-4 kg m².
    let expected = 1270.0 / std::f64::consts::TAU * f64::from(TURN) * 20e-3;
    let gained = f64::from(second.velocity - first.velocity);
    assert!((gained / expected - 1.0).abs() < 0.01, "gained {gained}, expected {expected}");
}

#[test]
fn the_speed_limit_holds_in_torque_mode_too() {
    let (mut wire, mut outputs) = enabled(servo());
    with_mode(&mut wire, &mut outputs, o::MODE_CST);
    wire.download(0, o::TARGET_TORQUE, 0, &1000_i16.to_le_bytes()).unwrap();
    let inputs = run(&mut wire, outputs, 1000);
    let rad_s = wire.segment.drive(0).unwrap().velocity_counts_s / f64::from(TURN) * std::f64::consts::TAU;
    assert!((520.0..=524.0).contains(&rad_s), "{rad_s} rad/s");
    assert_ne!(inputs.statusword & o::STATUS_INTERNAL_LIMIT, 0);
}

#[test]
fn changing_the_mode_while_turning_is_no_jump_in_speed() {
    let (mut wire, mut outputs) = enabled(servo());
    let step = 2 * TURN / 1000;
    let speed = travel(&mut wire, &mut outputs, 300, step).velocity;
    velocity(&mut wire, speed);
    outputs.mode = o::MODE_CSV;
    for _ in 0..20 {
        let change = f64::from(wire.cycle(0, outputs).velocity) / f64::from(speed) - 1.0;
        assert!(change.abs() < 0.02, "speed off by {change}");
    }
}

#[test]
fn halt_stops_and_holds_and_letting_go_follows_from_there() {
    let (mut wire, mut outputs) = enabled(servo());
    with_mode(&mut wire, &mut outputs, o::MODE_CSV);
    velocity(&mut wire, 5 * TURN);
    run(&mut wire, outputs, 100);
    outputs.controlword |= o::CONTROL_HALT;
    let halted = |inputs: Inputs| inputs.statusword & o::STATUS_TARGET_REACHED != 0;
    let inputs = wire.cycle_until(0, outputs, 100, halted);
    assert_eq!(inputs.state(), "operation enabled");
    let place = run(&mut wire, outputs, 100).position;
    assert!((run(&mut wire, outputs, 100).position - place).abs() <= 1, "it holds");
    outputs.controlword &= !o::CONTROL_HALT;
    assert!(run(&mut wire, outputs, 100).velocity > 4 * TURN);
}

#[test]
fn each_option_code_stops_as_it_says() {
    // Slow down at a fifth of the quick stop deceleration of 5000 rad/s².
    let slow = (1000.0 / std::f64::consts::TAU * f64::from(TURN) / 1000.0) as u32;
    for (object, option, controlword, ends_in, lost_rad_s) in [
        (o::QUICK_STOP_OPTION, 1_i16, 0x02, "switch on disabled", 10.0),
        (o::QUICK_STOP_OPTION, 2, 0x02, "switch on disabled", 50.0),
        (o::QUICK_STOP_OPTION, 5, 0x02, "quick stop active", 10.0),
        (o::QUICK_STOP_OPTION, 6, 0x02, "quick stop active", 50.0),
        (o::QUICK_STOP_OPTION, 3, 0x02, "switch on disabled", 125.0),
        (o::QUICK_STOP_OPTION, 4, 0x02, "switch on disabled", 125.0),
        (o::QUICK_STOP_OPTION, 7, 0x02, "quick stop active", 125.0),
        (o::QUICK_STOP_OPTION, 8, 0x02, "quick stop active", 125.0),
        (o::SHUTDOWN_OPTION, 1, 0x06, "ready to switch on", 10.0),
        (o::DISABLE_OPERATION_OPTION, 1, 0x07, "switched on", 10.0),
        (o::FAULT_REACTION_OPTION, 1, 0x0F, "fault", 10.0),
        (o::FAULT_REACTION_OPTION, 2, 0x0F, "fault", 50.0),
        (o::FAULT_REACTION_OPTION, 3, 0x0F, "fault", 125.0),
        (o::FAULT_REACTION_OPTION, 4, 0x0F, "fault", 125.0),
    ] {
        // Loops stiff enough to stay on the ramp.
        let (mut wire, mut outputs) = enabled(with(|parameters| parameters.speed_gain_1_s = 3000.0));
        wire.download(0, 0x6084, 0, &slow.to_le_bytes()).unwrap();
        wire.download(0, object, 0, &option.to_le_bytes()).unwrap();
        travel(&mut wire, &mut outputs, 300, 20 * TURN / 1000);
        outputs.controlword = controlword;
        if object == o::FAULT_REACTION_OPTION {
            wire.segment
                .inject(Injection::DriveFault { drive: 0.into(), code: 0x4310, lasts: false })
                .unwrap();
        }
        let rad_s = |wire: &Wire| {
            wire.segment.drive(0).unwrap().velocity_counts_s / f64::from(TURN) * std::f64::consts::TAU
        };
        wire.cycle(0, outputs);
        wire.wait(Nanoseconds(2_500_000));
        // A stop at the torque limit has begun by now; the others are on their ramp.
        let first = if lost_rad_s > 100.0 { 125.7 } else { rad_s(&wire) };
        wire.wait(Nanoseconds(10_000_000));
        let lost = first - rad_s(&wire);
        let is_right = if lost_rad_s > 100.0 { lost > 120.0 } else { (lost - lost_rad_s).abs() < 1.0 };
        assert!(is_right, "0x{object:04X} = {option}: lost {lost} rad/s in 10 ms");
        wire.cycle_until(0, outputs, 300, is(ends_in));
        let inputs = run(&mut wire, outputs, 150);
        assert_eq!(inputs.state(), ends_in, "0x{object:04X} = {option}");
    }
}

#[test]
fn option_code_zero_lets_the_axis_coast() {
    for (object, controlword, ends_in) in [
        (o::QUICK_STOP_OPTION, 0x02, "switch on disabled"),
        (o::SHUTDOWN_OPTION, 0x06, "ready to switch on"),
        (o::DISABLE_OPERATION_OPTION, 0x07, "switched on"),
    ] {
        let (mut wire, mut outputs) = enabled(servo());
        wire.download(0, object, 0, &0_i16.to_le_bytes()).unwrap();
        outputs.controlword = controlword;
        wire.cycle_until(0, outputs, 3, is(ends_in));
        assert!(!wire.segment.drive(0).unwrap().energised, "0x{object:04X}");
    }
}

#[test]
fn option_codes_the_standard_does_not_name_are_refused() {
    let (mut wire, _) = enabled(servo());
    for (object, wrong) in [
        (o::QUICK_STOP_OPTION, 9_i16),
        (o::QUICK_STOP_OPTION, -1),
        (o::SHUTDOWN_OPTION, 2),
        (o::DISABLE_OPERATION_OPTION, 2),
        (o::HALT_OPTION, 0),
        (o::FAULT_REACTION_OPTION, 5),
    ] {
        assert_eq!(wire.download(0, object, 0, &wrong.to_le_bytes()), Err(0x0609_0030), "0x{object:04X}");
    }
}

#[test]
fn the_inputs_show_switches_and_safe_torque_off_and_the_output_shows_the_brake() {
    let (mut wire, mut outputs) = enabled(with(|parameters| {
        parameters.switches = Switches {
            negative_limit: Some(Cam { from: i64::MIN, to: 100 }),
            positive_limit: Some(Cam { from: 90_000, to: i64::MAX }),
            home: Some(Cam { from: 50, to: 89_000 }),
            ..Switches::default()
        };
    }));
    let brake = |wire: &mut Wire| wire.upload(0, o::DIGITAL_OUTPUTS, 1).unwrap()[0];
    assert_eq!((inputs_word(&mut wire), brake(&mut wire)), (o::INPUT_NEGATIVE_LIMIT, 0));
    // The drive stops by itself soon after 90,000, on the switch and past the home switch.
    travel(&mut wire, &mut outputs, 100, 1000);
    run(&mut wire, outputs, 200);
    assert_eq!(inputs_word(&mut wire), o::INPUT_POSITIVE_LIMIT);
    wire.segment.inject(Injection::SafeTorqueOff { device: None, active: true }).unwrap();
    run(&mut wire, outputs, 100);
    assert_eq!(inputs_word(&mut wire), o::INPUT_POSITIVE_LIMIT | o::INPUT_INTERLOCK);
    assert_eq!(brake(&mut wire), 1);
}

#[test]
fn a_target_beyond_the_software_limit_is_cut_to_it() {
    let (mut wire, mut outputs) = enabled(servo());
    wire.download(0, o::SOFTWARE_POSITION_LIMIT, 1, &(-50_000_i32).to_le_bytes()).unwrap();
    wire.download(0, o::SOFTWARE_POSITION_LIMIT, 2, &50_000_i32.to_le_bytes()).unwrap();
    travel(&mut wire, &mut outputs, 100, 1000);
    let inputs = run(&mut wire, outputs, 200);
    assert!((inputs.position - 50_000).abs() <= 1, "{}", inputs.position);
    assert_ne!(inputs.statusword & o::STATUS_INTERNAL_LIMIT, 0);
}

#[test]
fn setpoints_that_stay_away_are_a_fault_where_the_drive_is_told_so() {
    let drive = with(|parameters| parameters.setpoint_timeout_periods = 5);
    let (mut wire, mut outputs) = enabled(drive);
    travel(&mut wire, &mut outputs, 100, 1000);
    wire.wait(Nanoseconds(4_000_000));
    assert_eq!(wire.cycle(0, outputs).error_code, 0, "four periods are ridden through");
    wire.wait(Nanoseconds(8_000_000));
    assert_eq!(wire.segment.drive(0).unwrap().error_code, 0x8700);
}
