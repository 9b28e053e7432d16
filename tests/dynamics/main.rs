//! Dynamics against independent references: recorded torques of real arms, energy, and a second computation.
#![expect(clippy::tests_outside_test_module, reason = "an integration test binary is a test module")]
#![expect(clippy::unwrap_used, reason = "tests")]

mod command;
mod identify;
mod real_arms;
