//! Judges what the exchange of each cycle brought: lost frames, working counter, SubDevices out of OP,
//! clocks. Says a fault, a warning or nothing; what is done about it is decided in `fault_reaction`.

use super::supervision::Finding;
use crate::devices::MAX_SUBDEVICES;
use crate::faults::FaultCode;
use crate::fieldbus::AlState;

/// Consecutive exchanges without data that are ridden through.
const LOST_IN_A_ROW_MAX: u32 = 3;
/// Consecutive exchanges without data from which on somebody is told.
const LOST_IN_A_ROW_WARNING: u32 = 2;
/// Loss bucket: each lost exchange adds this much, each good one takes one away.
const BUCKET_STEP: u32 = 3;
/// Loss bucket above which the bus is no longer trusted. It is filled no further than one step above, so
/// that a bus that is well again is believed after a few cycles.
const BUCKET_MAX: u32 = 9;
/// Consecutive cycles a SubDevice may be out of OP before it counts.
const OUT_OF_OP_MAX: u32 = 1;
/// Skipped cycles from which the first frame after the gap is a quick stop.
const SKIPPED_MAX: u32 = 3;
/// Time over which lost exchanges are counted, in slots of a second.
const WINDOW_S: usize = 10;
/// Lost exchanges within that time that are told, and that stop the work: per thousand.
const LOSS_WARNING_PER_MILLE: u32 = 1;
const LOSS_MAX_PER_MILLE: u32 = 10;
/// Difference of a device's clock from the reference that is told, and that stops the work, ns.
const CLOCK_DIFFERENCE_WARNING_NS: u32 = 1_000;
const CLOCK_DIFFERENCE_MAX_NS: u32 = 20_000;
/// Consecutive cycles a clock may be that far off.
const CLOCK_DIFFERENCE_CYCLES: u32 = 100;
/// Consecutive cycles the frame may be further than a quarter of a cycle from its place before SYNC0.
const CLOCK_PHASE_CYCLES: u32 = 10;

/// What is known of the clocks of the bus.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClockResult {
    /// How late this cycle's frame passed the reference clock, ns; `None`: no measurement in this cycle.
    pub phase_error_ns: Option<f64>,
    /// Cycle time, ns.
    pub cycle_time_ns: f64,
    /// Largest difference of a device's clock from the reference (0x092C), ns, and that device; of the newest
    /// readings.
    pub difference: Option<(usize, u32)>,
}

/// What the exchange of one cycle brought.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExchangeResult {
    /// The answer to this cycle's frame came in time.
    pub received: bool,
    /// Bit i: the inputs of SubDevice i are from this cycle.
    pub fresh_subdevices: u32,
    /// Working counter as received.
    pub working_counter: u16,
    /// Working counter that a whole segment gives.
    pub working_counter_expected: u16,
    /// State of each SubDevice as received with the inputs.
    pub al_states: [AlState; MAX_SUBDEVICES],
    /// Number of SubDevices.
    pub subdevices: usize,
    /// Whole cycles skipped before this one.
    pub skipped_cycles: u32,
    /// The clocks; `None` on a bus without.
    pub clock: Option<ClockResult>,
}

impl ExchangeResult {
    /// Every SubDevice's inputs can be used as new.
    #[must_use]
    pub const fn is_fresh(&self) -> bool {
        self.received && self.working_counter == self.working_counter_expected
    }

    /// The inputs of one SubDevice can be used as new.
    #[must_use]
    pub const fn is_subdevice_fresh(&self, subdevice: usize) -> bool {
        self.received && subdevice < MAX_SUBDEVICES && self.fresh_subdevices >> subdevice & 1 == 1
    }

    /// A SubDevice is in OP.
    #[must_use]
    pub fn is_operational(&self, subdevice: usize) -> bool {
        self.al_states.get(subdevice).is_some_and(|&state| state == AlState::Op)
    }

    /// The first SubDevice that is not in OP.
    #[must_use]
    pub fn first_not_operational(&self) -> Option<usize> {
        (0..self.subdevices).find(|&subdevice| !self.is_operational(subdevice))
    }
}

