//! Jobs: document, store, planning desk, runner: from text that was accepted to pieces that are fed to
//! the cycle. What an instruction moves is decided in `planning`, who may ask in `api`.

pub mod expand;
pub mod expand_problems;
pub mod files;
pub mod format;
pub mod planning_desk;
pub mod runner;
pub mod store;
