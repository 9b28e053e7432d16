//! Forward kinematics, Jacobian and inverse of shipped arms, with the library `k` in the same run, for every set of
//! instructions the processor has. Random reachable poses are counted first; every one not solved is printed.
//!
//! `cargo bench --bench kinematics`

#![expect(clippy::print_stdout, reason = "a benchmark prints")]

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use k::InverseKinematicsSolver as _;
use motiond::config::kinematic_model::{EMBEDDED_MODELS, KinematicModel, SIX_AXIS_8KG};
use motiond::geometry::{Pose, displacement};
use motiond::joints::{JointVector, MAX_JOINTS};
use motiond::kinematics::closed::ClosedForm;
use motiond::kinematics::configuration::Wish;
use motiond::kinematics::inverse::{
    GlobalSettings, InverseResult, InverseSettings, Solver, inverse_from_seed, joint_speeds,
};
use motiond::kinematics::singularity::singularity;
use motiond::kinematics::{Chain, ChainJoint, Instructions, JointKind};
use nalgebra::{Translation3, UnitQuaternion, Vector3};

/// Samples of the line, one a millisecond: 0.5 m at 250 mm/s, turning by 30 degrees.
const SAMPLES: usize = 2000;

fn model() -> KinematicModel {
    SIX_AXIS_8KG.load().expect("the shipped model is valid")
}

fn start() -> JointVector {
    JointVector::from_slice(&[0.2, 0.3, 0.2, 0.1, 0.9, -0.2]).expect("six")
}

/// Poses of the line, first to last.
fn line(model: &KinematicModel) -> Vec<Pose> {
    let first = model.chain.forward(&start());
    (0..SAMPLES)
        .map(|sample| {
            let seconds = f64::from(u32::try_from(sample).expect("small")) * 1e-3;
            let moved =
                first.translation.vector + Vector3::new(0.05, -0.2, 0.1).normalize() * (0.25 * seconds);
            let turn = UnitQuaternion::from_scaled_axis(
                Vector3::z() * (std::f64::consts::FRAC_PI_6 / 2.0 * seconds),
            );
            Pose::from_parts(Translation3::from(moved), turn * first.rotation)
        })
        .collect()
}

fn reference_arm() -> k::SerialChain<f64> {
    let robot = urdf_rs::read_from_string(SIX_AXIS_8KG.urdf).expect("the shipped model is valid");
    let tree = k::Chain::<f64>::from(&robot);
    k::SerialChain::from_end(tree.find("flange_mount").expect("the last joint"))
}

/// A chain with axes alternately across and along, no two of which meet.
fn bent_chain(joints: usize) -> Chain {
    let joints: Vec<ChainJoint> = (0..joints)
        .map(|joint| ChainJoint {
            kind: JointKind::Revolute,
            origin: Pose::translation(0.03, 0.02, 0.2),
            axis: if joint % 2 == 0 { Vector3::z_axis() } else { Vector3::y_axis() },
        })
        .collect();
    Chain::from_joints(&joints, &Pose::translation(0.0, 0.0, 0.1)).expect("a valid chain")
}

fn forward(criterion: &mut Criterion) {
    let (model, q) = (model(), start());
    let mut group = criterion.benchmark_group("forward");
    for instructions in Instructions::available().into_iter().flatten() {
        let chain = model.chain.with_instructions(instructions);
        let name = instructions.name();
        group.bench_function(format!("matrix, {name}"), |b| b.iter(|| chain.forward_matrix(black_box(&q))));
        group.bench_function(format!("pose and jacobian, {name}"), |b| {
            b.iter(|| chain.forward_with_jacobian(black_box(&q)));
        });
    }
    for joints in 3..=MAX_JOINTS {
        let chain = bent_chain(joints);
        let q = JointVector::from_fn(joints, |joint| 0.1 + 0.2 * if joint % 2 == 0 { 1.0 } else { -1.0 });
        group.bench_function(format!("matrix, {joints} joints"), |b| {
            b.iter(|| chain.forward_matrix(black_box(&q)));
        });
        group.bench_function(format!("pose and jacobian, {joints} joints"), |b| {
            b.iter(|| chain.forward_with_jacobian(black_box(&q)));
        });
    }
    group.bench_function("pose", |b| b.iter(|| model.chain.forward(black_box(&q))));
    group
        .bench_function("pose and jacobian", |b| b.iter(|| model.chain.forward_with_jacobian(black_box(&q))));
    let arm = reference_arm();
    group.bench_function("pose, k", |b| {
        b.iter(|| {
            arm.set_joint_positions_unchecked(black_box(q.as_slice()));
            arm.end_transform()
        });
    });
    group.bench_function("pose and jacobian, k", |b| {
        b.iter(|| {
            arm.set_joint_positions_unchecked(black_box(q.as_slice()));
            (k::jacobian(&arm), arm.end_transform())
        });
    });
    group.finish();
}

