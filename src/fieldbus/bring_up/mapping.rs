//! Process data mapping and start-up objects by SDO, in PRE-OP; everything written is read back.

use ethercrab::error::{CoeAbortCode, Error, MailboxError, TimeoutError};
use ethercrab::{SubDevice, SubDeviceRef};

use super::error::{BringUpError, Direction, SdoProblem};
use super::{Found, GuardedError, guarded};
use crate::devices::{DeviceKind, MAX_PDO_ENTRIES, PdoMap};
use crate::fieldbus::description::{BusDescription, ExpectedDevice, SdoValue};
use crate::fieldbus::frame_pump::FramePump;
use crate::fieldbus::link::FrameLink;
use crate::units::Nanoseconds;

/// Which PDOs belong to the output sync manager (CiA 301 / ETG.1000.6, 0x1C10 + number of the sync manager).
const OUTPUT_ASSIGNMENT: u16 = 0x1C12;
/// Which PDOs belong to the input sync manager.
const INPUT_ASSIGNMENT: u16 = 0x1C13;

struct Mailbox<'a, L> {
    pump: &'a mut FramePump<L>,
    subdevice: SubDeviceRef<'static, &'a SubDevice>,
    position: usize,
    name: &'a str,
    timeout: Nanoseconds,
}

/// Writes mapping and start-up objects of one device. Devices without a mailbox have a fixed mapping,
/// whose length is checked later.
pub(super) fn configure<L: FrameLink>(
    pump: &mut FramePump<L>,
    group: &Found,
    position: usize,
    expected: &ExpectedDevice,
    description: &BusDescription,
) -> Result<(), BringUpError> {
    let has_mailbox = match expected.device.kind {
        DeviceKind::ServoDrive | DeviceKind::AnalogIo => true,
        DeviceKind::DigitalIo => false,
    };
    if !has_mailbox && expected.startup.is_empty() {
        return Ok(());
    }
    let main_device = pump.main_device();
    let Ok(subdevice) = group.subdevice(main_device, position) else {
        return Err(BringUpError::NothingAnswers);
    };
    let mut mailbox =
        Mailbox { pump, subdevice, position, name: &expected.name, timeout: description.timeouts.sdo };
    if has_mailbox {
        mailbox.map(Direction::Outputs, OUTPUT_ASSIGNMENT, &expected.device.outputs)?;
        mailbox.map(Direction::Inputs, INPUT_ASSIGNMENT, &expected.device.inputs)?;
    }
    for write in &expected.startup {
        mailbox.write(write.index, write.subindex, write.value)?;
        let found = match write.value {
            SdoValue::U8(_) => mailbox.read_u8(write.index, write.subindex).map(u32::from),
            SdoValue::U16(_) => mailbox.read_u16(write.index, write.subindex).map(u32::from),
            SdoValue::U32(_) => mailbox.read_u32(write.index, write.subindex),
        }?;
        let written = write.value.bits();
        if written != found {
            let problem = SdoProblem::ReadBack { written, found };
            return Err(mailbox.failure(write.index, write.subindex, problem));
        }
    }
    Ok(())
}

