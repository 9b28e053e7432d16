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
//! | 1 vocabulary and mathematics | [`units`], [`joints`], [`machine`], [`faults`], [`devices`], [`positions`], [`bus_health`], [`geometry`], [`kinematics`], [`collision`], [`dynamics`], [`trajectory`] | never |
//! | 2 shared by both sides | [`config`], [`boundary`] | at start only; the queues never |
//! | 3 real-time side | [`realtime`], [`drives`], [`fieldbus`], [`platform`] | never in the cycle |
//! | 3 other end of the wire | [`simulator`] | at start only |
//! | 4 daemon side | [`jobs`], [`mastering`], [`calibration`], [`processes`], [`planning`], [`api`], [`telemetry`], [`cli`] | yes |
//!
//! The real-time side and the daemon side never name each other; both use `boundary`, `config` and
//! layer 1. The simulator uses layer 1 and nothing else. `cli` assembles everything. A test
//! (`tests/architecture`) refuses any other import.
//!
//! ## Threads
//!
//! | thread | does | may |
//! |---|---|---|
//! | `realtime` | [`realtime::run_loop`]: wait for the cycle, exchange frames, [`realtime::cycle::Cycle::step`] | clock, sleep, send, receive; a system-call filter says so |
//! | `bus-keeper` | [`cli::realtime_side`]: waits for `realtime` to end, and starts the next one when the bus must be brought up again | anything |
//! | `planner` | [`jobs::planning_desk::ThreadDesk`]: reads and plans documents | anything |
//! | `api` | [`api::server`]: sockets, sessions, the daemon's core, telemetry | anything |
//!
//! In `simulate` and in tests all of it runs on one thread, the daemon side between two cycles
//! ([`cli::virtual_cell`]), so that the same inputs give the same bytes.
//!
//! ## Life of a setpoint
//!
//! 1. [`api::broker`] reads a line and makes it an [`api::request::Request`]: one enum lists all that the
//!    outside may ask.
//! 2. [`api::daemon`] carries it out: [`jobs::store`] makes a document durable before the answer;
//!    `job.start` hands it to the planning desk.
//! 3. [`jobs::format`] reads the document, [`processes`] turns seam data into a phase table,
//!    [`jobs::expand`] makes a [`planning::Program`] of both.
//! 4. [`planning::plan`] follows each path through inverse kinematics, checks every limit and finds the
//!    ceilings of speed, acceleration and jerk along the path: segments and the preflight report.
//! 5. [`jobs::runner`] stamps the pieces with run and lease and pushes them into
//!    [`boundary::piece_queue`]; no credit, no push.
//! 6. [`realtime::interpolator`] takes a piece, advances the path parameter by one cycle
//!    ([`trajectory::time_law`]) and samples the [`trajectory::path`].
//! 7. [`kinematics::guide`] gives joint positions by [`kinematics::inverse`], warm-started from the last cycle.
//! 8. [`realtime::setpoint_limits`], the gate, lets them pass or turns them into a fault.
//! 9. [`realtime::drive_group`] makes target counts and controlwords; [`realtime::process_phases`] makes
//!    the outputs of the same cycle.
//! 10. [`realtime::run_loop`] writes the process image; [`fieldbus`] sends it first thing in the next cycle.
//!
//! ## Life of a measured position
//!
//! 1. [`fieldbus::bus`] receives the frame and says of each SubDevice whether its inputs are of this cycle.
//! 2. [`drives::process_image`] reads the objects, [`realtime::drive_group`] follows the counters and makes
//!    joint positions; what is not fresh is never used as new.
//! 3. [`realtime::supervision`] compares with what must be: a finding or nothing.
//! 4. [`realtime::fault_reaction`] gives the reaction, [`realtime::machine_state`] moves, and the setpoint of
//!    this very cycle is that of the new state.
//! 5. [`realtime::cycle`] publishes a sample and events ([`boundary::sample_ring`], [`boundary::event_queue`]).
//! 6. [`telemetry`] makes status, trace, report and picture of them.
//! 7. [`api::broker`] tells the subscribers.

pub mod bus_health;
pub mod collision;
pub mod devices;
pub mod dynamics;
pub mod faults;
pub mod geometry;
pub mod joints;
pub mod kinematics;
pub mod machine;
pub mod positions;
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
pub mod calibration;
pub mod cli;
pub mod jobs;
pub mod mastering;
pub mod planning;
pub mod processes;
pub mod telemetry;