/// One benchmark iteration is one sample of the line; after the last it starts again.
fn warm_inverse(criterion: &mut Criterion) {
    let model = model();
    let poses = line(&model);
    let settings = InverseSettings::default();
    let mut group = criterion.benchmark_group("inverse along a line, each sample");

    group.bench_function("seed is the last solution", |b| {
        let (mut sample, mut q) = (0, start());
        b.iter(|| {
            if sample == SAMPLES {
                (sample, q) = (0, start());
            }
            q = solved(inverse_from_seed(&model.chain, black_box(&poses[sample]), &q, &settings));
            sample += 1;
        });
    });
    group.bench_function("seed is extrapolated", |b| {
        let (mut sample, mut q, mut before) = (0, start(), start());
        b.iter(|| {
            if sample == SAMPLES {
                (sample, q, before) = (0, start(), start());
            }
            let seed = q + (q - before);
            before = q;
            q = solved(inverse_from_seed(&model.chain, black_box(&poses[sample]), &seed, &settings));
            sample += 1;
        });
    });

    for instructions in Instructions::available().into_iter().flatten() {
        let chain = model.chain.with_instructions(instructions);
        group.bench_function(format!("seed is extrapolated, {}", instructions.name()), |b| {
            let (mut sample, mut q, mut before) = (0, start(), start());
            b.iter(|| {
                if sample == SAMPLES {
                    (sample, q, before) = (0, start(), start());
                }
                let seed = q + (q - before);
                before = q;
                q = solved(inverse_from_seed(&chain, black_box(&poses[sample]), &seed, &settings));
                sample += 1;
            });
        });
    }

    let arm = reference_arm();
    // k measures both parts in one tolerance each; 1e-9 is what our default asks.
    let solver = k::JacobianIkSolver::new(1e-9, 1e-9, 1.0, 10);
    let targets: Vec<k::Isometry3<f64>> = poses
        .iter()
        .map(|pose| {
            let (p, r) = (pose.translation.vector, pose.rotation.coords);
            k::Isometry3::from_parts(
                k::Translation3::new(p.x, p.y, p.z),
                k::UnitQuaternion::from_quaternion(k::nalgebra::Quaternion::new(r.w, r.x, r.y, r.z)),
            )
        })
        .collect();
    group.bench_function("k, seed is the last solution", |b| {
        let mut sample = SAMPLES;
        b.iter(|| {
            if sample == SAMPLES {
                sample = 0;
                arm.set_joint_positions_unchecked(start().as_slice());
            }
            solver.solve(&arm, black_box(&targets[sample])).expect("k follows this line");
            sample += 1;
        });
    });
    group.finish();
}

fn solved(result: InverseResult) -> JointVector {
    match result {
        InverseResult::Converged { q, .. } => q,
        InverseResult::NotConverged { .. } => panic!("the line is within reach: {result:?}"),
    }
}

/// Random reachable poses: joints within the limits, from a fixed generator.
struct Draw(u64);

