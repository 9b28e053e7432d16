//! What a target asks of the joints: branch and whole turns, on joint motions and on paths.

use std::f64::consts::PI;

use motiond::config::kinematic_model::EmbeddedModel;
use motiond::geometry::Pose;
use motiond::joints::JointVector;
use motiond::kinematics::Chain;
use motiond::kinematics::configuration::{Configuration, ConfigurationMode, TurnMode, Turns, Wish, turns_of};
use motiond::kinematics::inverse::{Solution, Solver};
use motiond::planning::{
    Limits, MoveTarget, Plan, PlanProblem, PlanProblemKind, Posture, Program, RateLimits, SpeedPolicy,
    StepKind, ToolLimits, plan,
};
use motiond::units::Ratio;

use motiond::trajectory::time_law::Target;

use crate::limits_kept::check;
use crate::support::{displaced, execute, joints, segments, step};

/// An arm with branches, and where it stands.
struct Arm {
    chain: Chain,
    limits: Limits,
    solver: Solver,
    q_start: JointVector,
}

impl Arm {
    fn new(name: &str, q_start_deg: &[f64]) -> Self {
        let model = EmbeddedModel::by_name(name).expect("shipped").load().expect("valid");
        let rate = RateLimits { speed: 2.0, acceleration: 20.0, jerk: 400.0 };
        let q: Vec<f64> = q_start_deg.iter().map(|value| value.to_radians()).collect();
        Self {
            chain: model.chain,
            limits: Limits {
                torques: None,
                joints: model.limits,
                tool: ToolLimits { translation: rate, rotation: rate },
            },
            solver: Solver::new(&model.chain, &model.limits).expect("its own limits"),
            q_start: joints(&q),
        }
    }

    /// A spherical wrist, three parallel axes, and seven joints with spherical shoulder and wrist.
    fn with_branches() -> Vec<Self> {
        vec![
            Self::new("six-axis-8kg", &[10.0, 10.0, -20.0, 15.0, 60.0, -30.0]),
            Self::new("three-parallel-12kg", &[10.0, -60.0, 80.0, -40.0, -70.0, 20.0]),
            Self::new("seven-axis-14kg", &[10.0, 30.0, 20.0, 70.0, -15.0, 50.0, 20.0]),
        ]
    }

    fn here(&self) -> Pose {
        self.chain.forward(&self.q_start)
    }

    /// All solutions; of seven joints those at arm angles five degrees apart.
    fn solutions(&self, pose: &Pose) -> Vec<Solution> {
        let mut all = Vec::new();
        if let Some(shoulder) = self.solver.shoulder() {
            let around = shoulder.arm_angle(&self.q_start).expect("bent");
            for step in -36..=36 {
                let angle = around + f64::from(step) * PI / 36.0;
                self.solver.each_at_arm_angle(pose, angle, &self.q_start, &mut |solution| {
                    all.push(*solution);
                    true
                });
            }
            return all;
        }
        self.solver.each(pose, &self.q_start, &mut |solution| {
            all.push(*solution);
            true
        });
        all
    }

    fn plan(&self, kind: StepKind) -> Result<Plan, Vec<PlanProblem>> {
        let steps = vec![step(0, kind)];
        let program =
            Program { x_flange_tool: Pose::identity(), payload: motiond::dynamics::RigidBody::none(), steps };
        plan(&program, &self.chain, &self.limits, &self.q_start)
    }

    fn joint(
        &self,
        pose: Pose,
        configuration: ConfigurationMode,
        turns: TurnMode,
    ) -> Result<JointVector, PlanProblemKind> {
        let posture = Posture { wish: Wish { configuration, turns, arm_angle_rad: None }, ..Posture::FREE };
        let (target, speed, acceleration) = (MoveTarget::Pose(pose), Ratio::ONE, Ratio::ONE);
        self.plan(StepKind::MoveJoint { target, posture, speed, acceleration })
            .map(|plan| plan.q_end)
            .map_err(|problems| problems[0].kind)
    }

    fn line(
        &self,
        pose: Pose,
        configuration: ConfigurationMode,
        turns: TurnMode,
    ) -> Result<JointVector, PlanProblemKind> {
        let posture = Posture { wish: Wish { configuration, turns, arm_angle_rad: None }, ..Posture::FREE };
        let (x_base_tool, speed_m_s, policy) = (pose, 0.05, SpeedPolicy::Adapt);
        let kind = StepKind::MoveLinear { x_base_tool, posture, speed_m_s, acceleration_m_s2: None, policy };
        self.plan(kind).map(|plan| plan.q_end).map_err(|problems| problems[0].kind)
    }

    fn branch(&self, q: &JointVector) -> Configuration {
        self.solver.configuration(q).expect("has branches")
    }

    fn meets(&self, q: &JointVector, pose: &Pose) -> bool {
        let miss = motiond::geometry::displacement(&self.chain.forward(q), pose);
        miss.linear.norm() < 1e-9 && miss.angular.norm() < 1e-9
    }
}

const ALL: [Configuration; 8] = Configuration::ALL;

