//! What an EtherCAT SubDevice controller (ESC) does by itself: register file and process memory with their access
//! rules, sync managers, FMMUs, SII interface, distributed clock and event requests (ETG.1000.4).
//!
//! The application above it learns through [`EscEvents`] what the frames have done.

mod registers;

use crate::devices::{Connection, Device, DeviceKind};
use crate::units::Nanoseconds;

use super::clock::{DistributedClock, Sync0};
use super::fmmu::{BitSpan, FMMU_COUNT, Fmmu, Span};
use super::random::Random;
use super::segment::Returns;
use super::sii::Sii;
use super::sync_manager::{
    Direction, SYNC_MANAGER_BASE, SYNC_MANAGER_BYTES, SYNC_MANAGER_COUNT, SyncManager, Touch,
};
use super::wire::{bit_at, put, put_u8, put_u16, put_u32, set_bit, u8_at, u16_at, u32_at, u64_at};

/// Registers lie below, process memory above.
pub(super) const PROCESS_MEMORY_START: usize = 0x1000;
/// End of the process memory: 4 KiB of it.
const MEMORY_BYTES: usize = 0x2000;
/// Longest piece that can be mapped bit by bit at once.
const BIT_MAPPED_BYTES_MAX: usize = 128;

/// Register addresses (ETG.1000.4).
pub(super) mod register {
    pub(in super::super) const STATION_ADDRESS: usize = 0x0010;
    pub(in super::super) const STATION_ALIAS: usize = 0x0012;
    pub(in super::super) const RESET: usize = 0x0040;
    pub(in super::super) const DL_CONTROL: usize = 0x0100;
    pub(in super::super) const DL_STATUS: usize = 0x0110;
    pub(in super::super) const AL_CONTROL: usize = 0x0120;
    pub(in super::super) const AL_STATUS: usize = 0x0130;
    pub(in super::super) const AL_STATUS_CODE: usize = 0x0134;
    pub(in super::super) const EVENT_MASK: usize = 0x0200;
    pub(in super::super) const EVENT_REQUEST: usize = 0x0210;
    pub(in super::super) const ERROR_COUNTERS: usize = 0x0300;
    pub(in super::super) const LOST_LINK_COUNTERS: usize = 0x0310;
    pub(in super::super) const WATCHDOG_DIVIDER: usize = 0x0400;
    pub(in super::super) const WATCHDOG_PDI: usize = 0x0410;
    pub(in super::super) const WATCHDOG_SM: usize = 0x0420;
    pub(in super::super) const WATCHDOG_STATUS: usize = 0x0440;
    pub(in super::super) const WATCHDOG_COUNTER: usize = 0x0442;
    pub(in super::super) const SII_CONFIGURATION: usize = 0x0500;
    pub(in super::super) const SII_CONTROL: usize = 0x0502;
    pub(in super::super) const DC_PORT_TIME: usize = 0x0900;
    pub(in super::super) const DC_SYSTEM_TIME: usize = 0x0910;
    pub(in super::super) const DC_RECEIVE_TIME: usize = 0x0918;
    pub(in super::super) const DC_OFFSET: usize = 0x0920;
    pub(in super::super) const DC_DELAY: usize = 0x0928;
    pub(in super::super) const DC_DIFFERENCE: usize = 0x092C;
    pub(in super::super) const DC_LOOP: usize = 0x0930;
    pub(in super::super) const DC_CYCLIC_UNIT: usize = 0x0980;
    pub(in super::super) const DC_ACTIVATION: usize = 0x0981;
    pub(in super::super) const DC_ACTIVATION_STATUS: usize = 0x0984;
    pub(in super::super) const DC_START_TIME: usize = 0x0990;
    pub(in super::super) const DC_CYCLE_0: usize = 0x09A0;
}
use register as r;

/// Event request bits at 0x0210.
const EVENT_DL_STATUS: u16 = 1 << 2;
const EVENT_AL_STATUS: u16 = 1 << 3;
/// Sync manager 0; the others follow.
const EVENT_SYNC_MANAGER: u16 = 1 << 4;

/// A watchdog of the ESC, by the place of its counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Watchdog {
    /// Process data.
    SyncManager = 0,
    /// The application behind the process data interface.
    ProcessDataInterface = 1,
}

