//! The middle of the program: one plain function of time, inputs and outputs. No clock, socket, thread,
//! allocation or lock; tests call it directly, thousands of times faster than real time.

mod acknowledgement;
mod commands;
mod reaction;
mod setpoint;

use acknowledgement::BringUp;

use super::bus_supervision::{BusSupervision, ExchangeResult};
use super::clearance::{ClearanceWatch, ToolGuard};
use super::drive_group::DriveGroup;
use super::feed_forward::{FeedForward, FeedForwardSettings, JointMotion};
use super::interpolator::Interpolator;
use super::joint_stop::JointStop;
use super::machine_state::{MachineEvent, Transition, on};
use super::positions::{Positions, Rest};
use super::process_phases::ProcessPhases;
use super::setpoint_limits::SetpointGate;
use super::supervision::{Finding, Supervision, SupervisionSettings};
use crate::boundary::RealtimeEnd;
use crate::boundary::event_queue::{Event, EventKind, RunResult};
use crate::boundary::object_queue::RealtimeObjects;
use crate::boundary::sample_ring::{CycleCounters, Sample};
use crate::bus_health::BusNews;
use crate::devices::{Identity, MAX_SUBDEVICES};
use crate::drives::channels::{ChannelFreshness, ChannelValues};
use crate::drives::cia402::{DriveGoal, DriveState};
use crate::drives::process_image::{DriveCommand, DriveFeedback};
use crate::drives::scaling::ArmScaling;
use crate::faults::{Fault, FaultCode, Reaction};
use crate::joints::{JointLimits, JointVector, MAX_JOINTS};
use crate::kinematics::Chain;
use crate::kinematics::inverse::InverseSettings;
use crate::machine::{ControlEpoch, MachineState, RunTag};
use crate::positions::PositionsAtStart;
use crate::units::{Cycles, Nanoseconds};

/// Most findings handled in one cycle: one from the bus, the drives, the path, the gate and its reaction.
const FINDINGS_PER_CYCLE_MAX: usize = 4;
/// Longest time drives may take to reach a commanded state, s.
const DRIVE_STATE_TIMEOUT_S: f64 = 5.0;

/// Everything a cycle must know before the first one.
#[derive(Clone, Debug)]
pub struct CycleSettings {
    /// Cycle time.
    pub cycle_time: Nanoseconds,
    /// The arm.
    pub chain: Chain,
    /// Settings of inverse kinematics in the cycle.
    pub inverse: InverseSettings,
    /// Limits of the gate.
    pub limits: JointLimits,
    /// Counts and joints.
    pub scaling: ArmScaling,
    /// What is known of the positions before the first frame.
    pub positions: PositionsAtStart,
    /// SubDevice of each drive, in bus order from 0.
    pub drive_subdevices: [usize; MAX_JOINTS],
    /// Time the slowest brake takes to open, s: motion waits for it.
    pub brake_release_s: f64,
    /// Time the slowest brake takes to close, s: the machine counts as off after it.
    pub brake_close_s: f64,
    /// Limits of supervision.
    pub supervision: SupervisionSettings,
    /// What the drives are told beside positions.
    pub feed_forward: FeedForwardSettings,
    /// All outputs as they are set when a fault stops the machine.
    pub safe_outputs: ChannelValues,
}

/// What a cycle sees.
#[derive(Clone, Copy, Debug)]
pub struct CycleInputs {
    /// What the exchange brought.
    pub exchange: ExchangeResult,
    /// Feedback of the drives.
    pub drives: [DriveFeedback; MAX_JOINTS],
    /// Input channels.
    pub channels: ChannelValues,
    /// Which of them were received in this cycle.
    pub channels_fresh: ChannelFreshness,
    /// Late cycles since start, counted by the run loop.
    pub late_cycles: u64,
    /// Heap allocations inside cycles since start, counted by the allocator.
    pub heap_allocations: u64,
}

/// What a cycle wants.
#[derive(Clone, Copy, Debug, Default)]
pub struct CycleOutputs {
    /// Commands to the drives.
    pub drives: [DriveCommand; MAX_JOINTS],
    /// Output channels.
    pub channels: ChannelValues,
}

