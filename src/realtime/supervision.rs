//! Compares what came back with what must be: each cycle, a fault or nothing. Reactions are decided in
//! `fault_reaction`; this file only sees.

use super::drive_group::DriveGroup;
use crate::devices::MAX_SUBDEVICES;
use crate::devices::objects::MODE_CSP;
use crate::faults::FaultCode;
use crate::fieldbus::AlState;
use crate::joints::{JointLimits, JointVector, MAX_JOINTS};

/// Consecutive exchanges without data that are ridden through.
const LOST_IN_A_ROW_MAX: u32 = 3;
/// Loss bucket: each lost exchange adds this much, each good one takes one away.
const BUCKET_STEP: u32 = 3;
/// Loss bucket above which the bus is no longer trusted.
const BUCKET_MAX: u32 = 9;
/// Consecutive cycles a SubDevice may be out of OP before it counts.
const OUT_OF_OP_MAX: u32 = 1;
/// Skipped cycles from which the first frame after the gap is a quick stop.
const SKIPPED_MAX: u32 = 3;
/// Delay between a setpoint and the position it should lead to at the earliest: sent in the next
/// cycle, applied, measured, received one cycle later.
const LOOP_DELAY_CYCLES: usize = 2;

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
}

/// Limits of supervision.
#[derive(Clone, Copy, Debug)]
pub struct SupervisionSettings {
    /// Following error at standstill, rad, one for each joint.
    pub following_error_rad: JointVector,
    /// Time the drives lag behind their target, s: at speed v a lag of v × this is expected.
    pub following_lag_s: f64,
    /// Digital input that shows the stop chain closed; `None`: no such input.
    pub stop_input: Option<u8>,
}

/// What supervision found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Finding {
    /// What.
    pub code: FaultCode,
    /// Joint, drive or SubDevice, from 0.
    pub place: Option<u8>,
    /// The value seen.
    pub value: f64,
    /// Its limit.
    pub limit: f64,
}

impl Finding {
    fn new(code: FaultCode, place: Option<usize>, value: f64, limit: f64) -> Self {
        Self { code, place: place.and_then(|place| u8::try_from(place).ok()), value, limit }
    }
}

/// Memory of supervision from cycle to cycle.
#[derive(Clone, Copy, Debug)]
pub struct Supervision {
    settings: SupervisionSettings,
    limits: JointLimits,
    dt_s: f64,
    lost_in_a_row: u32,
    bucket: u32,
    /// What went wrong last: tells what filled the bucket.
    trouble: FaultCode,
    out_of_op: [u32; MAX_SUBDEVICES],
    /// The newest setpoints, newest first.
    setpoints: [JointVector; LOOP_DELAY_CYCLES + 1],
    /// Exchanges that brought nothing usable.
    pub lost_frames: u64,
    /// Exchanges with a wrong working counter.
    pub working_counter_errors: u64,
}

impl Supervision {
    /// Nothing seen yet.
    #[must_use]
    pub fn new(settings: SupervisionSettings, limits: JointLimits, dt_s: f64) -> Self {
        Self {
            settings,
            limits,
            dt_s,
            lost_in_a_row: 0,
            bucket: 0,
            trouble: FaultCode::FramesLost,
            out_of_op: [0; MAX_SUBDEVICES],
            setpoints: [JointVector::zeros(limits.len()); LOOP_DELAY_CYCLES + 1],
            lost_frames: 0,
            working_counter_errors: 0,
        }
    }

    /// Input that shows the stop chain, if there is one.
    #[must_use]
    pub const fn stop_input(&self) -> Option<u8> {
        self.settings.stop_input
    }

    /// Remembers the setpoint sent at the end of a cycle. `jumped` tells that it was set to the actual
    /// position, so that older ones mean nothing.
    pub fn remember_setpoint(&mut self, q_setpoint: &JointVector, jumped: bool) {
        if jumped {
            self.setpoints = [*q_setpoint; LOOP_DELAY_CYCLES + 1];
        } else {
            self.setpoints.rotate_right(1);
            if let Some(newest) = self.setpoints.first_mut() {
                *newest = *q_setpoint;
            }
        }
    }

