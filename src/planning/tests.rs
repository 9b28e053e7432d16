//! The mathematics under planning: derivatives of the joints along a path, and the choice of ceilings.

use nalgebra::{UnitQuaternion, Vector3};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::ceilings::{JOINT_SHARE, Row, Wanted, choose, compress};
use super::follow::{Way, follow};
use super::joint_derivatives::{JointDerivatives, joint_derivatives};
use super::posture::Kept;
use super::*;
use crate::config::kinematic_model::EmbeddedModel;
use crate::kinematics::guide::{Follower, Guide};
use crate::kinematics::inverse::{InverseResult, InverseSettings, inverse_from_seed};
use crate::kinematics::jacobian_derivative::tool_jacobian;
use crate::kinematics::singularity::singularity;
use crate::trajectory::path::{ArcPath, LinePath, Path, PathPoint};

fn arm() -> (Chain, Limits) {
    let model = EmbeddedModel::by_name("six-axis-8kg").expect("shipped").load().expect("valid");
    let rate = RateLimits { speed: 2.0, acceleration: 20.0, jerk: 400.0 };
    (
        model.chain,
        Limits {
            torques: None,
            joints: model.limits,
            tool: ToolLimits { translation: rate, rotation: rate },
        },
    )
}

fn torch() -> Pose {
    Pose::from_parts(Vector3::new(0.08, 0.02, 0.3).into(), UnitQuaternion::from_euler_angles(0.1, 0.6, -0.2))
}

fn start() -> JointVector {
    JointVector::from_slice(&[0.2, 0.1, -0.2, 0.3, 1.1, -0.4]).expect("six")
}

/// A line or an arc from [`start`], bent and turning.
fn paths() -> impl Strategy<Value = Path> {
    let (chain, _) = arm();
    let x_start = chain.forward(&start()) * torch();
    let displacement = prop::array::uniform3(-0.15..0.15f64);
    let rotation = prop::array::uniform3(-0.4..0.4f64);
    (displacement.clone(), rotation, displacement, any::<bool>()).prop_map(move |(by, turn, via, is_arc)| {
        let position = x_start.translation.vector + Vector3::from(by);
        let turned = UnitQuaternion::from_scaled_axis(Vector3::from(turn)) * x_start.rotation;
        let end = Pose::from_parts(position.into(), turned);
        match ArcPath::new(x_start, x_start.translation.vector + Vector3::from(via), end) {
            Ok(arc) if is_arc && arc.length() < 0.6 => Path::Arc(arc),
            _ => Path::Line(LinePath::new(x_start, end)),
        }
    })
}

/// Joint positions at `s`, solved from far so that nothing is shared with the code under test.
fn solved(chain: &Chain, path: &Path, s: f64, seed: &JointVector) -> Option<JointVector> {
    let PathPoint::Pose(x_base_tool) = path.sample(s) else { return None };
    let settings = InverseSettings {
        position_tolerance_m: 2e-14,
        orientation_tolerance_rad: 2e-14,
        iterations_max: 40,
        step_max: 0.2,
    };
    match inverse_from_seed(chain, &(x_base_tool * torch().inverse()), seed, &settings) {
        InverseResult::Converged { q, .. } => Some(q),
        // The last digit is not always reached.
        InverseResult::NotConverged { q, position_error_m, orientation_error_rad } => {
            (position_error_m.max(orientation_error_rad) < 1e-13).then_some(q)
        }
    }
}