/// The machine.
#[derive(Debug)]
pub struct Cycle {
    settings: CycleSettings,
    dt_s: f64,
    boundary: RealtimeEnd,
    drives: DriveGroup,
    positions: Positions,
    bus: BusSupervision,
    supervision: Supervision,
    clearance: ClearanceWatch,
    gate: SetpointGate,
    interpolator: Interpolator,
    phases: ProcessPhases,
    outputs: ChannelValues,
    cycle: u64,
    state: MachineState,
    /// A stop under way is to end switched off.
    disable_next: bool,
    /// Time since the state was entered, s.
    in_state_s: f64,
    /// Time a condition inside the state has held, s (brakes, standstill).
    condition_s: f64,
    epoch: ControlEpoch,
    latched: Option<Fault>,
    /// Faults already reported since the last acknowledgement, by position in [`FaultCode::ALL`].
    reported: u64,
    /// Time every joint has stood during a quick stop, s.
    standing_s: f64,
    /// Strongest reaction under way.
    reaction: Reaction,
    joint_stop: Option<JointStop>,
    /// Drives that stop on their own ramp while the others make a joint stop, drive 0 in bit 0: their
    /// position cannot be trusted.
    quick_stops: u32,
    /// Number of the acknowledgement being carried out, and for how long, s.
    resetting: Option<(u32, f64)>,
    bring_up: BringUp,
    /// Where the joints were when the bus was last seen whole, while a drive comes back.
    q_before_bring_up: Option<JointVector>,
    /// Speed of the setpoint when the last reaction began: what the joints have stopped from, seen or unseen.
    speed_at_fault: JointVector,
    /// The setpoint is the actual position during a reaction: after a stall nobody knows where a smooth stop
    /// would have to begin, and what the gate refused cannot go on.
    gives_way: bool,
    /// The setpoint of this cycle was set to the actual position.
    followed: bool,
    feed_forward: FeedForward,
    /// How the path moves at the setpoint of this cycle.
    motion: Option<JointMotion>,
}

impl Cycle {
    /// A machine that has not seen its drives yet.
    #[must_use]
    pub fn new(settings: CycleSettings, boundary: RealtimeEnd) -> Self {
        let dt_s = settings.cycle_time.as_seconds();
        Self {
            dt_s,
            boundary,
            drives: DriveGroup::new(settings.scaling, &settings.limits, &settings.positions),
            positions: Positions::new(settings.positions),
            bus: BusSupervision::new(dt_s),
            supervision: Supervision::new(settings.supervision, settings.limits, dt_s),
            clearance: ClearanceWatch::default(),
            gate: SetpointGate::new(settings.limits, dt_s),
            interpolator: Interpolator::new(settings.chain, settings.inverse, dt_s),
            phases: ProcessPhases::new(dt_s),
            outputs: ChannelValues::default(),
            cycle: 0,
            state: MachineState::Disabled,
            disable_next: false,
            in_state_s: 0.0,
            condition_s: 0.0,
            standing_s: 0.0,
            epoch: ControlEpoch::default(),
            latched: None,
            reported: 0,
            reaction: Reaction::RideThrough,
            joint_stop: None,
            quick_stops: 0,
            resetting: None,
            bring_up: BringUp::NotWanted,
            q_before_bring_up: None,
            speed_at_fault: JointVector::zeros(settings.limits.len()),
            gives_way: false,
            followed: true,
            feed_forward: FeedForward::new(settings.feed_forward, settings.limits.len(), dt_s),
            motion: None,
            settings,
        }
    }

    /// The same machine, watching that the arm keeps away from itself and from areas; at most
    /// [`MAX_TOOLS`](super::clearance::MAX_TOOLS) tools.
    #[must_use]
    pub fn guarded(mut self, guards: &[ToolGuard]) -> Self {
        self.clearance = ClearanceWatch::new(guards);
        self
    }

    /// State of the machine after the last step.
    #[must_use]
    pub const fn state(&self) -> MachineState {
        self.state
    }

    /// Takes the identities of the SubDevices, as a bring-up has found them.
    pub fn take_identities(&mut self, found: &[Identity; MAX_SUBDEVICES]) {
        self.positions.take_identities(found, &self.settings.drive_subdevices, &self.drives);
    }

    /// The queues of objects, for whoever has the bus.
    pub const fn objects(&mut self) -> &mut RealtimeObjects {
        &mut self.boundary.objects
    }

    /// Tells the daemon what was found on the bus.
    pub fn publish_bus_news(&mut self, news: BusNews) {
        self.boundary.bus.publish(news);
    }

