//! Makes the calling thread as real-time as the machine allows. Nothing here can stop the start: each
//! step says what it achieved, or why not and which command grants it.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::hint::black_box;
use std::io::Write as _;

use rustix::mm::{MlockAllFlags, mlockall};
use rustix::thread::{CpuSet, sched_setaffinity};
use thread_priority::{
    RealtimeThreadSchedulePolicy, ThreadPriority, ThreadPriorityValue, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id,
};

/// Interface by which a process asks the processors to stay out of deep sleep (Linux, PM QoS).
const DMA_LATENCY: &str = "/dev/cpu_dma_latency";
/// Stack touched in one step.
const STACK_STEP: usize = 4_096;

/// What the real-time thread wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RealtimeThreadSettings {
    /// `SCHED_FIFO` priority, 1 to 99; `None` leaves the scheduler alone.
    pub priority: Option<u8>,
    /// Processor to stay on; `None` leaves it to the scheduler.
    pub core: Option<usize>,
    /// Keep all memory of the process in RAM.
    pub lock_memory: bool,
    /// Stack to touch beforehand, bytes.
    pub stack_prefault_bytes: usize,
    /// Keep the processors out of deep sleep.
    pub stay_awake: bool,
}

impl Default for RealtimeThreadSettings {
    /// Priority 80, no fixed core, memory locked, 256 KiB of stack, awake.
    fn default() -> Self {
        Self {
            priority: Some(80),
            core: None,
            lock_memory: true,
            stack_prefault_bytes: 256 * 1024,
            stay_awake: true,
        }
    }
}

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// `SCHED_FIFO` with this priority.
    Priority(u8),
    /// On this processor.
    Core(usize),
    /// Memory locked.
    MemoryLock,
    /// Stack touched, bytes.
    Stack(usize),
    /// Processors kept awake.
    StayAwake,
}

impl fmt::Display for Step {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Priority(priority) => write!(formatter, "real-time priority {priority} (SCHED_FIFO)"),
            Self::Core(core) => write!(formatter, "processor {core} for the real-time thread"),
            Self::MemoryLock => formatter.write_str("memory locked in RAM"),
            Self::Stack(bytes) => write!(formatter, "{} KiB of stack prepared", bytes / 1024),
            Self::StayAwake => formatter.write_str("processors kept out of deep sleep"),
        }
    }
}

/// Why a step failed, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepFailure {
    /// What the operating system said.
    pub why: String,
    /// The command that grants it.
    pub remedy: String,
}

/// What became of the settings. Keep it as long as the thread runs: dropping it lets the processors sleep.
#[derive(Debug)]
pub struct RealtimeThread {
    /// Each step wanted, in order, with its outcome.
    pub steps: Vec<(Step, Result<(), StepFailure>)>,
    /// The request holds as long as the file is open.
    _awake: Option<File>,
}

impl RealtimeThread {
    /// True when every wanted step was achieved.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.steps.iter().all(|(_, outcome)| outcome.is_ok())
    }
}

impl fmt::Display for RealtimeThread {
    /// One line a step.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (step, outcome) in &self.steps {
            match outcome {
                Ok(()) => writeln!(formatter, "yes: {step}")?,
                Err(failure) => {
                    writeln!(formatter, "no:  {step}: {}; to grant it: {}", failure.why, failure.remedy)?;
                }
            }
        }
        Ok(())
    }
}

/// Applies `settings` to the calling thread (memory lock: to the process). Never fails; see
/// [`RealtimeThread::steps`].
#[must_use]
pub fn set_up(settings: &RealtimeThreadSettings) -> RealtimeThread {
    let mut steps = Vec::new();
    if settings.lock_memory {
        let locked = mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE);
        steps.push((Step::MemoryLock, locked.map_err(|error| failure(&error, remedy_of_rights()))));
    }
    if settings.stack_prefault_bytes > 0 {
        touch_stack(settings.stack_prefault_bytes / STACK_STEP);
        steps.push((Step::Stack(settings.stack_prefault_bytes), Ok(())));
    }
    if let Some(core) = settings.core {
        steps.push((Step::Core(core), stay_on(core)));
    }
    if let Some(priority) = settings.priority {
        steps.push((Step::Priority(priority), be_fifo(priority)));
    }
    let mut awake = None;
    if settings.stay_awake {
        // Four zero bytes: wake-up latency of 0 µs at most, for as long as the file stays open.
        let outcome = OpenOptions::new().write(true).open(DMA_LATENCY).and_then(|mut file| {
            file.write_all(&0_i32.to_ne_bytes())?;
            awake = Some(file);
            Ok(())
        });
        let remedy = "sudo chgrp $(id -gn) /dev/cpu_dma_latency && sudo chmod g+w /dev/cpu_dma_latency \
                      (permanently: a udev rule KERNEL==\"cpu_dma_latency\", GROUP=\"realtime\", MODE=\"0660\")";
        steps.push((Step::StayAwake, outcome.map_err(|error| failure(&error, remedy.into()))));
    }
    RealtimeThread { steps, _awake: awake }
}