fn at(chain: &Chain, path: &Path, s: f64) -> Option<(JointVector, JointDerivatives)> {
    let steps = 20;
    let q = (0..=steps)
        .try_fold(start(), |q, index| solved(chain, path, s * f64::from(index) / f64::from(steps), &q))?;
    let (x_base_flange, jacobian) = chain.forward_with_jacobian(&q);
    // Differences say little next to a singular pose.
    let closeness = singularity(chain, &jacobian).smallest / chain.characteristic_length_m();
    let jacobian_tool = tool_jacobian(&x_base_flange, &jacobian, &torch());
    (closeness > 0.05).then_some(())?;
    Some((q, joint_derivatives(&Follower::new(*chain), &Guide::None, &torch(), path, s, &q, &jacobian_tool)?))
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        rng_seed: RngSeed::Fixed(0x6d6f_7469_6f6e),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn joint_derivatives_are_those_of_the_solved_joints(path in paths(), fraction in 0.1..0.9f64) {
        let (chain, _) = arm();
        let (s, step) = (fraction * path.length(), 1e-3 * path.length());
        let Some((q, derivatives)) = at(&chain, &path, s) else { return Ok(()) };
        let sample = |offset: f64| solved(&chain, &path, s + offset * step, &q).unwrap_or(q);
        // Central differences of fourth order.
        let (b3, b2, b1, f1, f2, f3) =
            (sample(-3.0), sample(-2.0), sample(-1.0), sample(1.0), sample(2.0), sample(3.0));
        let first = ((f1 - b1) * 8.0 - (f2 - b2)) * (1.0 / (12.0 * step));
        let second = ((f1 + b1) * 16.0 - (f2 + b2) - q * 30.0) * (1.0 / (12.0 * step * step));
        let third = ((f2 - b2) * 8.0 - (f1 - b1) * 13.0 - (f3 - b3)) * (1.0 / (8.0 * step.powi(3)));
        let (scale, length) = (derivatives.first.max_abs(), path.length());
        prop_assert!((first - derivatives.first).max_abs() <= 1e-7 * scale);
        let scale_2 = derivatives.second.max_abs() + scale / length;
        prop_assert!((second - derivatives.second).max_abs() <= 1e-5 * scale_2,
            "{:?} instead of {second:?}", derivatives.second);
        let scale_3 = derivatives.third.max_abs() + scale_2 / length;
        prop_assert!((third - derivatives.third).max_abs() <= 1e-3 * scale_3,
            "{:?} instead of {third:?}", derivatives.third);
    }

    #[test]
    fn chosen_ceilings_keep_every_row_in_every_state(
        rows in prop::collection::vec(
            (prop::array::uniform3(-3.0..2.0f64), prop::array::uniform3(0.0..3.0f64)), 1..30),
        speed in -3.0..1.0f64,
        length in -2.0..1.0f64,
    ) {
        let power = |exponent: f64| 10f64.powf(exponent);
        let rows: Vec<Row> = rows
            .into_iter()
            .map(|(derivatives, allowed)| Row {
                limit: LimitName::Joint(0),
                s: 0.0,
                derivatives: derivatives.map(power),
                allowed: allowed.map(power),
            })
            .collect();
        let wanted = Wanted { speed: power(speed), acceleration: f64::INFINITY };
        let Some(chosen) = choose(&rows, power(length), &wanted) else {
            return Err(TestCaseError::fail("there always is a slow enough motion"));
        };
        prop_assert!(chosen.ceiling.speed <= wanted.speed);
        prop_assert!(chosen.ceiling.speed <= chosen.achievable_speed * (1.0 + 1e-12));
        for row in &rows {
            for share in row.shares(&chosen.ceiling) {
                prop_assert!(share <= 1.0 + 1e-9, "{share} {row:?} {chosen:?}");
            }
        }
        // Faster is not possible without losing nearly all acceleration or jerk.
        if chosen.achievable_speed >= wanted.speed {
            prop_assert_eq!(chosen.ceiling.speed.to_bits(), wanted.speed.to_bits());
        }
    }
}

#[test]
fn compressed_rows_cover_every_row_they_stand_for() {
    let row = |index: u32| Row {
        limit: LimitName::Joint(1),
        s: f64::from(index),
        derivatives: [f64::from(index).sin().abs(), f64::from(index % 17), f64::from(index % 5)],
        allowed: [1.0, 2.0, 3.0],
    };
    for count in [1, 2, 127, 128, 129, 1000, 40_001] {
        let rows: Vec<Row> = (0..count).map(row).collect();
        let compressed: Vec<Row> = compress(&rows).collect();
        assert!(compressed.len() <= 128, "{}", compressed.len());
        for order in 0..3 {
            let largest = |rows: &[Row]| rows.iter().map(|row| row.derivatives[order]).fold(0.0, f64::max);
            assert!(largest(&compressed) >= largest(&rows));
        }
    }
}

#[test]
fn rows_of_a_followed_path_bound_the_derivatives_between_the_samples() {
    let (chain, limits) = arm();
    let x_start = chain.forward(&start()) * torch();
    let end = Pose::from_parts(
        (x_start.translation.vector + Vector3::new(0.1, -0.2, 0.05)).into(),
        x_start.rotation,
    );
    let path = Path::Line(LinePath::new(x_start, end));
    let kept = Kept::from_start(&chain, None, &start(), &Posture::FREE).expect("nothing is asked");
    let followed = follow(
        &Way {
            follower: &Follower::new(chain),
            guide: &Guide::None,
            x_flange_tool: &torch(),
            limits: &limits,
            path: &path,
            kept: &kept,
            rule: SingularityRule::Refuse,
            anatomy: None,
            torques: None,
        },
        &start(),
    );
    assert!(followed.problems.is_empty(), "{:?}", followed.problems);
    for (joint, rows) in followed.rows.iter().take(6).enumerate() {
        for pair in rows.windows(2).step_by(7) {
            let s = 0.5 * (pair[0].s + pair[1].s);
            let Some((_, derivatives)) = at(&chain, &path, s) else { panic!("not singular") };
            for (order, value) in
                [derivatives.first, derivatives.second, derivatives.third].iter().enumerate()
            {
                let bound = pair[0].derivatives[order].max(pair[1].derivatives[order]) / JOINT_SHARE;
                let rounding = 1e-9;
                assert!(value.get(joint).abs() <= bound + rounding, "order {order} of joint {joint} at {s}");
            }
        }
    }
}
