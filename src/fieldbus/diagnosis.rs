//! Looks at the health of the bus in the slack of the cycle: at most one register read a cycle, first what has just
//! gone wrong, else the counters and clocks of each SubDevice in turn.

use super::bus::{Bus, ExchangeReport};
use super::link::FrameLink;
use super::registers;
use crate::bus_health::al_state::{AlState, AlStatus};
use crate::bus_health::{BusNews, ClockHealth, Interruption, LineHealth, PORTS, SubDeviceHealth};
use crate::devices::MAX_SUBDEVICES;
use crate::units::Nanoseconds;

/// Consecutive cycles a SubDevice may be silent before its place is told.
const SILENT_CYCLES: u32 = 2;
/// Value from which an error counter is set back: it stops at 255.
const COUNTER_NEARLY_FULL: u8 = 200;
/// Number of error counters from 0x0300: two for each port, forwarded errors, processing unit, PDI, two
/// reserved, lost links.
const COUNTER_BYTES: usize = 20;
const FORWARDED: usize = 8;
const LOST_LINKS: usize = 16;

/// What was found out so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Diagnosis {
    health: [SubDeviceHealth; MAX_SUBDEVICES],
    /// Error counters as read last.
    counters: [[u8; COUNTER_BYTES]; MAX_SUBDEVICES],
    /// Bit i: SubDevice i has a clock.
    pub(super) clocked: u32,
    /// Bit i: it was told that SubDevice i left OP.
    told: u32,
    silent: [u32; MAX_SUBDEVICES],
    interruption: Option<Interruption>,
    count_wanted: bool,
    turn: usize,
}

impl Diagnosis {
    /// Nothing known; `clocked` has a bit for each SubDevice with a clock.
    pub(super) const fn new(clocked: u32) -> Self {
        const UNKNOWN: SubDeviceHealth = SubDeviceHealth {
            al: AlStatus { state: AlState::NoAnswer, error: false, code: 0 },
            fresh: false,
            lost_cycles: 0,
            stale_cycles: 0,
            crc_errors: [0; PORTS],
            forwarded_errors: [0; PORTS],
            lost_links: [0; PORTS],
            links: 0,
            clock_difference_ns: None,
            emergencies: 0,
        };
        Self {
            health: [UNKNOWN; MAX_SUBDEVICES],
            counters: [[0; COUNTER_BYTES]; MAX_SUBDEVICES],
            clocked,
            told: 0,
            silent: [0; MAX_SUBDEVICES],
            interruption: None,
            count_wanted: false,
            turn: 0,
        }
    }

    /// Forgets the cycles of bring-up.
    pub(super) fn restart(&mut self) {
        *self = Self::new(self.clocked);
    }

    /// The largest known difference of a clock from the reference.
    pub(super) fn clock_difference(&self) -> Option<(usize, u32)> {
        let known = self.health.iter().enumerate();
        known.filter_map(|(at, health)| Some((at, health.clock_difference_ns?))).max_by_key(|found| found.1)
    }

    /// Counts what an exchange brought.
    pub(super) fn note(&mut self, count: usize, report: &ExchangeReport) {
        for (at, health) in self.health.iter_mut().enumerate().take(count) {
            health.fresh = report.is_fresh(at);
            health.lost_cycles += u64::from(!report.answered);
            health.stale_cycles += u64::from(report.answered && !health.fresh);
            let state = report.al_states.get(at).copied().unwrap_or_default();
            if let Some(silent) = self.silent.get_mut(at) {
                *silent = if state == AlState::NoAnswer { silent.saturating_add(1) } else { 0 };
            }
            if report.answered && (state == AlState::NoAnswer || state != health.al.state) {
                health.al = AlStatus { state, ..AlStatus::default() };
            }
            if state == AlState::Op {
                self.told &= !(1 << at);
            }
        }
        if report.answered && report.working_counter > report.expected_working_counter {
            self.count_wanted = true;
        }
        if report.fresh {
            self.interruption = None;
        }
    }

