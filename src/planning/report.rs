//! What a planned program will do: the preflight report.

use super::problem::LimitName;
use crate::joints::JointVector;
use crate::kinematics::configuration::{Configuration, Turns};
use crate::kinematics::singularity::SingularDistances;
use crate::trajectory::path::ParameterUnit;

/// The report of a whole program.
#[derive(Clone, Debug, PartialEq)]
pub struct PreflightReport {
    /// One entry a motion, in order.
    pub segments: Vec<SegmentReport>,
    /// Time of all motions and dwells at full override, s; phases of processes and waits for inputs come
    /// on top.
    pub duration_s: f64,
}

/// The report of one motion.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SegmentReport {
    /// Position of the instruction in the document, from 0.
    pub instruction: u32,
    /// What `length` measures.
    pub unit: ParameterUnit,
    /// Length of the path, m or rad.
    pub length: f64,
    /// Time from standstill to standstill at full override, s.
    pub duration_s: f64,
    /// Programmed speed of the tool, m/s; `None` for joint motions and pure rotations.
    pub programmed_m_s: Option<f64>,
    /// Ceiling of speed along the path in the unit of `length` a second: what is driven if the path is long
    /// enough.
    pub speed: f64,
    /// Largest share of a joint's speed limit.
    pub joint_speed_ratio: f64,
    /// Largest share of a joint's acceleration limit, at the ceilings.
    pub joint_acceleration_ratio: f64,
    /// Largest share of a joint's jerk limit, at the ceilings.
    pub joint_jerk_ratio: f64,
    /// What decides the speed: the program, or the limit that is used most while cruising.
    pub limited_by: LimitName,
    /// Closest approach to a singular pose: smallest singular value of the Jacobian over the characteristic
    /// length. `None` for joint motions, where it does not matter.
    pub closest_singularity: Option<f64>,
    /// Least distances from the singular poses; `None` for joint motions and arms whose anatomy is not known.
    pub singular_distances: Option<SingularDistances>,
    /// Largest error of the orientation on the way, rad; zero unless a way through a singular pose was asked for.
    pub orientation_error_rad: f64,
    /// Branch at the end; `None` for arms without.
    pub configuration: Option<Configuration>,
    /// Whole turns of the joints at the end.
    pub turns: Turns,
    /// Least position of each joint, rad or m.
    pub joint_min: JointVector,
    /// Largest position of each joint, rad or m.
    pub joint_max: JointVector,
}
