//! Planned programs on the shipped six-axis arm, executed at 1 kHz as the cycle does it: path clock,
//! sample of the path, warm inverse kinematics.

mod corners;
mod limits_kept;
mod support;
