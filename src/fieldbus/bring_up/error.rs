//! What can go wrong on the way to OP, as data.

use std::fmt;

use super::comparison::BusDifference;
use crate::devices::MAX_SUBDEVICES;
use crate::fieldbus::al_state::{AlState, status_code_remedy, status_code_words};
use crate::fieldbus::description::BusDescription;
use crate::fieldbus::mailbox::MailboxProblem;
use crate::units::Nanoseconds;

/// Part of bring-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Counting, addressing, SII, clock delays, INIT to PRE-OP.
    Discovery,
    /// Mapping and start-up objects, in PRE-OP.
    Objects,
    /// Sync managers and FMMUs.
    ProcessDataMapping,
    /// SYNC0 settings.
    ClockConfiguration,
    /// PRE-OP to SAFE-OP.
    SafeOperation,
    /// SAFE-OP to OP.
    Operation,
}

impl fmt::Display for Stage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Discovery => "finding the devices (INIT to PRE-OP)",
            Self::Objects => "writing objects",
            Self::ProcessDataMapping => "mapping the process data",
            Self::ClockConfiguration => "configuring the distributed clocks",
            Self::SafeOperation => "going to SAFE-OP",
            Self::Operation => "going to OP",
        })
    }
}

/// Direction of process data, seen from the controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Controller to device.
    Outputs,
    /// Device to controller.
    Inputs,
}

impl fmt::Display for Direction {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Outputs => "outputs",
            Self::Inputs => "inputs",
        })
    }
}

/// Why an SDO transfer failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SdoProblem {
    /// The mailbox or the device says so.
    Mailbox(MailboxProblem),
    /// The value read back is not the one written.
    ReadBack {
        /// What was written.
        written: u32,
        /// What was read.
        found: u32,
    },
}

impl From<MailboxProblem> for SdoProblem {
    fn from(problem: MailboxProblem) -> Self {
        Self::Mailbox(problem)
    }
}

impl fmt::Display for SdoProblem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mailbox(problem) => write!(formatter, "{problem}"),
            Self::ReadBack { written, found } => {
                write!(formatter, "wrote {written:#x}, reads back {found:#x}")
            }
        }
    }
}

/// Why the bus did not come to OP. Positions count from 0 in wire order; `name` is the configured name.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "fields are named by the text of each variant")]
pub enum BringUpError {
    /// The description has more devices than a segment may have.
    TooManyDevices { expected: usize },
    /// No frame came back.
    NothingAnswers,
    /// The devices on the wire are not the described ones.
    BusDiffers { differences: Vec<BusDifference> },
    /// The ports the device reports cannot be what is on the wire (`is_nested`: a fork within a fork).
    Topology { position: usize, dl_status: u16, is_nested: bool },
    /// A device refused a state.
    Refused { position: usize, name: String, wanted: AlState, found: AlState, status_code: u16 },
    /// A device did not reach a state in time, without saying why.
    NotReached { position: usize, name: String, wanted: AlState, found: AlState },
    /// An object could not be read or written.
    Sdo { position: usize, name: String, index: u16, subindex: u8, problem: SdoProblem },
    /// The drive would react otherwise than it must (`found` `None`: it has no such object).
    Reaction { position: usize, name: String, index: u16, subindex: u8, wanted: i32, found: Option<i32> },
    /// The device keeps another mapping than the described one.
    Mapping { position: usize, name: String, direction: Direction, expected: Vec<u32>, found: Vec<u32> },
    /// The device exchanges another number of bytes than described.
    ProcessDataLength {
        position: usize,
        name: String,
        direction: Direction,
        expected_bytes: usize,
        found_bytes: usize,
    },
    /// The device does not take the watchdog time.
    Watchdog { position: usize, name: String, wanted: Nanoseconds, found: Nanoseconds },
    /// A device's clock stays away from the reference clock (`None`: it could not be read).
    ClockNotSettled { position: usize, name: String, difference_ns: Option<u32> },
    /// The cycle does not follow the reference clock.
    CycleNotLocked { phase_error_ns: f64 },
    /// A part took too long.
    Timeout { stage: Stage },
    /// ethercrab gave up.
    Protocol { stage: Stage, error: ethercrab::error::Error },
    /// Something came in the way when ethercrab read the mapping back, again and again.
    Interrupted { error: ethercrab::error::Error },
    /// ethercrab panicked again and again; the panics were caught.
    Panicked { stage: Stage },
}

impl std::error::Error for BringUpError {}

