//! Forward kinematics, Jacobian and inverse of shipped arms with the libraries `k` and `rs-opw-kinematics` and, over
//! Python, Pinocchio in the same run on the same poses, for every set of instructions the processor has.
//!
//! First come tables with the ratio to each peer, the time of plain instructions, and random reachable poses of which
//! each one not solved is printed; then, by criterion, growth with the joints and what planning uses.
//!
//! `cargo bench --bench kinematics`; a word behind it (`-- planning`) chooses the criterion groups.

#![expect(clippy::print_stdout, reason = "a benchmark prints")]

#[path = "peers/libraries.rs"]
mod libraries;
#[path = "peers/mod.rs"]
mod peers;

use std::hint::black_box;

use criterion::{BatchSize, BenchmarkId, Criterion};
use k::InverseKinematicsSolver as _;
use libraries::{k_arm, k_pose, opw_pose, opw_six_axis_8kg};
use motiond::config::kinematic_model::{EMBEDDED_MODELS, EmbeddedModel, KinematicModel, SIX_AXIS_8KG};
use motiond::geometry::{Pose, displacement};
use motiond::joints::{JointVector, MAX_JOINTS};
use motiond::kinematics::configuration::Wish;
use motiond::kinematics::inverse::{
    GlobalSettings, InverseResult, InverseSettings, Solver, inverse_from_seed, joint_speeds,
};
use motiond::kinematics::jacobian_derivative::jacobian_rate;
use motiond::kinematics::singularity::singularity;
use motiond::kinematics::{Chain, Jacobian};
use motiond::platform::trap_allocator::TrapAllocator;
use nalgebra::{Translation3, UnitQuaternion, Vector3};
use peers::pinocchio::{self, Pinocchio};
use peers::{Contest, Draw, Side, bent_chain, instructions};
use rs_opw_kinematics::kinematic_traits::Kinematics as _;
use rustix::time::{ClockId, clock_gettime};

#[global_allocator]
static ALLOCATOR: TrapAllocator = TrapAllocator;

/// Poses that the tables go through, so that no branch is learnt by heart.
const POSES: usize = 256;
/// Samples of the line, one a millisecond: 0.5 m at 250 mm/s, turning by 30 degrees.
const SAMPLES: usize = 2000;

fn load(name: &str) -> (&'static EmbeddedModel, KinematicModel) {
    let embedded = EmbeddedModel::by_name(name).expect("shipped");
    (embedded, embedded.load().expect("the shipped model is valid"))
}

fn drawn(model: &KinematicModel) -> Vec<JointVector> {
    let mut draw = Draw(20_261);
    (0..POSES).map(|_| draw.joints(model)).collect()
}

