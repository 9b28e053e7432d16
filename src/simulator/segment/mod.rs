//! The segment: frames in, frames out, time, injections, and what tests may look at.

mod frame_faults;
mod injections;
mod inspection;
mod topology;

use crate::devices::{DrivePlace, MAX_SUBDEVICES};
use crate::joints::MAX_JOINTS;
use crate::units::Nanoseconds;

use super::arm::{Arm, Motors};
use super::description::{Channel, DescriptionError, Equipment, SegmentDescription};
use super::equipment::{EQUIPMENT_PERIOD_NS, PowerSource, Wiring};
use super::frame::{Addressing, Command, DatagramPlace, HEADERS_BYTES, add_working_counter, payload_bytes};
use super::subdevice::SubDevice;
use super::wire::{put_u16, u8_at, u16_at, u32_at};
use frame_faults::{Contact, Fate};
pub use inspection::DeviceSnapshot;
pub(super) use topology::Returns;

/// Longest Ethernet frame without its checksum.
const FRAME_BYTES_MAX: usize = 1518;
/// Longest time between two looks at the arm.
const ARM_PERIOD: Nanoseconds = Nanoseconds(1_000_000);
/// Frames that can be on their way back later.
const RETURNED_FRAMES_MAX: usize = 64;

/// What has passed through a segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SegmentStatistics {
    /// EtherCAT frames that arrived.
    pub frames: u64,
    /// Those of them that carried process data: a logical read, write or both.
    pub cyclic: u64,
    /// Datagrams in them.
    pub datagrams: u64,
    /// Frames lost by injection or because nothing is attached.
    pub lost: u64,
    /// Frames that were no EtherCAT frames, or malformed.
    pub refused: u64,
}

/// Frame injections in force: how many frames are left.
#[derive(Clone, Copy, Debug, Default)]
struct FrameCounts {
    drop_before: u32,
    drop_after: u32,
    duplicate: u32,
    delay: (u32, Nanoseconds),
    corrupt: (u32, usize, u8),
    working_counter: (u32, i16),
}

/// Takes one of `count`, if there is one.
const fn take_one(count: &mut u32) -> bool {
    let some = *count > 0;
    *count = count.saturating_sub(1);
    some
}

/// A frame on its way back.
#[derive(Clone, Debug)]
struct ReturnedFrame {
    due: Nanoseconds,
    bytes: Vec<u8>,
}

/// A line of simulated SubDevices with what is wired to them.
///
/// Give it every frame the controller sends with [`process_frame`](Self::process_frame) and let time pass with
/// [`advance_to`](Self::advance_to), with times that never go back. Everything else is for tests and drills.
#[derive(Debug)]
pub struct Segment {
    devices: Vec<SubDevice>,
    power_sources: Vec<PowerSource>,
    stop_inputs: Vec<Channel>,
    arm: Option<Arm>,
    arm_updated: Nanoseconds,
    hop_delay: Nanoseconds,
    /// First SubDevice behind a cut cable.
    detached: usize,
    /// SubDevices frames pass through.
    reachable: usize,
    /// From the first SubDevice to each, on the way of a frame.
    ways: [Nanoseconds; MAX_SUBDEVICES],
    now: Nanoseconds,
    equipment_stepped: Nanoseconds,
    faults: FrameCounts,
    frame_faults: frame_faults::FrameFaults,
    returned: Vec<ReturnedFrame>,
    scratch: Box<[u8]>,
    statistics: SegmentStatistics,
}

