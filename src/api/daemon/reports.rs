//! What the cycle reports, and telling it: events, notices, status.

use serde_json::{Value, json};

use super::commands::states_for;
use super::{BringUpResult, Daemon, FAULTS_MAX, LatchedFault, NOTICES_MAX, Notice, Shutdown};
use crate::api::error::ApiError;
use crate::api::lease::SessionId;
use crate::boundary::event_queue::{Event, EventKind, Refusal, RunResult};
use crate::boundary::sample_ring::{CycleCounters, Sample};
use crate::devices::ANALOG_CHANNELS;
use crate::faults::{Fault, FaultCode, PlaceKind};
use crate::geometry::Pose;
use crate::jobs::runner::{Run, RunEvent, RunState};
use crate::joints::JointVector;
use crate::machine::{MachineState, RunTag};
use crate::telemetry::status::{FaultStatus, RunStatus, Status, distance_on, fault_status, status};
use crate::units::{Cycles, Nanoseconds, Ratio};

impl Daemon {
    pub(super) fn drain(&mut self) {
        // The cycle publishes its events before its sample: every event of the samples counted here is
        // already in the queue, so that merging by cycle keeps the order in which things happened.
        let samples = self.end.samples.waiting();
        self.take_position_reports();
        while let Some(event) = self.end.events.pop() {
            self.events_of_poll.push_back(event);
        }
        // A bring-up is told before the first cycle after it: its result before what that cycle published.
        while let Some(result) = self.bring_ups.as_ref().and_then(|results| results.try_recv().ok()) {
            self.bus_brought_up(result);
        }
        for _ in 0..samples {
            let Some(sample) = self.end.samples.pop() else { break };
            while let Some(event) = self.events_of_poll.pop_front_if(|event| event.cycle <= sample.cycle) {
                self.take_event(&event);
            }
            for recorder in &mut self.recorders {
                recorder.sample(&sample);
            }
            if let Some(run) = &mut self.run
                && run.tag == sample.run
                && !run.state.is_final()
            {
                run.piece = sample.piece;
                run.instruction = sample.instruction;
                run.s = sample.s;
            }
            if self.latest.is_none() {
                self.machine_entered(sample.state);
            }
            self.latest = Some(sample);
        }
        while let Some(event) = self.events_of_poll.pop_front() {
            self.take_event(&event);
        }
        while let Some(news) = self.end.bus.pop() {
            if let Some((kind, details)) = self.bus.take(&news) {
                self.log(kind, details, None);
            }
            for recorder in &mut self.recorders {
                recorder.bus(&news);
            }
        }
        let dropped = self.end.events.dropped();
        if dropped > self.dropped_reported {
            self.log("events_dropped", json!({"count": dropped - self.dropped_reported}), None);
            self.dropped_reported = dropped;
            // State changes may be among them; the newest sample has the truth.
            if let Some(state) = self.latest.as_ref().map(|sample| sample.state) {
                self.machine_entered(state);
                self.end_run_by_state(state);
            }
        }
    }

    /// A fault in words, with the names this cell and this run have for its place.
    fn in_words(&self, fault: &Fault) -> FaultStatus {
        let mut words = fault_status(fault, &self.facts.joints);
        words.place = self.place_name(fault).or(words.place);
        if fault.code == FaultCode::PositionUntrusted {
            let joints = self.untrusted_joints().into_iter();
            let reasons: Vec<String> =
                joints.map(|(joint, reason)| format!("joint {joint}: {reason}")).collect();
            words.detail = (!reasons.is_empty()).then(|| reasons.join("; "));
        }
        words
    }

    /// Seam and phase of a fault of the process under way, or the input a fault concerns, by their names.
    fn place_name(&self, fault: &Fault) -> Option<String> {
        let input = |channel: u8| {
            let names = &self.facts.channels.digital_inputs;
            names.iter().find(|(_, number)| *number == channel).map(|(name, _)| format!("input `{name}`"))
        };
        match fault.code.place_kind() {
            PlaceKind::Phase => match self.latest.as_ref()?.phase {
                Some((table, _)) => {
                    let (process, phase) = self.run.as_ref()?.phase_name(table, fault.place?)?;
                    Some(format!("process `{process}`, phase `{phase}`"))
                }
                // Outside a process only an instruction waits, for an input.
                None => input(fault.place?),
            },
            PlaceKind::DigitalInput => input(fault.place?),
            PlaceKind::SubDevice
            | PlaceKind::Drive
            | PlaceKind::Joint
            | PlaceKind::Link
            | PlaceKind::Nothing => None,
        }
    }

