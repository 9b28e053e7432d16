//! Compares what the drives report with what they were told: each cycle, a fault or nothing. Reactions are
//! decided in `fault_reaction`, the bus is looked at in `bus_supervision`; this file only sees.

use super::drive_group::DriveGroup;
use super::positions::first_jump;
use crate::devices::objects::MODE_CSP;
use crate::faults::FaultCode;
use crate::joints::{JointLimits, JointVector, MAX_JOINTS};

/// Delay between a setpoint and the position it should lead to at the earliest: sent in the next
/// cycle, applied, measured, received one cycle later.
const LOOP_DELAY_CYCLES: usize = 2;

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
    pub(super) fn new(code: FaultCode, place: Option<usize>, value: f64, limit: f64) -> Self {
        Self { code, place: place.and_then(|place| u8::try_from(place).ok()), value, limit }
    }
}

/// Memory of supervision from cycle to cycle.
#[derive(Clone, Copy, Debug)]
pub struct Supervision {
    settings: SupervisionSettings,
    limits: JointLimits,
    dt_s: f64,
    /// The newest setpoints, newest first.
    setpoints: [JointVector; LOOP_DELAY_CYCLES + 1],
}

impl Supervision {
    /// Nothing seen yet.
    #[must_use]
    pub fn new(settings: SupervisionSettings, limits: JointLimits, dt_s: f64) -> Self {
        Self { settings, limits, dt_s, setpoints: [JointVector::zeros(limits.len()); LOOP_DELAY_CYCLES + 1] }
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

    /// The drives, while the machine is switched off or switching: only what is wrong at any time.
    #[must_use]
    pub fn check_drives_at_rest(&self, drives: &DriveGroup) -> Option<Finding> {
        match drives.first_faulted() {
            Some(drive) => Some(drive_fault(drives, drive)),
            None => self.jump(drives),
        }
    }

    fn jump(&self, drives: &DriveGroup) -> Option<Finding> {
        let (joint, jump, jump_max) = first_jump(drives, &self.limits, self.dt_s)?;
        Some(Finding::new(FaultCode::PositionJump, Some(joint), jump, jump_max))
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
        if let Some(finding) = self.jump(drives) {
            return Some(finding);
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