/// What frames have done that the application must know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct EscEvents {
    /// 0x0120 was written.
    pub(super) al_control: bool,
    /// Sync manager areas whose last byte the controller wrote, one bit each.
    pub(super) written: u8,
    /// Sync manager areas whose last byte the controller read, one bit each.
    pub(super) read: u8,
    /// Mailboxes whose last content is asked for again, one bit each.
    pub(super) repeat: u8,
    /// Settings of sync managers were written.
    pub(super) sync_managers_changed: bool,
    /// 0x0981 was written.
    pub(super) sync_activation: bool,
    /// The reset sequence was completed.
    pub(super) reset: bool,
}

/// What is wrong with what a clock shows; it runs on undisturbed.
#[derive(Clone, Debug, Default)]
pub(super) struct ClockFaults {
    /// Added to the difference at 0x092C, ns.
    pub(super) difference_ns: i32,
    /// Largest jitter of the system time, ns, and where it comes from.
    pub(super) jitter: Option<(u32, Random)>,
    /// The clock has 32 bits.
    pub(super) is_narrow: bool,
}

/// Registers, process memory and what hangs on them.
#[derive(Debug)]
pub(super) struct EscMemory {
    memory: Box<[u8]>,
    managers: [SyncManager; SYNC_MANAGER_COUNT],
    fmmus: [Fmmu; FMMU_COUNT],
    active_fmmus: usize,
    pub(super) sii: Sii,
    pub(super) clock: Option<DistributedClock>,
    pub(super) sync0: Sync0,
    /// What is wrong with what the clock shows.
    pub(super) clock_faults: ClockFaults,
    /// What happened since it was last taken.
    pub(super) events: EscEvents,
    station_address: u16,
    alias: Option<u16>,
    /// Sync managers up to the last one that is set up.
    used_managers: usize,
    /// Register 0x0200.
    event_mask: u16,
    reset_letters: usize,
    /// 0x0101 was written since the wiring was looked at.
    pub(super) loops_changed: bool,
    /// What is connected to the ports.
    returns: Returns,
    connection: Connection,
    is_coupler: bool,
}

impl EscMemory {
    /// Injected: errors at a port. Counters stop at 255.
    pub(super) fn count_port_errors(&mut self, port: usize, invalid_frames: u8, lost_links: u8) {
        for (at, count) in
            [(r::ERROR_COUNTERS + 2 * port, invalid_frames), (r::LOST_LINK_COUNTERS + port, lost_links)]
        {
            if port < 4
                && let Some(counter) = self.memory.get_mut(at)
            {
                *counter = counter.saturating_add(count);
            }
        }
    }

    /// After power-on. `clock` is there where the device has distributed clocks.
    pub(super) fn new(device: &Device, sii: Sii, clock: Option<DistributedClock>) -> Self {
        let mut esc = Self {
            memory: vec![0; MEMORY_BYTES].into_boxed_slice(),
            managers: [SyncManager::new(false); SYNC_MANAGER_COUNT],
            fmmus: [Fmmu::default(); FMMU_COUNT],
            active_fmmus: 0,
            sii,
            clock: None,
            sync0: Sync0::default(),
            clock_faults: ClockFaults::default(),
            events: EscEvents::default(),
            station_address: 0,
            alias: None,
            used_managers: 0,
            event_mask: 0,
            reset_letters: 0,
            loops_changed: false,
            returns: Returns::default(),
            connection: device.connection,
            is_coupler: device.kind == DeviceKind::Coupler,
        };
        esc.power_on(clock);
        esc
    }

    /// Back to the state after power-on; the SII image stays.
    pub(super) fn power_on(&mut self, clock: Option<DistributedClock>) {
        self.memory.fill(0);
        self.managers = [SyncManager::new(false); SYNC_MANAGER_COUNT];
        self.fmmus = [Fmmu::default(); FMMU_COUNT];
        self.active_fmmus = 0;
        self.sii.power_on();
        self.sync0 = Sync0::default();
        self.events = EscEvents::default();
        self.station_address = 0;
        self.alias = None;
        self.used_managers = 0;
        self.event_mask = 0;
        self.reset_letters = 0;
        self.loops_changed = true;
        // ESC type, revision, build; FMMUs, sync managers, RAM in KiB, ports.
        let information = [
            0x11,
            0,
            2,
            0,
            FMMU_COUNT as u8,
            SYNC_MANAGER_COUNT as u8,
            (MEMORY_BYTES / 1024 - 4) as u8,
            self.port_descriptor(),
        ];
        put(&mut self.memory, 0, &information);
        // Features: distributed clock, 64 bits wide, enhanced SYNC activation.
        put_u16(&mut self.memory, 8, if clock.is_some() { 0x010C } else { 0 });
        self.clock = clock;
        let alias = self.sii.alias();
        put_u16(&mut self.memory, r::STATION_ALIAS, alias);
        put_u32(&mut self.memory, r::DL_CONTROL, 0x0007_0001);
        put_u16(&mut self.memory, 0x0140, 0x0008);
        put_u16(&mut self.memory, r::WATCHDOG_DIVIDER, 0x09C2);
        put_u16(&mut self.memory, r::WATCHDOG_PDI, 0x03E8);
        put_u16(&mut self.memory, r::WATCHDOG_SM, 0x03E8);
        put_u16(&mut self.memory, r::WATCHDOG_STATUS, 1);
        // Control loop parameters after reset.
        put_u16(&mut self.memory, r::DC_LOOP, 0x1000);
        put_u16(&mut self.memory, r::DC_LOOP + 4, 0x0C04);
        self.show_all_managers();
    }