    /// The bus: lost frames, working counter, SubDevices out of OP.
    pub fn check_bus(&mut self, exchange: &ExchangeResult) -> Option<Finding> {
        let mut finding = None;
        if exchange.skipped_cycles > SKIPPED_MAX {
            finding = Some(Finding::new(
                FaultCode::CycleStall,
                None,
                f64::from(exchange.skipped_cycles),
                f64::from(SKIPPED_MAX),
            ));
        }
        let (counter, expected) = (exchange.working_counter, exchange.working_counter_expected);
        if exchange.received && counter != expected {
            self.working_counter_errors += 1;
        }
        if exchange.is_fresh() {
            self.lost_in_a_row = 0;
            self.bucket = self.bucket.saturating_sub(1);
        } else {
            self.lost_frames += u64::from(!exchange.received);
            self.trouble =
                if exchange.received { FaultCode::WorkingCounterLow } else { FaultCode::FramesLost };
            self.lost_in_a_row = self.lost_in_a_row.saturating_add(1);
            self.bucket = self.bucket.saturating_add(BUCKET_STEP);
        }
        if exchange.received && counter > expected {
            finding = finding.or_else(|| {
                Some(Finding::new(
                    FaultCode::WorkingCounterHigh,
                    None,
                    f64::from(counter),
                    f64::from(expected),
                ))
            });
        }
        for (subdevice, out) in self.out_of_op.iter_mut().enumerate().take(exchange.subdevices) {
            if !exchange.received {
                continue;
            }
            *out = if exchange.is_operational(subdevice) { 0 } else { out.saturating_add(1) };
            let state = exchange.al_states.get(subdevice).copied().unwrap_or_default();
            if *out > OUT_OF_OP_MAX && finding.is_none() {
                let code = if state == AlState::NoAnswer {
                    FaultCode::SubDeviceLost
                } else {
                    FaultCode::SubDeviceNotOperational
                };
                let (found, wanted) = (f64::from(state.request()), f64::from(AlState::Op.request()));
                finding = Some(Finding::new(code, Some(subdevice), found, wanted));
            }
        }
        if finding.is_none() && (self.lost_in_a_row > LOST_IN_A_ROW_MAX || self.bucket > BUCKET_MAX) {
            finding = Some(Finding::new(
                self.trouble,
                None,
                f64::from(self.lost_in_a_row),
                f64::from(LOST_IN_A_ROW_MAX),
            ));
        }
        finding
    }

    /// The drives, while the machine is switched off or switching: only what is wrong at any time.
    #[must_use]
    pub fn check_drives_at_rest(drives: &DriveGroup) -> Option<Finding> {
        let drive = drives.first_faulted()?;
        Some(drive_fault(drives, drive))
    }

    /// The drives, while all of them must follow their targets.
    #[must_use]
    pub fn check_drives_enabled(&self, drives: &DriveGroup) -> Option<Finding> {
        if let Some(drive) = drives.first_faulted() {
            return Some(drive_fault(drives, drive));
        }
        if let Some(drive) = drives.first_not_enabled() {
            let code = if drives.has_voltage(drive) {
                FaultCode::DriveNotEnabled
            } else {
                FaultCode::DriveVoltageLost
            };
            return Some(Finding::new(code, Some(drive), f64::from(drives.feedback(drive).statusword), 0.0));
        }
        if let Some(drive) = (0..drives.len()).find(|&drive| drives.feedback(drive).mode_display != MODE_CSP)
        {
            let shown = f64::from(drives.feedback(drive).mode_display);
            return Some(Finding::new(FaultCode::DriveMode, Some(drive), shown, f64::from(MODE_CSP)));
        }
        if !drives.is_fresh() {
            return None;
        }
        if drives.is_fresh_pair() {
            for (joint, limit) in self.limits.as_slice().iter().enumerate() {
                let jump = (drives.q_actual().get(joint) - drives.q_previous().get(joint)).abs();
                let jump_max = 2.0 * limit.speed_max * self.dt_s;
                if jump > jump_max {
                    return Some(Finding::new(FaultCode::PositionJump, Some(joint), jump, jump_max));
                }
            }
        }
        self.check_following_error(drives.q_actual())
    }

    fn check_following_error(&self, q_actual: &JointVector) -> Option<Finding> {
        let newest = self.setpoints.first()?;
        let delayed = self.setpoints.last()?;
        #[expect(clippy::cast_precision_loss, reason = "two or three cycles")]
        let window_s = LOOP_DELAY_CYCLES as f64 * self.dt_s;
        (0..q_actual.len().min(MAX_JOINTS)).find_map(|joint| {
            let error = (delayed.get(joint) - q_actual.get(joint)).abs();
            let speed = (newest.get(joint) - delayed.get(joint)).abs() / window_s;
            let limit = self.settings.following_error_rad.get(joint) + speed * self.settings.following_lag_s;
            // Written so that a position that is not a number counts as an error.
            (!matches!(error.partial_cmp(&limit), Some(std::cmp::Ordering::Less | std::cmp::Ordering::Equal)))
                .then(|| Finding::new(FaultCode::FollowingError, Some(joint), error, limit))
        })
    }
}

