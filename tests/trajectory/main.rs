//! Planned programs on the shipped six-axis arm, executed at 1 kHz as the cycle does it: path clock,
//! sample of the path, warm inverse kinematics.

mod corners;
mod external;
mod heap;
mod limits_kept;
mod posture;
mod singular;
mod support;
mod torque;
mod waypoints;

use motiond::platform::trap_allocator::TrapAllocator;

#[global_allocator]
static ALLOCATOR: TrapAllocator = TrapAllocator;