    pub(super) fn take_event(&mut self, event: &Event) {
        for recorder in &mut self.recorders {
            recorder.event(event);
        }
        let cycle = event.cycle;
        match event.kind {
            EventKind::CommandDone { id } => {
                if self.shutdown == Shutdown::Sent(id) {
                    self.shutdown = Shutdown::Taken;
                }
                let asked = self.pending.get(&id).map(|(_, name)| *name);
                if matches!(asked, Some("master.set" | "master.accept")) {
                    // The cycle has reported before it answered: written down before anybody is told.
                    self.take_position_reports();
                    if let Some(error) = self.mastering_failure() {
                        self.command_refused(id, &error);
                    }
                }
                if let Some((session, name)) = self.pending.remove(&id) {
                    if name == "reset" {
                        self.faults.clear();
                    }
                    let details = json!({"command_id": id, "command": name});
                    self.log_at(cycle, "command_done", details, Some(session));
                }
            }
            EventKind::CommandRefused { id, refusal } => {
                let command = self.pending.get(&id).map_or("", |(_, name)| *name);
                let error = match refusal {
                    // A fault that cannot be acknowledged yet, or that nobody has acknowledged.
                    Refusal::State(MachineState::Fault) => self.fault_active(),
                    Refusal::State(_)
                        if !self.faults.is_empty()
                            && matches!(command, "enable" | "resume" | "job.start") =>
                    {
                        self.fault_active()
                    }
                    Refusal::State(state) => ApiError::WrongState { state, needs: states_for(command) },
                    Refusal::PositionUntrusted(_) => {
                        ApiError::PositionUntrusted { joints: self.untrusted_joints() }
                    }
                    Refusal::StaleEpoch => {
                        ApiError::StaleEpoch { given: self.cycle_epoch.0, current: self.lease.epoch().0 }
                    }
                };
                if self.shutdown == Shutdown::Sent(id) {
                    // Whatever state refuses to switch off has no torque, or is about to.
                    self.shutdown = Shutdown::Taken;
                }
                self.command_refused(id, &error);
                if self.run.as_ref().is_some_and(|run| run.start_command == id) {
                    self.run_event(RunEvent::StartRefused);
                }
            }
            EventKind::State(state) => {
                self.log_at(cycle, "machine_state", json!({"state": state.name()}), None);
                self.machine_entered(state);
            }
            EventKind::Fault(fault) => {
                // What a fault is about was reported before it.
                self.take_position_reports();
                let words = self.in_words(&fault);
                for recorder in &mut self.recorders {
                    recorder.fault(&words);
                }
                self.log_at(cycle, "fault", fault_json(&words), None);
                // One that could not be acknowledged is told again.
                let known = self.faults.iter().any(|latched| latched.fault == fault);
                if !known && self.faults.len() < FAULTS_MAX {
                    self.faults.push(LatchedFault { fault, words });
                }
            }
            EventKind::Warning(fault) => {
                let words = self.in_words(&fault);
                self.log_at(cycle, "warning", fault_json(&words), None);
            }
            EventKind::PieceBegan { index, instruction } => {
                if let Some(run) = &mut self.run
                    && run.tag == event.run
                {
                    run.piece = index;
                    run.instruction = instruction;
                    run.s = 0.0;
                    let details = json!({"run_id": run.run_id, "segment": index, "instruction": instruction});
                    self.log_at(cycle, "segment_began", details, None);
                }
            }
            EventKind::PhaseBegan { table, phase } => {
                let names = self.run.as_ref().and_then(|run| run.phase_name(table, phase));
                let details = json!({
                    "process": names.map_or_else(|| table.to_string(), |(process, _)| process.to_owned()),
                    "phase": names.map_or_else(|| phase.to_string(), |(_, phase)| phase.to_owned()),
                });
                self.log_at(cycle, "phase_began", details, None);
            }
            EventKind::ProcessInterrupted { table } => {
                let details = json!({"process": self.process_name(table)});
                self.log_at(cycle, "process_interrupted", details, None);
            }
            EventKind::ProcessEnded { table } => {
                let details = json!({"process": self.process_name(table)});
                self.log_at(cycle, "process_ended", details, None);
            }
            EventKind::RunEnded(result) => {
                if self.run.as_ref().is_some_and(|run| run.tag == event.run) {
                    self.run_event(RunEvent::Ended(result));
                }
            }
        }
    }

    /// The bus was brought up again, or could not be.
    pub fn bus_brought_up(&mut self, result: BringUpResult) {
        let failure = result.err();
        let details = json!({"up": failure.is_none(), "message": failure});
        self.bus.brought_up(failure);
        self.log("bus_bring_up", details, None);
    }

    pub(super) fn machine_entered(&mut self, state: MachineState) {
        if state == MachineState::Disabled && self.machine == MachineState::Fault {
            // The way from a fault to disabled is its acknowledgement, whoever gave it.
            self.faults.clear();
        }
        self.machine = state;
        self.run_event(RunEvent::Machine(state));
    }

    /// Ends a run whose own end was lost: the machine is in a state in which nothing is executed.
    pub(super) fn end_run_by_state(&mut self, state: MachineState) {
        let under_way = self.run.as_ref().is_some_and(|run| match run.state {
            RunState::Executing | RunState::Holding | RunState::Held | RunState::Stopping => true,
            RunState::Planning
            | RunState::Starting
            | RunState::Completed
            | RunState::Stopped
            | RunState::Faulted
            | RunState::Refused => false,
        });
        match state {
            MachineState::Ready if under_way => self.run_event(RunEvent::Ended(RunResult::Stopped)),
            MachineState::Disabled | MachineState::Fault if under_way => {
                self.run_event(RunEvent::Ended(RunResult::Faulted));
            }
            MachineState::Disabled
            | MachineState::Enabling
            | MachineState::Ready
            | MachineState::Executing
            | MachineState::Holding
            | MachineState::Held
            | MachineState::Stopping
            | MachineState::Disabling
            | MachineState::FaultReaction
            | MachineState::Fault => {}
        }
    }