impl Draw {
    fn joints(&mut self, model: &KinematicModel) -> JointVector {
        let mut limits = model.limits.as_slice().iter();
        JointVector::zeros(model.chain.joint_count()).map(|_| {
            let limit = limits.next().expect("a limit a joint");
            // A continuous joint is drawn from one turn.
            let (low, high) = (limit.position_min.max(-7.0), limit.position_max.min(7.0));
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let share = f64::from(u32::try_from(self.0 >> 32).expect("32 bits")) / 4_294_967_296.0;
            low + share * (high - low)
        })
    }
}

/// How many of 10,000 random poses are solved within the limits from a random seed, and the mean time.
fn random_poses(_: &mut Criterion) {
    const POSES: u32 = 10_000;
    for embedded in &EMBEDDED_MODELS {
        let model = embedded.load().expect("shipped");
        if model.chain.joint_count() < 6 {
            continue;
        }
        let solver = Solver::new(&model.chain, &model.limits).expect("as many limits as joints");
        let search = GlobalSettings { solutions_max: 1, ..GlobalSettings::default() };
        let mut ways = vec![("search", solver.searching(search))];
        if solver.closed_form().is_some() {
            ways.push(("closed form", solver));
        }
        for (way, solver) in ways {
            let mut draw = Draw(20_262);
            let asked: Vec<(JointVector, Pose, JointVector)> = (0..POSES)
                .map(|_| {
                    let q = draw.joints(&model);
                    (q, model.chain.forward(&q), draw.joints(&model))
                })
                .collect();
            let begun = std::time::Instant::now();
            let answers: Vec<Option<JointVector>> =
                asked.iter().map(|(_, pose, seed)| solver.any(pose, seed)).collect();
            let mean_us = begun.elapsed().as_secs_f64() * 1e6 / f64::from(POSES);
            let mut missed = 0;
            for ((q, pose, _), answer) in asked.iter().zip(&answers) {
                let good = answer.is_some_and(|found| {
                    let gap = displacement(&model.chain.forward(&found), pose);
                    gap.linear.norm() <= 1e-9
                        && gap.angular.norm() <= 1e-9
                        && model.limits.first_outside(&found, 0.0).is_none()
                });
                if !good {
                    missed += 1;
                    println!("  not solved: {} {way} {:?}", embedded.name, q.as_slice());
                }
            }
            println!(
                "random poses, {}, {way}: {} of {POSES} solved, mean {mean_us:.2} µs",
                embedded.name,
                POSES - missed
            );
        }
    }
}

fn branches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("all branches");
    for embedded in &EMBEDDED_MODELS {
        let model = embedded.load().expect("shipped");
        let Some(closed) = ClosedForm::find(&model.chain) else { continue };
        let q = Draw(7).joints(&model);
        let pose = model.chain.forward(&q);
        for instructions in Instructions::available().into_iter().flatten() {
            let chain = model.chain.with_instructions(instructions);
            group.bench_function(format!("{}, {}", embedded.name, instructions.name()), |b| {
                b.iter(|| closed.branches(&chain, black_box(&pose), &q));
            });
        }
    }
    group.finish();
}

fn planning(criterion: &mut Criterion) {
    let model = model();
    let poses = line(&model);
    let (_, jacobian) = model.chain.forward_with_jacobian(&start());
    let twist = displacement(&poses[0], &poses[1]);
    let mut group = criterion.benchmark_group("planning");
    group.bench_function("joint speeds of a twist", |b| {
        b.iter(|| joint_speeds(black_box(&jacobian), 6, black_box(&twist)));
    });
    group.bench_function("singular values", |b| b.iter(|| singularity(&model.chain, black_box(&jacobian))));
    group.bench_function("global inverse, far seed", |b| {
        let solver = Solver::new(&model.chain, &model.limits).expect("as many limits as joints");
        let solver = solver.searching(GlobalSettings::default());
        let seed = JointVector::from_slice(&[-2.0, 1.0, -1.5, 2.0, -1.0, 3.0]).expect("six");
        b.iter_batched(
            || poses[SAMPLES / 2],
            |pose| solver.nearest(&pose, &seed, &Wish::FREE),
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

criterion_group!(benches, random_poses, branches, forward, warm_inverse, planning);
criterion_main!(benches);
