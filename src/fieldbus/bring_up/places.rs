//! Where the process data of each device lies, in which frames, and what that adds to the working counter.

use super::error::{BringUpError, Direction};
use crate::devices::MAX_SUBDEVICES;
use crate::fieldbus::bus::{Group, Place, with_subdevice};
use crate::fieldbus::description::BusDescription;
use crate::fieldbus::frame_pump::FramePump;
use crate::fieldbus::link::{FrameLink, MAX_FRAME_BYTES};

/// Process data that fits in the first frame of an exchange, which also carries the system time, and in each further
/// one: what the Ethernet and EtherCAT headers and those of the datagrams leave.
const FIRST_FRAME_BYTES: usize = FURTHER_FRAME_BYTES - SYSTEM_TIME_BYTES;
const FURTHER_FRAME_BYTES: usize = MAX_FRAME_BYTES - FRAME_HEADER_BYTES - DATAGRAM_BYTES;
const FRAME_HEADER_BYTES: usize = 16;
/// Header and working counter of a datagram.
const DATAGRAM_BYTES: usize = 12;
const SYSTEM_TIME_BYTES: usize = DATAGRAM_BYTES + 8;

/// How many frames carry a part of the bytes `begin..end` of the process image. `has_clock`: the exchange carries
/// the system time of a reference clock.
const fn frames_with(begin: usize, end: usize, has_clock: bool) -> u16 {
    let (mut frame_end, mut frames) = (if has_clock { FIRST_FRAME_BYTES } else { FURTHER_FRAME_BYTES }, 0);
    let mut frame_begin = 0;
    while frame_begin < end {
        if begin < end && begin < frame_end {
            frames += 1;
        }
        (frame_begin, frame_end) = (frame_end, frame_end + FURTHER_FRAME_BYTES);
    }
    frames
}

/// Where the bytes of each device are, after checking that there are as many as described.
pub(super) fn places_of<L: FrameLink>(
    pump: &FramePump<L>,
    group: &Group,
    description: &BusDescription,
) -> Result<[Place; MAX_SUBDEVICES], BringUpError> {
    let main_device = pump.main_device();
    let mut places = [Place::default(); MAX_SUBDEVICES];
    let (mut inputs, mut outputs) = (0, 0);
    for ((position, expected), place) in description.devices.iter().enumerate().zip(&mut places) {
        let mut lengths = (0, 0);
        with_subdevice!(group, main_device, position, |subdevice| {
            lengths = (subdevice.inputs_raw().len(), subdevice.outputs_raw().len());
        });
        let wanted = (expected.device.inputs.bytes(), expected.device.outputs.bytes());
        for (direction, wanted, found) in
            [(Direction::Inputs, wanted.0, lengths.0), (Direction::Outputs, wanted.1, lengths.1)]
        {
            if wanted != found {
                return Err(BringUpError::ProcessDataLength {
                    position,
                    name: expected.name.clone(),
                    direction,
                    expected_bytes: wanted,
                    found_bytes: found,
                });
            }
        }
        *place = Place {
            input_start: inputs,
            input_end: inputs + lengths.0,
            output_start: outputs,
            output_end: outputs + lengths.1,
            working_counter: 0,
        };
        (inputs, outputs) = (place.input_end, place.output_end);
    }
    let has_clock = description.devices.iter().any(|expected| expected.device.distributed_clock);
    for place in &mut places {
        place.working_counter = working_counter_of(place, inputs, has_clock);
    }
    Ok(places)
}

/// What one device adds to the working counters of LRW together: one for reading, two for writing (ETG.1000.4), in
/// each frame that carries a part of it. The inputs of all devices come first, then their outputs.
const fn working_counter_of(place: &Place, all_inputs: usize, has_clock: bool) -> u16 {
    frames_with(place.input_start, place.input_end, has_clock)
        + 2 * frames_with(all_inputs + place.output_start, all_inputs + place.output_end, has_clock)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_at_the_edge_of_a_frame_belong_to_two() {
        assert_eq!(FIRST_FRAME_BYTES, 1466);
        let edges = [(0, 0, 0), (0, 34, 1), (1464, 1466, 1), (1464, 1467, 2), (1466, 1480, 1), (0, 2048, 2)];
        for (begin, end, frames) in edges {
            assert_eq!(frames_with(begin, end, true), frames, "{begin}..{end}");
        }
        assert_eq!(frames_with(1464, 1486, false), 1);
        assert_eq!(frames_with(1464, 1487, false), 2);
    }
}
