//! The interface from outside: protocol, control lease, jobs, subscriptions and sockets, against a cycle
//! that the test plays itself. Virtual time everywhere but in `sockets`.
#![expect(clippy::tests_outside_test_module, reason = "an integration test binary is a test module")]
#![expect(clippy::unwrap_used, reason = "tests")]
#![expect(unreachable_pub, reason = "tests")]

mod bench;
mod commands;
mod control;
mod malformed;
mod runs;
mod sockets;
mod subscriptions;