    fn first_silent(&self, count: usize) -> Option<usize> {
        self.silent.iter().take(count).position(|cycles| *cycles >= SILENT_CYCLES)
    }

    fn is_silent(&self, at: usize) -> bool {
        self.silent.get(at).is_some_and(|cycles| *cycles > 0)
    }

    /// Takes error counters of a SubDevice; true when they should be set back.
    fn take_counters(&mut self, at: usize, found: &[u8; COUNTER_BYTES]) -> bool {
        let (Some(before), Some(health)) = (self.counters.get_mut(at), self.health.get_mut(at)) else {
            return false;
        };
        // A counter that is lower than before was set back: all of it is new.
        let grown = |index: usize| {
            let (now, then) =
                (found.get(index).copied().unwrap_or(0), before.get(index).copied().unwrap_or(0));
            u64::from(now.checked_sub(then).unwrap_or(now))
        };
        for port in 0..PORTS {
            for (counters, index) in [
                (&mut health.crc_errors, 2 * port),
                (&mut health.forwarded_errors, FORWARDED + port),
                (&mut health.lost_links, LOST_LINKS + port),
            ] {
                if let Some(counter) = counters.get_mut(port) {
                    *counter += grown(index);
                }
            }
        }
        *before = *found;
        found.iter().any(|counter| *counter >= COUNTER_NEARLY_FULL)
    }
}

/// Ports with a link in DL status (0x0110): bits 4 to 7.
const fn links_of(dl_status: u16) -> u8 {
    (dl_status >> 4 & 0x0F) as u8
}

impl<L: FrameLink> Bus<L> {
    /// Looks at one thing, in the slack of the cycle: to be called once after each exchange, when there is time.
    /// What has just gone wrong comes first; else each SubDevice has its turn, so that after three times as
    /// many cycles as there are SubDevices everything was looked at.
    ///
    /// # Real-time
    /// No allocation. At most two frames; ends at `deadline`.
    pub fn look_around(&mut self, deadline: Nanoseconds) -> Option<BusNews> {
        if let Some(news) = self.look_at_trouble(deadline) {
            return Some(news);
        }
        let turn = self.diagnosis.turn;
        self.diagnosis.turn = (turn + 1) % (3 * self.count + 2);
        let position = turn / 3;
        if position >= self.count {
            return Some(match self.clock_health().filter(|_| turn == 3 * self.count) {
                Some(clock) => BusNews::Clock(clock),
                None => BusNews::Line(self.line_health()),
            });
        }
        if self.diagnosis.is_silent(position) {
            return self.news_of(position);
        }
        match turn % 3 {
            0 => self.read_counters(position, deadline),
            1 => {
                let read = registers::read(&mut self.pump, position, registers::DL_STATUS, deadline);
                if let (Ok(dl_status), Some(health)) = (read, self.diagnosis.health.get_mut(position)) {
                    health.links = links_of(dl_status);
                }
            }
            _ if self.diagnosis.clocked >> position & 1 == 1 => {
                let difference = self.read_clock_difference(position, deadline);
                if let (Some(found), Some(health)) = (difference, self.diagnosis.health.get_mut(position)) {
                    health.clock_difference_ns = Some(found);
                }
            }
            _ => {}
        }
        self.news_of(position)
    }

    /// The health of one SubDevice as known.
    #[must_use]
    pub fn health(&self, subdevice: usize) -> SubDeviceHealth {
        self.diagnosis.health.get(subdevice).copied().unwrap_or_default()
    }

    /// What passed over the line.
    #[must_use]
    pub const fn line_health(&self) -> LineHealth {
        let link = self.pump.counters();
        LineHealth {
            sent: link.sent,
            lost: self.lost,
            late: link.late,
            duplicate: link.duplicate,
            malformed: link.malformed,
            foreign: link.foreign,
            send_errors: link.send_errors,
            receive_errors: link.receive_errors,
        }
    }

