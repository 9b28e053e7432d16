//! What is on the bus, asked without knowing anything beforehand. Own code throughout, on single register
//! datagrams: a bus that ethercrab would not accept can still be looked at.
//! Not real-time: allocates, and may wait for seconds.

#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "runs without a cycle"
)]

mod categories;
mod objects;

use std::fmt;

pub use categories::{SiiContent, SiiPdo};
pub use objects::{ScannedEntry, ScannedObject, ScannedPdo};

use super::al_state::{AlState, AlStatus};
use super::frame_pump::FramePump;
use super::link::FrameLink;
use super::mailbox::client::{self, Script, Slots, Station};
use super::mailbox::{Client, EmergencyRing, Mailbox, StampedEmergency, datagram};
use super::registers::{self, station_address};
use super::sii;
use crate::devices::{Identity, MAX_SUBDEVICES};
use crate::units::Nanoseconds;

const STATION_ADDRESS: u16 = 0x0010;
const ERROR_COUNTERS: u16 = 0x0300;
const SII_OWNER: u16 = 0x0500;
const SYNC_MANAGERS: u16 = 0x0800;
const LATCH_TIMES: u16 = 0x0900;
/// One register access.
const ACCESS_TIME: Nanoseconds = Nanoseconds(200_000_000);
/// Whole SII of one device.
const SII_TIME: Nanoseconds = Nanoseconds(3_000_000_000);
/// INIT to PRE-OP of one device.
const TRANSITION_TIME: Nanoseconds = Nanoseconds(3_000_000_000);
/// One mailbox request.
const MAILBOX_TIME: Nanoseconds = Nanoseconds(1_000_000_000);
/// AL control, bit 4: acknowledge an error.
const ACKNOWLEDGE: u16 = 0x10;
/// Features register 0x0008, bits 2 and 3: distributed clocks, of 64 bits.
const HAS_CLOCK: u16 = 1 << 2;
const CLOCK_IS_64_BIT: u16 = 1 << 3;

/// What is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScanOptions {
    /// Read the object list with descriptions too; takes seconds a device.
    pub objects: bool,
    /// Look also at devices that exchange process data: whoever controls them will notice.
    pub force: bool,
}

/// Why there is nothing to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScanError {
    /// No frame came back.
    NothingAnswers,
    /// A device is under control of somebody.
    InOperation {
        /// Its position.
        position: u16,
        /// Its state.
        state: AlState,
    },
    /// There is no device at this position.
    NoSuchDevice {
        /// The position asked for.
        position: usize,
        /// Devices there are.
        devices: usize,
    },
    /// The device does not come to PRE-OP, where mailboxes work.
    NoMailbox {
        /// Its position.
        position: usize,
        /// Where it stands.
        status: AlStatus,
    },
}

impl std::error::Error for ScanError {}

impl fmt::Display for ScanError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NothingAnswers => formatter.write_str(
                "no device answers: check power, cable, and that it is the right network interface",
            ),
            Self::InOperation { position, state } => write!(
                formatter,
                "the device at position {position} is in {}: another controller runs this bus; end it first, or use \
                 --force and expect it to fault",
                state.name()
            ),
            Self::NoSuchDevice { position, devices } => write!(
                formatter,
                "there is no device at position {position}; {devices} devices answer, counted from 0"
            ),
            Self::NoMailbox { position, status } => write!(
                formatter,
                "the device at position {position} has no mailbox in state {}{}",
                status.state.name(),
                if status.error {
                    format!(": AL status code {:#06x}, {}", status.code, status.words())
                } else {
                    String::new()
                }
            ),
        }
    }
}

/// One port of a device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Port {
    /// A signal is there.
    pub has_link: bool,
    /// Frames leave through it.
    pub is_open: bool,
    /// Frames with a wrong check sequence.
    pub invalid_frames: u8,
    /// Symbols that are none.
    pub symbol_errors: u8,
    /// Errors another device has marked already.
    pub forwarded_errors: u8,
    /// Times the link was lost.
    pub lost_links: u8,
}

