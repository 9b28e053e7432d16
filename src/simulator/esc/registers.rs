//! Registers of the ESC: which can be written, and what a write does.

use crate::units::Nanoseconds;

use super::super::fmmu::{FMMU_BASE, FMMU_BYTES, FMMU_COUNT, Fmmu};
use super::super::sync_manager::{SYNC_MANAGER_BASE, SYNC_MANAGER_BYTES, SYNC_MANAGER_COUNT};
use super::super::wire::{put, put_u8, put_u16, put_u32, put_u64, u8_at, u16_at, u32_at, u64_at};
use super::{EscMemory, overlaps, register as r};

impl EscMemory {
    /// A write to registers; false when none of them could be written.
    pub(super) fn write_registers(&mut self, address: usize, data: &[u8], at: Nanoseconds) -> bool {
        let end = address + data.len();
        let has_clock = self.clock.is_some();
        let mut written = false;
        for (register, &byte) in (address..).zip(data) {
            if is_writable(register, has_clock) {
                put_u8(&mut self.memory, register, byte);
                written = true;
            }
        }
        if written {
            self.registers_written(address, end, at);
        }
        if overlaps(address, end, r::SII_CONTROL, 0x0510) {
            let skipped = r::SII_CONTROL.saturating_sub(address);
            let offset = address.saturating_sub(r::SII_CONTROL);
            written |= self.sii.write(offset, data.get(skipped..).unwrap_or(&[]));
        }
        written
    }

    /// What follows from a write to the registers `start..end`.
    fn registers_written(&mut self, start: usize, end: usize, at: Nanoseconds) {
        let touched = |first: usize, length: usize| overlaps(start, end, first, first + length);
        if end > FMMU_BASE {
            if touched(FMMU_BASE, FMMU_COUNT * FMMU_BYTES) {
                self.take_over_fmmus();
            }
            if touched(SYNC_MANAGER_BASE, SYNC_MANAGER_COUNT * SYNC_MANAGER_BYTES) {
                self.take_over_managers(start, end);
            }
            if end > r::DC_PORT_TIME {
                self.clock_written(start, end, at);
            }
            return;
        }
        if touched(r::STATION_ADDRESS, 2) {
            self.station_address = u16_at(&self.memory, r::STATION_ADDRESS);
        }
        if touched(r::RESET, 1) {
            self.reset_letter();
        }
        if touched(r::DL_CONTROL, 4) {
            let enabled = u32_at(&self.memory, r::DL_CONTROL) >> 24 & 1 == 1;
            self.alias = enabled.then(|| u16_at(&self.memory, r::STATION_ALIAS));
            self.loops_changed = true;
        }
        if touched(r::AL_CONTROL, 2) {
            self.events.al_control = true;
        }
        if touched(r::EVENT_MASK, 2) {
            self.event_mask = u16_at(&self.memory, r::EVENT_MASK);
        }
        if touched(r::ERROR_COUNTERS, 0x14) {
            self.memory.get_mut(r::ERROR_COUNTERS..r::ERROR_COUNTERS + 0x14).unwrap_or(&mut []).fill(0);
        }
        if touched(r::WATCHDOG_COUNTER, 2) {
            put_u16(&mut self.memory, r::WATCHDOG_COUNTER, 0);
        }
        if touched(r::SII_CONFIGURATION, 1) {
            let configuration = u8_at(&self.memory, r::SII_CONFIGURATION);
            // Bit 1 takes the EEPROM away from the application.
            self.sii.owned_by_application = configuration & 0b11 == 0b01;
        }
    }

    /// Reset after the letters R, E, S were written to 0x0040 in three writes.
    fn reset_letter(&mut self) {
        let letter = u8_at(&self.memory, r::RESET);
        let expected = b"RES".get(self.reset_letters).copied();
        self.reset_letters = if Some(letter) == expected { self.reset_letters + 1 } else { 0 };
        if self.reset_letters == 3 {
            self.reset_letters = 0;
            self.events.reset = true;
        }
        put_u8(&mut self.memory, r::RESET, self.reset_letters as u8);
    }

    fn take_over_fmmus(&mut self) {
        self.active_fmmus = 0;
        for (index, fmmu) in self.fmmus.iter_mut().enumerate() {
            let start = FMMU_BASE + index * FMMU_BYTES;
            let registers = self.memory.get(start..start + FMMU_BYTES).unwrap_or(&[]);
            *fmmu = Fmmu::from_registers(registers);
            if *fmmu != Fmmu::default() {
                self.active_fmmus = index + 1;
            }
        }
    }

    fn take_over_managers(&mut self, start: usize, end: usize) {
        for index in 0..SYNC_MANAGER_COUNT {
            let base = SYNC_MANAGER_BASE + index * SYNC_MANAGER_BYTES;
            if !overlaps(start, end, base, base + SYNC_MANAGER_BYTES) {
                continue;
            }
            if let (Some(manager), Some(registers)) =
                (self.managers.get_mut(index), self.memory.get(base..base + SYNC_MANAGER_BYTES))
                && manager.configure(registers)
            {
                self.events.repeat |= 1 << index;
            }
            self.show_manager(index);
        }
        self.used_managers =
            self.managers.iter().rposition(|manager| manager.length() > 0).map_or(0, |last| last + 1);
        self.events.sync_managers_changed = true;
    }