#[test]
fn an_exact_branch_is_taken_or_refused_with_another_one_that_can_be() {
    for arm in Arm::with_branches() {
        let there = displaced(&arm.here(), [-0.05, 0.1, 0.03], [0.1, 0.0, 0.2]);
        let known = arm.solutions(&there);
        let (mut taken, mut refused) = (0, 0);
        for asked in ALL {
            let exists = known.iter().any(|solution| solution.configuration == Some(asked));
            match arm.joint(there, ConfigurationMode::Exact(asked), TurnMode::Free) {
                Ok(q) => {
                    assert!(exists && arm.meets(&q, &there));
                    assert_eq!(arm.branch(&q), asked);
                    taken += 1;
                }
                Err(PlanProblemKind::WishNotGranted { offered: Some(offered), .. }) => {
                    assert!(!exists, "{asked} can be reached");
                    assert!(known.iter().any(|solution| solution.configuration == Some(offered)));
                    refused += 1;
                }
                Err(other) => panic!("{asked}: {other:?}"),
            }
        }
        assert!(taken >= 2, "{taken} taken, {refused} refused");
    }
}

#[test]
fn the_nearest_branch_has_as_few_other_flags_as_can_be() {
    for arm in Arm::with_branches() {
        let there = displaced(&arm.here(), [-0.05, 0.1, 0.03], [0.1, 0.0, 0.2]);
        let known = arm.solutions(&there);
        for asked in ALL {
            let q =
                arm.joint(there, ConfigurationMode::Nearest(asked), TurnMode::Free).expect("never refused");
            let fewest =
                known.iter().filter_map(|solution| solution.configuration).map(|is| asked.differences(is));
            assert_eq!(Some(asked.differences(arm.branch(&q))), fewest.min());
        }
    }
}

#[test]
fn a_free_target_is_taken_by_the_nearest_joint_positions_of_all() {
    for arm in Arm::with_branches() {
        let there = displaced(&arm.here(), [-0.05, 0.1, 0.03], [0.1, 0.0, 0.2]);
        let nearest = arm
            .solutions(&there)
            .iter()
            .map(|solution| (solution.q - arm.q_start).max_abs())
            .fold(9e9, f64::min);
        let q = arm.joint(there, ConfigurationMode::Free, TurnMode::Free).expect("free");
        // Seven joints keep away from their limits even if it is a little farther.
        let more = if arm.solver.shoulder().is_some() { 0.1 } else { 1e-9 };
        assert!((0.0..more).contains(&((q - arm.q_start).max_abs() - nearest + 1e-12)));
    }
}

/// Those whose last joint makes more than one turn.
fn with_turns() -> impl Iterator<Item = Arm> {
    let winds =
        |arm: &Arm| arm.limits.joints.as_slice().last().is_some_and(|limit| limit.position_max > 1.1 * PI);
    Arm::with_branches().into_iter().filter(winds)
}

/// Where joint 6 stands a little before the end of turn 0, and a pose a little behind it.
fn at_the_end_of_a_turn(mut arm: Arm) -> (Arm, Pose) {
    let last = arm.q_start.len() - 1;
    arm.q_start.set(last, PI - 0.05);
    let mut behind = arm.q_start;
    behind.set(last, PI + 0.05);
    behind.set(0, behind.get(0) + 0.05);
    let pose = arm.chain.forward(&behind);
    (arm, pose)
}

#[test]
fn turns_asked_for_are_taken_turns_of_the_start_are_kept_and_free_ones_are_the_nearest() {
    for arm in with_turns() {
        let (arm, behind) = at_the_end_of_a_turn(arm);
        let last = arm.q_start.len() - 1;
        let turn = |q: &JointVector| turns_of(&arm.chain, q)[last];
        let free = arm.joint(behind, ConfigurationMode::Free, TurnMode::Free).expect("free");
        assert_eq!(turn(&free), 1);
        let branch = ConfigurationMode::Exact(arm.branch(&free));
        let same = arm.joint(behind, branch, TurnMode::Same).expect("can be unwound");
        assert_eq!(turns_of(&arm.chain, &same), turns_of(&arm.chain, &arm.q_start));
        assert!(arm.meets(&same, &behind));
        for wanted in [0, 1] {
            let mut turns: Turns = turns_of(&arm.chain, &free);
            turns[last] = wanted;
            let q = arm.joint(behind, branch, TurnMode::Use(turns)).expect("within the limits");
            assert_eq!(turns_of(&arm.chain, &q), turns);
        }
        let mut beyond: Turns = [0; 12];
        beyond[last] = 9;
        let refused = arm.joint(behind, ConfigurationMode::Free, TurnMode::Use(beyond));
        assert!(matches!(refused, Err(PlanProblemKind::WishNotGranted { .. })), "{refused:?}");
    }
}

