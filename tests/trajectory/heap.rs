//! What runs in the cycle does not touch the heap, in any phase of a motion.

use motiond::boundary::piece_queue::PieceKind;
use motiond::planning::{MoveTarget, SpeedPolicy};
use motiond::platform::trap_allocator::{CycleGuard, counts};
use motiond::trajectory::time_law::{PathClock, Target};
use motiond::units::Ratio;

use crate::support::{arm, displaced, home, move_circular, move_joint, move_linear, planned, torch};

#[test]
fn clock_and_paths_leave_the_heap_alone_and_the_proof_can_fail() {
    let x_home = arm().0.forward(&home()) * torch();
    let there = displaced(&x_home, [-0.1, 0.2, 0.0], [0.2, 0.1, 0.0]);
    let via = displaced(&x_home, [-0.1, 0.05, 0.1], [0.0; 3]).translation.vector;
    let plan = planned(
        &home(),
        vec![
            move_joint(MoveTarget::Pose(there)),
            move_linear(x_home, 0.2, SpeedPolicy::Adapt),
            move_circular(via, there, 0.2),
        ],
    )
    .expect("plain");
    let before = counts();
    for piece in &plan.pieces {
        let PieceKind::Motion(segment) = piece.kind else { continue };
        let _guard = CycleGuard::enter();
        let Some(mut clock) = PathClock::start(segment.path.length(), segment.ceiling) else { continue };
        let mut retargets = 0_u32;
        while !clock.is_at_end() {
            retargets += 1;
            let target = match retargets % 5 {
                0 => Target::Hold,
                phase => {
                    Target::Run { override_ratio: Ratio::new(1.0 / f64::from(phase)).unwrap_or(Ratio::ONE) }
                }
            };
            clock.set_target(target);
            for _ in 0..1 + retargets % 40 {
                let s = clock.step(0.001).s;
                std::hint::black_box(segment.path.sample(s));
                std::hint::black_box(segment.path.derivatives(s));
            }
        }
    }
    assert_eq!(counts(), before);

    let guard = CycleGuard::enter();
    std::hint::black_box(Box::new(1_u8));
    drop(guard);
    assert!(counts().allocations > before.allocations);
}