/// The clock of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    /// 64 bits, not 32.
    pub is_64_bit: bool,
    /// From the first device with a clock to this one, ns; exact for devices in line.
    pub delay_ns: u32,
}

/// One device.
#[derive(Clone, Debug, Default)]
pub struct ScannedDevice {
    /// Place on the wire, from 0.
    pub position: usize,
    /// Station address it was given.
    pub station: u16,
    /// Alias in its SII.
    pub alias: u16,
    /// Identity in its SII; zeroes when it cannot be read.
    pub identity: Identity,
    /// What else its SII says.
    pub sii: SiiContent,
    /// State as found.
    pub al: AlStatus,
    /// Ports 0 to 3.
    pub ports: [Port; 4],
    /// Its clock, when it has one.
    pub clock: Option<Clock>,
    /// Sizes of its mailboxes: written, read by the controller.
    pub mailbox: Option<(u16, u16)>,
    /// Objects 0x1008, 0x1009, 0x100A: name, hardware, software.
    pub names: [Option<String>; 3],
    /// What it is set to exchange: outputs, then inputs.
    pub pdos: Vec<ScannedPdo>,
    /// Its objects, when asked for.
    pub objects: Vec<ScannedObject>,
    /// What could not be read, in words.
    pub problems: Vec<String>,
}

