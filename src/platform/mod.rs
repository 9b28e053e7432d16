//! Linux: priority, affinity, memory lock, clock, and the proofs that the cycle neither allocates nor
//! makes other system calls than it should. No motion, no fieldbus.

pub mod clock;
pub mod realtime_thread;
pub mod system_call_filter;
pub mod trap_allocator;
