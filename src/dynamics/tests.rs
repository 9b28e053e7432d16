//! Properties that hold for any chain, with energies computed from link poses as the second opinion.
#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "tests run outside the cycle"
)]

use nalgebra::{Matrix3, Translation3, Unit, UnitQuaternion, Vector3};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::*;
use crate::geometry::{Pose, displacement};
use crate::joints::{JointVector, MAX_JOINTS};
use crate::kinematics::{Chain, ChainJoint, Instructions, JointKind};

/// An arm with its bodies, one a link, in the frames of the described chain.
#[derive(Clone, Debug)]
struct Arm {
    chain: Chain,
    bodies: Vec<RigidBody>,
    dynamics: ArmDynamics,
}

fn cases(count: u32) -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(20_260),
        ..ProptestConfig::with_cases(count)
    }
}

fn vector(half: f64) -> impl Strategy<Value = Vector3<f64>> {
    [-half..half, -half..half, -half..half].prop_map(Vector3::from)
}

fn direction() -> impl Strategy<Value = Unit<Vector3<f64>>> {
    prop_oneof![
        (0_usize..6).prop_map(|index| {
            let mut axis = Vector3::zeros();
            axis[index % 3] = if index < 3 { 1.0 } else { -1.0 };
            Unit::new_normalize(axis)
        }),
        vector(1.0).prop_filter("long enough to normalise", |v| v.norm() > 0.1).prop_map(Unit::new_normalize),
    ]
}

fn pose() -> impl Strategy<Value = Pose> {
    (vector(0.5), direction(), -3.0..3.0_f64).prop_map(|(position, axis, angle)| {
        Pose::from_parts(Translation3::from(position), UnitQuaternion::from_axis_angle(&axis, angle))
    })
}

/// A body made of a point mass and a few more around it, so that it can exist.
fn body() -> impl Strategy<Value = RigidBody> {
    (0.1..30.0_f64, vector(0.3), vec((0.05..5.0_f64, vector(0.3)), 3)).prop_map(|(mass, center, points)| {
        let inertia = points.iter().fold(Matrix3::zeros(), |sum, (mass, at)| {
            sum + (Matrix3::identity() * at.norm_squared() - at * at.transpose()) * *mass
        });
        RigidBody { mass_kg: mass, center_of_mass_m: center, inertia_kg_m2: inertia }
    })
}

fn arm() -> impl Strategy<Value = Arm> {
    let kind = prop_oneof![
        3 => Just(JointKind::Revolute),
        1 => Just(JointKind::Continuous),
        1 => Just(JointKind::Prismatic)
    ];
    let joint =
        (kind, pose(), direction()).prop_map(|(kind, origin, axis)| ChainJoint { kind, origin, axis });
    (vec((joint, body()), 1..=MAX_JOINTS), pose(), vector(12.0)).prop_map(
        |(links, x_last_flange, gravity)| {
            let joints: Vec<ChainJoint> = links.iter().map(|(joint, _)| *joint).collect();
            let chain = Chain::from_joints(&joints, &x_last_flange).expect("valid");
            let bodies: Vec<RigidBody> = links.iter().map(|(_, body)| *body).collect();
            let mut inertias = vec![LinkInertia::none()];
            inertias.extend(bodies.iter().map(|body| LinkInertia::none().with(body)));
            let mut dynamics = ArmDynamics::new(&chain, &inertias).expect("valid");
            dynamics.set_gravity(gravity);
            Arm { chain, bodies, dynamics }
        },
    )
}

/// An arm and three vectors for its joints: positions, speeds, accelerations.
fn moving_arm() -> impl Strategy<Value = (Arm, JointVector, JointVector, JointVector)> {
    arm().prop_flat_map(|arm| {
        let count = arm.chain.joint_count();
        let joints = move |half: f64| {
            vec(-half..half, count)
                .prop_map(|values| JointVector::from_slice(&values).expect("at most twelve"))
        };
        (Just(arm), joints(2.0), joints(2.0), joints(5.0))
    })
}

fn dot(a: &JointVector, b: &JointVector) -> f64 {
    a.iter().zip(b.iter()).map(|(a, b)| a * b).sum()
}

