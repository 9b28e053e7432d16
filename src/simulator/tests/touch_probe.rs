//! Touch probes by their objects.

use super::drive::{enabled, with};
use super::support::{Outputs, Wire};
use crate::devices::objects as o;
use crate::simulator::{Cam, Injection, ShaftSwitch, Switches};

const PROBE: Cam = Cam { from: 30_333, to: 61_234 };

fn moving() -> (Wire, Outputs) {
    enabled(with(|parameters| {
        parameters.index_offset_counts = 45_678;
        parameters.switches = Switches { probe_1: Some(PROBE), probe_2: Some(PROBE), ..Switches::default() };
    }))
}

fn set(wire: &mut Wire, function: u16) {
    wire.download(0, o::TOUCH_PROBE_FUNCTION, 0, &function.to_le_bytes()).unwrap();
}

fn status(wire: &mut Wire) -> u16 {
    u16::from_le_bytes(wire.upload(0, o::TOUCH_PROBE_STATUS, 0).unwrap().try_into().unwrap())
}

fn latched(wire: &mut Wire, index: u16) -> i32 {
    i32::from_le_bytes(wire.upload(0, index, 0).unwrap().try_into().unwrap())
}

/// Over the probe and back, 1000 counts a cycle.
fn sweep(wire: &mut Wire, outputs: &mut Outputs, step: i32) {
    for _ in 0..100 {
        outputs.target += step;
        wire.cycle(0, *outputs);
    }
    for _ in 0..200 {
        wire.cycle(0, *outputs);
    }
}

#[test]
fn both_edges_are_latched_where_they_are() {
    let (mut wire, mut outputs) = moving();
    set(&mut wire, 0x0031);
    assert_eq!(status(&mut wire), 0x0001);
    sweep(&mut wire, &mut outputs, 1000);
    assert_eq!(status(&mut wire), 0x0007);
    assert_eq!(latched(&mut wire, o::TOUCH_PROBE_1_POSITIVE), 30_333);
    assert_eq!(latched(&mut wire, o::TOUCH_PROBE_1_NEGATIVE), 61_234);
}

#[test]
fn the_first_event_stays_until_the_probe_is_enabled_again_and_a_continuous_one_is_replaced() {
    let (mut wire, mut outputs) = moving();
    // Probe 1 takes the first positive edge, probe 2 each of them.
    set(&mut wire, 0x1311);
    sweep(&mut wire, &mut outputs, 1000);
    sweep(&mut wire, &mut outputs, -1000);
    assert_eq!(status(&mut wire), 0x0303);
    assert_eq!(latched(&mut wire, o::TOUCH_PROBE_1_POSITIVE), 30_333);
    assert_eq!(latched(&mut wire, o::TOUCH_PROBE_2_POSITIVE), 61_234, "from the other side");
    set(&mut wire, 0x0000);
    assert_eq!(status(&mut wire), 0);
    set(&mut wire, 0x0011);
    assert_eq!(status(&mut wire), 0x0001, "enabled, nothing stored");
    sweep(&mut wire, &mut outputs, 1000);
    assert_eq!(status(&mut wire), 0x0003);
}

#[test]
fn the_index_pulse_can_be_latched_instead() {
    let (mut wire, mut outputs) = moving();
    set(&mut wire, 0x0015);
    sweep(&mut wire, &mut outputs, 1000);
    assert_eq!(status(&mut wire), 0x0003);
    assert_eq!(latched(&mut wire, o::TOUCH_PROBE_1_POSITIVE), 45_678);
}

#[test]
fn an_edge_from_outside_is_latched_at_the_position_of_that_moment() {
    let (mut wire, mut outputs) = moving();
    set(&mut wire, 0x0011);
    for _ in 0..20 {
        outputs.target += 1000;
        wire.cycle(0, outputs);
    }
    let touch = Injection::ShaftSwitch { drive: 0.into(), switch: ShaftSwitch::Probe1, level: Some(true) };
    wire.segment.inject(touch).unwrap();
    let place = wire.segment.drive(0).unwrap();
    let at = latched(&mut wire, o::TOUCH_PROBE_1_POSITIVE);
    // The loops have run up to half a cycle ago; the latch knows the moment.
    let ahead = f64::from(at) - place.position_counts;
    assert!((-1.0..=place.velocity_counts_s * 500e-6 + 1.0).contains(&ahead), "{ahead} counts ahead");
    let inputs = u32::from_le_bytes(wire.upload(0, o::DIGITAL_INPUTS, 0).unwrap().try_into().unwrap());
    assert_eq!(inputs, 1 << 16);
}