impl fmt::Display for BringUpError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManyDevices { expected } => {
                write!(formatter, "{expected} devices are described, a segment has at most {MAX_SUBDEVICES}")
            }
            Self::NothingAnswers => formatter.write_str(
                "no device answers: check power, cable, and that the right network interface is configured",
            ),
            Self::BusDiffers { differences } => {
                formatter.write_str("the bus is not the described one")?;
                differences.iter().try_for_each(|difference| write!(formatter, "; {difference}"))?;
                // A cut cable makes many differences of one kind: each remedy once.
                for (at, remedy) in differences.iter().map(BusDifference::remedy).enumerate() {
                    if !differences.iter().take(at).any(|earlier| earlier.remedy() == remedy) {
                        write!(formatter, "; {remedy}")?;
                    }
                }
                Ok(())
            }
            Self::Topology { position, dl_status, is_nested } => {
                write!(
                    formatter,
                    "the ports of the devices do not fit together at position {position} (DL status \
                     {dl_status:#06x}); "
                )?;
                formatter.write_str(if *is_nested {
                    "a fork within a fork is not supported: wire the inner branch in line"
                } else {
                    "a cable is half plugged in, a device is restarting, or a port is defective: check the link \
                     lamps around this device, then try again"
                })
            }
            Self::Refused { position, name, wanted, found, status_code } => write!(
                formatter,
                "{name} (position {position}) refused {}: AL status code {status_code:#06x}, {}; it is in {}; {}",
                wanted.name(),
                status_code_words(*status_code),
                found.name(),
                status_code_remedy(*status_code)
            ),
            Self::NotReached { position, name, wanted, found } => write!(
                formatter,
                "{name} (position {position}) did not reach {} in time and gives no reason; it is in {}; {}",
                wanted.name(),
                found.name(),
                if *found == AlState::NoAnswer {
                    "check its power and the cable before it"
                } else {
                    "look at its display for an error, switch it off and on, then try again"
                }
            ),
            Self::Sdo { position, name, index, subindex, problem } => {
                write!(
                    formatter,
                    "{name} (position {position}), object {index:#06x}:{subindex:02x}: {problem}; compare it with the \
                     manual of the device, then correct its drive file"
                )
            }
            Self::Reaction { position, name, index, subindex, wanted, found } => {
                write!(
                    formatter,
                    "{name} (position {position}) would not react to faults as it must: object \
                     {index:#06x}:{subindex:02x} must be {wanted}, "
                )?;
                match found {
                    Some(found) => write!(formatter, "is {found} and stays so")?,
                    None => formatter.write_str("the drive has no such object")?,
                }
                formatter.write_str(
                    "; look up in its manual what it does instead, and say so under [reactions] in the drive file",
                )
            }
            Self::Mapping { position, name, direction, expected, found } => write!(
                formatter,
                "{name} (position {position}) does not take the mapping of its {direction}: \
                 expected {expected:#010x?}, found {found:#010x?}; describe a mapping it has in its drive file"
            ),
            Self::ProcessDataLength { position, name, direction, expected_bytes, found_bytes } => write!(
                formatter,
                "{name} (position {position}) has {found_bytes} bytes of {direction}, described are \
                 {expected_bytes}; correct the entries of its {direction} in its drive file"
            ),
            Self::Watchdog { position, name, wanted, found } => write!(
                formatter,
                "{name} (position {position}) does not take the watchdog time of {} ms, it has {} ms; without it \
                 the device would not stop when the frames do: it cannot be used",
                wanted.0 / 1_000_000,
                found.0 / 1_000_000
            ),
            Self::ClockNotSettled { position, name, difference_ns } => match difference_ns {
                Some(difference) => write!(
                    formatter,
                    "the clock of {name} (position {position}) stays {difference} ns from the reference clock; switch \
                     the device off and on, then try again"
                ),
                None => write!(
                    formatter,
                    "the clock of {name} (position {position}) cannot be read; check the cable before it, then try again"
                ),
            },
            Self::CycleNotLocked { phase_error_ns } => write!(
                formatter,
                "the cycle does not follow the reference clock: {phase_error_ns:.0} ns away; \
                 is the host fast enough for this cycle time?"
            ),
            Self::Timeout { stage } => write!(
                formatter,
                "time-out while {stage}: check cables and link lamps, and the displays of the drives, then try again"
            ),
            Self::Protocol { stage, error } => {
                write!(formatter, "error while {stage}: {error}; check cables and link lamps, then try again")
            }
            Self::Interrupted { error } => write!(
                formatter,
                "the mapping could not be read back in several tries ({error}): look at the displays of the \
                 drives for an error that comes again and again"
            ),
            Self::Panicked { stage } => write!(
                formatter,
                "the EtherCAT library gave up several times while {stage}: a device that keeps sending emergencies \
                 does this; look at the displays of the drives, then try again"
            ),
        }
    }
}

/// The configured name of the device at `position`.
pub(super) fn name_of(description: &BusDescription, position: usize) -> String {
    description.devices.get(position).map_or_else(String::new, |expected| expected.name.clone())
}
