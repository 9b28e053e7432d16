//! Process data mapping and start-up objects by SDO, in PRE-OP; everything written is read back. All devices
//! at once: a script for each, whose mailbox requests take turns on the wire.

use super::error::{BringUpError, Direction, SdoProblem};
use crate::bus_health::reaction::Reaction;
use crate::devices::{MAX_PDO_ENTRIES, MAX_PDOS, PdoEntry, PdoMap};
use crate::fieldbus::description::{BusDescription, ExpectedDevice, SdoValue};
use crate::fieldbus::frame_pump::FramePump;
use crate::fieldbus::link::FrameLink;
use crate::fieldbus::mailbox::client::{self, Script, Slots, Station};
use crate::fieldbus::mailbox::{Client, EmergencyRing, Mailbox, MailboxProblem};
use crate::units::Nanoseconds;

/// Which PDOs belong to the output sync manager (CiA 301 / ETG.1000.6, 0x1C10 + number of the sync manager).
const OUTPUT_ASSIGNMENT: u16 = 0x1C12;
/// Which PDOs belong to the input sync manager.
const INPUT_ASSIGNMENT: u16 = 0x1C13;
/// Number of the first message ethercrab sends.
const FIRST_OF_ETHERCRAB: u8 = 1;
/// Identity: every device with objects has it.
const IDENTITY: u16 = 0x1018;
/// How often, and for how long each time, an answer is waited for that tells that the counters agree.
const AGREEMENT_TRIES: u32 = 2;
const AGREEMENT_TIME: Nanoseconds = Nanoseconds(100_000_000);
/// Counter of the first message of ethercrab.
const FIRST_COUNTER: u8 = 1;
/// Abort code: there is no such object.
const NO_SUCH_OBJECT: u32 = 0x0602_0000;
/// Abort code: there is no such subindex.
const NO_SUCH_SUBINDEX: u32 = 0x0609_0011;

/// Writes mapping and start-up objects of all devices, and names the first one in wire order that did not
/// take them. Devices without a mailbox have a fixed mapping, whose length is checked later.
pub(super) fn configure_all<L: FrameLink>(
    pump: &mut FramePump<L>,
    description: &BusDescription,
    mailboxes: &mut [Option<Mailbox>],
    emergencies: &mut EmergencyRing,
    done: impl FnMut(usize),
) -> Result<(), BringUpError> {
    let slots = Slots::new(description.devices.len());
    let scripts: Vec<Script<'_, Result<(), BringUpError>>> = description
        .devices
        .iter()
        .zip(slots.clients())
        .enumerate()
        .map(|(position, (expected, client))| {
            let script = DeviceScript { client, position, name: &expected.name };
            let boxed: Script<'_, _> = Box::pin(async move { script.configure(expected).await });
            boxed
        })
        .collect();
    let time_out = description.timeouts.sdo;
    let results = client::run(pump, &mut stations(mailboxes), &slots, scripts, emergencies, time_out, done);
    results.into_iter().collect::<Result<(), BringUpError>>()?;
    // ethercrab's first message would be taken for the repetition of one that happens to carry its number.
    let mut colliding: Vec<Option<Mailbox>> = mailboxes
        .iter()
        .map(|mailbox| mailbox.filter(|mailbox| mailbox.last_sent() == FIRST_OF_ETHERCRAB))
        .collect();
    agree_on_counters(pump, &mut colliding, emergencies);
    for (mailbox, used) in mailboxes.iter_mut().zip(colliding) {
        *mailbox = used.or(*mailbox);
    }
    Ok(())
}

/// Makes both ends of each mailbox agree on their counters after ethercrab has used it: a message that happens to
/// carry the number of ethercrab's last one is taken for its repetition, and never answered. A second one is not.
pub(super) fn agree_on_counters<L: FrameLink>(
    pump: &mut FramePump<L>,
    mailboxes: &mut [Option<Mailbox>],
    emergencies: &mut EmergencyRing,
) {
    mailboxes.iter_mut().flatten().for_each(Mailbox::forget_received);
    let slots = Slots::new(mailboxes.len());
    let scripts: Vec<Script<'_, ()>> = slots
        .clients()
        .map(|client| {
            let script: Script<'_, ()> = Box::pin(async move {
                for _ in 0..AGREEMENT_TRIES {
                    if client.upload(IDENTITY, 0).await != Err(MailboxProblem::Timeout) {
                        return;
                    }
                }
            });
            script
        })
        .collect();
    client::run(pump, &mut stations(mailboxes), &slots, scripts, emergencies, AGREEMENT_TIME, |_| {});
}

