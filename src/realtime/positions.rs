//! Whether the positions of the joints are relied on: at the first reading against what was recorded before the
//! power went, and at any time after. The record itself is kept by the daemon.

use super::drive_group::DriveGroup;
use super::supervision::Finding;
use crate::boundary::position_reports::{PositionReport, PositionWriter};
use crate::devices::{Identity, MAX_SUBDEVICES};
use crate::faults::FaultCode;
use crate::joints::{JointLimits, JointVector, MAX_JOINTS};
use crate::positions::{Distrust, JointDistrust, PositionsAtStart, is_other_device};
use crate::units::Cycles;

/// Time between two regular reports, s.
const REPORT_PERIOD_S: f64 = 1.0;

/// What the machine does while a report is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rest {
    /// No drive has torque and the brakes have had time to close.
    pub is_settled: bool,
    /// Nothing moves.
    pub is_standing: bool,
}

/// What is known of the positions.
#[derive(Clone, Copy, Debug)]
pub struct Positions {
    start: PositionsAtStart,
    distrust: JointDistrust,
    /// Each drive as found last; `None`: nobody has said.
    identities: [Option<Identity>; MAX_JOINTS],
    /// The first reading was compared.
    is_checked: bool,
    /// Number of changes, and those a report has told.
    changes: u32,
    reported_changes: u32,
    reported_rest: Option<Rest>,
    since_report_s: f64,
}

impl Positions {
    /// Nothing seen yet.
    #[must_use]
    pub const fn new(start: PositionsAtStart) -> Self {
        Self {
            distrust: start.distrust,
            start,
            identities: [None; MAX_JOINTS],
            is_checked: false,
            changes: 1,
            reported_changes: 0,
            reported_rest: None,
            since_report_s: 0.0,
        }
    }

    /// Which joints are not relied on.
    #[must_use]
    pub const fn distrust(&self) -> &JointDistrust {
        &self.distrust
    }

    /// The first joint that is not relied on.
    #[must_use]
    pub fn first_untrusted(&self) -> Option<usize> {
        self.distrust.iter().position(Option::is_some)
    }

    /// From now on this joint is not relied on; the first reason stays.
    pub fn lose(&mut self, joint: usize, reason: Distrust) {
        if let Some(entry) = self.distrust.get_mut(joint)
            && entry.is_none()
        {
            *entry = Some(reason);
            self.changes = self.changes.wrapping_add(1);
        }
    }

    /// From now on this joint (`None`: every joint) is relied on.
    pub fn accept(&mut self, joint: Option<usize>) {
        for (at, entry) in self.distrust.iter_mut().enumerate() {
            if joint.is_none_or(|joint| joint == at) {
                *entry = None;
            }
        }
        self.changes = self.changes.wrapping_add(1);
    }

    /// Takes the identities of the SubDevices as found on the bus; `subdevices` are those of the drives. Joints whose
    /// drive is another one than before are not relied on.
    pub fn take_identities(
        &mut self,
        found: &[Identity; MAX_SUBDEVICES],
        subdevices: &[usize; MAX_JOINTS],
        drives: &DriveGroup,
    ) {
        for drive in 0..drives.len() {
            let Some(identity) = subdevices.get(drive).and_then(|&at| found.get(at)) else { continue };
            let mastered = self.start.drives.get(drive).and_then(|reference| reference.identity);
            let before = self.identities.get(drive).copied().flatten().or(mastered);
            if before.is_some_and(|before| is_other_device(&before, identity)) {
                self.lose_joints_of(drive, Distrust::OtherDrive, drives);
            }
            if let Some(entry) = self.identities.get_mut(drive) {
                *entry = Some(*identity);
            }
        }
        self.changes = self.changes.wrapping_add(1);
    }

    fn lose_joints_of(&mut self, drive: usize, reason: Distrust, drives: &DriveGroup) {
        for joint in 0..drives.joint_count() {
            if drives.scaling().turns(drive, joint) {
                self.lose(joint, reason);
            }
        }
    }

    /// Looks at the positions of this cycle. Returns what is to be told: at the first reading a joint that is not
    /// relied on.
    pub fn watch(&mut self, drives: &DriveGroup, limits: &JointLimits, dt_s: f64) -> Option<Finding> {
        if !drives.is_position_known() {
            return None;
        }
        if !self.is_checked {
            self.is_checked = true;
            return self.check_first_reading(drives);
        }
        if let Some((joint, ..)) = first_jump(drives, limits, dt_s) {
            self.lose(joint, Distrust::Jumped);
        }
        None
    }

    fn check_first_reading(&mut self, drives: &DriveGroup) -> Option<Finding> {
        let recorded = drives
            .scaling()
            .joints(|drive| self.start.drives.get(drive).and_then(|reference| reference.counts).unwrap_or(0));
        let mut first = None;
        for joint in 0..drives.joint_count() {
            let is_recorded = (0..drives.len()).all(|drive| {
                !drives.scaling().turns(drive, joint)
                    || self.start.drives.get(drive).is_some_and(|reference| reference.counts.is_some())
            });
            let moved = (drives.q_actual().get(joint) - recorded.get(joint)).abs();
            let travel_max = self.start.travel_max.get(joint);
            if is_recorded && moved > travel_max {
                self.lose(joint, Distrust::Moved);
            }
            if first.is_none() && self.distrust.get(joint).copied().flatten().is_some() {
                let (value, limit) = if is_recorded { (moved, travel_max) } else { (0.0, 0.0) };
                first = Some(Finding::new(FaultCode::PositionUntrusted, Some(joint), value, limit));
            }
        }
        first
    }

    /// Publishes a report: at every change, and once a second.
    pub fn report(
        &mut self,
        writer: &mut PositionWriter,
        drives: &DriveGroup,
        rest: Rest,
        cycle: u64,
        dt_s: f64,
    ) {
        self.since_report_s += dt_s;
        let is_change = self.changes != self.reported_changes || self.reported_rest != Some(rest);
        if !self.is_checked || !(is_change || self.since_report_s >= REPORT_PERIOD_S) {
            return;
        }
        let report = PositionReport {
            cycle: Cycles(cycle),
            is_settled: rest.is_settled,
            is_standing: rest.is_standing,
            q: *drives.q_actual(),
            counts: drives.counts(),
            positions_at_count_0: JointVector::from_fn(drives.len(), |drive| {
                drives.scaling().drive(drive).map_or(0.0, |scaling| scaling.offset_rad)
            }),
            identities: self.identities.map(Option::unwrap_or_default),
            distrust: self.distrust,
            changes: self.changes,
        };
        if writer.publish(report, is_change) {
            self.reported_changes = self.changes;
            self.reported_rest = Some(rest);
        }
        self.since_report_s = 0.0;
    }
}

/// The first joint that moved by more than twice what it can in a cycle: joint, how far, how far it may.
/// Only readings of neighbouring cycles are compared.
#[must_use]
pub fn first_jump(drives: &DriveGroup, limits: &JointLimits, dt_s: f64) -> Option<(usize, f64, f64)> {
    if !drives.is_fresh_pair() {
        return None;
    }
    limits.as_slice().iter().enumerate().find_map(|(joint, limit)| {
        let jump = (drives.q_actual().get(joint) - drives.q_previous().get(joint)).abs();
        let jump_max = 2.0 * limit.speed_max * dt_s;
        (jump > jump_max).then_some((joint, jump, jump_max))
    })
}
