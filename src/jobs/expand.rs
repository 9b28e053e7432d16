//! A valid job → the program that is planned: poses in the base frame, seams as process tables around their
//! motions.

use super::format::{CartesianMove, Instruction, Job, JobTarget, Seam};
use crate::config::cell::Cell;
use crate::planning::{Limits, MoveTarget, Program, RateLimits, Step, StepKind, ToolLimits};

/// What planning keeps to in this cell.
#[must_use]
pub const fn planning_limits(cell: &Cell) -> Limits {
    let tcp = &cell.tcp_limits;
    Limits {
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
    let mut steps = Vec::new();
    let mut tables = 0;
    for (instruction, number) in job.instructions.iter().zip(0..) {
        let mut push = |kind| steps.push(Step { instruction: number, kind });
        match instruction {
            Instruction::MoveJ(motion) => push(StepKind::MoveJoint {
                target: match motion.target {
                    JobTarget::Joints(joints) => MoveTarget::Joints(joints),
                    JobTarget::Pose(x_work_tool) => MoveTarget::Pose(job.x_base_work * x_work_tool),
                },
                speed: motion.speed,
                acceleration: motion.acceleration,
            }),
            Instruction::Move(motion) => push(cartesian(job, motion)),
            Instruction::Wait(time) => push(StepKind::Dwell(*time)),
            Instruction::WaitInput { channel, on, timeout } => push(StepKind::WaitInput {
                channel: *channel,
                on: *on,
                timeout_s: {
                    #[expect(clippy::cast_possible_truncation, reason = "at most a day in seconds")]
                    let timeout = *timeout as f32;
                    timeout
                },
            }),
            Instruction::SetOutput(action) => push(StepKind::Output(*action)),
            Instruction::Seam(seam) => {
                tables += 1;
                seam_steps(job, seam, tables).into_iter().for_each(push);
            }
        }
    }
    Program { x_flange_tool: job.x_flange_tool, payload: job.payload, steps }
}

fn seam_steps(job: &Job, seam: &Seam, table: u16) -> Vec<StepKind> {
    let mut steps = vec![StepKind::ProcessStart(seam.process.phase_table(table))];
    steps.extend(seam.path.iter().map(|motion| cartesian(job, motion)));
    steps.push(StepKind::ProcessEnd);
    steps
}

fn cartesian(job: &Job, motion: &CartesianMove) -> StepKind {
    let x_base_tool = job.x_base_work * motion.x_work_tool;
    let CartesianMove { speed: speed_m_s, acceleration: acceleration_m_s2, policy, .. } = *motion;
    match motion.via {
        None => StepKind::MoveLinear { x_base_tool, speed_m_s, acceleration_m_s2, policy },
        Some(via) => StepKind::MoveCircular {
            via_in_base: (job.x_base_work * nalgebra::Point3::from(via)).coords,
            x_base_tool,
            speed_m_s,
            acceleration_m_s2,
            policy,
        },
    }
}