fn times(matrix: &MassMatrix, vector: &JointVector) -> JointVector {
    JointVector::from_fn(vector.len(), |row| {
        (0..vector.len()).map(|c| matrix[(row, c)] * vector.get(c)).sum()
    })
}

impl Arm {
    /// Potential energy, J, from the poses of the links.
    fn potential(&self, q: &JointVector) -> f64 {
        let poses = self.chain.link_poses(q);
        let moving = poses.as_slice().iter().skip(1).zip(&self.bodies);
        moving
            .map(|(pose, body)| {
                let center = pose.transform_point(&body.center_of_mass_m.into()).coords;
                -body.mass_kg * self.dynamics.gravity_base_m_s2().dot(&center)
            })
            .sum()
    }

    /// Kinetic energy, J, from where the links are a moment before and after.
    fn kinetic(&self, q: &JointVector, qd: &JointVector) -> f64 {
        const H: f64 = 1e-6;
        let (before, after) =
            (self.chain.link_poses(&(*q - *qd * H)), self.chain.link_poses(&(*q + *qd * H)));
        let at = self.chain.link_poses(q);
        let mut energy = 0.0;
        for (link, body) in self.bodies.iter().enumerate() {
            let [before, after, at] = [&before, &after, &at].map(|poses| poses.as_slice()[link + 1]);
            let center = |pose: &Pose| pose.transform_point(&body.center_of_mass_m.into()).coords;
            let speed = (center(&after) - center(&before)) / (2.0 * H);
            let turning = at.rotation.inverse() * (displacement(&before, &after).angular / (2.0 * H));
            energy += 0.5 * body.mass_kg * speed.norm_squared();
            energy += 0.5 * turning.dot(&(body.inertia_kg_m2 * turning));
        }
        energy
    }

    /// Inverse dynamics as a textbook has it: every link in base axes, about its centre of mass, nothing shared.
    fn plain_torques(&self, q: &JointVector, qd: &JointVector, qdd: &JointVector) -> JointVector {
        let (_, jacobian) = self.chain.forward_with_jacobian(q);
        let poses = self.chain.link_poses(q);
        let slides = |joint: usize| self.chain.joint_kind(joint) == Some(JointKind::Prismatic);
        let axis = |joint: usize| -> Vector3<f64> {
            jacobian.fixed_view::<3, 1>(if slides(joint) { 0 } else { 3 }, joint).into_owned()
        };
        let (mut w, mut al) = (Vector3::zeros(), Vector3::zeros());
        let (mut origin, mut a) = (Vector3::zeros(), -self.dynamics.gravity_base_m_s2());
        let mut loads = Vec::new();
        for (joint, body) in self.bodies.iter().enumerate() {
            let pose = poses.as_slice()[joint + 1];
            let (rate, change, z) = (qd.get(joint), qdd.get(joint), axis(joint));
            // The point of the link before that is where the joint's frame is now.
            let lever = pose.translation.vector - origin;
            a += al.cross(&lever) + w.cross(&w.cross(&lever));
            if slides(joint) {
                a += z * change + w.cross(&z) * (2.0 * rate);
            } else {
                al += z * change + w.cross(&z) * rate;
                w += z * rate;
            }
            origin = pose.translation.vector;
            let rotation = pose.rotation.to_rotation_matrix().into_inner();
            let center = rotation * body.center_of_mass_m;
            let inertia = rotation * body.inertia_kg_m2 * rotation.transpose();
            let force = (a + al.cross(&center) + w.cross(&w.cross(&center))) * body.mass_kg;
            let moment = inertia * al + w.cross(&(inertia * w));
            loads.push((origin + center, force, moment));
        }
        JointVector::from_fn(q.len(), |joint| {
            let at = poses.as_slice()[joint + 1].translation.vector;
            let (mut force, mut moment) = (Vector3::zeros(), Vector3::zeros());
            for (center, of_link, about_center) in &loads[joint..] {
                force += of_link;
                moment += about_center + (center - at).cross(of_link);
            }
            axis(joint).dot(if slides(joint) { &force } else { &moment })
        })
    }
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn torques_are_those_of_the_plain_algorithm_with_all_instructions((arm, q, qd, qdd) in moving_arm()) {
        let wanted = arm.plain_torques(&q, &qd, &qdd);
        // Chains of twelve joints with 30 kg a link reach 1e5 N m; the digits count from there.
        let allowed = 1e-11_f64.max(1e-13 * wanted.max_abs());
        for instructions in Instructions::available().into_iter().flatten() {
            let found = arm.dynamics.with_instructions(instructions).rigid_body_torques(&q, &qd, &qdd);
            let worst = (found - wanted).max_abs();
            prop_assert!(worst <= allowed, "{}: {worst} N m of {}", instructions.name(), wanted.max_abs());
        }
    }