/// Forward kinematics alone and with the Jacobian.
fn forward_table(name: &str, pinocchio: &Pinocchio) {
    let (embedded, model) = load(name);
    let positions = drawn(&model);
    let joints = model.chain.joint_count();
    let mut draw = Draw(20_264);
    let rows: Vec<_> =
        positions.iter().map(|q| (*q, draw.rates(joints), JointVector::zeros(joints))).collect();
    pinocchio.load(embedded, &model, &rows);
    let arm = k_arm(embedded);
    let opw = opw_six_axis_8kg();

    let mut contest = Contest::new(format!("forward kinematics, {joints} joints ({name})"));
    for instructions in instructions() {
        let (chain, positions) = (model.chain.with_instructions(instructions), &positions);
        contest.add(Side::Ours, instructions.name(), POSES, move || {
            for q in positions {
                black_box(chain.forward_matrix(black_box(q)));
            }
        });
    }
    let chain = model.chain;
    contest.add(Side::Ours, "as a quaternion", POSES, || {
        for q in &positions {
            black_box(chain.forward(black_box(q)));
        }
    });
    contest.add(Side::Peer, "k", POSES, || {
        for q in &positions {
            arm.set_joint_positions_unchecked(black_box(q.as_slice()));
            black_box(arm.end_transform());
        }
    });
    if embedded.name == SIX_AXIS_8KG.name {
        for q in &positions {
            let theirs = opw.forward(q.as_slice().first_chunk().expect("six")).translation;
            let ours = chain.forward(q).translation.vector;
            assert!((ours - Vector3::new(theirs.x, theirs.y, theirs.z)).norm() < 1e-12, "the same arm");
        }
        contest.add(Side::Peer, "rs-opw-kinematics", POSES, || {
            for q in &positions {
                black_box(opw.forward(black_box(q.as_slice()).first_chunk().expect("six")));
            }
        });
    }
    contest.foreign(pinocchio::NAME, || pinocchio.time("forward"));
    contest.run();

    let mut contest = Contest::new(format!("forward kinematics and Jacobian, {joints} joints ({name})"));
    for instructions in instructions() {
        let (chain, positions) = (model.chain.with_instructions(instructions), &positions);
        let mut jacobian = Jacobian::zeros();
        contest.add(Side::Ours, instructions.name(), POSES, move || {
            for q in positions {
                black_box(chain.forward_and_jacobian(black_box(q), &mut jacobian));
                black_box(&jacobian);
            }
        });
    }
    contest.add(Side::Ours, "as a value", POSES, || {
        for q in &positions {
            black_box(chain.forward_with_jacobian(black_box(q)));
        }
    });
    contest.add(Side::Peer, "k", POSES, || {
        for q in &positions {
            arm.set_joint_positions_unchecked(black_box(q.as_slice()));
            black_box((arm.end_transform(), k::jacobian(&arm)));
        }
    });
    contest.foreign(pinocchio::NAME, || pinocchio.time("jacobian"));
    contest.run();
    if let Some(theirs) = pinocchio.values("jacobian_rate") {
        let mut worst = 0.0_f64;
        for ((q, qd, _), theirs) in rows.iter().zip(&theirs) {
            let ours = jacobian_rate(&model.chain, q, qd);
            worst = ours.iter().zip(theirs).fold(worst, |worst, (a, b)| worst.max((a - b).abs()));
        }
        println!("  time derivative of the Jacobian: largest difference from Pinocchio {worst:.1e}");
    }
}

/// Where the line begins, away from limits and singular poses.
fn start(name: &str) -> JointVector {
    let q: &[f64] = match name {
        "seven-axis-14kg" => &[0.6, 0.1, 0.1, -1.8, 0.1, 0.9, 0.3],
        "three-parallel-12kg" => &[0.2, -1.2, 1.4, -0.9, -1.4, 0.3],
        _ => &[0.2, 0.3, 0.2, 0.1, 0.9, -0.2],
    };
    JointVector::from_slice(q).expect("at most seven")
}

