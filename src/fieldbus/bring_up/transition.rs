//! Asking for AL states and finding out who refused.

use super::error::{BringUpError, Stage, name_of};
use crate::fieldbus::al_state::{AlState, AlStatus};
use crate::fieldbus::description::BusDescription;
use crate::fieldbus::frame_pump::FramePump;
use crate::fieldbus::link::FrameLink;
use crate::fieldbus::registers::{self, RegisterError};
use crate::units::Nanoseconds;

/// AL control bit 4: acknowledges an error.
pub(super) const ACKNOWLEDGE: u16 = 0x10;

/// How long one status read may take.
const READ_TIME: Nanoseconds = Nanoseconds(100_000_000);

fn stage_of(state: AlState) -> Stage {
    match state {
        AlState::Op => Stage::Operation,
        AlState::SafeOp => Stage::SafeOperation,
        AlState::NoAnswer | AlState::Init | AlState::PreOp | AlState::Bootstrap | AlState::Invalid => {
            Stage::Discovery
        }
    }
}

/// Asks one device for a state, without waiting for it.
pub(super) fn request<L: FrameLink>(
    pump: &mut FramePump<L>,
    description: &BusDescription,
    position: usize,
    wanted: AlState,
) -> Result<(), BringUpError> {
    let deadline = pump.link().now().plus(description.timeouts.transition);
    registers::write(pump, position, registers::AL_CONTROL, wanted.request(), deadline).map_err(|error| {
        match error {
            RegisterError::Elapsed => BringUpError::Timeout { stage: stage_of(wanted) },
            RegisterError::Refused(_) => BringUpError::NotReached {
                position,
                name: name_of(description, position),
                wanted,
                found: AlState::NoAnswer,
            },
        }
    })
}

/// Asks every device for a state and waits until all are there.
pub(super) fn request_all<L: FrameLink>(
    pump: &mut FramePump<L>,
    description: &BusDescription,
    wanted: AlState,
) -> Result<(), BringUpError> {
    for position in 0..description.devices.len() {
        request(pump, description, position, wanted)?;
    }
    let deadline = pump.link().now().plus(description.timeouts.transition);
    loop {
        if let Some(refusal) = first_refusal(pump, description, wanted) {
            return Err(refusal);
        }
        match first_missing(pump, description, wanted) {
            None => return Ok(()),
            Some(missing) if pump.link().now() >= deadline => return Err(missing),
            Some(_) => {}
        }
    }
}

fn status<L: FrameLink>(pump: &mut FramePump<L>, position: usize) -> AlStatus {
    let deadline = pump.link().now().plus(READ_TIME);
    registers::read(pump, position, registers::AL_STATUS, deadline)
        .map(AlStatus::from_registers)
        .unwrap_or_default()
}

/// A refusal with its reason.
pub(super) fn refused(
    description: &BusDescription,
    position: usize,
    wanted: AlState,
    status: AlStatus,
) -> BringUpError {
    BringUpError::Refused {
        position,
        name: name_of(description, position),
        wanted,
        found: status.state,
        status_code: status.code,
    }
}

/// The first device with its error bit set, if any.
pub(super) fn first_refusal<L: FrameLink>(
    pump: &mut FramePump<L>,
    description: &BusDescription,
    wanted: AlState,
) -> Option<BringUpError> {
    (0..description.devices.len()).find_map(|position| {
        let status = status(pump, position);
        status.error.then(|| refused(description, position, wanted, status))
    })
}

/// The first device that is not in the wanted state, if any.
pub(super) fn first_missing<L: FrameLink>(
    pump: &mut FramePump<L>,
    description: &BusDescription,
    wanted: AlState,
) -> Option<BringUpError> {
    (0..description.devices.len()).find_map(|position| {
        let found = status(pump, position).state;
        (found != wanted).then(|| BringUpError::NotReached {
            position,
            name: name_of(description, position),
            wanted,
            found,
        })
    })
}
