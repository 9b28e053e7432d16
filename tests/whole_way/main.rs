//! The whole way on virtual time: lines over the socket, daemon, planner, queues, cycle, ethercrab, simulated
//! drives and welding source, and back.
#![expect(clippy::tests_outside_test_module, reason = "an integration test binary is a test module")]
#![expect(clippy::unwrap_used, unreachable_pub, reason = "tests")]

mod bad_input;
mod client;
mod cycle_times;
mod determinism;
mod faults;
mod limits;
mod mastering;
mod models;
mod objects;
mod recovery;
mod terminals;
mod welding;
