//! Arguments → one subcommand → exit code.

use clap::Parser as _;
use motiond::cli;
use motiond::platform::trap_allocator::TrapAllocator;

/// Counts what a cycle does on the heap; it should be nothing.
#[global_allocator]
static ALLOCATOR: TrapAllocator = TrapAllocator;

fn main() -> std::process::ExitCode {
    cli::main(&cli::Arguments::parse())
}
