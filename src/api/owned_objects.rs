//! Objects of SubDevices that nobody but the controller may write while it holds the bus: what it writes in every
//! cycle, what its process data stands on, and what its reactions to faults rely on.

/// First and last index, and what they are. Profile objects (0x6000 to 0x9FFF) are those of the first axis or
/// module; each further one has its own 0x800 above.
const OWNED: &[(u16, u16, &str)] = &[
    (0x10F1, 0x10F1, "when the device gives up without frames, which the reaction audit has checked"),
    (0x1600, 0x1BFF, "the mapping of its process data"),
    (0x1C00, 0x1C33, "its sync managers and their synchronisation"),
    (0x6007, 0x6007, "its reaction to a lost connection, which the reaction audit has checked"),
    (0x6040, 0x6040, "its controlword"),
    (0x605A, 0x605E, "its reactions to stops and faults, which the reaction audit has checked"),
    (0x6060, 0x6060, "its mode of operation"),
    (0x6071, 0x6071, "its target torque"),
    (0x607A, 0x607A, "its target position"),
    (0x60B1, 0x60B2, "its velocity and torque offset"),
    (0x60C2, 0x60C2, "its interpolation period, which the reaction audit has checked"),
    (0x60FF, 0x60FF, "its target velocity"),
];

/// Distance of the objects of one axis or module from those of the next.
const AXIS_DISTANCE: u16 = 0x800;

/// Why an object may not be written; `None`: it may. `outputs` are the indices mapped into the outputs of the
/// SubDevice.
#[must_use]
pub fn why_owned(index: u16, outputs: &[u16]) -> Option<&'static str> {
    let of_first_axis = match index {
        0x6000..=0x9FFF => 0x6000 + (index - 0x6000) % AXIS_DISTANCE,
        _ => index,
    };
    let listed = OWNED.iter().find(|(first, last, _)| (*first..=*last).contains(&of_first_axis));
    let mapped = outputs.contains(&index).then_some("written with the process data of every cycle");
    listed.map(|(_, _, why)| *why).or(mapped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_controller_relies_on_is_its_own_and_the_rest_is_not() {
        for index in [0x6040, 0x607A, 0x1C12, 0x1A00, 0x605A, 0x60C2, 0x6840, 0x687A, 0x10F1] {
            assert!(why_owned(index, &[]).is_some(), "{index:#06x}");
        }
        for index in [0x1018, 0x6064, 0x6065, 0x6081, 0x2000, 0x7000, 0x5FFF] {
            assert_eq!(why_owned(index, &[]), None, "{index:#06x}");
        }
        assert!(why_owned(0x7000, &[0x7000]).is_some());
    }
}