    /// How well the cycle follows the reference clock; `None` without.
    #[must_use]
    pub fn clock_health(&self) -> Option<ClockHealth> {
        let status = self.clock.as_ref()?.status();
        Some(ClockHealth {
            // ethercrab takes the first SubDevice with a clock.
            reference: u8::try_from(self.diagnosis.clocked.trailing_zeros()).unwrap_or(u8::MAX),
            phase_error_ns: status.phase_error_smoothed_ns,
            rate_difference_ppb: status.rate_difference_ppb,
            locked: status.locked,
            lock_cycles: status.lock_cycles,
            lock_losses: status.lock_losses,
            outliers: status.outliers,
        })
    }

    fn news_of(&self, position: usize) -> Option<BusNews> {
        let emergencies = self.mailbox_counters(position).map_or(0, |counters| counters.emergencies);
        let health = SubDeviceHealth { emergencies, ..self.health(position) };
        Some(BusNews::SubDevice(u8::try_from(position).ok()?, health))
    }

    fn look_at_trouble(&mut self, deadline: Nanoseconds) -> Option<BusNews> {
        if let Some(first_missing) = self.diagnosis.first_silent(self.count) {
            let line_ends = (first_missing..self.count).all(|at| self.diagnosis.is_silent(at));
            let known = self.diagnosis.interruption;
            let is_news = known.is_none_or(|known| {
                usize::from(known.first_missing) != first_missing || known.line_ends != line_ends
            });
            if is_news {
                let before = (0..first_missing).rev().find(|&at| !self.diagnosis.is_silent(at));
                let links_before = before.and_then(|before| {
                    registers::read(&mut self.pump, before, registers::DL_STATUS, deadline).ok().map(links_of)
                });
                let first_missing = u8::try_from(first_missing).ok()?;
                let found = Interruption { first_missing, line_ends, links_before };
                self.diagnosis.interruption = Some(found);
                return Some(BusNews::Interrupted(found));
            }
        }
        let left = (0..self.count).find(|&at| {
            let state = self.health(at).al.state;
            self.diagnosis.told >> at & 1 == 0 && !matches!(state, AlState::Op | AlState::NoAnswer)
        });
        if let Some(position) = left {
            // When it cannot be read now, it is tried again in the next cycle.
            let status = self.al_status(position, deadline)?;
            self.diagnosis.told |= 1 << position;
            if let Some(health) = self.diagnosis.health.get_mut(position) {
                health.al = status;
            }
            return Some(BusNews::LeftOperation(u8::try_from(position).ok()?, status));
        }
        if self.diagnosis.count_wanted {
            let found = registers::count_subdevices(&mut self.pump, deadline)?;
            self.diagnosis.count_wanted = false;
            return Some(BusNews::Counted { found, expected: u16::try_from(self.count).unwrap_or(u16::MAX) });
        }
        None
    }

    fn read_counters(&mut self, position: usize, deadline: Nanoseconds) {
        let read: Result<[u8; COUNTER_BYTES], _> =
            registers::read(&mut self.pump, position, registers::ERROR_COUNTERS, deadline);
        if let Ok(found) = read
            && self.diagnosis.take_counters(position, &found)
        {
            // Any write sets all of them back; the next reading begins at zero again, or not.
            for register in [registers::ERROR_COUNTERS, registers::LOST_LINK_COUNTERS] {
                let _written = registers::write(&mut self.pump, position, register, 0_u8, deadline);
            }
        }
    }

    /// Difference of a SubDevice's clock from the reference (0x092C), ns, without its sign.
    pub(super) fn read_clock_difference(&mut self, position: usize, deadline: Nanoseconds) -> Option<u32> {
        let raw: u32 =
            registers::read(&mut self.pump, position, registers::SYSTEM_TIME_DIFFERENCE, deadline).ok()?;
        // Bit 31 is the sign, the rest the magnitude.
        Some(raw & 0x7FFF_FFFF)
    }
}
