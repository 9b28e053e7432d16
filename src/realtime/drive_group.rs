//! The drives of an arm as one: where the joints are, in which state the drives are, and the commands
//! that take them where the machine wants them.

use super::feed_forward::Feed;
use crate::devices::objects::{MODE_CSP, STATUS_VOLTAGE_ENABLED};
use crate::drives::cia402::{DriveGoal, DriveState, controlword};
use crate::drives::process_image::{DriveCommand, DriveFeedback};
use crate::drives::scaling::{ArmScaling, CounterFollower};
use crate::joints::{JointLimits, JointVector, MAX_JOINTS};
use crate::positions::PositionsAtStart;

/// Cycles between edges of the fault-reset bit: drives want to see both levels for a while.
const RESET_HALF_PERIOD_CYCLES: u64 = 20;

/// One drive as seen by the cycle.
#[derive(Clone, Copy, Debug, Default)]
struct Axis {
    feedback: DriveFeedback,
    state: Option<DriveState>,
    follower: CounterFollower,
    counts: i64,
    /// At least one fresh reading was taken.
    known: bool,
    /// The reading of this cycle is fresh.
    fresh: bool,
    /// So was the one of the cycle before.
    fresh_before: bool,
}

/// All drives of an arm.
#[derive(Clone, Copy, Debug)]
pub struct DriveGroup {
    scaling: ArmScaling,
    axes: [Axis; MAX_JOINTS],
    /// Counts near which each drive must be: where it was last seen, else the middle of where its joint can be.
    /// Tells the span of a counter at power-up.
    near: [i64; MAX_JOINTS],
    q_actual: JointVector,
    q_previous: JointVector,
}

impl DriveGroup {
    /// Drives that have not reported yet, of joints that stand within `limits`, with what is known of where they were.
    #[must_use]
    pub fn new(mut scaling: ArmScaling, limits: &JointLimits, start: &PositionsAtStart) -> Self {
        for (drive, reference) in start.drives.iter().enumerate() {
            if let Some(position) = reference.position_at_count_0 {
                scaling.set_position_at_count_0(drive, position);
            }
        }
        let zeros = JointVector::zeros(scaling.drive_count());
        let middle = JointVector::from_fn(scaling.drive_count(), |joint| {
            limits.as_slice().get(joint).map_or(0.0, |limit| 0.5 * (limit.position_min + limit.position_max))
        });
        let middle_angles = scaling.drive_angles(&middle);
        Self {
            scaling,
            axes: [Axis::default(); MAX_JOINTS],
            near: std::array::from_fn(|drive| {
                let recorded = start.drives.get(drive).and_then(|reference| reference.counts);
                recorded.unwrap_or_else(|| scaling.target_counts(&middle_angles, drive))
            }),
            q_actual: zeros,
            q_previous: zeros,
        }
    }

    fn axes(&self) -> impl Iterator<Item = &Axis> {
        self.axes.iter().take(self.scaling.drive_count())
    }