impl<L: FrameLink> Mailbox<'_, L> {
    /// Makes the device exchange exactly the described objects; writes only when it does not already.
    fn map(&mut self, direction: Direction, assignment: u16, map: &PdoMap) -> Result<(), BringUpError> {
        let expected: Vec<u32> = map.entries().iter().map(|entry| entry.mapping_value()).collect();
        if self.mapped(assignment, map.pdo)? == Some(expected.clone()) {
            return Ok(());
        }
        // Order of ETG.1000.6: empty the assignment, empty and fill the PDO, fill the assignment.
        self.write(assignment, 0, SdoValue::U8(0))?;
        if map.pdo != 0 {
            self.write(map.pdo, 0, SdoValue::U8(0))?;
            for (subindex, value) in (1_u8..).zip(&expected) {
                self.write(map.pdo, subindex, SdoValue::U32(*value))?;
            }
            let count = u8::try_from(expected.len()).unwrap_or(u8::MAX);
            self.write(map.pdo, 0, SdoValue::U8(count))?;
            self.write(assignment, 1, SdoValue::U16(map.pdo))?;
            self.write(assignment, 0, SdoValue::U8(1))?;
        }
        match self.mapped(assignment, map.pdo)? {
            Some(found) if found == expected => Ok(()),
            found => Err(BringUpError::Mapping {
                position: self.position,
                name: self.name.into(),
                direction,
                expected,
                found: found.unwrap_or_default(),
            }),
        }
    }

    /// The objects in `pdo` when exactly that PDO is assigned (none assigned for `pdo` 0), else `None`.
    fn mapped(&mut self, assignment: u16, pdo: u16) -> Result<Option<Vec<u32>>, BringUpError> {
        let assigned = match self.read_u8(assignment, 0) {
            // A device without this direction may not have the object at all.
            Err(BringUpError::Sdo { problem: SdoProblem::Aborted { code }, .. })
                if pdo == 0 && code == u32::from(CoeAbortCode::NotFound) =>
            {
                0
            }
            other => other?,
        };
        if pdo == 0 {
            return Ok((assigned == 0).then(Vec::new));
        }
        if assigned != 1 || self.read_u16(assignment, 1)? != pdo {
            return Ok(None);
        }
        let count = self.read_u8(pdo, 0)?;
        if usize::from(count) > MAX_PDO_ENTRIES {
            return Ok(None);
        }
        (1..=count).map(|subindex| self.read_u32(pdo, subindex)).collect::<Result<_, _>>().map(Some)
    }

    fn write(&mut self, index: u16, subindex: u8, value: SdoValue) -> Result<(), BringUpError> {
        let limit = self.limit();
        let Self { pump, subdevice, .. } = self;
        let result = match value {
            SdoValue::U8(value) => guarded(pump, subdevice.sdo_write(index, subindex, value), limit),
            SdoValue::U16(value) => guarded(pump, subdevice.sdo_write(index, subindex, value), limit),
            SdoValue::U32(value) => guarded(pump, subdevice.sdo_write(index, subindex, value), limit),
        };
        result.map_err(|error| self.failure(index, subindex, problem_of(error)))
    }

    fn read_u8(&mut self, index: u16, subindex: u8) -> Result<u8, BringUpError> {
        let limit = self.limit();
        guarded(self.pump, self.subdevice.sdo_read(index, subindex), limit)
            .map_err(|error| self.failure(index, subindex, problem_of(error)))
    }

    fn read_u16(&mut self, index: u16, subindex: u8) -> Result<u16, BringUpError> {
        let limit = self.limit();
        guarded(self.pump, self.subdevice.sdo_read(index, subindex), limit)
            .map_err(|error| self.failure(index, subindex, problem_of(error)))
    }

    fn read_u32(&mut self, index: u16, subindex: u8) -> Result<u32, BringUpError> {
        let limit = self.limit();
        guarded(self.pump, self.subdevice.sdo_read(index, subindex), limit)
            .map_err(|error| self.failure(index, subindex, problem_of(error)))
    }

    fn limit(&self) -> Nanoseconds {
        self.pump.link().now().plus(self.timeout)
    }

    fn failure(&self, index: u16, subindex: u8, problem: SdoProblem) -> BringUpError {
        BringUpError::Sdo { position: self.position, name: self.name.into(), index, subindex, problem }
    }
}

fn problem_of(error: GuardedError) -> SdoProblem {
    match error {
        GuardedError::Elapsed
        | GuardedError::Protocol(Error::Timeout(
            TimeoutError::MailboxEcho | TimeoutError::MailboxResponse | TimeoutError::Pdu,
        )) => SdoProblem::Timeout,
        // The one assertion in ethercrab's mailbox code: the answer is an emergency. Codes it cannot
        // read as a service number end as an encoding error instead.
        GuardedError::Panicked | GuardedError::Protocol(Error::Mailbox(MailboxError::Emergency { .. })) => {
            SdoProblem::Emergency
        }
        GuardedError::Protocol(Error::Mailbox(MailboxError::Aborted { code, .. })) => {
            SdoProblem::Aborted { code: u32::from(code) }
        }
        GuardedError::Protocol(Error::Mailbox(
            MailboxError::NoReadMailbox | MailboxError::NoWriteMailbox,
        )) => SdoProblem::NoMailbox,
        GuardedError::Protocol(other) => SdoProblem::Protocol(other),
    }
}