    pub(super) fn process_name(&self, table: u16) -> String {
        self.run
            .as_ref()
            .and_then(|run| run.plan.processes.iter().find(|names| names.table == table))
            .map_or_else(|| table.to_string(), |names| names.name.clone())
    }

    pub(super) fn command_refused(&mut self, id: u32, error: &ApiError) {
        if let Some((session, name)) = self.pending.remove(&id) {
            let error = serde_json::to_value(error.data()).unwrap_or_default();
            self.log(
                "command_refused",
                json!({"command_id": id, "command": name, "error": error}),
                Some(session),
            );
        }
    }

    pub(super) fn log(&mut self, kind: &'static str, details: Value, owner: Option<SessionId>) {
        let cycle = self.latest.as_ref().map_or(Cycles(0), |sample| sample.cycle);
        self.log_at(cycle, kind, details, owner);
    }

    #[expect(clippy::cast_precision_loss, reason = "exact for nine million years of cycles at 1 kHz")]
    pub(super) fn log_at(
        &mut self,
        cycle: Cycles,
        kind: &'static str,
        details: Value,
        owner: Option<SessionId>,
    ) {
        let time_s = cycle.0 as f64 * self.facts.cycle.as_seconds();
        let event = self.events.add(time_s, cycle.0, kind, details);
        self.notice(Notice::Event { event, owner });
    }

    pub(super) fn notice(&mut self, notice: Notice) {
        if self.notices.len() >= NOTICES_MAX {
            self.notices.pop_front();
        }
        self.notices.push_back(notice);
    }

    /// The newest status.
    #[must_use]
    pub fn status(&self) -> Status {
        let blank = blank_sample(self.facts.joints.len());
        let sample = self.latest.as_ref().unwrap_or(&blank);
        let run = self.run.as_ref().map(|run| run_status(run, sample));
        let faults: Vec<FaultStatus> = self.faults.iter().map(|latched| latched.words.clone()).collect();
        let mut status = status(
            sample,
            &self.facts.joints,
            &self.facts.channels,
            run,
            faults,
            self.bus.status(),
            self.end.events.dropped(),
        );
        // Events may be ahead of the newest sample.
        status.state = self.machine.name();
        status.untrusted_joints = self.untrusted_joints().into_iter().map(|(joint, _)| joint).collect();
        status
    }
}

fn run_status(run: &Run, sample: &Sample) -> RunStatus {
    let on_run = sample.run == run.tag;
    let progress = run.progress();
    let distance = run
        .current_piece()
        .filter(|_| on_run && !run.state.is_final())
        .and_then(|piece| distance_on(&piece.kind, sample));
    let phase = sample.phase.filter(|_| on_run && !run.state.is_final());
    let names = phase.and_then(|(table, phase)| run.phase_name(table, phase));
    RunStatus {
        run_id: run.run_id.clone(),
        job_id: run.job.job_id.clone(),
        state: run.state.name(),
        progress: progress.fraction,
        planned_s: progress.planned_s,
        instruction: run.instruction,
        segment: run.piece,
        s_mm: distance.map(|(s_mm, _)| s_mm),
        v_mm_s: distance.map(|(_, v_mm_s)| v_mm_s),
        process: names.map(|(process, _)| process.to_owned()),
        phase: names.map(|(_, phase)| phase.to_owned()),
    }
}

fn fault_json(words: &FaultStatus) -> Value {
    let mut value = serde_json::to_value(words).unwrap_or_default();
    if let Some(object) = value.as_object_mut() {
        // The event has its own cycle.
        object.remove("cycle");
    }
    value
}

/// What is shown before the first cycle.
fn blank_sample(joints: usize) -> Sample {
    Sample {
        cycle: Cycles(0),
        time: Nanoseconds(0),
        state: MachineState::Disabled,
        run: RunTag(0),
        piece: 0,
        instruction: 0,
        s: 0.0,
        speed: 0.0,
        q_setpoint: JointVector::zeros(joints),
        q_actual: JointVector::zeros(joints),
        torque_actual: JointVector::zeros(joints),
        torque_residual: JointVector::zeros(joints),
        x_base_tool: Pose::identity(),
        x_flange_tool: Pose::identity(),
        override_ratio: Ratio::ONE,
        digital_inputs: 0,
        digital_outputs: 0,
        analog_inputs: [0.0; ANALOG_CHANNELS],
        analog_outputs: [0.0; ANALOG_CHANNELS],
        phase: None,
        fresh: false,
        fresh_subdevices: 0,
        digital_fresh: 0,
        analog_fresh: 0,
        drives_enabled: 0,
        drives_faulted: 0,
        counters: CycleCounters::default(),
        dropped: 0,
    }
}
