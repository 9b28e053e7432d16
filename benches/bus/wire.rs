//! A pair of virtual network interfaces, the simulated segment behind one of them, and programs that run beside.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context as _, ensure};
use rustix::process::{Pid, Signal, kill_process};

/// Two connected interfaces; gone when dropped.
pub(crate) struct Wire {
    pub(crate) near: String,
    pub(crate) far: String,
}

fn ip(arguments: &[&str]) -> anyhow::Result<()> {
    let output = Command::new("ip").args(arguments).output().context("running `ip` (package iproute2)")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}

impl Wire {
    pub(crate) fn make() -> anyhow::Result<Self> {
        let id = std::process::id() % 100_000;
        let wire = Self { near: format!("bench{id}a"), far: format!("bench{id}b") };
        ip(&["link", "add", &wire.near, "type", "veth", "peer", "name", &wire.far])?;
        for interface in [&wire.near, &wire.far] {
            // No router solicitations between the frames.
            std::fs::write(format!("/proc/sys/net/ipv6/conf/{interface}/disable_ipv6"), "1")?;
            ip(&["link", "set", interface, "up"])?;
        }
        Ok(wire)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if let Err(error) = ip(&["link", "del", &self.near]) {
            crate::say(&format!("the interfaces stay: {error}"));
        }
    }
}

/// A program that runs until it is told to end.
pub(crate) struct Beside {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Beside {
    /// Starts `command` and waits for a line with `ready`.
    pub(crate) fn start(mut command: Command, ready: &str) -> anyhow::Result<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut output = BufReader::new(child.stdout.take().context("its output is a pipe")?);
        let mut line = String::new();
        while !line.contains(ready) {
            line.clear();
            ensure!(output.read_line(&mut line)? > 0, "{command:?} has ended before it was ready");
        }
        Ok(Self { child, output })
    }

    /// Tells it to end, by a signal or by the end of its input, and returns what it printed.
    pub(crate) fn end(mut self, by_signal: bool) -> anyhow::Result<String> {
        drop(self.child.stdin.take());
        if by_signal {
            kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        }
        let mut rest = String::new();
        self.output.read_to_string(&mut rest)?;
        ensure!(self.child.wait()?.success(), "a program beside has failed: {rest}");
        Ok(rest)
    }
}

/// The simulated segment with `drives` drives behind the far end.
pub(crate) fn segment(wire: &Wire, drives: usize, core: usize) -> anyhow::Result<Beside> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_motiond"));
    command.args(["simulate-bus", "--quiet", "--pause-in-stalls", "--interface", &wire.far]);
    command.args(["--drives", &drives.to_string(), "--cpu", &core.to_string()]);
    Beside::start(command, "answer on")
}
