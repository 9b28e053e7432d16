//! Forward kinematics, Jacobian and inverse of the shipped six-axis arm, with the library `k` in the same run.
//!
//! `cargo bench --bench kinematics`

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use k::InverseKinematicsSolver as _;
use motiond::config::kinematic_model::{KinematicModel, SIX_AXIS_8KG};
use motiond::geometry::{Pose, displacement};
use motiond::joints::JointVector;
use motiond::kinematics::configuration::Wish;
use motiond::kinematics::inverse::{
    GlobalSettings, InverseResult, InverseSettings, Solver, inverse_from_seed, joint_speeds,
};
use motiond::kinematics::singularity::singularity;
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

fn forward(criterion: &mut Criterion) {
    let (model, q) = (model(), start());
    let mut group = criterion.benchmark_group("forward");
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

criterion_group!(benches, forward, warm_inverse, planning);
criterion_main!(benches);