    /// Number of drives.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.scaling.drive_count()
    }

    /// True when there is no drive.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes the feedback of this cycle. `is_fresh` tells of each drive whether its feedback was
    /// received in this cycle; what is not fresh is never used as new.
    pub fn observe(&mut self, feedback: &[DriveFeedback; MAX_JOINTS], is_fresh: impl Fn(usize) -> bool) {
        self.q_previous = self.q_actual;
        for (drive, (axis, feedback)) in
            self.axes.iter_mut().zip(feedback).take(self.scaling.drive_count()).enumerate()
        {
            axis.fresh_before = axis.fresh;
            axis.fresh = is_fresh(drive);
            if !axis.fresh {
                continue;
            }
            axis.feedback = *feedback;
            axis.state = DriveState::from_statusword(feedback.statusword);
            if let Some(scaling) = self.scaling.drive(drive) {
                let near = self.near.get(drive).copied().unwrap_or(0);
                axis.counts = axis.follower.update(scaling, feedback.position_counts, near);
            }
            axis.known = true;
        }
        self.q_actual = self.joints_of_counts();
    }

    fn joints_of_counts(&self) -> JointVector {
        self.scaling.joints(|drive| self.axes.get(drive).map_or(0, |axis| axis.counts))
    }

    /// A joint is at this position (rad), whatever its counter says: the zeros of the drives follow, the other joints
    /// are shown where they were. Returns by how much each joint is shown elsewhere now.
    pub fn set_joint(&mut self, joint: usize, position: f64) -> JointVector {
        let before = self.q_actual;
        let mut q = before;
        q.set(joint, position);
        let by = self.scaling.drive_angles(&q) - self.scaling.drive_angles(&before);
        self.scaling.move_zeros(&by);
        self.q_actual = self.joints_of_counts();
        self.q_previous = self.q_actual;
        self.q_actual - before
    }

    /// Followed count of each drive; zero where there is none.
    #[must_use]
    pub fn counts(&self) -> [i64; MAX_JOINTS] {
        self.axes.map(|axis| axis.counts)
    }

    /// Number of joints.
    #[must_use]
    pub const fn joint_count(&self) -> usize {
        self.q_actual.len()
    }

    /// Joint positions from the newest fresh readings, rad.
    #[must_use]
    pub const fn q_actual(&self) -> &JointVector {
        &self.q_actual
    }

    /// Joint positions of the cycle before, rad.
    #[must_use]
    pub const fn q_previous(&self) -> &JointVector {
        &self.q_previous
    }

    /// Every drive has reported at least once.
    #[must_use]
    pub fn is_position_known(&self) -> bool {
        self.axes().all(|axis| axis.known)
    }

    /// Every drive's reading of this cycle is fresh.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        self.axes().all(|axis| axis.fresh)
    }

    /// [`q_previous`](Self::q_previous) and [`q_actual`](Self::q_actual) are one cycle apart.
    #[must_use]
    pub fn is_fresh_pair(&self) -> bool {
        self.axes().all(|axis| axis.fresh && axis.fresh_before)
    }

    /// State of one drive, from its newest fresh statusword.
    #[must_use]
    pub fn state(&self, drive: usize) -> Option<DriveState> {
        self.axes.get(drive).and_then(|axis| axis.state)
    }

    /// Newest fresh feedback of one drive.
    #[must_use]
    pub fn feedback(&self, drive: usize) -> DriveFeedback {
        self.axes.get(drive).map_or_else(DriveFeedback::default, |axis| axis.feedback)
    }

    /// Torque of each motor by its newest fresh feedback, per thousand of rated.
    #[must_use]
    pub fn motor_torques_per_mille(&self) -> JointVector {
        JointVector::from_fn(self.len(), |drive| f64::from(self.feedback(drive).torque_per_mille))
    }

    /// Counts, torques and joints.
    #[must_use]
    pub const fn scaling(&self) -> &ArmScaling {
        &self.scaling
    }

    /// All drives are in `state`.
    #[must_use]
    pub fn all_in(&self, state: DriveState) -> bool {
        self.axes().all(|axis| axis.state == Some(state))
    }

    /// A drive can still produce torque, or we do not know.
    #[must_use]
    pub fn any_torque(&self) -> bool {
        self.axes().any(|axis| axis.state.is_none_or(DriveState::has_torque))
    }

    /// First drive in a fault state.
    #[must_use]
    pub fn first_faulted(&self) -> Option<usize> {
        self.axes()
            .position(|axis| matches!(axis.state, Some(DriveState::Fault | DriveState::FaultReactionActive)))
    }

    /// First drive that is not in operation enabled.
    #[must_use]
    pub fn first_not_enabled(&self) -> Option<usize> {
        self.axes().position(|axis| axis.state != Some(DriveState::OperationEnabled))
    }

    /// True when a drive's power stage is supplied (statusword bit 4).
    #[must_use]
    pub fn has_voltage(&self, drive: usize) -> bool {
        self.feedback(drive).statusword & STATUS_VOLTAGE_ENABLED != 0
    }

    /// Mask of the drives for which `claim` holds, drive 0 in bit 0.
    #[must_use]
    pub fn mask(&self, claim: impl Fn(DriveState) -> bool) -> u32 {
        self.axes()
            .enumerate()
            .filter(|(_, axis)| axis.state.is_some_and(&claim))
            .fold(0, |mask, (drive, _)| mask | 1 << drive)
    }

    /// The commands that lead towards the goals with the joints at `q_setpoint` (rad).
    ///
    /// A drive that does not follow targets gets its own actual position as target, to the count, so that it is
    /// enabled without a step. `goal` tells where each drive is to be; `feed` is what they are told beside the target;
    /// `reset` asks for fault-reset edges; `cycle` times them.
    pub fn commands(
        &self,
        goal: impl Fn(usize) -> DriveGoal,
        q_setpoint: &JointVector,
        feed: &Feed,
        reset: bool,
        cycle: u64,
        commands: &mut [DriveCommand; MAX_JOINTS],
    ) {
        let angles = self.scaling.drive_angles(q_setpoint);
        let speeds = self.scaling.drive_angles(&feed.speeds);
        let reset_edge = reset && (cycle / RESET_HALF_PERIOD_CYCLES) % 2 == 1;
        for (drive, (axis, command)) in
            self.axes.iter().zip(commands).take(self.scaling.drive_count()).enumerate()
        {
            let follows = axis.state == Some(DriveState::OperationEnabled);
            let counts = if follows { self.scaling.target_counts(&angles, drive) } else { axis.counts };
            *command = DriveCommand {
                controlword: controlword(axis.state, goal(drive), reset_edge),
                target_counts: self.scaling.drive(drive).map_or(0, |scaling| scaling.wrap(counts)),
                mode: MODE_CSP,
                velocity_offset_counts_s: if follows {
                    self.scaling.counts_per_second(&speeds, drive)
                } else {
                    0
                },
                torque_offset_per_mille: if follows {
                    per_mille(feed.motor_torques_per_mille.get(drive))
                } else {
                    0
                },
            };
        }
    }
}