    /// Puts the registers of a sync manager into the memory the controller reads.
    pub(super) fn show_manager(&mut self, index: usize) {
        if let Some(manager) = self.managers.get(index) {
            let registers = manager.registers();
            put(&mut self.memory, SYNC_MANAGER_BASE + index * SYNC_MANAGER_BYTES, &registers);
        }
    }

    /// Puts the registers of all sync managers there.
    pub(super) fn show_all_managers(&mut self) {
        for index in 0..SYNC_MANAGER_COUNT {
            self.show_manager(index);
        }
    }

    /// Sets bits of the event request register.
    pub(super) fn request_event(&mut self, event: u16) {
        let requests = u16_at(&self.memory, r::EVENT_REQUEST) | event;
        put_u16(&mut self.memory, r::EVENT_REQUEST, requests);
    }

    /// Clears bits of the event request register.
    pub(super) fn withdraw_event(&mut self, event: u16) {
        let requests = u16_at(&self.memory, r::EVENT_REQUEST) & !event;
        put_u16(&mut self.memory, r::EVENT_REQUEST, requests);
    }

    fn clock_written(&mut self, start: usize, end: usize, at: Nanoseconds) {
        let touched = |first: usize, length: usize| overlaps(start, end, first, first + length);
        let Some(clock) = &mut self.clock else { return };
        if touched(r::DC_PORT_TIME, 4) {
            let forward = clock.local_time(at);
            put_u32(&mut self.memory, r::DC_PORT_TIME, forward as u32);
            for (port, back) in self.returns.iter().enumerate().skip(1) {
                let time = back.map_or(0, |delay| clock.local_time(Nanoseconds(at.0 + delay.0)) as u32);
                put_u32(&mut self.memory, r::DC_PORT_TIME + 4 * port, time);
            }
            put_u64(&mut self.memory, r::DC_RECEIVE_TIME, forward);
        }
        if touched(r::DC_OFFSET, 8) {
            clock.offset = u64_at(&self.memory, r::DC_OFFSET);
        }
        if touched(r::DC_DELAY, 4) {
            clock.delay = u32_at(&self.memory, r::DC_DELAY);
        }
        if touched(r::DC_LOOP, 6) {
            clock.reset_control_loop();
        }
        if touched(r::DC_ACTIVATION, 1) {
            self.sync0.activate(
                u8_at(&self.memory, r::DC_ACTIVATION),
                u64_at(&self.memory, r::DC_START_TIME),
                u32_at(&self.memory, r::DC_CYCLE_0),
                clock.system_time(at),
            );
            let running = self.sync0.next().is_some();
            put_u8(&mut self.memory, r::DC_ACTIVATION_STATUS, u8::from(running));
            self.events.sync_activation = true;
        }
    }

    /// Brings the clock's registers up to date before they are read.
    pub(super) fn show_clock(&mut self, at: Nanoseconds) {
        if let Some(clock) = &self.clock {
            let faults = &mut self.clock_faults;
            let jitter = faults
                .jitter
                .as_mut()
                .map_or(0, |(up_to_ns, random)| (f64::from(*up_to_ns) * random.symmetric()) as i64);
            let time = clock.system_time(at).wrapping_add_signed(jitter);
            let shown = if faults.is_narrow { time & u64::from(u32::MAX) } else { time };
            put_u64(&mut self.memory, r::DC_SYSTEM_TIME, shown);
            let difference = clock.difference_register(faults.difference_ns);
            put_u32(&mut self.memory, r::DC_DIFFERENCE, difference);
            if let Some(next) = self.sync0.next() {
                put_u64(&mut self.memory, r::DC_START_TIME, next);
            }
        }
    }
}

/// True where the controller may write. The rest is read-only or does not exist.
const fn is_writable(register: usize, has_clock: bool) -> bool {
    match register {
        r::STATION_ADDRESS..=0x0011
        | r::RESET
        | 0x0041
        | r::DL_CONTROL..=0x0103
        | r::AL_CONTROL..=0x0121
        | r::EVENT_MASK..=0x0201
        | r::ERROR_COUNTERS..=0x0313
        | r::WATCHDOG_DIVIDER..=0x0401
        | r::WATCHDOG_PDI..=0x0411
        | r::WATCHDOG_SM..=0x0421
        | r::WATCHDOG_COUNTER..=0x0443
        | r::SII_CONFIGURATION => true,
        // Bytes 13 to 15 of an FMMU are reserved; writing zeros there does no harm.
        FMMU_BASE..=0x06FF => register < FMMU_BASE + FMMU_COUNT * FMMU_BYTES,
        // Start, length, control and activate of a sync manager; status and PDI control are the device's.
        SYNC_MANAGER_BASE..=0x087F => {
            register < SYNC_MANAGER_BASE + SYNC_MANAGER_COUNT * SYNC_MANAGER_BYTES
                && !matches!(register % SYNC_MANAGER_BYTES, 5 | 7)
        }
        r::DC_PORT_TIME..=0x0903
        | r::DC_OFFSET..=0x092B
        | r::DC_LOOP..=0x0931
        | 0x0934..=0x0935
        | r::DC_CYCLIC_UNIT..=r::DC_ACTIVATION
        | r::DC_START_TIME..=0x0997
        | r::DC_CYCLE_0..=0x09A7 => has_clock,
        _ => false,
    }
}