    /// Kind of each port, two bits each: 2 E-bus, 3 MII (0x0007). A coupler has the backplane at port 1 and a second
    /// cable at port 2.
    const fn port_descriptor(&self) -> u8 {
        match (self.connection, self.is_coupler) {
            (_, true) => 0b11_10_11,
            (Connection::Cable, false) => 0b11_11,
            (Connection::EBus, false) => 0b10_10,
        }
    }

    /// The controller wants the loop of a port closed, whatever is connected there (0x0101: 3, two bits a port).
    pub(super) fn is_loop_closed(&self, port: usize) -> bool {
        u32_at(&self.memory, r::DL_CONTROL) >> (8 + 2 * port) & 0b11 == 0b11
    }

    /// Tells what is connected to the ports: how long a frame is away before it comes back by each.
    pub(super) fn set_returns(&mut self, returns: Returns) {
        self.returns = returns;
        let before = u16_at(&self.memory, r::DL_STATUS);
        // The application is alive; port 0 has link and communication.
        let mut status = 0b11 | 1 << 4 | 1 << 9;
        for (port, back) in returns.iter().enumerate().skip(1) {
            status |= match back {
                Some(_) => 1 << (4 + port) | 1 << (9 + 2 * port),
                // Closed by the controller: the cable is still there.
                None if self.is_loop_closed(port) => before & 1 << (4 + port) | 1 << (8 + 2 * port),
                None => 1 << (8 + 2 * port),
            };
        }
        if u16_at(&self.memory, r::DL_STATUS) != status {
            put_u16(&mut self.memory, r::DL_STATUS, status);
            self.request_event(EVENT_DL_STATUS);
        }
    }

    // ---- what frames see -------------------------------------------------------------------------------

    /// True when `address` is the configured station address or the enabled alias.
    pub(super) fn is_addressed(&self, address: u16) -> bool {
        self.station_address == address || self.alias == Some(address)
    }

    /// The controller wants to see event requests in the interrupt field of datagrams.
    pub(super) const fn wants_interrupts(&self) -> bool {
        self.event_mask != 0
    }

    /// Event requests the controller wants to see there.
    pub(super) fn interrupts(&self) -> u16 {
        u16_at(&self.memory, r::EVENT_REQUEST) & self.event_mask
    }

    /// A read by the controller into `data`, at true time `at`. Returns false, with `data` unchanged, when
    /// there is nothing to read.
    pub(super) fn read(&mut self, address: usize, data: &mut [u8], at: Nanoseconds) -> bool {
        let end = address + data.len();
        if end > MEMORY_BYTES || data.is_empty() {
            return false;
        }
        if address >= PROCESS_MEMORY_START {
            return self.read_process_memory(address, data);
        }
        if end > PROCESS_MEMORY_START {
            return false;
        }
        if end > r::SII_CONFIGURATION {
            if overlaps(address, end, r::DC_PORT_TIME, 0x0A00) {
                if self.clock.is_none() {
                    return false;
                }
                self.show_clock(at);
            }
            if overlaps(address, end, r::SII_CONTROL, 0x0510) {
                let registers = self.sii.registers();
                put(&mut self.memory, r::SII_CONTROL, &registers);
            }
        }
        if let Some(source) = self.memory.get(address..end) {
            data.copy_from_slice(source);
        }
        if overlaps(address, end, r::AL_STATUS, r::AL_STATUS + 2) {
            self.withdraw_event(EVENT_AL_STATUS);
        } else if overlaps(address, end, r::DL_STATUS, r::DL_STATUS + 2) {
            self.withdraw_event(EVENT_DL_STATUS);
        } else if overlaps(address, end, SYNC_MANAGER_BASE, SYNC_MANAGER_BASE + 0x80) {
            for index in 0..SYNC_MANAGER_COUNT {
                let status = SYNC_MANAGER_BASE + index * SYNC_MANAGER_BYTES + 5;
                if overlaps(address, end, status, status + 1) {
                    self.withdraw_event(EVENT_SYNC_MANAGER << index);
                }
            }
        }
        true
    }

