//! The table of faults of the bus and the drives, row by row: each fault is injected into the simulated segment
//! under an arm in fast motion, and the promised reaction is looked for in what the drives receive, with the
//! number of cycles it took. Two oracles watch every cycle of every row: nothing ever moves wrongly, and
//! the machine becomes ready again when the fault has ended.
#![expect(clippy::tests_outside_test_module, reason = "an integration test binary is a test module")]
#![expect(clippy::unwrap_used, unreachable_pub, reason = "tests")]

mod bus;
#[path = "../whole_way/client.rs"]
#[expect(dead_code, reason = "shared with the tests of the whole way, which use all of it")]
mod client;
mod clocks;
mod drill;
mod drives;
mod frames;

mod oracle;
mod start;