fn stations(mailboxes: &mut [Option<Mailbox>]) -> Vec<Station<'_>> {
    mailboxes
        .iter_mut()
        .enumerate()
        .map(|(position, mailbox)| Station { position, mailbox: mailbox.as_mut() })
        .collect()
}

/// ethercrab counts its messages itself, from 1 on. Where our last message had this counter too, the device would take
/// ethercrab's first one for a repetition and not answer it: one more goes between.
pub(super) fn hand_over<L: FrameLink>(
    pump: &mut FramePump<L>,
    description: &BusDescription,
    mailboxes: &mut [Option<Mailbox>],
    emergencies: &mut EmergencyRing,
) {
    let mut stations = stations(mailboxes);
    stations.retain(|station| {
        station.mailbox.as_ref().is_some_and(|mailbox| mailbox.sent_counter() == FIRST_COUNTER)
    });
    let slots = Slots::new(stations.len());
    let scripts = slots.clients().map(|client| {
        let script: Script<'_, _> = Box::pin(async move { client.upload(IDENTITY, 0).await });
        script
    });
    // What it answers, and whether, does not matter.
    let _answers = client::run(
        pump,
        &mut stations,
        &slots,
        scripts.collect(),
        emergencies,
        description.timeouts.sdo,
        |_| {},
    );
}

struct DeviceScript<'a> {
    client: Client<'a>,
    position: usize,
    name: &'a str,
}

