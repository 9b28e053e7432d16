//! Homing as a controller sees it: objects in, statusword and position out.

use super::drive::{enabled, travel, with};
use super::support::{Inputs, Outputs, Wire};
use crate::devices::objects as o;
use crate::simulator::{Cam, Injection, ShaftSwitch, Switches};

const TURN: i64 = 1 << 23;
/// Switches as most machines have them: 20 turns of travel, a home switch of a third of a turn.
const TRAVEL: Cam = Cam { from: -10 * TURN, to: 10 * TURN };
const SWITCHES: Switches = Switches {
    negative_limit: Some(Cam { from: -100 * TURN, to: TRAVEL.from }),
    positive_limit: Some(Cam { from: TRAVEL.to, to: 100 * TURN }),
    home: Some(Cam { from: 2 * TURN + 1234, to: 2 * TURN + TURN / 3 }),
    probe_1: None,
    probe_2: None,
};
const RUNNING: u16 = 0x0F | o::CONTROL_HOMING_START;

/// A drive at `position` in homing mode, ready to start.
fn ready(position: i64, switches: Switches, method: i8) -> (Wire, Outputs) {
    let (mut wire, mut outputs) = enabled(with(|parameters| {
        parameters.initial_position_counts = position;
        parameters.index_offset_counts = 4321;
        parameters.switches = switches;
    }));
    wire.download(0, o::HOMING_METHOD, 0, &method.to_le_bytes()).unwrap();
    wire.download(0, o::HOMING_SPEEDS, 1, &(20 * TURN as u32).to_le_bytes()).unwrap();
    wire.download(0, o::HOMING_SPEEDS, 2, &(2 * TURN as u32).to_le_bytes()).unwrap();
    outputs.mode = o::MODE_HOMING;
    wire.cycle_until(0, outputs, 3, |inputs| inputs.mode_display == o::MODE_HOMING);
    (wire, outputs)
}

fn bits(inputs: Inputs) -> (bool, bool, bool) {
    let bit = |bit| inputs.statusword & bit != 0;
    (bit(o::STATUS_HOMING_ERROR), bit(o::STATUS_HOMING_ATTAINED), bit(o::STATUS_TARGET_REACHED))
}

const DONE: (bool, bool, bool) = (false, true, true);
const FAILED: (bool, bool, bool) = (true, false, true);

/// Homes; where zero of the shown position is then, counts of the shaft.
fn zero_after(position: i64, switches: Switches, method: i8) -> i64 {
    let (mut wire, mut outputs) = ready(position, switches, method);
    outputs.controlword = RUNNING;
    let end = wire.cycle_until(0, outputs, 10_000, |inputs| bits(inputs) == DONE || bits(inputs).0);
    assert_eq!(bits(end), DONE, "method {method} from {position}");
    let drive = wire.segment.drive(0).unwrap();
    drive.position_counts.floor() as i64 - i64::from(drive.encoder_counts)
}

#[test]
fn each_method_finds_its_edge_from_every_side() {
    let home = SWITCHES.home.unwrap();
    let one_sided = |from, to| Switches { home: Some(Cam { from, to }), ..SWITCHES };
    let right = one_sided(3 * TURN + 77, 100 * TURN);
    let left = one_sided(-100 * TURN, 3 * TURN + 77);
    let before = |at: i64| (at - 4321).div_euclid(TURN) * TURN + 4321;
    for (method, switches, edge) in [
        (17, SWITCHES, TRAVEL.from),
        (18, SWITCHES, TRAVEL.to),
        (19, right, 3 * TURN + 77),
        (20, right, 3 * TURN + 77),
        (21, left, 3 * TURN + 77),
        (22, left, 3 * TURN + 77),
        (23, SWITCHES, home.from),
        (24, SWITCHES, home.from),
    ] {
        for start in [-3 * TURN, TURN, 2 * TURN + TURN / 5, 5 * TURN] {
            assert_eq!(zero_after(start, switches, method), edge, "method {method} from {start}");
        }
    }
    // On a limit switch at the beginning.
    assert_eq!(zero_after(-10 * TURN - 99, SWITCHES, 17), TRAVEL.from);
    assert_eq!(zero_after(10 * TURN + 99, SWITCHES, 18), TRAVEL.to);
    assert_eq!(zero_after(10 * TURN + 99, SWITCHES, 23), home.from);
    assert_eq!(zero_after(10 * TURN + 99, SWITCHES, 24), home.from);
    for start in [-3 * TURN, TURN + TURN / 2, 5 * TURN] {
        assert_eq!(zero_after(start, SWITCHES, 33), before(start));
        assert_eq!(zero_after(start, SWITCHES, 34), before(start) + TURN);
        for method in [35, 37] {
            assert!((zero_after(start, SWITCHES, method) - start).abs() <= 1);
        }
    }
}

