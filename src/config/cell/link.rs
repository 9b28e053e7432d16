//! How drives and clients are reached, and how the real-time thread runs.

use std::path::PathBuf;

use crate::config::document::{Range, Table};
use crate::units::Nanoseconds;

/// What carries the frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkKind {
    /// The simulated segment inside the process.
    Simulated,
    /// A network interface, by name.
    Interface(String),
}

/// SYNC0 of the SubDevices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DistributedClock {
    /// SYNC0 fires this long after the reference clock's multiple of the cycle time.
    pub sync_shift: Nanoseconds,
}

/// The EtherCAT segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// What carries the frames.
    pub kind: LinkKind,
    /// Time between two frames: 0.5, 1, 2 or 4 ms.
    pub cycle_time: Nanoseconds,
    /// `None`: the drives run free.
    pub distributed_clock: Option<DistributedClock>,
}

/// Settings of the real-time thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RealtimeSettings {
    /// `SCHED_FIFO` priority, 1 to 98; `None`: an ordinary thread.
    pub priority: Option<u8>,
    /// The core it is bound to; `None`: any.
    pub cpu: Option<u16>,
    /// Lock and prefault all memory.
    pub lock_memory: bool,
}

impl Default for RealtimeSettings {
    /// What a cell without `[realtime]` gets.
    fn default() -> Self {
        Self { priority: Some(80), cpu: None, lock_memory: true }
    }
}

/// Where clients connect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sockets {
    /// Path of the Unix socket; `None`: the daemon chooses one.
    pub unix_path: Option<PathBuf>,
    /// Port on the loopback interface, 0: any free one; `None`: no TCP.
    pub tcp_port: Option<u16>,
}

pub(super) fn read_link(mut table: Table<'_>) -> Option<Link> {
    const CYCLE_TIMES_NS: [u64; 4] = [500_000, 1_000_000, 2_000_000, 4_000_000];
    let kind = table.required("link", || "`simulated`, or the name of a network interface".to_owned());
    let kind = kind.and_then(|value| value.identifier()).map(|name| match name {
        "simulated" => LinkKind::Simulated,
        interface => LinkKind::Interface(interface.to_owned()),
    });
    let cycle_time = table.or_default("cycle_time_ms", Nanoseconds(1_000_000), |value| {
        let milliseconds = value.number(Range::new(0.5, 4.0, "ms"))?;
        let exact = CYCLE_TIMES_NS
            .into_iter()
            .find(|&time| (Nanoseconds(time).as_seconds() * 1e3 - milliseconds).abs() < 1e-9);
        if exact.is_none() {
            value.problem(
                format!("{milliseconds} is not supported"),
                "0.5, 1, 2 or 4 ms",
                "choose one of these",
            );
        }
        exact.map(Nanoseconds)
    });
    let clocked = table.flag_or("distributed_clock", true);
    let cycle_us = cycle_time.map_or(1_000.0, |time| time.as_seconds() * 1e6);
    let sync_shift = table.number_or("sync_shift_us", Range::new(0.0, cycle_us, "µs"), cycle_us / 2.0);
    if clocked == Some(false) && table.has("sync_shift_us") {
        table.problem(
            "sync_shift_us",
            "without distributed clock there is no SYNC0 to shift",
            "no key where the drives run free",
            "remove it, or set `distributed_clock = true`",
        );
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 4 ms")]
    let sync_shift = sync_shift.map(|shift| Nanoseconds((shift * 1e3).round() as u64));
    Some(Link {
        kind: kind?,
        cycle_time: cycle_time?,
        distributed_clock: {
            let sync_shift = sync_shift?;
            clocked?.then_some(DistributedClock { sync_shift })
        },
    })
}

pub(super) fn read_realtime(mut table: Table<'_>) -> Option<RealtimeSettings> {
    let defaults = RealtimeSettings::default();
    // 99 belongs to the kernel's watchdog and migration threads.
    let priority = table.or_default("priority", defaults.priority, |value| {
        let priority = value.whole::<u8>(0..=98)?;
        Some((priority > 0).then_some(priority))
    });
    let cpu = table.maybe("cpu", |value| value.whole::<u16>(0..=1023));
    let lock_memory = table.flag_or("lock_memory", defaults.lock_memory);
    Some(RealtimeSettings { priority: priority?, cpu: cpu?, lock_memory: lock_memory? })
}

pub(super) fn read_sockets(mut table: Table<'_>) -> Option<Sockets> {
    // sun_path holds 108 bytes with its terminating zero (unix(7)).
    let unix_path = table.maybe("unix_path", |value| value.text(100).map(PathBuf::from));
    let tcp_port = table.maybe("tcp_port", |value| value.whole::<u16>(0..=65_535));
    Some(Sockets { unix_path: unix_path?, tcp_port: tcp_port? })
}