    /// A write by the controller, at true time `at`. Returns false when nothing of it could be written.
    pub(super) fn write(&mut self, address: usize, data: &[u8], at: Nanoseconds) -> bool {
        let end = address + data.len();
        if end > MEMORY_BYTES || data.is_empty() {
            return false;
        }
        if address >= PROCESS_MEMORY_START {
            return self.write_process_memory(address, data);
        }
        if end > PROCESS_MEMORY_START {
            return false;
        }
        if address == r::DC_SYSTEM_TIME {
            // The cyclic one: keep it short.
            return self.clock.as_mut().is_some_and(|clock| {
                let received = match data.len() {
                    4 => {
                        // 32 bits pass by: the upper half is the local one.
                        let local = clock.system_time(at);
                        let behind = (local as u32).wrapping_sub(u32_at(data, 0)) as i32;
                        local.wrapping_sub(i64::from(behind) as u64)
                    }
                    _ => u64_at(data, 0),
                };
                clock.compare(received, at);
                true
            });
        }
        self.write_registers(address, data, at)
    }

    /// Reads and writes through the FMMUs: a logical datagram of `data` at `logical`. Returns whether something
    /// was read and whether something was written.
    pub(super) fn exchange(
        &mut self,
        logical: u32,
        data: &mut [u8],
        direction: (bool, bool),
        at: Nanoseconds,
    ) -> (bool, bool) {
        let (mut has_read, mut has_written) = (false, false);
        for index in 0..self.active_fmmus {
            let Some(fmmu) = self.fmmus.get(index).copied() else { break };
            let writes = direction.1 && fmmu.writes;
            let reads = direction.0 && fmmu.reads;
            if !(reads || writes) {
                continue;
            }
            match fmmu.span(logical, data.len()) {
                None => {}
                Some(Span::Bytes(span)) => {
                    let range = span.data_start..span.data_start + span.length;
                    let Some(part) = data.get_mut(range) else { continue };
                    has_written |= writes && self.write(span.physical_start, part, at);
                    has_read |= reads && self.read(span.physical_start, part, at);
                }
                Some(Span::Bits(span)) => {
                    has_written |= writes && self.write_bits(span, data, at);
                    has_read |= reads && self.read_bits(span, data, at);
                }
            }
        }
        (has_read, has_written)
    }

    fn read_bits(&mut self, span: BitSpan, data: &mut [u8], at: Nanoseconds) -> bool {
        let first = span.physical_bit / 8;
        let bytes = (span.physical_bit + span.count).div_ceil(8) - first;
        let mut buffer = [0; BIT_MAPPED_BYTES_MAX];
        let Some(part) = buffer.get_mut(..bytes) else { return false };
        if !self.read(first, part, at) {
            return false;
        }
        let shift = span.physical_bit % 8;
        for bit in 0..span.count {
            set_bit(data, span.data_bit + bit, bit_at(&buffer, shift + bit));
        }
        true
    }

    fn write_bits(&mut self, span: BitSpan, data: &[u8], at: Nanoseconds) -> bool {
        let first = span.physical_bit / 8;
        let bytes = (span.physical_bit + span.count).div_ceil(8) - first;
        let mut buffer = [0; BIT_MAPPED_BYTES_MAX];
        let (Some(part), Some(source)) = (buffer.get_mut(..bytes), self.memory.get(first..first + bytes))
        else {
            return false;
        };
        part.copy_from_slice(source);
        let shift = span.physical_bit % 8;
        for bit in 0..span.count {
            set_bit(part, shift + bit, bit_at(data, span.data_bit + bit));
        }
        self.write(first, buffer.get(..bytes).unwrap_or(&[]), at)
    }

    fn manager_at(&self, start: usize, end: usize) -> Option<usize> {
        let mut used = self.managers.iter().take(self.used_managers);
        used.position(|manager| manager.overlaps(start, end))
    }

