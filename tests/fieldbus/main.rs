//! The fieldbus from outside: on a network interface, and against the simulated segment.

#![expect(clippy::tests_outside_test_module, reason = "an integration test is a test module")]

mod bring_up_time;
mod clocks;
#[path = "../support/drives_bus.rs"]
mod drives_bus;
#[path = "../support/late_link.rs"]
mod late_link;
mod mailbox;
mod raw_socket;
mod reactions;
mod replay;
mod scan;
#[path = "../support/segment_link.rs"]
mod segment_link;
mod simulated;