/// Saturates; NaN becomes 0.
#[expect(clippy::cast_possible_truncation, reason = "float to integer saturates")]
fn per_mille(torque: f64) -> i16 {
    torque.round() as i16
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::cell::Coupling;
    use crate::drives::scaling::DriveScaling;
    use crate::joints::JointLimit;

    fn group() -> DriveGroup {
        let scaling = DriveScaling {
            counts_per_turn: 8_388_608.0,
            counter_bits: 32,
            gear_ratio: 161.0,
            sign: 1.0,
            offset_rad: -0.7,
        };
        let coupling = Coupling::new(&[vec![1.0, 0.0], vec![0.02, 1.0]]).unwrap();
        let limit = JointLimit {
            position_min: -3.0,
            position_max: 3.0,
            speed_max: 1.0,
            acceleration_max: 1.0,
            jerk_max: 1.0,
        };
        let limits = JointLimits::from_slice(&[limit; 2]).unwrap();
        DriveGroup::new(
            ArmScaling::new(&[scaling; 2], coupling).unwrap(),
            &limits,
            &PositionsAtStart::as_in_cell_file(2),
        )
    }

    fn feedback(statusword: u16, counts: [i32; 2]) -> [DriveFeedback; MAX_JOINTS] {
        let mut all = [DriveFeedback::default(); MAX_JOINTS];
        for (entry, position_counts) in all.iter_mut().zip(counts) {
            *entry = DriveFeedback {
                statusword,
                position_counts,
                mode_display: MODE_CSP,
                ..DriveFeedback::default()
            };
        }
        all
    }

    proptest! {
        #[test]
        fn the_first_target_is_the_actual_position_to_one_count(first in any::<i32>(), second in any::<i32>()) {
            let mut group = group();
            group.observe(&feedback(0x0250, [first, second]), |_| true);
            let mut commands = [DriveCommand::default(); MAX_JOINTS];
            // Not enabled: the very count.
            group.commands(|_| DriveGoal::On, group.q_actual(), &Feed::none(2), false, 0, &mut commands);
            prop_assert_eq!((commands[0].target_counts, commands[1].target_counts), (first, second));
            // The first cycle in operation enabled, after the way through joint space.
            group.observe(&feedback(0x0237, [first, second]), |_| true);
            group.commands(|_| DriveGoal::On, group.q_actual(), &Feed::none(2), false, 1, &mut commands);
            for (command, count) in commands.iter().zip([first, second]) {
                let step = command.target_counts.wrapping_sub(count);
                prop_assert!((-1..=1).contains(&step), "step of {step} counts at {count}");
            }
        }
    }

    #[test]
    fn what_is_not_fresh_is_not_used() {
        let mut group = group();
        group.observe(&feedback(0x0237, [1000, 1000]), |_| true);
        let before = *group.q_actual();
        group.observe(&feedback(0x0008, [90_000, 90_000]), |drive| drive == 1);
        assert_eq!(group.state(0), Some(DriveState::OperationEnabled));
        assert_eq!(group.state(1), Some(DriveState::Fault));
        assert!(!group.is_fresh());
        assert!((group.q_actual().get(0) - before.get(0)).abs() < 1e-12);
    }

    #[test]
    fn fault_reset_shows_both_levels_for_a_while() {
        let mut group = group();
        group.observe(&feedback(0x0008, [0, 0]), |_| true);
        let mut commands = [DriveCommand::default(); MAX_JOINTS];
        let levels: Vec<bool> = (0..80)
            .map(|cycle| {
                group.commands(
                    |_| DriveGoal::Off,
                    group.q_actual(),
                    &Feed::none(2),
                    true,
                    cycle,
                    &mut commands,
                );
                commands[0].controlword & 0x80 != 0
            })
            .collect();
        let edges = levels.windows(2).filter(|pair| pair[0] != pair[1]).count();
        assert_eq!(edges, 3);
    }
}