    /// Advances the machine by one cycle: reads `inputs`, fills `outputs`.
    ///
    /// # Real-time
    /// No allocation, lock, system call or panic path. Loops are bounded by the number of joints,
    /// channels, waiting commands (64) and the iterations of inverse kinematics.
    #[rtsan_standalone::nonblocking]
    pub fn step(&mut self, inputs: &CycleInputs, outputs: &mut CycleOutputs) {
        self.cycle += 1;
        self.in_state_s += self.dt_s;
        self.observe(inputs);
        if let Some(finding) = self.positions.watch(&self.drives, &self.settings.limits, self.dt_s) {
            // Told before the fault, which is told with the reason.
            self.report_positions();
            self.raise(finding);
        }
        self.take_commands();
        self.supervise(inputs);
        self.look_for_daemon();
        self.advance_state(inputs);

        // The setpoint: a finding on the way changes the state, and the new state makes the setpoint
        // of this very cycle.
        self.followed = false;
        self.motion = None;
        for _ in 0..FINDINGS_PER_CYCLE_MAX {
            match self.make_setpoint(&inputs.channels) {
                Ok(()) => break,
                Err(finding) => self.raise(finding),
            }
        }
        self.secure_process();
        self.supervision.remember_setpoint(self.gate.setpoint(), self.followed);

        let goal = self.drive_goal();
        let (quick_stops, in_reaction) = (self.quick_stops, self.state == MachineState::FaultReaction);
        let feed = self.feed_forward.step(
            self.gate.setpoint(),
            self.gate.speed(),
            self.motion,
            self.drives.scaling(),
        );
        self.drives.commands(
            |drive| {
                let by_itself = in_reaction && goal == DriveGoal::StayOn && quick_stops >> drive & 1 == 1;
                if by_itself { DriveGoal::QuickStop } else { goal }
            },
            self.gate.setpoint(),
            &feed,
            self.resetting.is_some(),
            self.cycle,
            &mut outputs.drives,
        );
        outputs.channels = self.outputs;
        self.report_positions();
        self.publish_sample(inputs);
    }

    fn observe(&mut self, inputs: &CycleInputs) {
        let exchange = &inputs.exchange;
        let subdevices = &self.settings.drive_subdevices;
        self.drives.observe(&inputs.drives, |drive| {
            subdevices
                .get(drive)
                .is_some_and(|&at| exchange.is_subdevice_fresh(at) && exchange.is_operational(at))
        });
    }

    fn report_positions(&mut self) {
        let is_settled =
            matches!(self.state, MachineState::Disabled | MachineState::Fault) && !self.drives.any_torque();
        let is_standing = is_settled || matches!(self.state, MachineState::Ready | MachineState::Held);
        let rest = Rest { is_settled, is_standing };
        self.positions.report(&mut self.boundary.positions, &self.drives, rest, self.cycle, self.dt_s);
    }

    fn supervise(&mut self, inputs: &CycleInputs) {
        let verdict = self.bus.check(&inputs.exchange);
        if let Some(warning) = verdict.warning {
            self.publish(EventKind::Warning(self.fault_of(warning, Reaction::RideThrough)));
        }
        if let Some(finding) = verdict.fault {
            self.raise(finding);
        }
        let (follows, at_rest) = match self.state {
            MachineState::Ready
            | MachineState::Executing
            | MachineState::Holding
            | MachineState::Held
            | MachineState::Stopping => (true, false),
            MachineState::Disabled | MachineState::Enabling | MachineState::Disabling => (false, true),
            MachineState::FaultReaction | MachineState::Fault => (false, false),
        };
        // The stop chain matters as soon as torque is wanted.
        if (follows || self.state == MachineState::Enabling)
            && let Some(channel) = self.supervision.stop_input()
            && inputs.channels_fresh.is_digital_fresh(channel)
            && !inputs.channels.is_on(channel)
        {
            self.raise(Finding { code: FaultCode::StopInput, place: Some(channel), value: 0.0, limit: 1.0 });
        }
        let finding = if follows {
            self.supervision.check_drives_enabled(&self.drives)
        } else if at_rest {
            self.supervision.check_drives_at_rest(&self.drives)
        } else {
            None
        };
        if let Some(finding) = finding {
            self.raise(finding);
        }
    }

    /// Without a daemon nobody can stop the arm any more: it stops on its path and switches off.
    fn look_for_daemon(&mut self) {
        if !self.boundary.samples.is_reader_gone() || self.state == MachineState::Disabled {
            return;
        }
        self.raise(Finding { code: FaultCode::DaemonLost, place: None, value: 0.0, limit: 0.0 });
        self.disable_next = true;
        self.apply(on(self.state, MachineEvent::Disable, true));
    }

    const fn fault_of(&self, finding: Finding, reaction: Reaction) -> Fault {
        let Finding { code, place, value, limit } = finding;
        Fault { code, reaction, place, value, limit, cycle: Cycles(self.cycle) }
    }

    fn apply(&mut self, transition: Transition) {
        let Transition::To(next) = transition else { return };
        let before = self.state;
        self.state = next;
        self.in_state_s = 0.0;
        self.condition_s = 0.0;
        self.standing_s = 0.0;
        match next {
            MachineState::FaultReaction => {
                self.speed_at_fault = *self.gate.speed();
                self.joint_stop =
                    Some(JointStop::start(self.gate.setpoint(), self.gate.speed(), &self.settings.limits));
                self.end_run(RunResult::Faulted);
            }
            MachineState::Fault => self.end_run(RunResult::Faulted),
            MachineState::Ready if before == MachineState::Executing => self.end_run(RunResult::Completed),
            MachineState::Ready | MachineState::Disabling => self.end_run(RunResult::Stopped),
            MachineState::Disabled => {
                self.disable_next = false;
                if before == MachineState::Fault {
                    self.clear_fault();
                }
            }
            MachineState::Enabling => self.disable_next = false,
            MachineState::Executing | MachineState::Holding | MachineState::Held | MachineState::Stopping => {
            }
        }
        self.publish(EventKind::State(next));
    }