impl Segment {
    /// A segment at power-on, at time zero.
    ///
    /// # Errors
    /// What is wrong with the description.
    pub fn new(description: SegmentDescription) -> Result<Self, DescriptionError> {
        description.check()?;
        let SegmentDescription { devices, equipment, arm, seed, hop_delay, record_capacity } = description;
        let count = devices.len();
        let devices = devices
            .into_iter()
            .enumerate()
            .map(|(position, simulated)| SubDevice::new(simulated, position, seed, record_capacity))
            .collect();
        let mut power_sources = Vec::new();
        let mut stop_inputs = Vec::new();
        for (stream, equipment) in (0x1000_u64..).zip(&equipment) {
            match equipment {
                Equipment::WeldingPowerSource(parameters) => {
                    power_sources.push(PowerSource::new(parameters, seed, stream));
                }
                Equipment::StopInput { input } => stop_inputs.push(*input),
            }
        }
        let mut segment = Self {
            devices,
            power_sources,
            stop_inputs,
            arm: None,
            arm_updated: Nanoseconds(0),
            hop_delay,
            detached: count,
            reachable: count,
            ways: [Nanoseconds(0); MAX_SUBDEVICES],
            now: Nanoseconds(0),
            equipment_stepped: Nanoseconds(0),
            faults: FrameCounts::default(),
            frame_faults: frame_faults::FrameFaults::new(seed),
            returned: Vec::new(),
            scratch: vec![0; FRAME_BYTES_MAX].into_boxed_slice(),
            statistics: SegmentStatistics::default(),
        };
        if let Some(arm) = arm {
            let drives = arm.drives.clone();
            let arm = Arm::new(arm, &mut motors(&mut segment.devices, &drives));
            segment.arm = Some(arm);
        }
        segment.set_stop_inputs(true);
        segment.wire_up();
        Ok(segment)
    }

    // ---- frames ----------------------------------------------------------------------------------------

    /// Processes one Ethernet frame (without its checksum) in place, as it passes through all SubDevices and
    /// comes back. `now` is when it arrives; time passes up to it first.
    ///
    /// Returns true when `frame` has come back. False: it was no EtherCAT frame, it got lost, or it comes back
    /// later through [`next_returned_frame`](Self::next_returned_frame); what is in `frame` is then of no use.
    ///
    /// # Real-time
    /// No allocation for cyclic frames without injections; as many steps as datagrams × SubDevices.
    pub fn process_frame(&mut self, frame: &mut [u8], now: Nanoseconds) -> bool {
        self.advance_to(now);
        let Some(payload) = payload_bytes(frame).filter(|_| frame.len() <= FRAME_BYTES_MAX) else {
            self.statistics.refused += 1;
            return false;
        };
        self.statistics.frames += 1;
        if self.reachable == 0 || self.frame_faults.is_down(now) || take_one(&mut self.faults.drop_before) {
            self.statistics.lost += 1;
            return false;
        }
        self.process_datagrams(frame, HEADERS_BYTES + payload);
        // The first SubDevice marks the frame as one that has been on its way (locally administered address).
        if let Some(byte) = frame.get_mut(6) {
            *byte |= 0x02;
        }
        self.send_back(frame)
    }

    /// Injections on the way back.
    fn send_back(&mut self, frame: &mut [u8]) -> bool {
        if take_one(&mut self.faults.drop_after) {
            self.statistics.lost += 1;
            return false;
        }
        if take_one(&mut self.faults.corrupt.0)
            && let Some(byte) = frame.get_mut(self.faults.corrupt.1)
        {
            *byte ^= self.faults.corrupt.2;
        }
        match self.frame_faults.fate(frame, self.now) {
            Fate::Returns => {}
            Fate::Lost => {
                self.statistics.lost += 1;
                return false;
            }
            Fate::Waits => return false,
            Fate::Instead(frames) => {
                frames.iter().for_each(|(due, frame)| self.keep(frame, *due));
                return false;
            }
        }
        if take_one(&mut self.faults.duplicate) {
            self.keep(frame, self.now);
        }
        if take_one(&mut self.faults.delay.0) {
            self.keep(frame, self.now.plus(self.faults.delay.1));
            return false;
        }
        true
    }

    /// Whoever sends a frame now has to be refused, as by a network interface whose queue is full.
    pub const fn refuses_frame(&mut self) -> bool {
        self.frame_faults.takes_refusal()
    }