/// Poses of the line, first to last.
fn line(chain: &Chain, start: &JointVector) -> Vec<Pose> {
    let first = chain.forward(start);
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

/// Follows `poses` from `start`, the seed extrapolated; each answer goes to `visit`.
fn follow(chain: &Chain, poses: &[Pose], start: JointVector, mut visit: impl FnMut(&Pose, &InverseResult)) {
    let settings = InverseSettings::default();
    let (mut q, mut before) = (start, start);
    for pose in poses {
        let seed = q + (q - before);
        before = q;
        let result = inverse_from_seed(chain, black_box(pose), &seed, &settings);
        visit(pose, &result);
        if let InverseResult::Converged { q: found, .. } = result {
            q = found;
        }
    }
}

/// The warm-started inverse along the line, each sample checked to 1 nm and 1 nrad.
fn warm_table(name: &str) {
    let (embedded, model) = load(name);
    let start = start(name);
    let poses = line(&model.chain, &start);
    let joints = model.chain.joint_count();
    let (mut solved, mut worst) = (0, 0.0_f64);
    follow(&model.chain, &poses, start, |pose, result| match result {
        InverseResult::Converged { q, .. } => {
            let gap = displacement(&model.chain.forward(q), pose);
            worst = worst.max(gap.linear.norm()).max(gap.angular.norm());
            solved += 1;
        }
        InverseResult::NotConverged { .. } => println!("  not solved: {name} {pose:?}"),
    });

    let arm = k_arm(embedded);
    // k measures both parts in one tolerance each; 1e-9 is what our default asks.
    let solver = k::JacobianIkSolver::new(1e-9, 1e-9, 1.0, 10);
    let targets: Vec<_> = poses.iter().map(k_pose).collect();
    let opw = opw_six_axis_8kg();
    let opw_targets: Vec<_> = poses.iter().map(opw_pose).collect();
    let work = format!("warm-started inverse along a line at 1 kHz, {joints} joints ({name})");
    let mut contest =
        Contest::new(format!("{work}: {solved} of {SAMPLES} solved, within {worst:.0e} m, rad"));
    for instructions in instructions() {
        let (chain, poses) = (model.chain.with_instructions(instructions), &poses);
        contest.add(Side::Ours, instructions.name(), SAMPLES, move || {
            follow(&chain, poses, start, |_, result| {
                black_box(result);
            });
        });
    }
    contest.add(Side::Peer, "k, the same tolerance", SAMPLES, || {
        arm.set_joint_positions_unchecked(start.as_slice());
        for target in &targets {
            solver.solve(&arm, black_box(target)).expect("k follows this line");
        }
    });
    if embedded.name == SIX_AXIS_8KG.name {
        contest.add(Side::Peer, "rs-opw-kinematics, inverse_continuing", SAMPLES, || {
            let mut q: [f64; 6] = *start.as_slice().first_chunk().expect("six");
            for target in &opw_targets {
                q = *opw.inverse_continuing(black_box(target), &q).first().expect("within reach");
            }
        });
    }
    contest.run();
}

/// Largest difference of two joint positions, whole turns left out.
fn turned_apart(a: &JointVector, b: &JointVector) -> f64 {
    use std::f64::consts::TAU;
    (*a - *b).map(|gap| gap - (gap / TAU).round() * TAU).max_abs()
}

/// All branches in closed form; the peer is measured on `six-axis-8kg` in any case.
fn branches_table(name: &str) {
    let (_, model) = load(name);
    let solver = Solver::new(&model.chain, &model.limits).expect("as many limits as joints");
    let closed = *solver.closed_form().expect("a closed form");
    let positions = drawn(&model);
    let poses: Vec<_> = positions.iter().map(|q| model.chain.forward(q)).collect();
    let (mut found, mut returned, mut worst) = (0, 0, (0.0_f64, 0.0_f64));
    for (q, pose) in positions.iter().zip(&poses) {
        let branches = closed.branches(&model.chain, pose, q);
        found += branches.len();
        for branch in branches.iter() {
            let gap = displacement(&model.chain.forward(&branch), pose);
            worst = (worst.0.max(gap.linear.norm()), worst.1.max(gap.angular.norm()));
        }
        if branches.iter().any(|branch| turned_apart(&branch, q) < 1e-7) {
            returned += 1;
        } else {
            println!("  the known branch is missing: {name} {:?}", q.as_slice());
        }
    }
    let (_, six_axis) = load(SIX_AXIS_8KG.name);
    let targets: Vec<_> = drawn(&six_axis).iter().map(|q| opw_pose(&six_axis.chain.forward(q))).collect();
    let opw = opw_six_axis_8kg();
    let mut contest = Contest::new(format!(
        "all branches, {name} ({:?}): the known one among them for {returned} of {POSES} poses, {found} in all, within \
         {:.0e} m, {:.0e} rad",
        closed.class(),
        worst.0,
        worst.1
    ));
    let zero = JointVector::zeros(6);
    for instructions in instructions() {
        let (chain, poses) = (model.chain.with_instructions(instructions), &poses);
        contest.add(Side::Ours, instructions.name(), POSES, move || {
            for pose in poses {
                black_box(closed.branches(&chain, black_box(pose), &zero));
            }
        });
    }
    contest.add(Side::Peer, "rs-opw-kinematics (six-axis-8kg), inverse", POSES, || {
        for target in &targets {
            black_box(opw.inverse(black_box(target)));
        }
    });
    contest.run();
}

/// Time this thread has had a processor, s: what others do meanwhile does not count.
fn processor_time_s() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let part = |value: i64| f64::from(i32::try_from(value).expect("less than 68 years"));
    part(time.tv_sec) + part(time.tv_nsec) * 1e-9
}

