//! A global allocator that counts what a thread allocates and frees while it is in its cycle.
//!
//! The binary and the test binaries install it:
//!
//! ```
//! use motiond::platform::trap_allocator::{CycleGuard, TrapAllocator, counts};
//!
//! #[global_allocator]
//! static ALLOCATOR: TrapAllocator = TrapAllocator;
//!
//! let before = counts();
//! let kept = vec![1_u8; 100];
//! assert_eq!(counts(), before, "outside a cycle nothing is counted");
//! let guard = CycleGuard::enter();
//! drop(kept);
//! drop(guard);
//! assert_eq!(counts().frees, before.frees + 1);
//! ```

#![expect(unsafe_code, reason = "an allocator is an unsafe interface")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

thread_local! {
    // Constant and without destructor: no lazy initialisation, which could allocate.
    static CYCLE_DEPTH: Cell<u32> = const { Cell::new(0) };
}

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static FREES: AtomicU64 = AtomicU64::new(0);
static ABORTS: AtomicBool = AtomicBool::new(false);

/// What all threads together did on the heap while in a cycle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeapCounts {
    /// Allocations and reallocations.
    pub allocations: u64,
    /// Frees.
    pub frees: u64,
}

/// The counts so far.
#[must_use]
pub fn counts() -> HeapCounts {
    HeapCounts { allocations: ALLOCATIONS.load(Ordering::Relaxed), frees: FREES.load(Ordering::Relaxed) }
}

/// From now on, end the process at the first use of the heap in a cycle: a debugger then shows where.
pub fn abort_on_heap_use(aborts: bool) {
    ABORTS.store(aborts, Ordering::Relaxed);
}

/// The current thread is in its cycle as long as this lives.
#[derive(Debug)]
pub struct CycleGuard {
    /// Belongs to this thread.
    _not_send: PhantomData<*const ()>,
}

impl CycleGuard {
    /// Enters the cycle.
    #[must_use = "the cycle ends when the guard is dropped"]
    pub fn enter() -> Self {
        CYCLE_DEPTH.set(CYCLE_DEPTH.get().saturating_add(1));
        Self { _not_send: PhantomData }
    }
}

impl Drop for CycleGuard {
    fn drop(&mut self) {
        CYCLE_DEPTH.set(CYCLE_DEPTH.get().saturating_sub(1));
    }
}

/// Counts one use of the heap if the thread is in its cycle.
fn note(counter: &AtomicU64) {
    // A thread that is ending has no thread-locals any more, and no cycle either.
    if CYCLE_DEPTH.try_with(Cell::get).unwrap_or(0) > 0 {
        counter.fetch_add(1, Ordering::Relaxed);
        if ABORTS.load(Ordering::Relaxed) {
            std::process::abort();
        }
    }
}

/// The system's allocator with counting. See the module.
#[derive(Clone, Copy, Debug, Default)]
pub struct TrapAllocator;

// SAFETY: every method forwards its arguments unchanged to `System`, which fulfils the contract; the
// counting neither allocates nor unwinds.
unsafe impl GlobalAlloc for TrapAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(&ALLOCATIONS);
        // SAFETY: the caller's promise about `layout` is the one `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        note(&FREES);
        // SAFETY: `pointer` came from `System` through this allocator, with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(&ALLOCATIONS);
        // SAFETY: the caller's promise about `layout` is the one `System` asks for.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        note(&ALLOCATIONS);
        // SAFETY: `pointer` came from `System` through this allocator, with this layout, and the caller
        // promises that `new_size` is allowed.
        unsafe { System.realloc(pointer, layout, new_size) }
    }
}