fn drive_fault(drives: &DriveGroup, drive: usize) -> Finding {
    Finding::new(FaultCode::DriveFault, Some(drive), f64::from(drives.feedback(drive).error_code), 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::joints::JointLimit;

    fn supervision() -> Supervision {
        let limit = JointLimit {
            position_min: -3.0,
            position_max: 3.0,
            speed_max: 2.0,
            acceleration_max: 10.0,
            jerk_max: 100.0,
        };
        Supervision::new(
            SupervisionSettings {
                following_error_rad: JointVector::from_slice(&[0.02; 2]).unwrap(),
                following_lag_s: 0.02,
                stop_input: None,
            },
            JointLimits::from_slice(&[limit; 2]).unwrap(),
            1e-3,
        )
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
        }
    }

    fn lost() -> ExchangeResult {
        ExchangeResult { received: false, ..good() }
    }

    #[test]
    fn three_lost_frames_in_a_row_are_ridden_through_and_the_fourth_is_not() {
        let mut supervision = supervision();
        for cycle in 0..3 {
            assert_eq!(supervision.check_bus(&lost()), None, "cycle {cycle}");
        }
        let finding = supervision.check_bus(&lost()).unwrap();
        assert_eq!((finding.code, finding.value), (FaultCode::FramesLost, 4.0));
        assert_eq!(supervision.lost_frames, 4);
    }

    #[test]
    fn frames_that_come_again_are_no_second_fault_of_another_kind() {
        let mut supervision = supervision();
        let codes: Vec<FaultCode> = (0..40)
            .filter_map(|cycle| supervision.check_bus(&if cycle < 10 { lost() } else { good() }))
            .map(|finding| finding.code)
            .collect();
        assert!(codes.len() > 7 && codes.iter().all(|code| *code == FaultCode::FramesLost), "{codes:?}");
    }

    #[test]
    fn every_third_frame_lost_fills_the_bucket_and_one_in_ten_does_not() {
        let mut sparse = supervision();
        for cycle in 0..10_000 {
            let exchange = if cycle % 10 == 0 { lost() } else { good() };
            assert_eq!(sparse.check_bus(&exchange), None, "cycle {cycle}");
        }
        let mut dense = supervision();
        let found =
            (0..100).any(|cycle| dense.check_bus(&if cycle % 3 == 0 { lost() } else { good() }).is_some());
        assert!(found);
    }

    #[test]
    fn a_wrong_working_counter_makes_inputs_stale_and_too_high_is_a_fault_at_once() {
        let mut supervision = supervision();
        let low = ExchangeResult { working_counter: 6, ..good() };
        assert!(!low.is_fresh());
        assert_eq!(supervision.check_bus(&low), None);
        let high = ExchangeResult { working_counter: 10, ..good() };
        assert_eq!(supervision.check_bus(&high).unwrap().code, FaultCode::WorkingCounterHigh);
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
            assert_eq!(supervision.check_bus(&exchange), None);
            let finding = supervision.check_bus(&exchange).unwrap();
            assert_eq!((finding.code, finding.place), (code, Some(1)));
        }
    }

    #[test]
    fn a_stall_of_four_cycles_is_a_fault() {
        assert_eq!(supervision().check_bus(&ExchangeResult { skipped_cycles: 3, ..good() }), None);
        let finding = supervision().check_bus(&ExchangeResult { skipped_cycles: 4, ..good() }).unwrap();
        assert_eq!(finding.code, FaultCode::CycleStall);
    }

    #[test]
    fn the_following_error_limit_grows_with_speed_and_nan_is_an_error() {
        let mut supervision = supervision();
        let at = |value: f64| JointVector::from_slice(&[0.0, value]).unwrap();
        supervision.remember_setpoint(&at(0.0), true);
        assert_eq!(supervision.check_following_error(&at(0.019)), None);
        assert!(supervision.check_following_error(&at(0.021)).is_some());
        assert!(supervision.check_following_error(&at(f64::NAN)).is_some());
        for step in 0..10 {
            supervision.remember_setpoint(&at(f64::from(step) * 2e-3), false);
        }
        // 2 rad/s: 0.04 rad more.
        assert_eq!(supervision.check_following_error(&at(0.014 - 0.059)), None);
        assert!(supervision.check_following_error(&at(0.014 - 0.061)).is_some());
    }
}