/// How many of 10,000 random poses are solved within the limits from a random seed, and the mean time.
fn random_poses() {
    const RANDOM: u32 = 10_000;
    println!(
        "\nrandom reachable poses, random seeds, answers within the limits and 1e-9 m and rad; processor time"
    );
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
        let mut draw = Draw(20_262);
        let asked: Vec<(JointVector, Pose, JointVector)> = (0..RANDOM)
            .map(|_| {
                let q = draw.joints(&model);
                (q, model.chain.forward(&q), draw.joints(&model))
            })
            .collect();
        for (way, solver) in ways {
            let begun = processor_time_s();
            let answers: Vec<Option<JointVector>> =
                asked.iter().map(|(_, pose, seed)| solver.any(pose, seed)).collect();
            let mean_us = (processor_time_s() - begun) * 1e6 / f64::from(RANDOM);
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
            let solved = RANDOM - missed;
            println!("  {:<22} {way:<12} {solved} of {RANDOM}, mean {mean_us:.2} µs", embedded.name);
        }
        random_poses_by_k(embedded, &model, &asked[..500]);
    }
}

/// The same by `k` with its seed alone, as its interface offers it.
fn random_poses_by_k(
    embedded: &EmbeddedModel,
    model: &KinematicModel,
    asked: &[(JointVector, Pose, JointVector)],
) {
    let arm = k_arm(embedded);
    let solver = k::JacobianIkSolver::new(1e-9, 1e-9, 0.5, 100);
    let begun = processor_time_s();
    let mut solved = 0;
    for (_, pose, seed) in asked {
        arm.set_joint_positions_unchecked(seed.as_slice());
        let is_good = solver.solve(&arm, &k_pose(pose)).is_ok()
            && JointVector::from_slice(&arm.joint_positions())
                .is_some_and(|q| model.limits.first_outside(&q, 0.0).is_none());
        solved += u32::from(is_good);
    }
    let count = u32::try_from(asked.len()).expect("few");
    let mean_us = (processor_time_s() - begun) * 1e6 / f64::from(count);
    println!("  {:<22} {:<12} {solved} of {count}, mean {mean_us:.2} µs", embedded.name, "k");
}

fn growth(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("growth with the joints");
    for joints in 3..=MAX_JOINTS {
        let chain = bent_chain(joints);
        let q = JointVector::from_fn(joints, |joint| 0.1 + 0.2 * if joint % 2 == 0 { 1.0 } else { -1.0 });
        group.bench_function(BenchmarkId::new("forward kinematics", joints), |b| {
            b.iter(|| chain.forward_matrix(black_box(&q)));
        });
        let mut jacobian = Jacobian::zeros();
        group.bench_function(BenchmarkId::new("forward kinematics and Jacobian", joints), |b| {
            b.iter(|| chain.forward_and_jacobian(black_box(&q), &mut jacobian));
        });
        if joints >= 6 {
            let pose = chain.forward(&q);
            let seed = q.map(|value| value + 1e-4);
            let settings = InverseSettings::default();
            group.bench_function(BenchmarkId::new("inverse from a seed 1e-4 rad away", joints), |b| {
                b.iter(|| inverse_from_seed(&chain, black_box(&pose), &seed, &settings));
            });
        }
    }
    group.finish();
}

fn planning(criterion: &mut Criterion) {
    let (_, model) = load(SIX_AXIS_8KG.name);
    let start = start(SIX_AXIS_8KG.name);
    let poses = line(&model.chain, &start);
    let (_, jacobian) = model.chain.forward_with_jacobian(&start);
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

fn main() {
    let pinocchio = Pinocchio::start();
    for name in [SIX_AXIS_8KG.name, "seven-axis-14kg"] {
        forward_table(name, &pinocchio);
    }
    for name in [SIX_AXIS_8KG.name, "three-parallel-12kg", "offset-wrist-10kg", "seven-axis-14kg"] {
        warm_table(name);
    }
    for name in [SIX_AXIS_8KG.name, "three-parallel-12kg"] {
        branches_table(name);
    }
    random_poses();
    let mut criterion = Criterion::default().configure_from_args();
    growth(&mut criterion);
    planning(&mut criterion);
    criterion.final_summary();
}