/// Looks at everything on the bus. Devices in INIT are taken to PRE-OP for their mailboxes and back.
///
/// # Errors
/// Nothing answers, or somebody else runs the bus.
pub fn scan<L: FrameLink>(
    pump: &mut FramePump<L>,
    options: ScanOptions,
    mut progress: impl FnMut(usize, usize),
) -> Result<(Vec<ScannedDevice>, Vec<StampedEmergency>), ScanError> {
    let count = address_all(pump, options.force)?;
    let mut devices = Vec::new();
    for position in 0..count {
        devices.push(look(pump, position));
        progress(devices.len(), usize::from(count));
    }
    measure_delays(pump, &mut devices);
    let mut mailboxes: Vec<Option<Mailbox>> = Vec::new();
    for device in &mut devices {
        let opened = open(pump, device.position, &device.sii);
        mailboxes.push(match opened {
            Ok(mailbox) => mailbox,
            Err(status) => {
                device.problems.push(format!(
                    "does not go to PRE-OP: AL status code {:#06x}, {}",
                    status.code,
                    status.words()
                ));
                None
            }
        });
    }
    let mut emergencies = EmergencyRing::default();
    let slots = Slots::new(devices.len());
    let scripts: Vec<Script<'_, objects::Found>> = slots
        .clients()
        .map(|client| -> Script<'_, objects::Found> { Box::pin(objects::read_all(client, options.objects)) })
        .collect();
    let mut stations: Vec<Station<'_>> = mailboxes
        .iter_mut()
        .enumerate()
        .map(|(position, mailbox)| Station { position, mailbox: mailbox.as_mut() })
        .collect();
    let found = client::run(pump, &mut stations, &slots, scripts, &mut emergencies, MAILBOX_TIME, |_| {});
    for ((device, found), mailbox) in devices.iter_mut().zip(found).zip(&mailboxes) {
        device.mailbox = mailbox.as_ref().map(Mailbox::sizes);
        if mailbox.is_some() {
            device.names = found.names;
            device.pdos = found.pdos;
            device.objects = found.objects;
            device.problems.extend(found.problems);
        }
        if device.al.state == AlState::Init {
            // Left as found. A device that does not go back is in PRE-OP: harmless.
            let _left = request(pump, device.position, AlState::Init);
        }
    }
    Ok((devices, emergencies.iter().copied().collect()))
}

/// Runs one script on the mailbox of the device at `position`, without a daemon.
///
/// # Errors
/// There is no such device, it has no mailbox, or somebody else runs the bus.
pub fn with_mailbox<L: FrameLink, T>(
    pump: &mut FramePump<L>,
    position: usize,
    force: bool,
    script: impl AsyncFnOnce(Client<'_>) -> T,
) -> Result<(T, Vec<StampedEmergency>), ScanError> {
    let count = usize::from(address_all(pump, force)?);
    let place = u16::try_from(position).ok().filter(|_| position < count);
    let place = place.ok_or(ScanError::NoSuchDevice { position, devices: count })?;
    let device = look(pump, place);
    let opened = open(pump, position, &device.sii);
    let mut mailbox = opened
        .map_err(|status| ScanError::NoMailbox { position, status })?
        .ok_or(ScanError::NoMailbox { position, status: device.al })?;
    let slots = Slots::new(1);
    let mut emergencies = EmergencyRing::default();
    let mut stations = [Station { position, mailbox: Some(&mut mailbox) }];
    let scripts: Vec<Script<'_, T>> = slots
        .clients()
        .zip([script])
        .map(|(client, script)| -> Script<'_, T> { Box::pin(script(client)) })
        .collect();
    let mut results =
        client::run(pump, &mut stations, &slots, scripts, &mut emergencies, MAILBOX_TIME, |_| {});
    if device.al.state == AlState::Init {
        let _left = request(pump, position, AlState::Init);
    }
    let result = results.pop().ok_or(ScanError::NoMailbox { position, status: device.al })?;
    Ok((result, emergencies.iter().copied().collect()))
}

/// Counts the devices and gives them station addresses.
fn address_all<L: FrameLink>(pump: &mut FramePump<L>, force: bool) -> Result<u16, ScanError> {
    let deadline = pump.link().now().plus(ACCESS_TIME);
    let count = registers::count_subdevices(pump, deadline).unwrap_or(0);
    if count == 0 {
        return Err(ScanError::NothingAnswers);
    }
    let count = count.min(u16::try_from(MAX_SUBDEVICES).unwrap_or(u16::MAX));
    for position in 0..count {
        let deadline = pump.link().now().plus(ACCESS_TIME);
        let status = registers::read_by_position(pump, position, registers::AL_STATUS, deadline)
            .map(AlStatus::from_registers)
            .unwrap_or_default();
        if matches!(status.state, AlState::SafeOp | AlState::Op) && !force {
            return Err(ScanError::InOperation { position, state: status.state });
        }
    }
    for position in 0..count {
        let deadline = pump.link().now().plus(ACCESS_TIME);
        let station = station_address(usize::from(position));
        // Whoever does not take it does not answer below, and is shown so.
        let _taken = registers::write_by_position(pump, position, STATION_ADDRESS, station, deadline);
    }
    Ok(count)
}

/// Registers and SII of one device.
fn look<L: FrameLink>(pump: &mut FramePump<L>, place: u16) -> ScannedDevice {
    let position = usize::from(place);
    let station = station_address(position);
    let mut device = ScannedDevice { position, station, ..ScannedDevice::default() };
    let deadline = pump.link().now().plus(SII_TIME);
    device.al = registers::read_by_position(pump, place, registers::AL_STATUS, deadline)
        .map(AlStatus::from_registers)
        .unwrap_or_default();
    let mut information = [0; 12];
    let mut counters = [0; 20];
    let mut dl_status = [0; 2];
    for (address, target) in
        [(0, &mut information[..]), (registers::DL_STATUS, &mut dl_status), (ERROR_COUNTERS, &mut counters)]
    {
        if registers::read_at_station(pump, station, address, target, deadline).is_err() {
            device.problems.push(format!("register {address:#06x} cannot be read"));
        }
    }
    device.ports = ports(u16::from_le_bytes(dl_status), &counters);
    let [.., low, high, _, _] = information;
    let features = u16::from_le_bytes([low, high]);
    device.clock = (features & HAS_CLOCK != 0)
        .then_some(Clock { is_64_bit: features & CLOCK_IS_64_BIT != 0, delay_ns: 0 });
    match sii::read_identity(pump, place, deadline) {
        Some(found) => {
            device.identity = found.identity;
            device.alias = found.alias;
            match categories::read(pump, place, deadline) {
                Some(content) => device.sii = content,
                None => device.problems.push("the SII cannot be read to its end".to_owned()),
            }
        }
        None => device.problems.push("the SII cannot be read".to_owned()),
    }
    // The device may need it on its way to PRE-OP (ETG.2010, AssignToPdi).
    let _given = registers::write_at_station(pump, station, SII_OWNER, &[1], deadline);
    device
}

/// Ports from DL status (0x0110) and error counters (0x0300 to 0x0313).
fn ports(dl_status: u16, counters: &[u8; 20]) -> [Port; 4] {
    let counter = |at: usize| counters.get(at).copied().unwrap_or(0);
    std::array::from_fn(|port| Port {
        has_link: dl_status >> (4 + port) & 1 == 1,
        is_open: dl_status >> (8 + 2 * port) & 1 == 0,
        invalid_frames: counter(2 * port),
        symbol_errors: counter(2 * port + 1),
        forwarded_errors: counter(8 + port),
        lost_links: counter(16 + port),
    })
}

/// Lets all clocks note when a frame passes, and takes the delays from the time it was away behind each.
fn measure_delays<L: FrameLink>(pump: &mut FramePump<L>, devices: &mut [ScannedDevice]) {
    if devices.iter().all(|device| device.clock.is_none()) {
        return;
    }
    let deadline = pump.link().now().plus(ACCESS_TIME);
    registers::broadcast_write(pump, LATCH_TIMES, 0_u32, deadline);
    let mut first_loop = None;
    for device in devices.iter_mut() {
        let Some(clock) = device.clock.as_mut() else { continue };
        let mut times = [0; 16];
        let deadline = pump.link().now().plus(ACCESS_TIME);
        if registers::read_at_station(pump, device.station, LATCH_TIMES, &mut times, deadline).is_err() {
            continue;
        }
        let time_of = |port: usize| {
            times.get(4 * port..).and_then(|rest| rest.first_chunk().copied()).map_or(0, u32::from_le_bytes)
        };
        // Frames come back last at port 2, else 1, else 3 (order 0, 3, 1, 2).
        let last =
            [2, 1, 3].into_iter().find(|&port| device.ports.get(port).is_some_and(|port| port.has_link));
        let away = last.map_or(0, |port| time_of(port).wrapping_sub(time_of(0)));
        let first = *first_loop.get_or_insert(away);
        clock.delay_ns = first.saturating_sub(away) / 2;
    }
}

/// Takes a device to PRE-OP, when it is in INIT, and opens its mailbox; `None`: it has none.
fn open<L: FrameLink>(
    pump: &mut FramePump<L>,
    position: usize,
    content: &SiiContent,
) -> Result<Option<Mailbox>, AlStatus> {
    let station = station_address(position);
    let Some(mailbox) = content.mailbox else { return Ok(None) };
    let deadline = pump.link().now().plus(ACCESS_TIME);
    let before = status(pump, position);
    if matches!(before.state, AlState::Init | AlState::Bootstrap) || before.error {
        let _acknowledged = request(pump, position, AlState::Init);
        let managers = mailbox.sync_managers();
        // A device that does not take them refuses PRE-OP, with a reason.
        let _written = registers::write_at_station(pump, station, SYNC_MANAGERS, &managers, deadline);
        request(pump, position, AlState::PreOp)?;
    }
    let deadline = pump.link().now().plus(ACCESS_TIME);
    Ok(datagram::open(pump, station, deadline))
}

fn status<L: FrameLink>(pump: &mut FramePump<L>, position: usize) -> AlStatus {
    let deadline = pump.link().now().plus(ACCESS_TIME);
    registers::read(pump, position, registers::AL_STATUS, deadline)
        .map(AlStatus::from_registers)
        .unwrap_or_default()
}

/// Asks for a state and waits for it.
fn request<L: FrameLink>(pump: &mut FramePump<L>, position: usize, wanted: AlState) -> Result<(), AlStatus> {
    let end = pump.link().now().plus(TRANSITION_TIME);
    let _written =
        registers::write(pump, position, registers::AL_CONTROL, wanted.request() | ACKNOWLEDGE, end);
    loop {
        let found = status(pump, position);
        if found.state == wanted && !found.error {
            return Ok(());
        }
        if found.error || pump.link().now() >= end {
            return Err(found);
        }
    }
}