    fn keep(&mut self, frame: &[u8], due: Nanoseconds) {
        if self.returned.len() < RETURNED_FRAMES_MAX {
            let position = self.returned.partition_point(|kept| kept.due <= due);
            self.returned.insert(position, ReturnedFrame { due, bytes: frame.to_vec() });
        }
    }

    /// A frame that comes back otherwise than at once (duplicate or late by injection) and is due at `now`.
    /// Copies it into `buffer` and returns its length; call until it gives `None`.
    pub fn next_returned_frame(&mut self, now: Nanoseconds, buffer: &mut [u8]) -> Option<usize> {
        self.returned.first().filter(|kept| kept.due <= now)?;
        let kept = self.returned.remove(0);
        let length = kept.bytes.len().min(buffer.len());
        buffer.get_mut(..length)?.copy_from_slice(kept.bytes.get(..length)?);
        Some(length)
    }

    /// When the next frame of [`next_returned_frame`](Self::next_returned_frame) is due.
    #[must_use]
    pub fn next_return_due(&self) -> Option<Nanoseconds> {
        self.returned.first().map(|kept| kept.due)
    }

    fn process_datagrams(&mut self, frame: &mut [u8], end: usize) {
        let mut offset = None;
        let with_interrupts = self.devices.iter().any(|device| device.esc.wants_interrupts());
        let mut start = HEADERS_BYTES;
        let mut is_cyclic = false;
        while let Some(place) = DatagramPlace::at(frame, start, end) {
            self.statistics.datagrams += 1;
            let command = Command::from_number(u8_at(frame, start));
            let counted = match command {
                Command::None => 0,
                Command::Physical { addressing, reads, writes } => {
                    self.physical(frame, place, addressing, reads, writes)
                }
                Command::Logical { reads, writes } => {
                    is_cyclic = true;
                    let counted = self.logical(frame, place, reads, writes);
                    // Frames without logical datagrams do not use the injection up.
                    let (left, by) = &mut self.faults.working_counter;
                    let offset = *offset.get_or_insert_with(|| if take_one(left) { *by } else { 0 });
                    counted.wrapping_add_signed(offset)
                }
                Command::ReadMultipleWrite { addressing } => {
                    self.read_multiple_write(frame, place, addressing)
                }
            };
            add_working_counter(frame, place, counted);
            if with_interrupts {
                self.show_interrupts(frame, place);
            }
            if !place.more_follow {
                break;
            }
            start = place.end();
        }
        self.statistics.cyclic += u64::from(is_cyclic);
        let loops = self.devices.iter_mut().map(|device| std::mem::take(&mut device.esc.loops_changed));
        if loops.fold(false, |any, changed| any | changed) {
            self.wire_up();
        }
    }

    fn show_interrupts(&self, frame: &mut [u8], place: DatagramPlace) {
        let devices = self.devices.iter().take(self.reachable);
        let interrupts = devices.fold(0, |all, device| all | device.esc.interrupts());
        if interrupts != 0 {
            let at = place.start + 8;
            let shown = u16_at(frame, at) | interrupts;
            put_u16(frame, at, shown);
        }
    }

    /// When a frame that arrives now reaches a SubDevice.
    fn arrival(&self, position: usize) -> Nanoseconds {
        self.now.plus(self.ways.get(position).copied().unwrap_or_default())
    }

