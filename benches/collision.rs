//! Self-collision of the shipped arms as capsules, with parry3d in the same run on the same pairs.
//!
//! `cargo bench --bench collision`

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use motiond::collision::{Area, AreaForm, AreaKind, AreaSubject, Capsule, Guard, GuardedArea, PosedCapsule};
use motiond::config::collision_model::{CollisionModel, collision_model, spread_joints};
use motiond::config::kinematic_model::{EmbeddedModel, KinematicModel};
use motiond::geometry::Pose;
use motiond::joints::JointVector;
use nalgebra::{Translation3, UnitQuaternion, Vector3};
use parry3d_f64::math::{Pose3, Rot3};
use parry3d_f64::query;
use parry3d_f64::shape::Capsule as ParryCapsule;

/// Poses that are gone through, so that no branch is learnt by heart.
const POSES: u32 = 256;

fn arm(name: &str) -> (KinematicModel, CollisionModel, Vec<JointVector>) {
    let model = EmbeddedModel::by_name(name).expect("embedded").load().expect("valid");
    let collisions = collision_model(&model, &[], &[]).expect("simple shapes");
    let poses = (0..POSES).map(|index| spread_joints(&model, index)).collect();
    (model, collisions, poses)
}

fn in_turn<'a, T>(values: &'a [T]) -> impl FnMut() -> &'a T {
    let mut next = 0;
    move || {
        next = (next + 1) % values.len();
        &values[next]
    }
}

/// One capsule with its pose as parry takes it: the line along its own z.
fn parry(capsule: &PosedCapsule) -> (Pose3, ParryCapsule) {
    let half = 0.5 * capsule.along.norm();
    let middle = capsule.start + capsule.along * 0.5;
    let turn = UnitQuaternion::rotation_between(&Vector3::z(), &capsule.along)
        .unwrap_or_else(|| UnitQuaternion::from_axis_angle(&Vector3::x_axis(), std::f64::consts::PI));
    let turn = turn.quaternion();
    let pose = Pose3::from_parts(
        parry3d_f64::math::Vector::new(middle.x, middle.y, middle.z),
        Rot3::from_xyzw(turn.i, turn.j, turn.k, turn.w),
    );
    (pose, ParryCapsule::new_z(half, capsule.radius_m))
}

fn one_pair(criterion: &mut Criterion) {
    let pairs: Vec<(PosedCapsule, PosedCapsule)> = (0..POSES)
        .map(|index| {
            let number = |step: f64| (f64::from(index + 1) * step).fract() * 2.0 - 1.0;
            let capsule = Capsule {
                start: Vector3::new(0.0, 0.0, -0.2),
                end: Vector3::new(0.0, 0.0, 0.2),
                radius_m: 0.1,
            };
            let at = |a: f64, b: f64| {
                let turn = UnitQuaternion::from_euler_angles(number(a), number(b), number(a * b));
                Pose::from_parts(Translation3::new(number(a * 1.3), number(b * 1.7), number(a * 1.9)), turn)
            };
            (capsule.posed(&at(0.618, 0.755)), capsule.posed(&at(0.414, 0.732)))
        })
        .collect();
    let foreign: Vec<_> = pairs.iter().map(|(one, other)| (parry(one), parry(other))).collect();
    for ((one, other), ((pose, capsule), (other_pose, other_capsule))) in pairs.iter().zip(&foreign) {
        let theirs = query::distance(pose, capsule, other_pose, other_capsule).expect("supported").distance;
        let ours = one.distance_m(other).max(0.0);
        // Theirs is found by steps that end at a tolerance.
        assert!((ours - theirs).abs() < 1e-4, "{ours} {theirs}");
    }
    let mut group = criterion.benchmark_group("one pair of capsules");
    let mut next = in_turn(&pairs);
    group.bench_function("distance", |b| {
        b.iter(|| {
            let (one, other) = black_box(next());
            one.distance_m(other)
        });
    });
    let mut next = in_turn(&foreign);
    group.bench_function("distance, parry3d", |b| {
        b.iter(|| {
            let ((pose, capsule), (other_pose, other)) = black_box(next());
            query::distance(pose, capsule, other_pose, other)
        });
    });
    let mut next = in_turn(&foreign);
    group.bench_function("overlap, parry3d", |b| {
        b.iter(|| {
            let ((pose, capsule), (other_pose, other)) = black_box(next());
            query::intersection_test(pose, capsule, other_pose, other)
        });
    });
}