    fn end_run(&mut self, result: RunResult) {
        self.secure_process();
        self.phases.discard();
        if self.interpolator.run() != RunTag::default() {
            self.publish(EventKind::RunEnded(result));
        }
        self.interpolator.discard();
    }

    /// Moves the state on by what the drives show.
    fn advance_state(&mut self, inputs: &CycleInputs) {
        let event = match self.state {
            MachineState::Enabling => {
                if self.drives.all_in(DriveState::OperationEnabled) {
                    self.condition_s += self.dt_s;
                    (self.condition_s >= self.settings.brake_release_s).then_some(MachineEvent::DrivesOn)
                } else {
                    self.condition_s = 0.0;
                    self.check_state_timeout();
                    None
                }
            }
            MachineState::Disabling => {
                if self.drives.any_torque() {
                    self.check_state_timeout();
                    None
                } else {
                    self.condition_s += self.dt_s;
                    (self.condition_s >= self.settings.brake_close_s).then_some(MachineEvent::DrivesOff)
                }
            }
            MachineState::FaultReaction => self.is_reaction_done().then_some(MachineEvent::ReactionDone),
            MachineState::Fault => self.advance_reset(inputs).then_some(MachineEvent::FaultCleared),
            MachineState::Disabled
            | MachineState::Ready
            | MachineState::Executing
            | MachineState::Holding
            | MachineState::Held
            | MachineState::Stopping => None,
        };
        if let Some(event) = event {
            self.apply(on(self.state, event, self.disable_next));
        }
    }

    fn check_state_timeout(&mut self) {
        if self.in_state_s > DRIVE_STATE_TIMEOUT_S {
            let place = self.drives.first_not_enabled().and_then(|drive| u8::try_from(drive).ok());
            self.raise(Finding {
                code: FaultCode::DriveStateTimeout,
                place,
                value: self.in_state_s,
                limit: DRIVE_STATE_TIMEOUT_S,
            });
        }
    }

    fn publish(&mut self, kind: EventKind) {
        self.boundary.events.publish(Event { cycle: Cycles(self.cycle), run: self.interpolator.run(), kind });
    }

    fn publish_sample(&mut self, inputs: &CycleInputs) {
        let (piece, instruction, s, speed) = self.interpolator.place();
        let q_setpoint = *self.gate.setpoint();
        let per_mille = self.drives.motor_torques_per_mille();
        let (torque_actual, mut torque_residual) =
            self.feed_forward.residual(&per_mille, self.drives.scaling());
        // Brakes hold what the model expects of the drives: nothing to be learned while they may be closed.
        if !matches!(
            self.state,
            MachineState::Ready
                | MachineState::Executing
                | MachineState::Holding
                | MachineState::Held
                | MachineState::Stopping
        ) || !self.drives.is_fresh()
        {
            torque_residual = JointVector::zeros(torque_residual.len());
        }
        self.boundary.samples.publish(Sample {
            cycle: Cycles(self.cycle),
            time: Nanoseconds(self.cycle.saturating_mul(self.settings.cycle_time.0)),
            state: self.state,
            run: self.interpolator.run(),
            piece,
            instruction,
            s,
            speed,
            q_setpoint,
            q_actual: *self.drives.q_actual(),
            torque_actual,
            torque_residual,
            x_base_tool: self.interpolator.x_base_tool(&q_setpoint),
            x_flange_tool: *self.interpolator.x_flange_tool(),
            override_ratio: self.interpolator.override_ratio(),
            digital_inputs: inputs.channels.digital,
            digital_outputs: self.outputs.digital,
            analog_inputs: inputs.channels.analog,
            analog_outputs: self.outputs.analog,
            phase: self.phases.current(),
            fresh: inputs.exchange.is_fresh(),
            fresh_subdevices: inputs.exchange.fresh_subdevices,
            digital_fresh: inputs.channels_fresh.digital,
            analog_fresh: inputs.channels_fresh.analog,
            drives_enabled: self.drives.mask(|state| state == DriveState::OperationEnabled),
            drives_faulted: self
                .drives
                .mask(|state| matches!(state, DriveState::Fault | DriveState::FaultReactionActive)),
            counters: CycleCounters {
                lost_frames: self.bus.lost_frames,
                late_cycles: inputs.late_cycles,
                working_counter_errors: self.bus.working_counter_errors,
                heap_allocations: inputs.heap_allocations,
            },
            dropped: 0,
        });
    }
}