    #[test]
    fn the_mass_matrix_is_symmetric_positive_definite_and_gives_the_kinetic_energy((arm, q, qd, _) in moving_arm()) {
        let mass = arm.dynamics.mass_matrix(&q);
        let count = q.len();
        let used = mass.view((0, 0), (count, count)).into_owned();
        prop_assert!((used.clone() - used.transpose()).abs().max() <= 0.0);
        prop_assert!(used.cholesky().is_some(), "not positive definite");
        let energy = 0.5 * dot(&qd, &times(&mass, &qd));
        let wanted = arm.kinetic(&q, &qd);
        prop_assert!((energy - wanted).abs() < 1e-7 * (1.0 + wanted), "{energy} J, from poses {wanted} J");
    }

    #[test]
    fn each_column_of_the_mass_matrix_is_the_torque_of_one_acceleration((arm, q, _, _) in moving_arm()) {
        let mass = arm.dynamics.mass_matrix(&q);
        let still = JointVector::zeros(q.len());
        let gravity = arm.dynamics.gravity_torques(&q);
        for joint in 0..q.len() {
            let mut one = still;
            one.set(joint, 1.0);
            let column = arm.dynamics.torques(&q, &still, &one) - gravity;
            for row in 0..q.len() {
                prop_assert!((column.get(row) - mass[(row, joint)]).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn gravity_torques_are_the_slope_of_the_potential_energy((arm, q, _, _) in moving_arm()) {
        const H: f64 = 1e-6;
        let gravity = arm.dynamics.gravity_torques(&q);
        for joint in 0..q.len() {
            let (mut before, mut after) = (q, q);
            before.set(joint, q.get(joint) - H);
            after.set(joint, q.get(joint) + H);
            let slope = (arm.potential(&after) - arm.potential(&before)) / (2.0 * H);
            prop_assert!((gravity.get(joint) - slope).abs() < 1e-5, "joint {joint}: {} {slope}", gravity.get(joint));
        }
    }

    #[test]
    fn coriolis_torques_feed_the_change_of_the_mass_matrix_and_no_energy((arm, q, qd, _) in moving_arm()) {
        const H: f64 = 1e-5;
        let energy = |q: &JointVector| 0.5 * dot(&qd, &times(&arm.dynamics.mass_matrix(q), &qd));
        let change = (energy(&(q + qd * H)) - energy(&(q - qd * H))) / (2.0 * H);
        let power = dot(&qd, &arm.dynamics.coriolis_torques(&q, &qd));
        prop_assert!((power - change).abs() < 1e-5 * (1.0 + change.abs()), "{power} W, {change} W");
    }

    #[test]
    fn forward_dynamics_undoes_inverse_dynamics((arm, q, qd, qdd) in moving_arm()) {
        let mut dynamics = arm.dynamics;
        dynamics.set_friction(&[JointFriction { coulomb: 2.0, viscous: 0.5, ..JointFriction::default() }; 3]);
        dynamics.set_motor_inertia(MassMatrix::from_diagonal_element(0.4));
        let torques = dynamics.torques(&q, &qd, &qdd);
        let found = dynamics.forward_dynamics(&q, &qd, &torques);
        prop_assert!((found - qdd).max_abs() < 1e-7, "{found:?} {qdd:?}");
        let left = torques - dynamics.torques(&q, &qd, &JointVector::zeros(q.len()));
        let solved = dynamics.accelerations(&q, &left).expect("positive definite");
        prop_assert!((solved - qdd).max_abs() < 1e-7);
    }

    #[test]
    fn a_payload_is_one_more_body_of_the_last_link((arm, q, qd, qdd) in moving_arm(), body in body()) {
        let last = q.len();
        let x_last_flange = {
            let poses = arm.chain.link_poses(&q);
            poses.as_slice()[last].inverse() * poses.as_slice()[last + 1]
        };
        let mut links = vec![LinkInertia::none()];
        links.extend(arm.bodies.iter().map(|body| LinkInertia::none().with(body)));
        links[last] = links[last].with(&body.in_frame(&x_last_flange));
        let mut together = ArmDynamics::new(&arm.chain, &links).expect("valid");
        together.set_gravity(arm.dynamics.gravity_base_m_s2());
        let mut loaded = arm.dynamics;
        loaded.set_payload(&[RigidBody::point_mass(3.0, Vector3::x())]);
        loaded.set_payload(&[body]);
        let difference = loaded.torques(&q, &qd, &qdd) - together.torques(&q, &qd, &qdd);
        prop_assert!(difference.max_abs() < 1e-9);
        prop_assert!((loaded.payload().center_of_mass_m - body.center_of_mass_m).norm() < 1e-12);
        loaded.set_payload(&[]);
        prop_assert!((loaded.torques(&q, &qd, &qdd) - arm.dynamics.torques(&q, &qd, &qdd)).max_abs() < 1e-12);
    }

    #[test]
    fn friction_is_odd_and_takes_energy(coulomb in 0.0..20.0_f64, more in 0.0..10.0_f64, viscous in 0.0..5.0_f64, speed in -4.0..4.0_f64) {
        let friction = JointFriction {
            coulomb, breakaway: coulomb + more, stribeck_speed: 0.05, viscous, smoothing_speed: 2e-3,
        };
        prop_assert!((friction.torque(speed) + friction.torque(-speed)).abs() < 1e-12);
        prop_assert!(friction.torque(speed) * speed >= 0.0);
        prop_assert!(friction.torque(speed).abs() <= coulomb + more + viscous * speed.abs() + 1e-12);
        // Smooth: a small step of speed is a small step of torque.
        let slope = (friction.torque(speed + 1e-7) - friction.torque(speed)).abs() / 1e-7;
        prop_assert!(slope <= (coulomb + more) / 2e-3 + more / 0.05 + viscous + 1e-3);
    }
}

#[test]
fn friction_follows_the_stribeck_curve() {
    let friction = JointFriction {
        coulomb: 4.0,
        breakaway: 6.0,
        stribeck_speed: 0.1,
        viscous: 1.0,
        smoothing_speed: 1e-3,
    };
    assert!(friction.torque(0.0).abs() < 1e-12);
    assert!((friction.torque(0.01) - (4.0 + 2.0 * (-0.01_f64).exp() + 0.01)).abs() < 1e-6);
    assert!((friction.torque(2.0) - 6.0).abs() < 1e-9);
}

#[test]
fn what_is_not_an_arm_with_masses_is_refused() {
    let joint = ChainJoint { kind: JointKind::Revolute, origin: Pose::identity(), axis: Vector3::z_axis() };
    let chain = Chain::from_joints(&[joint], &Pose::identity()).expect("valid");
    let none = LinkInertia::none();
    assert_eq!(ArmDynamics::new(&chain, &[none]), Err(DynamicsError::LinkCount { links: 1, joints: 1 }));
    assert_eq!(ArmDynamics::new(&chain, &[none; 2]), Err(DynamicsError::NoMass));
    let wrong = none.with(&RigidBody::point_mass(f64::NAN, Vector3::zeros()));
    assert_eq!(ArmDynamics::new(&chain, &[none, wrong]), Err(DynamicsError::LinkNotValid { link: 1 }));
}

#[test]
fn a_body_that_cannot_exist_is_told() {
    let body = |principal: [f64; 3]| RigidBody {
        mass_kg: 1.0,
        center_of_mass_m: Vector3::zeros(),
        inertia_kg_m2: Matrix3::from_diagonal(&Vector3::from(principal)),
    };
    assert!(body([1.0, 1.5, 2.0]).is_physical());
    assert!(RigidBody::point_mass(2.0, Vector3::x()).is_physical());
    assert!(!body([0.1, 0.1, 2.0]).is_physical());
    assert!(!body([-0.1, 1.0, 1.0]).is_physical());
    assert!(!RigidBody { mass_kg: -1.0, ..RigidBody::none() }.is_physical());
}