/// Lost exchanges of the last ten seconds, in slots of a second.
#[derive(Clone, Copy, Debug)]
struct LossWindow {
    slots: [u32; WINDOW_S],
    cycles_per_slot: u32,
    cycle: u32,
    /// The warning was given, and the loss has not fallen to half of its limit since.
    warned: bool,
}

impl LossWindow {
    fn new(dt_s: f64) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "float to integer saturates"
        )]
        let cycles_per_slot = ((1.0 / dt_s).round() as u32).max(1);
        Self { slots: [0; WINDOW_S], cycles_per_slot, cycle: 0, warned: false }
    }

    fn clear(&mut self) {
        self.slots = [0; WINDOW_S];
        self.warned = false;
    }

    /// Counts one exchange.
    fn count(&mut self, lost: bool) {
        self.cycle += 1;
        if self.cycle >= self.cycles_per_slot {
            self.cycle = 0;
            self.slots.rotate_right(1);
            if let Some(newest) = self.slots.first_mut() {
                *newest = 0;
            }
        }
        if let Some(newest) = self.slots.first_mut() {
            *newest += u32::from(lost);
        }
    }

    /// Lost exchanges per thousand of the whole window.
    fn per_mille(&self) -> f64 {
        let lost: u32 = self.slots.iter().sum();
        f64::from(lost) * 1e3
            / (f64::from(self.cycles_per_slot) * f64::from(u32::try_from(WINDOW_S).unwrap_or(1)))
    }
}

/// What supervision of the bus says of one cycle.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BusVerdict {
    /// Something that needs a reaction.
    pub fault: Option<Finding>,
    /// Something that is ridden through.
    pub warning: Option<Finding>,
}

/// Memory of the supervision of the bus from cycle to cycle.
#[derive(Clone, Copy, Debug)]
pub struct BusSupervision {
    lost_in_a_row: u32,
    bucket: u32,
    window: LossWindow,
    /// Cycles until the next warning of frames lost in a row may be given.
    warning_pause: u32,
    /// What went wrong last: tells what filled the bucket.
    trouble: FaultCode,
    out_of_op: [u32; MAX_SUBDEVICES],
    /// Cycles the largest difference of a clock has been above the warning, and above the limit.
    clock_differs: [u32; 2],
    clock_warned: bool,
    out_of_phase: u32,
    /// Exchanges that brought nothing usable.
    pub lost_frames: u64,
    /// Exchanges with a wrong working counter.
    pub working_counter_errors: u64,
}

impl BusSupervision {
    /// Nothing seen yet.
    #[must_use]
    pub fn new(dt_s: f64) -> Self {
        Self {
            lost_in_a_row: 0,
            bucket: 0,
            window: LossWindow::new(dt_s),
            warning_pause: 0,
            trouble: FaultCode::FramesLost,
            out_of_op: [0; MAX_SUBDEVICES],
            clock_differs: [0; 2],
            clock_warned: false,
            out_of_phase: 0,
            lost_frames: 0,
            working_counter_errors: 0,
        }
    }

    /// Forgets what was lost so far: a fault was acknowledged, or the bus was brought up anew.
    pub fn acknowledge(&mut self) {
        self.window.clear();
        self.clock_differs = [0; 2];
        self.out_of_phase = 0;
    }

    /// Judges one exchange.
    pub fn check(&mut self, exchange: &ExchangeResult) -> BusVerdict {
        self.warning_pause = self.warning_pause.saturating_sub(1);
        let mut verdict = BusVerdict::default();
        let stall = exchange.skipped_cycles > SKIPPED_MAX;
        if stall {
            let (skipped, limit) = (f64::from(exchange.skipped_cycles), f64::from(SKIPPED_MAX));
            verdict.fault = Some(Finding::new(FaultCode::CycleStall, None, skipped, limit));
        }
        let too_many = self.count_working_counter(exchange);
        let out_of_op = self.count_out_of_op(exchange);
        verdict.fault = verdict.fault.or(too_many).or(out_of_op);
        self.count_loss(exchange, out_of_op.is_some(), &mut verdict);
        self.check_clock(exchange, &mut verdict);
        if verdict.fault.is_some() {
            self.window.clear();
        }
        verdict
    }