    fn physical(
        &mut self,
        frame: &mut [u8],
        place: DatagramPlace,
        addressing: Addressing,
        reads: bool,
        writes: bool,
    ) -> u16 {
        let mut address = u16_at(frame, place.start + 2);
        let register = usize::from(u16_at(frame, place.start + 4));
        let range = place.data_start()..place.working_counter_start();
        let mut counted = 0;
        for position in 0..self.reachable {
            let at = self.arrival(position);
            let Some(device) = self.devices.get_mut(position) else { break };
            if device.is_bridged {
                continue;
            }
            let is_addressed = match addressing {
                Addressing::Position => address == 0,
                Addressing::Configured => device.esc.is_addressed(address),
                Addressing::Broadcast => true,
            };
            if addressing != Addressing::Configured {
                address = address.wrapping_add(1);
            }
            if !is_addressed {
                continue;
            }
            let Some(data) = frame.get_mut(range.clone()) else { break };
            counted += match (reads, writes) {
                (true, false) if addressing != Addressing::Broadcast => {
                    u16::from(device.esc.read(register, data, at))
                }
                (true, _) => {
                    // What is read goes into the frame, or is ORed to it; what arrived is written.
                    let Some(read) = self.scratch.get_mut(..data.len()) else { break };
                    let has_read = device.esc.read(register, read, at);
                    let has_written = writes && device.esc.write(register, data, at);
                    if has_read {
                        for (target, source) in data.iter_mut().zip(&*read) {
                            let old = if addressing == Addressing::Broadcast { *target } else { 0 };
                            *target = old | source;
                        }
                    }
                    u16::from(has_read) + 2 * u16::from(has_written)
                }
                (false, true) => u16::from(device.esc.write(register, data, at)),
                (false, false) => 0,
            };
            device.handle_events(self.now);
        }
        if addressing != Addressing::Configured {
            put_u16(frame, place.start + 2, address);
        }
        counted
    }

    fn logical(&mut self, frame: &mut [u8], place: DatagramPlace, reads: bool, writes: bool) -> u16 {
        let address = u32_at(frame, place.start + 2);
        let Some(data) = frame.get_mut(place.data_start()..place.working_counter_start()) else { return 0 };
        let mut counted = 0;
        for position in 0..self.reachable {
            let at = self.arrival(position);
            let Some(device) = self.devices.get_mut(position) else { break };
            if device.is_bridged {
                continue;
            }
            let (has_read, has_written) = device.esc.exchange(address, data, (reads, writes), at);
            // A read counts 1; a write counts 1, in a read-write command 2.
            counted += u16::from(has_read) + u16::from(has_written) * if reads { 2 } else { 1 };
            if has_read || has_written {
                counted = counted.wrapping_add_signed(device.take_count_offset());
                device.handle_events(self.now);
            }
        }
        counted
    }

    fn read_multiple_write(&mut self, frame: &mut [u8], place: DatagramPlace, addressing: Addressing) -> u16 {
        let mut address = u16_at(frame, place.start + 2);
        let register = usize::from(u16_at(frame, place.start + 4));
        let Some(data) = frame.get_mut(place.data_start()..place.working_counter_start()) else { return 0 };
        let mut counted = 0;
        for position in 0..self.reachable {
            let at = self.arrival(position);
            let Some(device) = self.devices.get_mut(position) else { break };
            if device.is_bridged {
                continue;
            }
            let reads = match addressing {
                Addressing::Position => address == 0,
                Addressing::Configured | Addressing::Broadcast => device.esc.is_addressed(address),
            };
            if addressing == Addressing::Position {
                address = address.wrapping_add(1);
            }
            let done = if reads {
                device.esc.read(register, data, at)
            } else {
                device.esc.write(register, data, at)
            };
            counted += u16::from(done);
            device.handle_events(self.now);
        }
        if addressing == Addressing::Position {
            put_u16(frame, place.start + 2, address);
        }
        counted
    }

    // ---- time ------------------------------------------------------------------------------------------

    /// Lets simulated time pass up to `now`: control loops, motors, watchdogs, clocks, SYNC0 events, equipment.
    /// A time before the last one does nothing.
    pub fn advance_to(&mut self, now: Nanoseconds) {
        // An arm has to be looked after often enough while it falls or swings.
        while self.arm.is_some() && now.since(self.now) > ARM_PERIOD {
            self.advance_at_once(self.now.plus(ARM_PERIOD));
        }
        if now > self.now {
            self.advance_at_once(now);
        }
    }

