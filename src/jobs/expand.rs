//! A valid job → the program that is planned: poses in the base frame, seams as process tables around their
//! motions.

use super::format::{CartesianMove, Instruction, Job, JobTarget, PartialJob};
use crate::config::cell::{Cell, TorqueLimits};
use crate::geometry::Pose;
use crate::planning::{Limits, MoveTarget, Program, RateLimits, Step, StepKind, ToolLimits, TorqueBounds};

/// What planning keeps to in this cell.
#[must_use]
pub fn planning_limits(cell: &Cell) -> Limits {
    let tcp = &cell.tcp_limits;
    let torques = cell.dynamics().map(|dynamics| {
        let TorqueLimits { joints, drives } = cell.torque_limits();
        TorqueBounds { dynamics, joints, drives, joint_from_drive: *cell.coupling.joint_from_drive() }
    });
    Limits {
        torques,
        joints: cell.joint_limits,
        tool: ToolLimits {
            translation: RateLimits {
                speed: tcp.speed_max,
                acceleration: tcp.acceleration_max,
                jerk: tcp.jerk_max,
            },
            rotation: RateLimits {
                speed: tcp.orientation_speed_max,
                acceleration: tcp.orientation_acceleration_max,
                jerk: tcp.orientation_jerk_max,
            },
        },
    }
}

/// The program of a job. Every step of a seam carries the position of the seam in the document.
///
/// The process tables are numbered from 1, in the order of [`Job::seams`].
#[must_use]
pub fn expand(job: &Job) -> Program {
    let mut expansion = Expansion { x_base_work: job.x_base_work, tables: 0, steps: Vec::new() };
    for (instruction, number) in job.instructions.iter().zip(0..) {
        expansion.add(number, Some(instruction));
    }
    Program { x_flange_tool: job.x_flange_tool, payload: job.payload, steps: expansion.steps }
}

/// The program of what could be read of a job; to be planned for its mistakes only.
#[must_use]
pub fn expand_partly(job: &PartialJob) -> Program {
    let mut expansion = Expansion { x_base_work: job.x_base_work, tables: 0, steps: Vec::new() };
    for (parts, number) in job.instructions.iter().zip(0..) {
        parts.iter().for_each(|part| expansion.add(number, part.as_ref()));
    }
    Program { x_flange_tool: job.x_flange_tool, payload: job.payload, steps: expansion.steps }
}

/// Steps in the making.
struct Expansion {
    x_base_work: Pose,
    /// Process tables so far.
    tables: u16,
    steps: Vec<Step>,
}

impl Expansion {
    /// Adds the steps of an instruction; `None` is a motion that could not be read.
    fn add(&mut self, number: u32, instruction: Option<&Instruction>) {
        let x_base_work = self.x_base_work;
        let mut push = |kind| self.steps.push(Step { instruction: number, kind });
        match instruction {
            None => push(StepKind::Unreadable),
            Some(Instruction::MoveJ(motion)) => push(StepKind::MoveJoint {
                target: match motion.target {
                    JobTarget::Joints(joints) => MoveTarget::Joints(joints),
                    JobTarget::Pose(x_work_tool) => MoveTarget::Pose(x_base_work * x_work_tool),
                },
                posture: motion.posture,
                speed: motion.speed,
                acceleration: motion.acceleration,
            }),
            Some(Instruction::Move(motion)) => push(cartesian(&x_base_work, motion)),
            Some(Instruction::Wait(time)) => push(StepKind::Dwell(*time)),
            Some(Instruction::WaitInput { channel, on, timeout }) => push(StepKind::WaitInput {
                channel: *channel,
                on: *on,
                timeout_s: {
                    #[expect(clippy::cast_possible_truncation, reason = "at most a day in seconds")]
                    let timeout = *timeout as f32;
                    timeout
                },
            }),
            Some(Instruction::SetOutput(action)) => push(StepKind::Output(*action)),
            Some(Instruction::Seam(seam)) => {
                self.tables += 1;
                push(StepKind::ProcessStart(seam.process.phase_table(self.tables)));
                seam.path.iter().for_each(|motion| push(cartesian(&x_base_work, motion)));
                push(StepKind::ProcessEnd);
            }
        }
    }
}

fn cartesian(x_base_work: &Pose, motion: &CartesianMove) -> StepKind {
    let x_base_tool = x_base_work * motion.x_work_tool;
    let CartesianMove { posture, speed: speed_m_s, acceleration: acceleration_m_s2, policy, .. } = *motion;
    match motion.via {
        None => StepKind::MoveLinear { x_base_tool, posture, speed_m_s, acceleration_m_s2, policy },
        Some(via) => StepKind::MoveCircular {
            via_in_base: (x_base_work * nalgebra::Point3::from(via)).coords,
            x_base_tool,
            posture,
            speed_m_s,
            acceleration_m_s2,
            policy,
        },
    }
}