    fn count_working_counter(&mut self, exchange: &ExchangeResult) -> Option<Finding> {
        let (counter, expected) = (exchange.working_counter, exchange.working_counter_expected);
        if exchange.received && counter != expected {
            self.working_counter_errors += 1;
        }
        (exchange.received && counter > expected).then(|| {
            Finding::new(FaultCode::WorkingCounterHigh, None, f64::from(counter), f64::from(expected))
        })
    }

    /// The first SubDevice that has been out of OP for too long. Cycles without an answer tell nothing.
    fn count_out_of_op(&mut self, exchange: &ExchangeResult) -> Option<Finding> {
        if !exchange.received {
            return None;
        }
        let mut finding = None;
        for (subdevice, out) in self.out_of_op.iter_mut().enumerate().take(exchange.subdevices) {
            *out = if exchange.is_operational(subdevice) { 0 } else { out.saturating_add(1) };
            if *out > OUT_OF_OP_MAX && finding.is_none() {
                let state = exchange.al_states.get(subdevice).copied().unwrap_or_default();
                let code = if state == AlState::NoAnswer {
                    FaultCode::SubDeviceLost
                } else {
                    FaultCode::SubDeviceNotOperational
                };
                let (found, wanted) = (f64::from(state.request()), f64::from(AlState::Op.request()));
                finding = Some(Finding::new(code, Some(subdevice), found, wanted));
            }
        }
        finding
    }

    /// `explained`: a SubDevice is out of OP, which says more than the working counter it leaves behind.
    fn count_loss(&mut self, exchange: &ExchangeResult, explained: bool, verdict: &mut BusVerdict) {
        let lost = !exchange.is_fresh();
        if lost {
            self.lost_frames += u64::from(!exchange.received);
            self.trouble =
                if exchange.received { FaultCode::WorkingCounterLow } else { FaultCode::FramesLost };
            self.lost_in_a_row = self.lost_in_a_row.saturating_add(1);
            self.bucket = (self.bucket + BUCKET_STEP).min(BUCKET_MAX + BUCKET_STEP);
        } else {
            self.lost_in_a_row = 0;
            self.bucket = self.bucket.saturating_sub(1);
        }
        self.window.count(lost && !explained);
        let in_a_row = f64::from(self.lost_in_a_row);
        if verdict.fault.is_none() && (self.lost_in_a_row > LOST_IN_A_ROW_MAX || self.bucket > BUCKET_MAX) {
            verdict.fault = Some(Finding::new(self.trouble, None, in_a_row, f64::from(LOST_IN_A_ROW_MAX)));
        }
        let per_mille = self.window.per_mille();
        let rate = |limit: u32| {
            Finding::new(FaultCode::FrameLossRate, None, per_mille * 1e-3, f64::from(limit) * 1e-3)
        };
        if per_mille > f64::from(LOSS_MAX_PER_MILLE) && verdict.fault.is_none() {
            verdict.fault = Some(rate(LOSS_MAX_PER_MILLE));
        }
        if self.lost_in_a_row == LOST_IN_A_ROW_WARNING && self.warning_pause == 0 {
            self.warning_pause = self.window.cycles_per_slot;
            verdict.warning = Some(Finding::new(self.trouble, None, in_a_row, f64::from(LOST_IN_A_ROW_MAX)));
        } else if per_mille > f64::from(LOSS_WARNING_PER_MILLE) && !self.window.warned {
            self.window.warned = true;
            verdict.warning = Some(rate(LOSS_WARNING_PER_MILLE));
        } else if per_mille < 0.5 * f64::from(LOSS_WARNING_PER_MILLE) {
            self.window.warned = false;
        }
    }