#[test]
fn a_path_keeps_the_branch_of_its_start_and_another_one_asked_for_is_refused() {
    for arm in Arm::with_branches() {
        let there = displaced(&arm.here(), [-0.05, 0.06, 0.03], [0.05, 0.0, 0.1]);
        let is = arm.branch(&arm.q_start);
        for asked in ALL {
            let exact = arm.line(there, ConfigurationMode::Exact(asked), TurnMode::Free);
            if asked == is {
                assert_eq!(arm.branch(&exact.expect("that of the start")), is);
            } else {
                assert_eq!(exact, Err(PlanProblemKind::StartGoverns { asked, is }));
            }
            let near =
                arm.line(there, ConfigurationMode::Nearest(asked), TurnMode::Free).expect("not insisted on");
            assert_eq!(arm.branch(&near), is);
        }
        let free = arm.line(there, ConfigurationMode::Free, TurnMode::Free).expect("free");
        assert_eq!(arm.branch(&free), is);
    }
}

#[test]
fn turns_on_a_path_are_watched_compared_or_left_alone_as_asked() {
    for arm in with_turns() {
        let (arm, behind) = at_the_end_of_a_turn(arm);
        let last = arm.q_start.len() - 1;
        let free = arm.line(behind, ConfigurationMode::Free, TurnMode::Free).expect("free");
        let turns = turns_of(&arm.chain, &free);
        assert_eq!(turns[last], 1);
        assert_eq!(arm.line(behind, ConfigurationMode::Free, TurnMode::Use(turns)), Ok(free));
        let others = turns_of(&arm.chain, &arm.q_start);
        assert_eq!(
            arm.line(behind, ConfigurationMode::Free, TurnMode::Use(others)),
            Err(PlanProblemKind::EndTurn { joint: last, asked: 0, is: 1 })
        );
        let watched = arm.line(behind, ConfigurationMode::Free, TurnMode::Same);
        let Err(PlanProblemKind::TurnChange { s, joint, from: 0, to: 1 }) = watched else {
            panic!("{watched:?}");
        };
        // Half of the way, where joint 6 passes half a turn.
        let length = (arm.here().translation.vector - behind.translation.vector).norm();
        assert!(joint == last && s > 0.3 * length && s < 0.7 * length, "{s} of {length}");
    }
}

#[test]
fn an_arm_without_branches_says_so() {
    let arm = Arm::new("offset-wrist-10kg", &[0.0, 10.0, -30.0, 20.0, 60.0, 0.0]);
    let there = displaced(&arm.here(), [-0.05, 0.0, 0.0], [0.0; 3]);
    for found in [
        arm.joint(there, ConfigurationMode::Exact(ALL[0]), TurnMode::Free),
        arm.line(there, ConfigurationMode::Exact(ALL[0]), TurnMode::Free),
    ] {
        assert_eq!(found, Err(PlanProblemKind::NoConfigurations));
    }
}

#[test]
fn the_arm_angle_asked_for_is_taken_and_led_to_along_a_path_and_refused_where_there_is_none() {
    let arms = Arm::with_branches();
    let [six, _, seven] = arms.as_slice() else { panic!("three arms") };
    let shoulder = *seven.solver.shoulder().expect("of this class");
    let angle_of = |q: &JointVector| shoulder.arm_angle(q).expect("bent");
    let start = angle_of(&seven.q_start);
    let there = displaced(&seven.here(), [-0.04, 0.06, 0.03], [0.05, 0.0, 0.1]);
    for lead in [-0.4, 0.0, 0.5] {
        let wish = Wish { arm_angle_rad: Some(start + lead), ..Wish::FREE };
        let posture = Posture { wish, ..Posture::FREE };
        let (target, speed, acceleration) = (MoveTarget::Pose(there), Ratio::ONE, Ratio::ONE);
        let joint = StepKind::MoveJoint { target, posture, speed, acceleration };
        let line = StepKind::MoveLinear {
            x_base_tool: there,
            posture,
            speed_m_s: 0.1,
            acceleration_m_s2: None,
            policy: SpeedPolicy::Adapt,
        };
        for kind in [joint, line.clone()] {
            let plan = seven.plan(kind).unwrap_or_else(|found| panic!("{found:?}"));
            assert!((angle_of(&plan.q_end) - start - lead).abs() < 1e-6);
            assert!(seven.meets(&plan.q_end, &there));
        }
        // On the way the angle goes evenly, and the cycle ends where planning did, at whatever speed.
        let plan = seven.plan(line).expect("as before");
        let segment = segments(&plan)[0];
        for ratio in [1.0, 0.37] {
            let target = Target::Run { override_ratio: Ratio::new(ratio).expect("a share") };
            let cycles = execute(&seven.chain, &segment, 1e-3, |_| target);
            check(&seven.chain, &seven.limits, &segment, &cycles).expect("limits kept");
            for cycle in cycles {
                let wanted = start + lead * cycle.s / segment.path.length();
                assert!((angle_of(&cycle.q) - wanted).abs() < 1e-6);
            }
        }
    }
    let wish = Wish { arm_angle_rad: Some(0.0), ..Wish::FREE };
    let (target, speed, acceleration) = (MoveTarget::Pose(six.here()), Ratio::ONE, Ratio::ONE);
    let posture = Posture { wish, ..Posture::FREE };
    let refused =
        six.plan(StepKind::MoveJoint { target, posture, speed, acceleration }).expect_err("no such angle");
    assert_eq!(refused[0].kind, PlanProblemKind::NoArmAngle);
}