    fn advance_at_once(&mut self, now: Nanoseconds) {
        self.now = now;
        while now.since(self.equipment_stepped).0 >= EQUIPMENT_PERIOD_NS {
            self.step_equipment();
        }
        match self.frame_faults.contact(now) {
            Some(Contact::Lost { position }) => self.cut_before(position),
            Some(Contact::Back) => {
                self.detached = self.devices.len();
                self.wire_up();
            }
            None => {}
        }
        let mut came_back = false;
        for device in &mut self.devices {
            came_back |= device.switch_on_if_due(now);
            device.advance(now);
        }
        if came_back {
            self.wire_up();
        }
        if let Some(arm) = &mut self.arm
            && now.since(self.arm_updated).0 * 2 >= ARM_PERIOD.0
        {
            self.arm_updated = now;
            let nowhere = DrivePlace { subdevice: usize::MAX, axis: 0 };
            let drives: [DrivePlace; MAX_JOINTS] =
                std::array::from_fn(|at| arm.drives().get(at).copied().unwrap_or(nowhere));
            arm.update(&mut motors(&mut self.devices, &drives));
        }
    }

    fn step_equipment(&mut self) {
        self.equipment_stepped = self.equipment_stepped.plus(Nanoseconds(EQUIPMENT_PERIOD_NS));
        let mut wiring = DeviceWiring(&mut self.devices);
        for source in &mut self.power_sources {
            source.step(&mut wiring, self.equipment_stepped);
        }
    }

    /// Works out which SubDevices frames reach, and tells each what is connected to its ports.
    fn wire_up(&mut self) {
        let supplied = self.devices.iter().take_while(|device| !device.is_off()).count();
        self.reachable = supplied.min(self.detached);
        // Behind a loop that the controller has closed nothing is reached.
        let reached = self.devices.iter().take(self.reachable);
        let closed =
            reached.into_iter().position(|device| !device.is_bridged && device.esc.is_loop_closed(1));
        if let Some(closed) = closed {
            self.reachable = closed + 1;
        }
        let wiring = topology::wire(&self.devices, self.reachable, self.hop_delay);
        self.ways = wiring.ways;
        for (device, returns) in self.devices.iter_mut().zip(wiring.returns) {
            device.esc.set_returns(returns);
        }
    }
}

/// The motors of the drives at these places on the bus, in their order.
fn motors<'a>(devices: &'a mut [SubDevice], drives: &[DrivePlace]) -> Motors<'a> {
    let mut found: Motors<'a> = Default::default();
    for (subdevice, device) in devices.iter_mut().enumerate() {
        for (axis, servo) in device.servos_mut().iter_mut().enumerate() {
            let slot = drives.iter().position(|drive| *drive == DrivePlace { subdevice, axis });
            if let Some(slot) = slot.and_then(|slot| found.get_mut(slot)) {
                *slot = Some(servo.motor_mut());
            }
        }
    }
    found
}

/// The terminals as equipment is wired to them.
struct DeviceWiring<'a>(&'a mut Vec<SubDevice>);

impl Wiring for DeviceWiring<'_> {
    fn digital_output(&self, channel: Channel) -> bool {
        let terminal = self.0.get(channel.device).and_then(SubDevice::terminal);
        terminal.is_some_and(|terminal| {
            channel.channel < 64 && terminal.digital_outputs() >> channel.channel & 1 == 1
        })
    }

    fn analog_output(&self, channel: Channel) -> i32 {
        let terminal = self.0.get(channel.device).and_then(SubDevice::terminal);
        terminal.map_or(0, |terminal| terminal.analog_output(channel.channel))
    }

    fn set_digital_input(&mut self, channel: Channel, level: bool) {
        if let Some(terminal) = self.0.get_mut(channel.device).and_then(SubDevice::terminal_mut) {
            terminal.set_digital_input(channel.channel, level);
        }
    }

    fn set_analog_input(&mut self, channel: Channel, value: i32) {
        if let Some(terminal) = self.0.get_mut(channel.device).and_then(SubDevice::terminal_mut) {
            terminal.set_analog_input(channel.channel, value);
        }
    }
}