    fn check_clock(&mut self, exchange: &ExchangeResult, verdict: &mut BusVerdict) {
        let Some(clock) = &exchange.clock else { return };
        let limits = [CLOCK_DIFFERENCE_WARNING_NS, CLOCK_DIFFERENCE_MAX_NS];
        if let Some((subdevice, difference)) = clock.difference {
            for (cycles, limit) in self.clock_differs.iter_mut().zip(limits) {
                *cycles = if difference > limit { cycles.saturating_add(1) } else { 0 };
            }
            let finding = |limit: u32| {
                let (found, limit) = (f64::from(difference) * 1e-9, f64::from(limit) * 1e-9);
                Finding::new(FaultCode::ClockDifference, Some(subdevice), found, limit)
            };
            let [warning, fault] = self.clock_differs.map(|cycles| cycles >= CLOCK_DIFFERENCE_CYCLES);
            if fault && verdict.fault.is_none() {
                verdict.fault = Some(finding(CLOCK_DIFFERENCE_MAX_NS));
            }
            if warning && !self.clock_warned && verdict.warning.is_none() {
                self.clock_warned = true;
                verdict.warning = Some(finding(CLOCK_DIFFERENCE_WARNING_NS));
            }
            self.clock_warned &= self.clock_differs != [0; 2];
        }
        if let Some(error) = clock.phase_error_ns {
            let limit = 0.25 * clock.cycle_time_ns;
            self.out_of_phase = if error.abs() > limit { self.out_of_phase.saturating_add(1) } else { 0 };
            if self.out_of_phase >= CLOCK_PHASE_CYCLES && verdict.fault.is_none() {
                verdict.fault = Some(Finding::new(FaultCode::ClockPhase, None, error * 1e-9, limit * 1e-9));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn supervision() -> BusSupervision {
        BusSupervision::new(1e-3)
    }

    fn good() -> ExchangeResult {
        ExchangeResult {
            received: true,
            fresh_subdevices: 0b111,
            working_counter: 9,
            working_counter_expected: 9,
            al_states: [AlState::Op; MAX_SUBDEVICES],
            subdevices: 3,
            skipped_cycles: 0,
            clock: None,
        }
    }

    fn lost() -> ExchangeResult {
        ExchangeResult { received: false, ..good() }
    }

    #[test]
    fn three_lost_frames_in_a_row_are_ridden_through_and_the_fourth_is_not() {
        let mut supervision = supervision();
        for cycle in 0..3 {
            assert_eq!(supervision.check(&lost()).fault, None, "cycle {cycle}");
        }
        let finding = supervision.check(&lost()).fault.unwrap();
        assert_eq!((finding.code, finding.value), (FaultCode::FramesLost, 4.0));
        assert_eq!(supervision.lost_frames, 4);
    }

    #[test]
    fn frames_that_come_again_are_no_second_fault_of_another_kind() {
        let mut supervision = supervision();
        let codes: Vec<FaultCode> = (0..40)
            .filter_map(|cycle| supervision.check(&if cycle < 10 { lost() } else { good() }).fault)
            .map(|finding| finding.code)
            .collect();
        assert!(codes.len() > 7 && codes.iter().all(|code| *code == FaultCode::FramesLost), "{codes:?}");
    }

    #[test]
    fn every_third_frame_lost_fills_the_bucket_and_one_in_ten_does_not() {
        let mut sparse = supervision();
        for cycle in 0..10_000 {
            let exchange = if cycle % 10 == 0 { lost() } else { good() };
            let found = sparse.check(&exchange).fault.map(|found| found.code);
            // The share over ten seconds is another matter.
            assert!(matches!(found, None | Some(FaultCode::FrameLossRate)), "cycle {cycle}: {found:?}");
        }
        let mut dense = supervision();
        let found =
            (0..100).any(|cycle| dense.check(&if cycle % 3 == 0 { lost() } else { good() }).fault.is_some());
        assert!(found);
    }

    #[test]
    fn a_wrong_working_counter_makes_inputs_stale_and_too_high_is_a_fault_at_once() {
        let mut supervision = supervision();
        let low = ExchangeResult { working_counter: 6, ..good() };
        assert!(!low.is_fresh());
        assert_eq!(supervision.check(&low).fault, None);
        let high = ExchangeResult { working_counter: 10, ..good() };
        assert_eq!(supervision.check(&high).fault.unwrap().code, FaultCode::WorkingCounterHigh);
        assert_eq!(supervision.working_counter_errors, 2);
    }

    #[test]
    fn a_subdevice_out_of_op_is_found_in_the_second_cycle_and_named() {
        for (state, code) in [
            (AlState::NoAnswer, FaultCode::SubDeviceLost),
            (AlState::SafeOp, FaultCode::SubDeviceNotOperational),
        ] {
            let mut supervision = supervision();
            let mut exchange = good();
            exchange.al_states[1] = state;
            assert_eq!(supervision.check(&exchange).fault, None);
            let finding = supervision.check(&exchange).fault.unwrap();
            assert_eq!((finding.code, finding.place), (code, Some(1)));
        }
    }

    #[test]
    fn a_stall_of_four_cycles_is_a_fault() {
        assert_eq!(supervision().check(&ExchangeResult { skipped_cycles: 3, ..good() }).fault, None);
        let finding = supervision().check(&ExchangeResult { skipped_cycles: 4, ..good() }).fault.unwrap();
        assert_eq!(finding.code, FaultCode::CycleStall);
    }

    #[test]
    fn one_loss_in_a_thousand_warns_and_one_in_a_hundred_is_a_fault() {
        let run = |every: u32| {
            let mut supervision = supervision();
            let (mut warnings, mut faults) = (Vec::new(), Vec::new());
            for cycle in 0..60_000 {
                let verdict = supervision.check(&if cycle % every == 0 { lost() } else { good() });
                warnings.extend(verdict.warning.map(|warning| (cycle, warning.code)));
                faults.extend(verdict.fault.map(|fault| (cycle, fault.code)));
            }
            (warnings, faults)
        };
        assert_eq!(run(1_100), (Vec::new(), Vec::new()));
        let (warnings, faults) = run(900);
        assert_eq!((warnings.len(), warnings[0].1, faults.len()), (1, FaultCode::FrameLossRate, 0));
        let (_, faults) = run(90);
        // The hundred and first loss.
        assert_eq!(faults[0], (9_000, FaultCode::FrameLossRate));
        assert!(faults.len() > 1, "found again as long as it lasts");
    }

    #[test]
    fn two_frames_lost_in_a_row_warn_once_a_second() {
        let mut supervision = supervision();
        let mut warned = Vec::new();
        for cycle in 0..2_500_u32 {
            let verdict = supervision.check(&if cycle % 500 < 2 { lost() } else { good() });
            warned.extend(verdict.warning.filter(|found| found.code == FaultCode::FramesLost).map(|_| cycle));
            if cycle % 500 == 499 {
                supervision.acknowledge();
            }
        }
        assert_eq!(warned, [1, 1001, 2001]);
    }

    #[test]
    fn a_clock_off_by_more_than_its_limits_for_a_hundred_cycles_warns_and_stops() {
        let with = |difference, phase| ExchangeResult {
            clock: Some(ClockResult {
                phase_error_ns: Some(phase),
                cycle_time_ns: 1e6,
                difference: Some((1, difference)),
            }),
            ..good()
        };
        let mut supervision = supervision();
        let mut verdicts = [BusVerdict::default(); 300];
        for (cycle, verdict) in verdicts.iter_mut().enumerate() {
            *verdict = supervision.check(&with(if cycle < 150 { 1_500 } else { 21_000 }, 0.0));
        }
        let warned: Vec<usize> = (0..300).filter(|&cycle| verdicts[cycle].warning.is_some()).collect();
        let faulted = (0..300).find(|&cycle| verdicts[cycle].fault.is_some());
        assert_eq!((warned, faulted), (vec![99], Some(249)));
        assert_eq!(
            verdicts[249].fault.map(|found| (found.code, found.place)),
            Some((FaultCode::ClockDifference, Some(1)))
        );
        supervision.acknowledge();
        let found = (0..20).find_map(|cycle| Some((cycle, supervision.check(&with(0, -260e3)).fault?.code)));
        assert_eq!(found, Some((9, FaultCode::ClockPhase)));
        supervision.acknowledge();
        assert!((0..20).all(|_| supervision.check(&with(0, 240e3)).fault.is_none()));
    }
}
