//! # motiond: a multi-joint robot motion controller
//!
//! A real-time thread drives EtherCAT servo drives (CiA 402) at 1 kHz. On each cycle it samples the
//! path, solves inverse kinematics from a URDF model and sends setpoints. Outside that thread the
//! daemon accepts motion jobs over a socket, checks and plans them, and hands them over through
//! lock-free queues.
//!
//! **This software is not a safety component.** It has no performance level or safety integrity
//! level; every stop it makes is operational.
//!
//! ## The map
//!
//! Each folder answers one question: may I allocate, block or log here?
//!
//! | layer | folders | allocate, block, log |
//! |---|---|---|
//! | 1 vocabulary and mathematics | [`units`], [`joints`], [`machine`], [`faults`], [`devices`], [`geometry`], [`kinematics`], [`trajectory`] | never |
//! | 2 shared by both sides | [`config`], [`boundary`] | at start only; the queues never |
//! | 3 real-time side | [`realtime`], [`drives`], [`fieldbus`], [`platform`] | never in the cycle |
//! | 3 other end of the wire | [`simulator`] | at start only |
//! | 4 daemon side | [`jobs`], [`processes`], [`planning`], [`api`], [`telemetry`], [`cli`] | yes |
//!
//! The real-time side and the daemon side never name each other; both use `boundary`, `config` and
//! layer 1. The simulator uses layer 1 and nothing else. `cli` assembles everything. A test
//! (`tests/architecture`) refuses any other import.

pub mod devices;
pub mod faults;
pub mod geometry;
pub mod joints;
pub mod kinematics;
pub mod machine;
pub mod trajectory;
pub mod units;

pub mod boundary;
pub mod config;

pub mod drives;
pub mod fieldbus;
pub mod platform;
pub mod realtime;

pub mod simulator;

pub mod api;
pub mod cli;
pub mod jobs;
pub mod planning;
pub mod processes;
pub mod telemetry;
