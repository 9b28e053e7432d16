//! One file a subcommand; `run` and `demo` assemble the daemon, the only place that knows all.

pub mod assembly;
pub mod bus_access;
pub mod calibrate;
pub mod check;
pub mod client;
pub mod client_text;
pub mod connection;
pub mod demo;
pub mod device_files;
pub mod engine;
pub mod esi;
pub mod fault_actions;
pub mod fault_script;
mod identify;
pub mod job_clearance;
pub mod job_planner;
pub mod master;
pub mod model;
pub mod plan;
pub mod reactions;
pub mod realtime_side;
pub mod report_text;
pub mod run;
pub mod scan;
pub mod scripted_link;
pub mod sdo;
pub mod sdo_value;
pub mod segment_time;
pub mod simulate;
pub mod simulate_bus;
pub mod simulated_link;
pub mod virtual_cell;

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::problem::Problem;

pub use crate::api::daemon::NOTICE;

/// Multi-joint robot motion controller daemon.
#[derive(Debug, Parser)]
#[command(name = "motiond", version, about, after_help = NOTICE)]
pub struct Arguments {
    #[command(subcommand)]
    command: Subcommands,
}

#[derive(Debug, Subcommand)]
enum Subcommands {
    /// Run the main job on the built-in simulated cell
    Demo(demo::DemoArguments),
    /// Run the daemon until SIGTERM
    Run(run::RunArguments),
    /// Report every mistake of a cell file or of a job
    Check(check::CheckArguments),
    /// Tools, frames, axes and arm corrections from measured points
    Calibrate(calibrate::CalibrateArguments),
    /// Identify what hangs at the flange from a recorded motion
    Identify(identify::IdentifyArguments),
    /// Run a job on the simulated cell, on virtual time
    Simulate(simulate::SimulateArguments),
    /// Ask a robot model: kinematics by lines of JSON
    Model(model::ModelArguments),
    /// Answer on a network interface as the simulated SubDevices
    SimulateBus(simulate_bus::SimulateBusArguments),
    /// Joint waypoints in the shortest time, within every limit: the planner alone
    Plan(plan::PlanArguments),
    /// Say what is on a bus
    Scan(scan::ScanArguments),
    /// Make a drive file from an ESI file of a manufacturer
    Esi(esi::EsiArguments),
    /// Read or write objects of a device
    Sdo(sdo::SdoArguments),
    #[command(flatten)]
    Client(client::ClientCommand),
}

/// How a subcommand ended; the number is part of the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: done.
    Success = 0,
    /// 1: a mistake in what the user gave.
    Mistake = 1,
    /// 3: the job did not run to its end.
    NotCompleted = 3,
    /// 4: the program could not do its work.
    Failure = 4,
}

/// Carries out a subcommand.
#[must_use]
pub fn main(arguments: &Arguments) -> ExitCode {
    let result = match &arguments.command {
        Subcommands::Demo(arguments) => demo::demo(arguments),
        Subcommands::Run(arguments) => run::run(arguments),
        Subcommands::Check(arguments) => Ok(check::check(arguments)),
        Subcommands::Calibrate(arguments) => Ok(calibrate::calibrate(arguments)),
        Subcommands::Identify(arguments) => Ok(identify::identify(arguments)),
        Subcommands::Simulate(arguments) => simulate::simulate(arguments),
        Subcommands::Model(arguments) => model::model(arguments),
        Subcommands::SimulateBus(arguments) => simulate_bus::simulate_bus(arguments),
        Subcommands::Plan(arguments) => plan::plan(arguments),
        Subcommands::Scan(arguments) => scan::scan(arguments),
        Subcommands::Esi(arguments) => esi::esi(arguments),
        Subcommands::Sdo(arguments) => sdo::sdo(arguments),
        Subcommands::Client(command) => client::client(command),
    };
    let exit = result.unwrap_or_else(|error| {
        print_error(&format!("motiond: {error:#}"));
        Exit::Failure
    });
    ExitCode::from(exit as u8)
}

/// Prints a line on standard output. A closed pipe is not an error: nobody wants to read on.
pub fn print(text: &str) {
    let _closed = writeln!(std::io::stdout(), "{text}");
}

/// Prints a line on standard error.
pub fn print_error(text: &str) {
    let _closed = writeln!(std::io::stderr(), "{text}");
}

/// Several problems as one error.
#[must_use]
#[expect(clippy::needless_pass_by_value, reason = "fits `map_err`")]
pub fn problems(problems: Vec<Problem>) -> anyhow::Error {
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    anyhow::anyhow!("{}", lines.join("\n"))
}

/// Reads a text file.
///
/// # Errors
/// What the system says, with what to do.
pub fn read_text(path: &Path) -> Result<String, Problem> {
    std::fs::read_to_string(path).map_err(|error| {
        Problem::new(
            "",
            format!("{} cannot be read: {error}", path.display()),
            "a readable UTF-8 file",
            "check the path",
        )
    })
}