fn failure(why: &dyn fmt::Display, remedy: String) -> StepFailure {
    StepFailure { why: why.to_string(), remedy }
}

/// The command that gives this program its rights.
#[must_use]
pub fn remedy_of_rights() -> String {
    let program = std::env::current_exe()
        .map_or_else(|_| "<path of motiond>".into(), |path| path.display().to_string());
    format!("sudo setcap cap_net_raw,cap_sys_nice,cap_ipc_lock+ep {program}")
}

fn stay_on(core: usize) -> Result<(), StepFailure> {
    let mut cores = CpuSet::new();
    let remedy = || "choose a processor listed by `taskset -cp $$` or `lscpu -e`".to_owned();
    if core >= CpuSet::MAX_CPU {
        return Err(failure(&format_args!("there is no processor {core}"), remedy()));
    }
    cores.set(core);
    sched_setaffinity(None, &cores).map_err(|error| failure(&error, remedy()))
}

fn be_fifo(priority: u8) -> Result<(), StepFailure> {
    let value = ThreadPriorityValue::try_from(priority).map_err(|error| {
        failure(&error, "set a real-time priority from 1 to 99 in the cell configuration".into())
    })?;
    set_thread_priority_and_policy(
        thread_native_id(),
        ThreadPriority::Crossplatform(value),
        ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo),
    )
    .map_err(|error| failure(&format_args!("{error:?}"), remedy_of_rights()))
}

/// Writes to the next `steps` pages of the stack, so that the cycle never takes the page fault.
#[inline(never)]
fn touch_stack(steps: usize) {
    let mut page = [0_u8; STACK_STEP];
    black_box(&mut page);
    if steps > 1 {
        touch_stack(steps - 1);
    }
    // After the call, so that it cannot become a loop on one page.
    black_box(&page);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wanted_step_reports_and_none_stops_the_start() {
        // In a thread of its own: affinity and priority end with it. Without the memory lock, which would
        // stay with the test process.
        let settings =
            RealtimeThreadSettings { core: Some(0), lock_memory: false, ..RealtimeThreadSettings::default() };
        let outcome = std::thread::spawn(move || set_up(&settings)).join().unwrap();
        assert_eq!(
            outcome.steps.iter().map(|(step, _)| *step).collect::<Vec<_>>(),
            [Step::Stack(256 * 1024), Step::Core(0), Step::Priority(80), Step::StayAwake]
        );
        for (step, result) in &outcome.steps {
            if let Err(failure) = result {
                assert!(!failure.why.is_empty() && !failure.remedy.is_empty(), "{step}: {failure:?}");
            }
        }
        assert_eq!(outcome.to_string().lines().count(), 4);
    }

    #[test]
    fn a_processor_that_does_not_exist_is_reported_with_a_remedy() {
        for core in [CpuSet::MAX_CPU - 1, CpuSet::MAX_CPU, usize::MAX] {
            let outcome = std::thread::spawn(move || stay_on(core)).join().unwrap();
            assert!(outcome.unwrap_err().remedy.contains("taskset"));
        }
    }

    #[test]
    fn a_priority_out_of_range_is_reported_with_a_remedy() {
        assert!(be_fifo(200).unwrap_err().remedy.contains("1 to 99"));
    }

    #[test]
    fn the_remedy_names_this_program() {
        let remedy = remedy_of_rights();
        assert!(remedy.starts_with("sudo setcap cap_net_raw,cap_sys_nice,cap_ipc_lock+ep /"), "{remedy}");
    }
}