impl DeviceScript<'_> {
    async fn configure(&self, expected: &ExpectedDevice) -> Result<(), BringUpError> {
        if expected.device.kind.has_mailbox() {
            self.map(Direction::Outputs, OUTPUT_ASSIGNMENT, &expected.device.outputs).await?;
            self.map(Direction::Inputs, INPUT_ASSIGNMENT, &expected.device.inputs).await?;
        }
        for write in &expected.startup {
            self.write(write.index, write.subindex, write.value).await?;
            let bytes = self.read(write.index, write.subindex).await?;
            let length = write.value.bytes().len();
            let found = number(bytes.get(..length).unwrap_or(&bytes));
            let written = write.value.bits();
            if bytes.len() != length || written != found {
                let problem = SdoProblem::ReadBack { written, found };
                return Err(self.failure(write.index, write.subindex, problem));
            }
        }
        for reaction in &expected.reactions {
            self.audit(reaction).await?;
        }
        Ok(())
    }

    /// Makes sure that the device will react as it must; writes only what differs.
    async fn audit(&self, reaction: &Reaction) -> Result<(), BringUpError> {
        let Reaction { index, subindex, rule } = *reaction;
        let (position, wanted) = (self.position, rule.wanted());
        let differs = |found| BringUpError::Reaction {
            position,
            name: self.name.into(),
            index,
            subindex,
            wanted,
            found,
        };
        let bytes = match self.client.upload(index, subindex).await {
            Ok(bytes) => bytes,
            Err(MailboxProblem::Aborted { code: NO_SUCH_OBJECT | NO_SUCH_SUBINDEX }) => {
                return if rule.may_be_missing() { Ok(()) } else { Err(differs(None)) };
            }
            Err(problem) => return Err(self.failure(index, subindex, problem.into())),
        };
        if rule.is_kept_by(signed(&bytes)) {
            return Ok(());
        }
        let value = wanted.to_le_bytes();
        // What counts is what is read back: many drives have fixed reactions.
        match self.client.download(index, subindex, value.get(..bytes.len()).unwrap_or(&value)).await {
            Ok(()) | Err(MailboxProblem::Aborted { .. }) => {}
            Err(problem) => return Err(self.failure(index, subindex, problem.into())),
        }
        let found = signed(&self.read(index, subindex).await?);
        if rule.is_kept_by(found) { Ok(()) } else { Err(differs(Some(found))) }
    }

    /// Makes the device exchange exactly the described objects; writes only when it does not already.
    async fn map(&self, direction: Direction, assignment: u16, map: &PdoMap) -> Result<(), BringUpError> {
        let expected = described(map);
        if self.mapped(assignment).await?.as_ref() == Some(&expected) {
            return Ok(());
        }
        // Order of ETG.1000.6: empty the assignment, empty and fill the PDOs, fill the assignment.
        self.write(assignment, 0, SdoValue::U8(0)).await?;
        for (pdo, entries) in &expected {
            self.write(*pdo, 0, SdoValue::U8(0)).await?;
            for (subindex, value) in (1_u8..).zip(entries) {
                self.write(*pdo, subindex, SdoValue::U32(*value)).await?;
            }
            self.write(*pdo, 0, SdoValue::U8(count_of(entries))).await?;
        }
        if !expected.is_empty() {
            for (subindex, (pdo, _)) in (1_u8..).zip(&expected) {
                self.write(assignment, subindex, SdoValue::U16(*pdo)).await?;
            }
            self.write(assignment, 0, SdoValue::U8(count_of(&expected))).await?;
        }
        match self.mapped(assignment).await? {
            Some(found) if found == expected => Ok(()),
            found => Err(BringUpError::Mapping {
                position: self.position,
                name: self.name.into(),
                direction,
                expected: expected.into_iter().flat_map(|(_, entries)| entries).collect(),
                found: found.unwrap_or_default().into_iter().flat_map(|(_, entries)| entries).collect(),
            }),
        }
    }

    /// The PDOs assigned to a direction with the objects in each; `None`: more than we ever assign.
    async fn mapped(&self, assignment: u16) -> Result<Option<Mapped>, BringUpError> {
        let assigned = match self.client.upload(assignment, 0).await {
            Ok(bytes) => number(&bytes),
            // A device without this direction may not have the object at all.
            Err(MailboxProblem::Aborted { code: NO_SUCH_OBJECT }) => 0,
            Err(problem) => return Err(self.failure(assignment, 0, problem.into())),
        };
        let Some(assigned) = at_most(assigned, MAX_PDOS) else { return Ok(None) };
        let mut mapped = Vec::new();
        for place in 1..=assigned {
            let pdo = self.read_number(assignment, place).await?;
            let Ok(pdo) = u16::try_from(pdo) else { return Ok(None) };
            let count = self.read_number(pdo, 0).await?;
            let Some(count) = at_most(count, MAX_PDO_ENTRIES) else { return Ok(None) };
            let mut entries = Vec::new();
            for subindex in 1..=count {
                entries.push(self.read_number(pdo, subindex).await?);
            }
            mapped.push((pdo, entries));
        }
        Ok(Some(mapped))
    }

    async fn write(&self, index: u16, subindex: u8, value: SdoValue) -> Result<(), BringUpError> {
        self.client
            .download(index, subindex, &value.bytes())
            .await
            .map_err(|problem| self.failure(index, subindex, problem.into()))
    }

    async fn read(&self, index: u16, subindex: u8) -> Result<Vec<u8>, BringUpError> {
        self.client
            .upload(index, subindex)
            .await
            .map_err(|problem| self.failure(index, subindex, problem.into()))
    }

    async fn read_number(&self, index: u16, subindex: u8) -> Result<u32, BringUpError> {
        self.read(index, subindex).await.map(|bytes| number(&bytes))
    }

    fn failure(&self, index: u16, subindex: u8, problem: SdoProblem) -> BringUpError {
        BringUpError::Sdo { position: self.position, name: self.name.into(), index, subindex, problem }
    }
}

/// The PDOs of a direction, each with its entries as they are written.
type Mapped = Vec<(u16, Vec<u32>)>;

fn described(map: &PdoMap) -> Mapped {
    let written = |(pdo, entries): (u16, &[PdoEntry])| {
        (pdo, entries.iter().map(|entry| entry.mapping_value()).collect())
    };
    map.pdos().map(written).collect()
}

fn at_most(count: u32, most: usize) -> Option<u8> {
    u8::try_from(count).ok().filter(|&count| usize::from(count) <= most)
}

fn count_of<T>(list: &[T]) -> u8 {
    u8::try_from(list.len()).unwrap_or(u8::MAX)
}

/// Up to four bytes as a signed number.
fn signed(bytes: &[u8]) -> i32 {
    let unused = 32 - 8 * u32::try_from(bytes.len().clamp(1, 4)).unwrap_or(4);
    (number(bytes) << unused).cast_signed() >> unused
}

/// Up to four bytes as a number.
fn number(bytes: &[u8]) -> u32 {
    bytes.iter().take(4).rev().fold(0, |number, &byte| number << 8 | u32::from(byte))
}
