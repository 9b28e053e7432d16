//! Inverse dynamics of shipped arms with Pinocchio, over Python, in the same run on the same motion, for every set of
//! instructions the processor has; growth with the joints by criterion.
//!
//! `cargo bench --bench dynamics`

#![expect(clippy::print_stdout, reason = "a benchmark prints")]

#[path = "peers/mod.rs"]
mod peers;

use std::hint::black_box;

use motiond::config::kinematic_model::EmbeddedModel;
use motiond::joints::JointVector;
use motiond::platform::trap_allocator::TrapAllocator;
use peers::pinocchio::{self, Pinocchio};
use peers::{Contest, Draw, Side};

#[global_allocator]
static ALLOCATOR: TrapAllocator = TrapAllocator;

/// Motions that are gone through, so that no branch is learnt by heart.
const MOTIONS: usize = 256;

fn inverse_dynamics_table(name: &str, peer: &Pinocchio) {
    let embedded = EmbeddedModel::by_name(name).expect("shipped");
    let model = embedded.load().expect("the shipped model is valid");
    let dynamics = model.dynamics().expect("masses");
    let joints = model.chain.joint_count();
    let mut draw = Draw(20_263);
    let rows: Vec<_> =
        (0..MOTIONS).map(|_| (draw.joints(&model), draw.rates(joints), draw.rates(joints))).collect();
    peer.load(embedded, &model, &rows);

    let mut contest = Contest::new(format!("inverse dynamics, {joints} joints ({name})"));
    contest.add(Side::Ours, "best instructions", MOTIONS, || {
        for (q, qd, qdd) in &rows {
            black_box(dynamics.rigid_body_torques(black_box(q), qd, qdd));
        }
    });
    contest.foreign(pinocchio::NAME, || peer.time("dynamics"));
    contest.run();
    if let Some(theirs) = peer.values("dynamics") {
        let mut worst = 0.0_f64;
        for ((q, qd, qdd), theirs) in rows.iter().zip(&theirs) {
            let theirs = JointVector::from_slice(theirs).expect("as many joints");
            worst = worst.max((dynamics.rigid_body_torques(q, qd, qdd) - theirs).max_abs());
        }
        println!("  largest difference from Pinocchio: {worst:.1e} N m");
    }
}

fn main() {
    let peer = Pinocchio::start();
    for name in ["six-axis-8kg", "seven-axis-14kg"] {
        inverse_dynamics_table(name, &peer);
    }
}
