//! The path clock in the cycle, the paths it samples, and planning of sample programs on the shipped arm.
//!
//! `cargo bench --bench trajectory`

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use motiond::config::kinematic_model::SIX_AXIS_8KG;
use motiond::geometry::Pose;
use motiond::joints::JointVector;
use motiond::kinematics::Chain;
use motiond::planning::{
    Limits, MoveTarget, Posture, Program, RateLimits, SpeedPolicy, Step, StepKind, ToolLimits, plan,
};
use motiond::trajectory::Ceiling;
use motiond::trajectory::path::{ArcPath, JointPath, LinePath, Path};
use motiond::trajectory::time_law::{PathClock, Target, duration};
use motiond::units::Ratio;
use nalgebra::{Translation3, UnitQuaternion, Vector3};

const CEILING: Ceiling = Ceiling { speed: 0.25, acceleration: 2.0, jerk: 20.0 };

fn run(override_ratio: f64) -> Target {
    Target::Run { override_ratio: Ratio::new(override_ratio).expect("in 0..=1") }
}

fn clock(length: f64) -> PathClock {
    let mut clock = PathClock::start(length, CEILING).expect("positive");
    clock.set_target(run(1.0));
    clock
}

fn path_clock(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("path_clock");
    group.bench_function("step", |bencher| {
        let start = clock(10.0);
        let mut clock = start;
        bencher.iter(|| {
            if clock.is_at_end() {
                clock = start;
            }
            black_box(clock.step(black_box(0.001)))
        });
    });
    // The first reaches its speed and is closed form; the others go through the solver, from rest and
    // while moving; the last halves.
    group.bench_function("retarget, full speed reached", |bencher| {
        let mut moving = clock(10.0);
        moving.step(0.05);
        let mut next = 0;
        bencher.iter(|| {
            next ^= 1;
            let mut clock = moving;
            clock.set_target(run(black_box([0.8, 0.9][next])));
            black_box(clock)
        });
    });
    group.bench_function("retarget, speed not reached, from rest", |bencher| {
        let standing = PathClock::start(0.01, CEILING).expect("positive");
        bencher.iter(|| {
            let mut clock = standing;
            clock.set_target(black_box(run(1.0)));
            black_box(clock)
        });
    });
    group.bench_function("retarget, speed not reached, resumed", |bencher| {
        let mut holding = clock(0.02);
        holding.step(0.15);
        holding.set_target(Target::Hold);
        holding.step(0.02);
        bencher.iter(|| {
            let mut clock = holding;
            clock.set_target(black_box(run(1.0)));
            black_box(clock)
        });
    });
    group.bench_function("retarget, lowered too late", |bencher| {
        let mut moving = clock(0.0165);
        moving.step(0.07);
        bencher.iter(|| {
            let mut clock = moving;
            clock.set_target(black_box(run(0.36)));
            black_box(clock)
        });
    });
    group.bench_function("hold", |bencher| {
        let mut moving = clock(1.0);
        moving.step(0.2);
        bencher.iter(|| {
            let mut clock = moving;
            clock.set_target(black_box(Target::Hold));
            black_box(clock)
        });
    });
    group.bench_function("duration", |bencher| bencher.iter(|| duration(black_box(1.0), black_box(CEILING))));
    group.finish();
}

fn arm() -> (Chain, Limits) {
    let model = SIX_AXIS_8KG.load().expect("the shipped model is valid");
    let tool = ToolLimits {
        translation: RateLimits { speed: 2.0, acceleration: 10.0, jerk: 200.0 },
        rotation: RateLimits { speed: 3.0, acceleration: 20.0, jerk: 400.0 },
    };
    (model.chain, Limits { torques: None, joints: model.limits, tool })
}

fn home() -> JointVector {
    JointVector::from_slice(&[0.0, 0.2, -0.3, 0.0, 1.05, 0.0]).expect("six")
}

fn torch() -> Pose {
    Pose::from_parts(
        Translation3::new(0.08, 0.0, 0.3),
        UnitQuaternion::from_scaled_axis(Vector3::new(0.0, 0.61, 0.0)),
    )
}

fn paths(criterion: &mut Criterion) {
    let (chain, _) = arm();
    let start = chain.forward(&home()) * torch();
    let end = Pose::from_parts(
        Translation3::from(start.translation.vector + Vector3::new(-0.1, 0.3, 0.0)),
        UnitQuaternion::from_scaled_axis(Vector3::new(0.1, 0.2, 0.3)) * start.rotation,
    );
    let via = start.translation.vector + Vector3::new(0.0, 0.15, 0.1);
    let paths = [
        ("joint", Path::Joint(JointPath::new(home(), home() * 0.5))),
        ("line", Path::Line(LinePath::new(start, end))),
        ("arc", Path::Arc(ArcPath::new(start, via, end).expect("an arc"))),
    ];
    let mut group = criterion.benchmark_group("path_sample");
    for (name, path) in paths {
        group.bench_function(name, |bencher| {
            let mut s = 0.0;
            bencher.iter(|| {
                s = if s > path.length() { 0.0 } else { s + 1e-4 };
                black_box(path.sample(black_box(s)))
            });
        });
    }
    group.finish();
}

fn planning(criterion: &mut Criterion) {
    let (chain, limits) = arm();
    let x_home = chain.forward(&home()) * torch();
    let by = |x: f64, y: f64, z: f64| {
        Pose::from_parts(
            Translation3::from(x_home.translation.vector + Vector3::new(x, y, z)),
            x_home.rotation,
        )
    };
    let joint = |target| StepKind::MoveJoint {
        target,
        posture: Posture::FREE,
        speed: Ratio::ONE,
        acceleration: Ratio::ONE,
    };
    let line = |x_base_tool, speed_m_s| StepKind::MoveLinear {
        x_base_tool,
        posture: Posture::FREE,
        speed_m_s,
        acceleration_m_s2: None,
        policy: SpeedPolicy::Adapt,
    };
    let arc = StepKind::MoveCircular {
        via_in_base: by(-0.15, 0.15, 0.0).translation.vector,
        x_base_tool: by(-0.3, 0.0, 0.0),
        posture: Posture::FREE,
        speed_m_s: 0.01,
        acceleration_m_s2: None,
        policy: SpeedPolicy::Strict,
    };
    let program = |kinds: Vec<StepKind>| Program {
        x_flange_tool: torch(),
        payload: motiond::dynamics::RigidBody::none(),
        steps: kinds.into_iter().zip(0..).map(|(kind, instruction)| Step { instruction, kind }).collect(),
    };
    let programs = [
        ("joint motion to a pose", program(vec![joint(MoveTarget::Pose(by(-0.1, 0.2, 0.0)))])),
        ("line of 300 mm", program(vec![line(by(0.0, 0.3, 0.0), 0.25)])),
        (
            "seam: approach, line, arc, retreat, home",
            program(vec![
                joint(MoveTarget::Pose(by(0.0, 0.0, 0.05))),
                line(by(0.0, 0.0, 0.0), 0.25),
                arc,
                line(by(-0.3, 0.0, 0.1), 0.25),
                joint(MoveTarget::Joints(home())),
            ]),
        ),
    ];
    let mut group = criterion.benchmark_group("plan");
    group.sample_size(20);
    for (name, program) in programs {
        plan(&program, &chain, &limits, &home()).expect("the sample programs are good");
        group.bench_function(name, |bencher| {
            bencher.iter(|| plan(black_box(&program), &chain, &limits, &home()));
        });
    }
    group.finish();
}

criterion_group!(benches, path_clock, paths, planning);
criterion_main!(benches);
