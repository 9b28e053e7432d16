//! Planned programs on the shipped six-axis arm, executed at 1 kHz as the cycle does it: path clock,
//! sample of the path, warm inverse kinematics.

mod corners;
mod heap;
mod limits_kept;
mod posture;
mod support;
mod waypoints;

use motiond::platform::trap_allocator::TrapAllocator;

#[global_allocator]
static ALLOCATOR: TrapAllocator = TrapAllocator;
