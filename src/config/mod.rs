//! Configuration: read once at start, every mistake of a file reported at once, constant afterwards.
//! Whatever changes while the daemon runs is not configuration.
//!
//! What is *as written* and what is *valid* are two types. As written a file is a tree of keys and
//! values ([`document::Node`]); valid it is a [`cell::Cell`] and its parts, in SI units, which only
//! the readers here can make. The readers walk the tree and note every unknown, missing, mistyped or
//! out-of-range key as a [`problem::Problem`]; deriving the first type would stop at the first mistake.

pub mod cell;
pub mod collision_model;
pub mod document;
pub mod drive_file;
pub mod embedded;
pub mod kinematic_model;
pub mod load;
pub mod messages;
pub mod problem;
pub mod quantities;