fn whole_arm(criterion: &mut Criterion) {
    for name in ["six-axis-8kg", "three-parallel-12kg", "seven-axis-14kg"] {
        let (model, collisions, poses) = arm(name);
        let pairs = collisions.arm.pairs().len();
        let capsules = collisions.arm.capsules().len();
        let mut group = criterion.benchmark_group(format!("{name}: {capsules} capsules, {pairs} pairs"));
        let posed: Vec<_> = poses.iter().map(|q| collisions.arm.posed(&model.chain.link_poses(q))).collect();
        let mut next = in_turn(&posed);
        group.bench_function("all pairs", |b| b.iter(|| collisions.arm.nearest(black_box(next()))));
        let links: Vec<_> = poses.iter().map(|q| model.chain.link_poses(q)).collect();
        let mut next = in_turn(&links);
        group.bench_function("placing and all pairs", |b| {
            b.iter(|| collisions.arm.nearest(&collisions.arm.posed(black_box(next()))));
        });
        let mut next = in_turn(&poses);
        group.bench_function("link poses, placing and all pairs", |b| {
            b.iter(|| {
                collisions.arm.nearest(&collisions.arm.posed(&model.chain.link_poses(black_box(next()))))
            });
        });
        let foreign: Vec<Vec<_>> =
            posed.iter().map(|arm| arm.as_slice().iter().map(parry).collect()).collect();
        let mut next = in_turn(&foreign);
        group.bench_function("all pairs, parry3d", |b| {
            b.iter(|| {
                let capsules = black_box(next());
                let distances = collisions.arm.pairs().iter().map(|pair| {
                    let ((pose, one), (other_pose, other)) =
                        (&capsules[usize::from(pair.0)], &capsules[usize::from(pair.1)]);
                    query::distance(pose, one, other_pose, other)
                        .map_or(f64::INFINITY, |found| found.distance)
                });
                distances.fold(f64::INFINITY, f64::min)
            });
        });
    }
}

fn areas(criterion: &mut Criterion) {
    let capsule = Capsule { start: Vector3::zeros(), end: Vector3::new(0.3, 0.1, 0.4), radius_m: 0.05 };
    let capsule = capsule.posed(&Pose::translation(0.6, 0.1, 0.3));
    let at =
        Pose::from_parts(Translation3::new(0.1, 0.2, 0.0), UnitQuaternion::from_euler_angles(0.1, 0.2, 0.3));
    let mut group = criterion.benchmark_group("one capsule and an area");
    for (name, form) in [
        ("box", AreaForm::Box { half_m: Vector3::new(0.3, 0.2, 0.1) }),
        ("cylinder", AreaForm::Cylinder { radius_m: 0.2, half_m: 0.3 }),
        ("half space", AreaForm::HalfSpace),
    ] {
        let area = Area::new(AreaKind::KeepOut, form, &at);
        group.bench_function(name, |b| b.iter(|| area.clearance_m(black_box(&capsule))));
    }
}

/// What the cycle does with the sample cell and eight more boxes around the arm.
fn guard(criterion: &mut Criterion) {
    let (model, collisions, poses) = arm("six-axis-8kg");
    let boxes: Vec<GuardedArea> = (0..8_u8)
        .map(|number| {
            let turn = UnitQuaternion::from_axis_angle(&Vector3::z_axis(), f64::from(number) * 0.785);
            let at = Pose::from_parts(Translation3::from(turn * Vector3::new(2.0, 0.0, 0.5)), turn);
            let form = AreaForm::Box { half_m: Vector3::new(0.2, 0.4, 0.5) };
            GuardedArea { area: Area::new(AreaKind::KeepOut, form, &at), subject: AreaSubject::Arm }
        })
        .collect();
    let guard = Guard::new(collisions.arm, u8::MAX, &boxes).expect("eight areas");
    let mut group = criterion.benchmark_group("six-axis-8kg with eight boxes around it");
    let mut next = in_turn(&poses);
    group.bench_function("from joint positions", |b| {
        b.iter(|| guard.clearance(&model.chain.link_poses(black_box(next())), &Pose::identity()));
    });
}

criterion_group!(benches, one_pair, whole_arm, areas, guard);
criterion_main!(benches);
