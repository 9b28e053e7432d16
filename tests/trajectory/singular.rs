//! Paths through and past the singular poses of wrist, elbow and shoulder, by every rule there is.

use motiond::geometry::Pose;
use motiond::joints::JointVector;
use motiond::kinematics::Chain;
use motiond::kinematics::singularity::{Anatomy, SingularDistances};
use motiond::planning::{
    Plan, PlanProblem, PlanProblemKind, Posture, Program, SingularityRule, SpeedPolicy, StepKind, plan,
};
use motiond::trajectory::time_law::Target;
use motiond::units::Ratio;

use crate::limits_kept::check;
use crate::support::{arm, execute, joints, segments, step, torch};

const FULL: Target = Target::Run { override_ratio: Ratio::ONE };

/// A line from one pose of the joints to another.
fn line(from: &JointVector, to: &JointVector, rule: SingularityRule) -> Result<Plan, Vec<PlanProblem>> {
    let (chain, limits) = arm();
    let posture = Posture { singularity: rule, ..Posture::FREE };
    let kind = StepKind::MoveLinear {
        x_base_tool: chain.forward(to) * torch(),
        posture,
        speed_m_s: 0.1,
        acceleration_m_s2: None,
        policy: SpeedPolicy::Adapt,
    };
    let payload = motiond::dynamics::RigidBody::none();
    plan(&Program { x_flange_tool: torch(), payload, steps: vec![step(0, kind)] }, &chain, &limits, from)
}

fn distances(chain: &Chain, q: &JointVector) -> SingularDistances {
    let (x_base_flange, jacobian) = chain.forward_with_jacobian(q);
    SingularDistances::of(Anatomy::SphericalWrist, &x_base_flange, &jacobian)
}

/// Largest error of the orientation while the plan is executed, limits and place of the tool checked on the way.
fn executed(plan: &Plan) -> f64 {
    let (chain, limits) = arm();
    let mut worst = 0.0_f64;
    for segment in segments(plan) {
        let cycles = execute(&chain, &segment, 1e-3, |_| FULL);
        check(&chain, &limits, &segment, &cycles).expect("limits kept and tool on the path");
        for cycle in &cycles {
            let Some(wanted) = cycle.x_base_tool else { continue };
            let reached: Pose = chain.forward(&cycle.q) * segment.x_flange_tool;
            worst = worst.max(motiond::geometry::displacement(&reached, &wanted).angular.norm());
        }
    }
    worst
}

/// From the wrist bent one way to bent the other way, the rest of the arm moving a little.
fn through_the_wrist(aside: f64) -> (JointVector, JointVector) {
    (joints(&[0.0, 0.2, -0.3, 0.0, 0.35, 0.0]), joints(&[aside, 0.25, -0.35, 0.0, -0.3, 0.0]))
}

#[test]
fn a_wrist_is_refused_with_its_angle_and_passed_by_its_joints_with_the_orientation_said() {
    let (chain, _) = arm();
    for aside in [0.0, 0.01] {
        let (from, to) = through_the_wrist(aside);
        let refused = line(&from, &to, SingularityRule::Refuse).expect_err("singular");
        let PlanProblemKind::Singular { distances: Some(found), .. } = refused[0].kind else {
            panic!("{refused:?}")
        };
        assert!(found.wrist_rad < 0.02 && found.elbow_rad > 0.2 && found.shoulder_m.is_some_and(|d| d > 0.1));

        let plan =
            line(&from, &to, SingularityRule::WristJoint(0.2)).unwrap_or_else(|found| panic!("{found:?}"));
        let report = plan.report.segments[0];
        let worst = executed(&plan);
        assert!((worst - report.orientation_error_rad).abs() < 1e-3, "{worst} {report:?}");
        // It comes out with the wrist bent the other way, at the very pose.
        let miss = motiond::geometry::displacement(&chain.forward(&plan.q_end), &chain.forward(&to));
        assert!(miss.linear.norm() < 1e-9 && miss.angular.norm() < 1e-9);
        assert!((plan.q_end - to).max_abs() < 1e-6, "{:?}", plan.q_end);
        assert!(distances(&chain, &plan.q_end).wrist_rad > 0.25);
        assert!(report.singular_distances.is_some_and(|distances| distances.wrist_rad < 0.02));
    }
}

#[test]
fn the_orientation_error_is_kept_to_what_is_stated_or_refused() {
    let allowed = 3_f64.to_radians();
    for aside in [0.0, 0.01, 0.03] {
        let (from, to) = through_the_wrist(aside);
        let plan = line(&from, &to, SingularityRule::OrientationError(allowed))
            .unwrap_or_else(|found| panic!("{found:?}"));
        let worst = executed(&plan);
        assert!(worst <= allowed, "{}° off", worst.to_degrees());
    }
    let (from, to) = through_the_wrist(0.01);
    let refused = line(&from, &to, SingularityRule::OrientationError(1e-5)).expect_err("too little");
    assert!(
        matches!(
            refused[0].kind,
            PlanProblemKind::OrientationError { .. } | PlanProblemKind::Singular { .. }
        ),
        "{refused:?}"
    );
}