    fn read_process_memory(&mut self, address: usize, data: &mut [u8]) -> bool {
        let end = address + data.len();
        let manager = self.manager_at(address, end);
        if let Some(index) = manager
            && !self.touch(index, address, end, Direction::Read)
        {
            return false;
        }
        if let Some(source) = self.memory.get(address..end) {
            data.copy_from_slice(source);
        }
        true
    }

    fn write_process_memory(&mut self, address: usize, data: &[u8]) -> bool {
        let end = address + data.len();
        let manager = self.manager_at(address, end);
        if let Some(index) = manager
            && !self.touch(index, address, end, Direction::Write)
        {
            return false;
        }
        put(&mut self.memory, address, data);
        true
    }

    fn touch(&mut self, index: usize, start: usize, end: usize, direction: Direction) -> bool {
        let Some(manager) = self.managers.get_mut(index) else { return false };
        match manager.touch(start, end, direction) {
            Touch::Refused => false,
            Touch::Open => true,
            Touch::Complete => {
                match direction {
                    Direction::Read => self.events.read |= 1 << index,
                    Direction::Write => self.events.written |= 1 << index,
                }
                self.show_manager(index);
                self.request_event(EVENT_SYNC_MANAGER << index);
                true
            }
        }
    }

    // ---- what the application sees ---------------------------------------------------------------------

    /// A 16-bit register.
    pub(super) fn register_u16(&self, address: usize) -> u16 {
        u16_at(&self.memory, address)
    }

    /// Sets a register the controller only reads.
    pub(super) fn set_register_u16(&mut self, address: usize, value: u16) {
        put_u16(&mut self.memory, address, value);
    }

    /// Shows AL status and AL status code; the controller may have asked for an interrupt.
    pub(super) fn show_al_status(&mut self, status: u16, code: u16) {
        put_u16(&mut self.memory, r::AL_STATUS, status);
        put_u16(&mut self.memory, r::AL_STATUS_CODE, code);
        self.request_event(EVENT_AL_STATUS);
    }

    /// Counts an expired watchdog; the counters stop at their end.
    pub(super) fn count_watchdog_expiry(&mut self, watchdog: Watchdog) {
        let at = r::WATCHDOG_COUNTER + watchdog as usize;
        let count = u8_at(&self.memory, at).saturating_add(1);
        put_u8(&mut self.memory, at, count);
    }

    /// Shows whether the application is alive: DL status bits 0 and 1.
    pub(super) fn show_application(&mut self, alive: bool) {
        let status = u16_at(&self.memory, r::DL_STATUS) & !0b11;
        put_u16(&mut self.memory, r::DL_STATUS, status | if alive { 0b11 } else { 0b01 });
    }

    /// The clock has 32 bits from now on.
    pub(super) fn narrow_clock(&mut self) {
        self.clock_faults.is_narrow = true;
        let features = u16_at(&self.memory, 8) & !(1 << 3);
        put_u16(&mut self.memory, 8, features);
    }

    /// A sync manager.
    pub(super) fn manager(&self, index: usize) -> SyncManager {
        self.managers.get(index).copied().unwrap_or_default()
    }

    /// Switches a sync manager off or on from the side of the application.
    pub(super) fn set_manager_disabled(&mut self, index: usize, disabled: bool) {
        if let Some(manager) = self.managers.get_mut(index) {
            manager.set_pdi_disabled(disabled);
            self.show_manager(index);
        }
    }

    /// Fills (`true`) or empties (`false`) a mailbox from the side of the application.
    pub(super) fn set_mailbox_full(&mut self, index: usize, full: bool) {
        if let Some(manager) = self.managers.get_mut(index) {
            manager.set_full(full);
            self.show_manager(index);
            self.request_event(EVENT_SYNC_MANAGER << index);
        }
    }

    /// Answers a repeat request.
    pub(super) fn acknowledge_repeat(&mut self, index: usize) {
        if let Some(manager) = self.managers.get_mut(index) {
            manager.acknowledge_repeat();
            self.show_manager(index);
        }
    }

    /// The area of a sync manager.
    pub(super) fn area(&self, index: usize) -> &[u8] {
        let manager = self.manager(index);
        self.memory.get(manager.start()..manager.start() + manager.length()).unwrap_or(&[])
    }

    /// The area of a sync manager, to be written by the application.
    pub(super) fn area_mut(&mut self, index: usize) -> &mut [u8] {
        let manager = self.manager(index);
        self.memory.get_mut(manager.start()..manager.start() + manager.length()).unwrap_or(&mut [])
    }
}

const fn overlaps(start: usize, end: usize, first: usize, last: usize) -> bool {
    start < last && first < end
}
