//! How long the frames of a bring-up take, by the number of drives.

use motiond::fieldbus::FrameLink as _;

use crate::drives_bus::bus_of_drives;

fn bus_time_s(drives: usize) -> f64 {
    bus_of_drives(drives).expect("the bus comes up").link().now().as_seconds()
}

#[test]
fn sixteen_drives_are_in_op_within_three_seconds_and_twice_as_many_take_at_most_twice_as_long() {
    let [one, sixteen, thirty_two] = [1, 16, 32].map(bus_time_s);
    assert!(sixteen < 3.0, "16 drives: {sixteen} s");
    assert!(sixteen < 16.0 * one && thirty_two < 2.0 * sixteen, "{one} s, {sixteen} s, {thirty_two} s");
}