#[test]
fn the_home_offset_moves_zero_beyond_the_home_position() {
    let (mut wire, mut outputs) = ready(TURN, SWITCHES, 24);
    wire.download(0, o::HOME_OFFSET, 0, &50_000_i32.to_le_bytes()).unwrap();
    outputs.controlword = RUNNING;
    wire.cycle_until(0, outputs, 10_000, |inputs| bits(inputs) == DONE);
    let drive = wire.segment.drive(0).unwrap();
    let zero = drive.position_counts.floor() as i64 - i64::from(drive.encoder_counts);
    assert_eq!(zero, SWITCHES.home.unwrap().from + 50_000);
}

#[test]
fn the_statusword_tells_how_far_homing_is() {
    let (mut wire, mut outputs) = ready(TURN, SWITCHES, 24);
    assert_eq!(bits(wire.cycle(0, outputs)), (false, false, true), "not started");
    outputs.controlword = RUNNING;
    wire.cycle_until(0, outputs, 5, |inputs| bits(inputs) == (false, false, false));
    let found = wire.cycle_until(0, outputs, 10_000, |inputs| bits(inputs).1);
    assert_eq!(bits(found), (false, true, false), "found, and still turning");
    wire.cycle_until(0, outputs, 1000, |inputs| bits(inputs) == DONE);
    // In another mode the bits mean something else.
    outputs.mode = o::MODE_CSP;
    outputs.target = wire.cycle(0, outputs).position;
    let inputs = wire.cycle_until(0, outputs, 3, |inputs| inputs.mode_display == o::MODE_CSP);
    assert_eq!(bits(inputs), (false, true, false), "follows the command value");
}

#[test]
fn taking_the_start_back_stops_the_axis() {
    let (mut wire, mut outputs) = ready(-5 * TURN, SWITCHES, 24);
    outputs.controlword = RUNNING;
    for _ in 0..100 {
        wire.cycle(0, outputs);
    }
    outputs.controlword = 0x0F;
    wire.cycle_until(0, outputs, 200, |inputs| bits(inputs) == (false, false, true));
    for _ in 0..100 {
        wire.cycle(0, outputs);
    }
    let place = wire.cycle(0, outputs).position;
    for _ in 0..200 {
        assert!((wire.cycle(0, outputs).position - place).abs() <= 1);
    }
}

#[test]
fn a_switch_that_never_comes_ends_at_the_limit_switch_with_an_error() {
    for method in [19, 20, 21, 22, 23, 24] {
        let (mut wire, mut outputs) = ready(-3 * TURN, Switches { home: None, ..SWITCHES }, method);
        outputs.controlword = RUNNING;
        let end = wire.cycle_until(0, outputs, 10_000, |inputs| bits(inputs) == FAILED);
        assert_eq!(end.error_code, 0, "a homing error is no drive fault");
        assert!(end.velocity.abs() < TURN as i32 / 1000);
    }
}

#[test]
fn a_switch_that_is_stuck_is_not_taken_for_home() {
    let (mut wire, mut outputs) = ready(TURN, SWITCHES, 24);
    let stuck = Injection::ShaftSwitch { drive: 0.into(), switch: ShaftSwitch::Home, level: Some(false) };
    wire.segment.inject(stuck).unwrap();
    outputs.controlword = RUNNING;
    wire.cycle_until(0, outputs, 10_000, |inputs| bits(inputs) == FAILED);
}

#[test]
fn homing_can_be_followed_by_positions_without_a_jump() {
    let (mut wire, mut outputs) = ready(TURN, SWITCHES, 24);
    outputs.controlword = RUNNING;
    wire.cycle_until(0, outputs, 10_000, |inputs| bits(inputs) == DONE);
    outputs.controlword = 0x0F;
    let place = wire.cycle(0, outputs).position;
    outputs.mode = o::MODE_CSP;
    outputs.target = place;
    for _ in 0..100 {
        assert!((wire.cycle(0, outputs).position - place).abs() <= 1);
    }
    let moved = travel(&mut wire, &mut outputs, 200, 1000);
    assert!(moved.position > place + 150_000);
}

#[test]
fn a_method_the_drive_does_not_have_is_refused() {
    let (mut wire, mut outputs) = ready(0, SWITCHES, 37);
    assert_eq!(wire.download(0, o::HOMING_METHOD, 0, &[1]), Err(0x0609_0030));
    wire.download(0, o::HOMING_METHOD, 0, &[25]).unwrap();
    outputs.controlword = RUNNING;
    wire.cycle_until(0, outputs, 10, |inputs| bits(inputs) == FAILED);
}
