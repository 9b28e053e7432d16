//! Heap use in a cycle is counted, and only there.

use motiond::platform::trap_allocator::{CycleGuard, HeapCounts, counts};

use crate::take_turn;

/// What `work` adds to the counts when it runs in a cycle.
pub(crate) fn heap_use_in_cycle(work: impl FnOnce()) -> HeapCounts {
    let before = counts();
    let guard = CycleGuard::enter();
    work();
    drop(guard);
    let after = counts();
    HeapCounts { allocations: after.allocations - before.allocations, frees: after.frees - before.frees }
}

#[test]
fn an_allocation_a_growth_and_a_free_in_the_cycle_are_counted() {
    let _turn = take_turn();
    assert_eq!(heap_use_in_cycle(|| {}), HeapCounts::default());
    let made = heap_use_in_cycle(|| drop(std::hint::black_box(Box::new(5))));
    assert_eq!(made, HeapCounts { allocations: 1, frees: 1 });
    let mut list = Vec::<u64>::with_capacity(4);
    let grown = heap_use_in_cycle(|| list.extend(std::hint::black_box([1; 100])));
    assert_eq!(grown, HeapCounts { allocations: 1, frees: 0 });
    let freed = heap_use_in_cycle(|| drop(list));
    assert_eq!(freed, HeapCounts { allocations: 0, frees: 1 });
}

#[test]
fn other_threads_and_nested_guards_do_not_confuse_the_count() {
    let _turn = take_turn();
    let before = counts();
    let guard = CycleGuard::enter();
    drop(CycleGuard::enter());
    // The cycle goes on after the inner guard.
    drop(std::hint::black_box(Box::new(1)));
    assert_eq!(counts().allocations, before.allocations + 1);
    drop(guard);
    let before = counts();
    drop(std::hint::black_box(Box::new(1)));
    std::thread::spawn(|| drop(std::hint::black_box(Box::new(1)))).join().expect("the thread ends");
    assert_eq!(counts(), before);
}
