//! Ours and the peers on the same work: run in turn, round after round, so that a busy machine hits all of them, and
//! printed as a table with ratios taken inside each round.

pub(crate) mod pinocchio;

use std::time::Instant;

use motiond::config::kinematic_model::KinematicModel;
use motiond::geometry::Pose;
use motiond::joints::JointVector;
use motiond::kinematics::{Chain, ChainJoint, Instructions, JointKind};
use motiond::platform::trap_allocator::{CycleGuard, counts};
use nalgebra::Vector3;

/// Rounds of a contest.
const ROUNDS: usize = 41;
/// Passes over all inputs in one round.
const PASSES: u32 = 4;

/// Gives the time of one call, ns, measured over all inputs; `None` when it cannot be measured.
type Batch<'a> = Box<dyn FnMut() -> Option<f64> + 'a>;

/// Who does the work.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Ours,
    Peer,
}

/// One way to do the work.
struct Contender<'a> {
    name: String,
    side: Side,
    batch: Batch<'a>,
    /// Heap allocations of one call; `None` where they cannot be counted.
    allocations: Option<f64>,
}

/// The same work done by ours (the first one added is what the ratios refer to) and by peers.
pub(crate) struct Contest<'a> {
    work: String,
    contenders: Vec<Contender<'a>>,
}

impl<'a> Contest<'a> {
    pub(crate) fn new(work: impl Into<String>) -> Self {
        Self { work: work.into(), contenders: Vec::new() }
    }

    /// Adds a peer that measures itself, ns.
    pub(crate) fn foreign(&mut self, name: &str, batch: impl FnMut() -> Option<f64> + 'a) {
        let batch = Box::new(batch);
        self.contenders.push(Contender {
            name: name.to_string(),
            side: Side::Peer,
            batch,
            allocations: None,
        });
    }

    /// Adds one whose `pass` makes `calls` calls.
    pub(crate) fn add(&mut self, side: Side, name: &str, calls: usize, mut pass: impl FnMut() + 'a) {
        let calls = f64::from(u32::try_from(calls).expect("few"));
        let before = counts().allocations;
        let guard = CycleGuard::enter();
        pass();
        drop(guard);
        let made = f64::from(u32::try_from(counts().allocations - before).expect("few"));
        let batch = Box::new(move || {
            let begun = Instant::now();
            for _ in 0..PASSES {
                pass();
            }
            Some(begun.elapsed().as_secs_f64() * 1e9 / (calls * f64::from(PASSES)))
        });
        self.contenders.push(Contender {
            name: name.to_string(),
            side,
            batch,
            allocations: Some(made / calls),
        });
    }

    /// Runs all rounds and prints the table.
    pub(crate) fn run(mut self) {
        let mut times = vec![Vec::new(); self.contenders.len()];
        for _ in 0..ROUNDS {
            for (contender, times) in self.contenders.iter_mut().zip(&mut times) {
                times.extend((contender.batch)());
            }
        }
        println!("\n{}", self.work);
        println!("  {:<44} {:>9} {:>9} {:>6} {:>9}", "", "min ns", "median", "heap", "ratio");
        let ours = times.first().cloned().unwrap_or_default();
        let mut best: Option<(f64, &str)> = None;
        for (contender, times) in self.contenders.iter().zip(&times) {
            if times.is_empty() {
                println!("  {:<44} not measured", contender.name);
                continue;
            }
            let ratio =
                median(&times.iter().zip(&ours).map(|(theirs, ours)| theirs / ours).collect::<Vec<_>>());
            let heap = contender.allocations.map_or_else(|| "-".to_string(), |made| format!("{made:.0}"));
            let least = times.iter().copied().fold(f64::INFINITY, f64::min);
            println!("  {:<44} {least:>9.1} {:>9.1} {heap:>6} {ratio:>9.2}", contender.name, median(times));
            if contender.side == Side::Peer && best.is_none_or(|(of_best, _)| ratio < of_best) {
                best = Some((ratio, &contender.name));
            }
        }
        match best {
            Some((ratio, name)) => println!("  the best peer, {name}, takes {ratio:.1} times as long"),
            None => println!("  no peer does this work"),
        }
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// Random joint values from a fixed generator.
pub(crate) struct Draw(pub(crate) u64);

impl Draw {
    /// A number in 0..1.
    pub(crate) fn share(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        f64::from(u32::try_from(self.0 >> 32).expect("32 bits")) / 4_294_967_296.0
    }

    /// Joint positions within the limits.
    pub(crate) fn joints(&mut self, model: &KinematicModel) -> JointVector {
        let mut limits = model.limits.as_slice().iter();
        JointVector::zeros(model.chain.joint_count()).map(|_| {
            let limit = limits.next().expect("a limit a joint");
            // A continuous joint is drawn from one turn.
            let (low, high) = (limit.position_min.max(-7.0), limit.position_max.min(7.0));
            low + self.share() * (high - low)
        })
    }

    /// Speeds or accelerations of as many joints, -2..2.
    pub(crate) fn rates(&mut self, count: usize) -> JointVector {
        JointVector::zeros(count).map(|_| 4.0 * self.share() - 2.0)
    }
}

/// All instructions of this processor, those that are used first.
pub(crate) fn instructions() -> impl Iterator<Item = Instructions> {
    let all: Vec<_> = Instructions::available().into_iter().flatten().collect();
    all.into_iter().rev()
}

/// A chain with axes alternately across and along, no two of which meet.
pub(crate) fn bent_chain(joints: usize) -> Chain {
    let joints: Vec<ChainJoint> = (0..joints)
        .map(|joint| ChainJoint {
            kind: JointKind::Revolute,
            origin: Pose::translation(0.03, 0.02, 0.2),
            axis: if joint % 2 == 0 { Vector3::z_axis() } else { Vector3::y_axis() },
        })
        .collect();
    Chain::from_joints(&joints, &Pose::translation(0.0, 0.0, 0.1)).expect("a valid chain")
}
