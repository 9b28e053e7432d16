//! Inverse dynamics of shipped arms with Pinocchio, over Python, in the same run on the same motion, for every set of
//! instructions the processor has; growth with the joints by criterion.
//!
//! `cargo bench --bench dynamics`

#![expect(clippy::print_stdout, reason = "a benchmark prints")]

#[path = "peers/mod.rs"]
mod peers;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion};
use motiond::config::kinematic_model::EmbeddedModel;
use motiond::dynamics::{ArmDynamics, LinkInertia, RigidBody};
use motiond::joints::{JointVector, MAX_JOINTS};
use motiond::platform::trap_allocator::TrapAllocator;
use nalgebra::{Matrix3, Vector3};
use peers::pinocchio::{self, Pinocchio};
use peers::{Contest, Draw, Side, bent_chain, instructions};

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
    for instructions in instructions() {
        let (dynamics, rows) = (dynamics.with_instructions(instructions), &rows);
        contest.add(Side::Ours, instructions.name(), MOTIONS, move || {
            for (q, qd, qdd) in rows {
                black_box(dynamics.rigid_body_torques(black_box(q), qd, qdd));
            }
        });
    }
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

/// An arm with links of 4 kg, no two axes of which meet.
fn long_arm(joints: usize) -> ArmDynamics {
    let body = RigidBody {
        mass_kg: 4.0,
        center_of_mass_m: Vector3::new(0.01, 0.02, 0.1),
        inertia_kg_m2: Matrix3::from_diagonal(&Vector3::new(0.02, 0.02, 0.005)),
    };
    let links = vec![LinkInertia::none().with(&body); joints + 1];
    ArmDynamics::new(&bent_chain(joints), &links).expect("masses")
}

fn growth(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("growth with the joints");
    for joints in 3..=MAX_JOINTS {
        let arm = long_arm(joints);
        let mut draw = Draw(7);
        let [q, qd, qdd] = [(); 3].map(|()| draw.rates(joints));
        group.bench_function(BenchmarkId::new("inverse dynamics", joints), |b| {
            b.iter(|| arm.rigid_body_torques(black_box(&q), &qd, &qdd));
        });
        group.bench_function(BenchmarkId::new("mass matrix", joints), |b| {
            b.iter(|| arm.mass_matrix(black_box(&q)));
        });
    }
    group.finish();
}

fn main() {
    let peer = Pinocchio::start();
    for name in ["six-axis-8kg", "seven-axis-14kg"] {
        inverse_dynamics_table(name, &peer);
    }
    let mut criterion = Criterion::default().configure_from_args();
    growth(&mut criterion);
    criterion.final_summary();
}
