//! The first oracle: nothing ever moves wrongly. Sees what the drives receive and where their shafts are,
//! and nothing of the controller but the commands that were given to it.

use motiond::cli::assembly::Assembly;
use motiond::drives::scaling::{ArmScaling, CounterFollower};
use motiond::joints::JointLimits;
use motiond::simulator::ReceivedSetpoint;

/// Cycles a stop under way may go on for after the state has changed: sent, applied.
const TAIL_CYCLES: u32 = 4;

/// One frame as every drive received it; `None`: this drive received nothing.
pub type Received = Vec<Option<ReceivedSetpoint>>;

/// The newest targets of a joint whose drives follow, rad, and the cycles since the newest.
#[derive(Clone, Copy)]
struct History {
    last: Option<f64>,
    second: Option<f64>,
    cycles_between: f64,
}

impl Default for History {
    fn default() -> Self {
        Self { last: None, second: None, cycles_between: 1.0 }
    }
}

pub struct Oracle {
    scaling: ArmScaling,
    limits: JointLimits,
    dt_s: f64,
    followers: Vec<CounterFollower>,
    history: Vec<History>,
    was_following: Vec<bool>,
    /// Cycles motion may still go on for.
    tail: u32,
    /// Largest share of the limits of speed and acceleration seen.
    pub speed_share_max: f64,
    pub acceleration_share_max: f64,
}

impl Oracle {
    pub fn new(assembly: &Assembly) -> Self {
        let settings = assembly.cycle_settings().unwrap();
        let drives = settings.scaling.drive_count();
        Self {
            scaling: settings.scaling,
            limits: settings.limits,
            dt_s: settings.cycle_time.as_seconds(),
            followers: vec![CounterFollower::default(); drives],
            history: vec![History::default(); drives],
            was_following: vec![false; drives],
            tail: 0,
            speed_share_max: 0.0,
            acceleration_share_max: 0.0,
        }
    }

    /// Rounding of one target, in the unit of a joint: half a count of each drive that moves it.
    fn rounding(&self, joint: usize) -> f64 {
        0.5 * (0..self.followers.len()).map(|drive| self.share(joint, drive)).sum::<f64>()
    }

    /// How much a joint moves by one count of a drive.
    fn share(&self, joint: usize, drive: usize) -> f64 {
        let one = self.scaling.joints(|at| i64::from(at == drive)).get(joint);
        (one - self.scaling.joints(|_| 0).get(joint)).abs()
    }

    /// Judges one frame. `may_move`: a run was started and has not ended, or a stop is under way.
    pub fn judge(&mut self, frame: &Received, may_move: bool) {
        self.tail = if may_move { TAIL_CYCLES } else { self.tail.saturating_sub(1) };
        self.judge_first_targets(frame);
        let follows = |one: &ReceivedSetpoint| one.is_following && one.controlword & 0x8F == 0x0F;
        for (drive, one) in frame.iter().enumerate() {
            if let Some(one) = one.filter(|one| follows(one) && one.is_fresh) {
                let scaling = *self.scaling.drive(drive).unwrap();
                self.followers[drive].update(&scaling, one.target_position, 0);
            }
        }
        let q = self.scaling.joints(|drive| self.followers[drive].counts());
        for joint in 0..self.history.len() {
            let drives: Vec<_> = (0..frame.len())
                .filter(|&drive| self.share(joint, drive) > 0.0)
                .map(|drive| frame[drive])
                .collect();
            if drives.iter().any(|one| !one.is_some_and(|one| follows(&one))) {
                self.history[joint] = History::default();
            } else if drives.iter().any(|one| !one.is_some_and(|one| one.is_fresh)) {
                // Nothing received: the target stays, and what comes next has had more time.
                self.history[joint].cycles_between += 1.0;
            } else {
                self.judge_joint(joint, q.get(joint));
            }
        }
    }

    fn judge_joint(&mut self, joint: usize, q: f64) {
        assert!(q.is_finite(), "joint {}: {q}", joint + 1);
        let History { last, second, cycles_between } = self.history[joint];
        let (name, limit) = (joint + 1, self.limits.as_slice()[joint]);
        let (rounding, dt) = (self.rounding(joint), self.dt_s * cycles_between);
        self.history[joint] =
            History { last: Some(q), second: last.filter(|_| cycles_between <= 1.0), cycles_between: 1.0 };
        let Some(last) = last else { return };
        let step = q - last;
        let may_step = limit.speed_max * dt + 2.0 * rounding;
        assert!(step.abs() <= may_step, "joint {name}: a step of {step} rad, {may_step} allowed");
        let stands = step.abs() <= 2.0 * rounding;
        assert!(stands || self.tail > 0, "joint {name} moves by {step} rad by itself");
        self.speed_share_max = self.speed_share_max.max(step.abs() / (limit.speed_max * dt));
        // Still possible to stop inside the limits.
        let speed = step / dt;
        let stop = q + speed * speed.abs() / (2.0 * limit.acceleration_max);
        let within = limit.position_min - 1e-6..=limit.position_max + 1e-6;
        assert!(
            within.contains(&stop),
            "joint {name} at {q} with {speed} rad/s cannot stop inside its limits"
        );
        let Some(second) = second.filter(|_| cycles_between <= 1.0) else { return };
        let (bend, may_bend) = (step - (last - second), limit.acceleration_max * dt * dt);
        assert!(
            bend.abs() <= may_bend * (1.0 + 1e-6) + 4.0 * rounding,
            "joint {name}: the step changes by {bend} rad, {may_bend} allowed"
        );
        self.acceleration_share_max = self.acceleration_share_max.max(bend.abs() / may_bend);
    }

    /// The first target of a drive that has just been enabled is where its shaft is.
    fn judge_first_targets(&mut self, frame: &Received) {
        for (drive, one) in frame.iter().enumerate() {
            let following = one.is_some_and(|one| one.is_following);
            if let Some(one) = one.filter(|_| following && !self.was_following[drive]) {
                let step = i64::from(one.target_position.wrapping_sub(one.position_actual));
                let turn = self.scaling.drive(drive).unwrap().counts_per_turn;
                #[expect(clippy::cast_precision_loss, reason = "32 bits")]
                let share = step.abs() as f64 / turn;
                assert!(share < 1e-4, "drive {}: enabled with a step of {step} counts", drive + 1);
            }
            self.was_following[drive] = following;
        }
    }
}
