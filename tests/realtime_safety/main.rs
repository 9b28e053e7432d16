//! The proofs that the cycle neither uses the heap nor makes system calls it should not, and that each
//! proof can fail.

#![expect(clippy::tests_outside_test_module, reason = "an integration test is a test module")]

mod cycle;
mod heap;
mod machine;
mod sanitizer;
#[path = "../support/segment_link.rs"]
mod segment_link;
mod system_calls;

use motiond::platform::trap_allocator::TrapAllocator;

#[global_allocator]
static ALLOCATOR: TrapAllocator = TrapAllocator;

/// The counters belong to the process: tests that read them take turns.
static TURN: std::sync::Mutex<()> = std::sync::Mutex::new(());

fn take_turn() -> std::sync::MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