#[test]
fn with_axis_4_locked_the_wrist_goes_straight_through() {
    let (from, to) = through_the_wrist(0.0);
    let plan = line(&from, &to, SingularityRule::LockAxis4(0.1)).unwrap_or_else(|found| panic!("{found:?}"));
    let (chain, _) = arm();
    let segment = segments(&plan)[0];
    for cycle in execute(&chain, &segment, 1e-3, |_| FULL) {
        assert!(cycle.q.get(3).abs() < 1e-15, "{}", cycle.q.get(3));
    }
    executed(&plan);
    // Out of the plane axis 4 would be needed: what is missing is said.
    let (from, mut to) = through_the_wrist(0.0);
    to.set(3, 0.6);
    let refused = line(&from, &to, SingularityRule::LockAxis4(0.01)).expect_err("axis 4 is needed");
    assert!(
        matches!(refused[0].kind, PlanProblemKind::OrientationError { needed, .. } if needed > 0.01),
        "{refused:?}"
    );
}

#[test]
fn slowing_down_passes_beside_the_singular_pose_within_the_limits_and_never_through_it() {
    let (from, to) = through_the_wrist(0.0);
    assert!(line(&from, &to, SingularityRule::SlowDown).is_err());
    // Beside it the wrist turns over quickly: refused as it is, slow as asked.
    let (from, to) =
        (joints(&[0.0, 0.2, -0.3, 0.004, 0.35, 0.0]), joints(&[0.0, 0.25, -0.35, 3.09, 0.3, -3.09]));
    line(&from, &to, SingularityRule::Refuse).expect_err("too near");
    let slow = line(&from, &to, SingularityRule::SlowDown);
    if let Ok(plan) = &slow {
        executed(plan);
        assert!(plan.report.segments[0].speed < 0.1);
    } else {
        panic!("{slow:?}");
    }
}

#[test]
fn a_stretched_elbow_and_a_wrist_above_the_shoulder_are_refused_with_their_own_distance() {
    let (chain, limits) = arm();
    // From nearly stretched to bent.
    let mut stretched = joints(&[0.0, 0.5, 0.0, 0.0, 0.9, 0.0]);
    let elbow = |q3: f64, q: &JointVector| {
        let mut q = *q;
        q.set(2, q3);
        distances(&chain, &q).elbow_rad
    };
    let range = limits.joints.as_slice()[2];
    let places = (0..=4000).map(|place| {
        range.position_min + (range.position_max - range.position_min) * f64::from(place) / 4000.0
    });
    let q3 = places.min_by(|a, b| elbow(*a, &stretched).total_cmp(&elbow(*b, &stretched))).expect("some");
    stretched.set(2, q3 + 0.005);
    let mut aside = stretched;
    aside.set(2, q3 + 0.4);
    // Above the shoulder: the wrist centre over axis 1.
    let mut above = joints(&[0.0, 0.0, 0.0, 0.3, 0.9, 0.0]);
    let mut least = f64::INFINITY;
    for (q2, q3) in (0..60).flat_map(|a| (0..60).map(move |b| (a, b))) {
        let mut q = above;
        let at = |joint: usize, step: i32| {
            let range = limits.joints.as_slice()[joint];
            range.position_min + (range.position_max - range.position_min) * (f64::from(step) + 0.5) / 60.0
        };
        q.set(1, at(1, q2));
        q.set(2, at(2, q3));
        let found = distances(&chain, &q);
        let shoulder = found.shoulder_m.expect("six joints");
        if shoulder < least && found.elbow_rad > 0.4 {
            least = shoulder;
            above = q;
        }
    }
    assert!(least < 0.03, "{least} m");
    let mut over = above;
    over.set(0, 0.2);
    for (from, to, is_elbow) in [(stretched, aside, true), (above, over, false)] {
        let refused = line(&from, &to, SingularityRule::Refuse).expect_err("singular");
        // Stretched, the arm may leave its reach at once.
        if is_elbow && matches!(refused[0].kind, PlanProblemKind::PathOutOfReach { .. }) {
            continue;
        }
        let PlanProblemKind::Singular { distances: Some(found), .. } = refused[0].kind else {
            panic!("{refused:?}")
        };
        if is_elbow {
            assert!(found.elbow_rad < 0.03, "{found:?}");
        } else {
            assert!(found.shoulder_m.is_some_and(|distance| distance < 0.03), "{found:?}");
        }
    }
}
