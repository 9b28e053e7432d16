//! The middle of the program: one plain function of time, inputs and outputs. No clock, socket, thread,
//! allocation or lock; tests call it directly, thousands of times faster than real time.

use super::bus_supervision::{BusSupervision, ExchangeResult};
use super::clearance::{ClearanceWatch, ToolGuard};
use super::drive_group::DriveGroup;
use super::fault_reaction::reaction;
use super::feed_forward::{FeedForward, FeedForwardSettings, JointMotion};
use super::interpolator::{Demand, Interpolator, Surroundings};
use super::joint_stop::JointStop;
use super::machine_state::{MachineEvent, Transition, on};
use super::positions::{Positions, Rest};
use super::process_phases::{PhaseNews, ProcessPhases};
use super::setpoint_limits::SetpointGate;
use super::supervision::{Finding, Supervision, SupervisionSettings};
use crate::boundary::RealtimeEnd;
use crate::boundary::command_queue::{CAPACITY as COMMANDS_MAX, Command, StampedCommand};
use crate::boundary::event_queue::{Event, EventKind, Refusal, RunResult};
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
use crate::positions::{Distrust, PositionsAtStart};
use crate::units::{Cycles, Nanoseconds};

/// Most findings handled in one cycle: one from the bus, the drives, the path, the gate and its reaction.
const FINDINGS_PER_CYCLE_MAX: usize = 4;
/// Longest time drives may take to reach a commanded state, s.
const DRIVE_STATE_TIMEOUT_S: f64 = 5.0;
/// Longest time a quick stop or a switching off may take before the fault counts as reacted to, s.
const REACTION_TIMEOUT_S: f64 = 3.0;
/// Longest time drives may take to leave the fault state after an acknowledgement, s.
const RESET_TIMEOUT_S: f64 = 2.0;
/// Time after an acknowledgement until a SubDevice that is not in OP is brought up again, s.
const BRING_UP_AFTER_S: f64 = 0.005;
/// Distance a joint may have moved while its drive was away, rad or m, besides what it takes to stop: brakes give,
/// belts settle.
const READMISSION_DISTANCE: f64 = 0.01;
/// Time a drive may have gone on at its speed before it noticed that nobody speaks to it, s.
const UNSEEN_TIME_S: f64 = 0.02;
/// Speed below which a joint counts as standing after a quick stop, rad/s.
const STANDING_SPEED: f64 = 1e-3;
/// Time a joint must stand before a quick stop counts as done, s.
const STANDING_TIME_S: f64 = 0.05;

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

/// Whether an acknowledgement needs the bus to be brought up again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BringUp {
    NotWanted,
    Wanted,
    /// It was, for this acknowledgement.
    Tried,
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

    /// True when the acknowledgement under way needs the bus to be brought up again.
    #[must_use]
    pub const fn wants_bring_up(&self) -> bool {
        matches!(self.bring_up, BringUp::Wanted)
    }

    /// The bus was brought up again, or could not be: then the acknowledgement is refused.
    pub fn brought_up(&mut self, success: bool) {
        self.bring_up = BringUp::Tried;
        self.bus.acknowledge();
        if success {
            self.resetting = self.resetting.map(|(id, _)| (id, 0.0));
            self.q_before_bring_up.get_or_insert_with(|| *self.drives.q_actual());
        } else {
            self.refuse_reset();
        }
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

    fn take_commands(&mut self) {
        for _ in 0..COMMANDS_MAX {
            let Some(stamped) = self.boundary.commands.pop() else { return };
            self.take_command(stamped);
        }
    }

    fn take_command(&mut self, stamped: StampedCommand) {
        let id = stamped.id;
        // Whoever wants the arm to stop may stop it; everything else needs the newest lease.
        let stops = matches!(stamped.command, Command::Hold | Command::Stop | Command::Disable);
        if let Command::NewEpoch = stamped.command {
            self.epoch = self.epoch.max(stamped.epoch);
            self.publish(EventKind::CommandDone { id });
            return;
        }
        if stamped.epoch != self.epoch && !stops {
            self.publish(EventKind::CommandRefused { id, refusal: Refusal::StaleEpoch });
            return;
        }
        let event = match stamped.command {
            Command::NewEpoch => return,
            Command::Enable => MachineEvent::Enable,
            Command::Disable => MachineEvent::Disable,
            Command::Start(_) => MachineEvent::Start,
            Command::Hold => MachineEvent::Hold,
            Command::Resume => MachineEvent::Resume,
            Command::Stop => MachineEvent::Stop,
            Command::Override(ratio) => {
                self.interpolator.set_override(ratio);
                self.publish(EventKind::CommandDone { id });
                return;
            }
            Command::ResetFault => {
                self.acknowledge(id);
                return;
            }
            Command::SetJoint { .. } | Command::AcceptPositions { .. } => {
                self.reference(id, stamped.command);
                return;
            }
        };
        if let (MachineEvent::Start, Some(joint)) = (event, self.positions.first_untrusted()) {
            let refusal = Refusal::PositionUntrusted(u8::try_from(joint).unwrap_or(u8::MAX));
            self.publish(EventKind::CommandRefused { id, refusal });
            return;
        }
        let starts = matches!(event, MachineEvent::Start | MachineEvent::Resume | MachineEvent::Enable);
        let transition = on(self.state, event, self.disable_next);
        if transition == Transition::Refused || (starts && self.latched.is_some()) {
            self.publish(EventKind::CommandRefused { id, refusal: Refusal::State(self.state) });
            return;
        }
        if let Command::Start(run) = stamped.command {
            self.interpolator.start(run, stamped.epoch);
        }
        if event == MachineEvent::Disable {
            self.disable_next = true;
        }
        self.publish(EventKind::CommandDone { id });
        self.apply(transition);
    }

    /// Takes a reference of the positions, while the arm stands.
    fn reference(&mut self, id: u32, command: Command) {
        let stands = matches!(self.state, MachineState::Disabled | MachineState::Ready);
        if !stands || !self.drives.is_fresh() {
            self.publish(EventKind::CommandRefused { id, refusal: Refusal::State(self.state) });
            return;
        }
        if let Command::SetJoint { joint, position } = command {
            let shown_elsewhere_by = self.drives.set_joint(usize::from(joint), position);
            // The setpoint is where the drives hold: it is shown elsewhere by as much, and nothing moves.
            self.gate.follow(&(*self.gate.setpoint() + shown_elsewhere_by));
            self.supervision.remember_setpoint(self.gate.setpoint(), true);
            self.positions.accept(Some(usize::from(joint)));
        } else if let Command::AcceptPositions { joint } = command {
            self.positions.accept(joint.map(usize::from));
        }
        // Before the answer: what is answered is durable.
        self.report_positions();
        self.publish(EventKind::CommandDone { id });
    }

    fn report_positions(&mut self) {
        let is_settled =
            matches!(self.state, MachineState::Disabled | MachineState::Fault) && !self.drives.any_torque();
        let is_standing = is_settled || matches!(self.state, MachineState::Ready | MachineState::Held);
        let rest = Rest { is_settled, is_standing };
        self.positions.report(&mut self.boundary.positions, &self.drives, rest, self.cycle, self.dt_s);
    }

    /// Acknowledges a latched fault; in the fault state the drives are reset first.
    fn acknowledge(&mut self, id: u32) {
        match self.state {
            MachineState::FaultReaction => {
                self.publish(EventKind::CommandRefused { id, refusal: Refusal::State(self.state) });
            }
            MachineState::Fault => {
                self.resetting = Some((id, 0.0));
                self.bring_up = BringUp::NotWanted;
            }
            MachineState::Disabled
            | MachineState::Enabling
            | MachineState::Ready
            | MachineState::Executing
            | MachineState::Holding
            | MachineState::Held
            | MachineState::Stopping
            | MachineState::Disabling => {
                self.clear_fault();
                self.publish(EventKind::CommandDone { id });
            }
        }
    }

    fn clear_fault(&mut self) {
        self.latched = None;
        self.reported = 0;
        self.reaction = Reaction::RideThrough;
        self.joint_stop = None;
        self.quick_stops = 0;
        self.gives_way = false;
        self.resetting = None;
        self.bus.acknowledge();
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

    /// Latches a fault and starts its reaction, unless a stronger one is under way.
    fn raise(&mut self, finding: Finding) {
        let fault = self.fault_of(finding, reaction(finding.code));
        if let (FaultCode::PositionJump, Some(drive)) = (fault.code, fault.place) {
            self.quick_stops |= 1_u32.checked_shl(u32::from(drive)).unwrap_or(0);
        }
        let bit = FaultCode::ALL.iter().position(|code| *code == fault.code).map_or(0, |at| 1_u64 << at);
        if self.reported & bit == 0 {
            self.reported |= bit;
            self.publish(EventKind::Fault(fault));
        }
        self.latched.get_or_insert(fault);
        let in_reaction = self.state == MachineState::FaultReaction;
        if in_reaction && fault.reaction <= self.reaction {
            // A joint stop that cannot go on is replaced by the drives' own.
            if Self::is_gate_code(fault.code) {
                self.reaction = self.reaction.max(Reaction::QuickStop);
                self.gives_way = true;
            }
            return;
        }
        if self.state == MachineState::Fault {
            return;
        }
        let event = match fault.reaction {
            Reaction::RideThrough => return,
            Reaction::PathHold => MachineEvent::PathHoldFault,
            Reaction::JointStop | Reaction::QuickStop | Reaction::TorqueOff => MachineEvent::StopFault,
        };
        if event == MachineEvent::StopFault {
            self.reaction = self.reaction.max(fault.reaction);
            self.gives_way |= fault.code == FaultCode::CycleStall;
            self.outputs = self.settings.safe_outputs;
        }
        self.apply(on(self.state, event, self.disable_next));
    }

    const fn is_gate_code(code: FaultCode) -> bool {
        matches!(
            code,
            FaultCode::SetpointNotFinite
                | FaultCode::SetpointPosition
                | FaultCode::SetpointSpeed
                | FaultCode::SetpointAcceleration
        )
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

    fn is_reaction_done(&mut self) -> bool {
        let torque = self.drives.any_torque();
        if !torque {
            self.condition_s += self.dt_s;
        }
        (!torque && self.condition_s >= self.settings.brake_close_s) || self.in_state_s > REACTION_TIMEOUT_S
    }

    /// Carries an acknowledgement on; true once no drive reports a fault and the stop chain is closed.
    fn advance_reset(&mut self, inputs: &CycleInputs) -> bool {
        let Some((id, elapsed_s)) = self.resetting else { return false };
        let chain_closed = self.supervision.stop_input().is_none_or(|channel| inputs.channels.is_on(channel));
        let clear = inputs.exchange.is_fresh()
            && self.drives.is_fresh()
            && self.drives.first_faulted().is_none()
            && chain_closed;
        if clear {
            if let Some(finding) = self.implausible_position() {
                // Told and refused once; after a second acknowledgement the joint has to be mastered or confirmed.
                if let Some(joint) = finding.place {
                    self.positions.lose(usize::from(joint), Distrust::Moved);
                }
                self.publish(EventKind::Fault(self.fault_of(finding, reaction(finding.code))));
                self.refuse_reset();
                return false;
            }
            self.publish(EventKind::CommandDone { id });
            return true;
        }
        self.resetting = Some((id, elapsed_s + self.dt_s));
        let bus_is_whole = inputs.exchange.received && inputs.exchange.first_not_operational().is_none();
        if elapsed_s > BRING_UP_AFTER_S && !bus_is_whole && self.bring_up == BringUp::NotWanted {
            self.bring_up = BringUp::Wanted;
        }
        if elapsed_s > RESET_TIMEOUT_S {
            self.refuse_reset();
        }
        false
    }

    /// After a bring-up: the first joint that is not where it was.
    fn implausible_position(&mut self) -> Option<Finding> {
        let before = self.q_before_bring_up.take()?;
        let q = self.drives.q_actual();
        (0..q.len()).find_map(|joint| {
            let moved = (q.get(joint) - before.get(joint)).abs();
            let speed = self.speed_at_fault.get(joint).abs();
            let deceleration = self.settings.limits.as_slice().get(joint)?.acceleration_max;
            let limit = READMISSION_DISTANCE + speed * (UNSEEN_TIME_S + 0.5 * speed / deceleration);
            (moved > limit).then(|| Finding {
                code: FaultCode::PositionJump,
                place: u8::try_from(joint).ok(),
                value: moved,
                limit,
            })
        })
    }

    fn refuse_reset(&mut self) {
        let Some((id, _)) = self.resetting.take() else { return };
        self.publish(EventKind::CommandRefused { id, refusal: Refusal::State(self.state) });
        if let Some(fault) = self.latched {
            self.publish(EventKind::Fault(fault));
        }
    }

    /// Makes the setpoint of this cycle by the state and lets it pass the gate.
    fn make_setpoint(&mut self, channels: &ChannelValues) -> Result<(), Finding> {
        match self.state {
            MachineState::Disabled | MachineState::Fault => self.follow_actual(),
            MachineState::Enabling => {
                if self.condition_s <= 0.0 {
                    self.follow_actual();
                }
            }
            MachineState::Ready | MachineState::Held | MachineState::Disabling => {
                self.interpolator.drop_stale(&mut self.boundary.pieces);
                return self.pass(*self.gate.setpoint());
            }
            MachineState::Executing => return self.interpolate(Demand::Run, channels),
            MachineState::Holding | MachineState::Stopping => {
                return self.interpolate(Demand::Stop, channels);
            }
            MachineState::FaultReaction => return self.react(),
        }
        self.interpolator.drop_stale(&mut self.boundary.pieces);
        Ok(())
    }

    fn follow_actual(&mut self) {
        if self.drives.is_position_known() {
            self.gate.follow(self.drives.q_actual());
        }
        self.followed = true;
    }

    fn pass(&mut self, q: JointVector) -> Result<(), Finding> {
        self.gate.pass(&q).map_err(|violation| Finding {
            code: violation.code,
            place: Some(violation.joint),
            value: violation.value,
            limit: violation.limit,
        })
    }

    fn interpolate(&mut self, demand: Demand, channels: &ChannelValues) -> Result<(), Finding> {
        // The outputs of a process are safe in the same cycle as the first stop setpoint.
        if demand == Demand::Stop {
            self.secure_process();
        }
        let (q, speed) = (*self.gate.setpoint(), *self.gate.speed());
        let step = self.interpolator.step(
            demand,
            &q,
            &speed,
            &mut Surroundings {
                pieces: &mut self.boundary.pieces,
                phases: &mut self.phases,
                inputs: channels,
                outputs: &mut self.outputs,
            },
        )?;
        if let Some((index, instruction)) = step.began {
            self.publish(EventKind::PieceBegan { index, instruction });
            if step.motion.is_some() {
                self.feed_forward.set_payload(self.interpolator.payload());
            }
        }
        match step.news {
            PhaseNews::None => {}
            PhaseNews::Began { table, phase } => self.publish(EventKind::PhaseBegan { table, phase }),
            PhaseNews::Ended { table } => self.publish(EventKind::ProcessEnded { table }),
        }
        let x_flange_tool = self.interpolator.x_flange_tool();
        if let Some(finding) = self.clearance.check(&self.settings.chain, &q, &step.q, x_flange_tool) {
            return Err(finding);
        }
        self.pass(step.q)?;
        self.motion = step.motion;
        let event = match demand {
            Demand::Run => step.completed.then_some(MachineEvent::RunCompleted),
            Demand::Stop => step.standing.then_some(MachineEvent::Standing),
        };
        if let Some(event) = event {
            self.apply(on(self.state, event, self.disable_next));
        }
        Ok(())
    }

    fn react(&mut self) -> Result<(), Finding> {
        self.interpolator.drop_stale(&mut self.boundary.pieces);
        // During a quick stop too: drives that still follow while they take it over see no step.
        match &mut self.joint_stop {
            Some(stop) if !self.gives_way && self.reaction < Reaction::TorqueOff => {
                let q = stop.step(self.dt_s);
                self.pass(q)
            }
            _ => {
                self.follow_actual();
                Ok(())
            }
        }
    }

    fn secure_process(&mut self) {
        if self.state != MachineState::Executing
            && let Some(table) = self.phases.interrupt(&mut self.outputs)
        {
            self.publish(EventKind::ProcessInterrupted { table });
        }
    }

    fn drive_goal(&mut self) -> DriveGoal {
        match self.state {
            MachineState::Disabled | MachineState::Disabling | MachineState::Fault => DriveGoal::Off,
            MachineState::Enabling
            | MachineState::Ready
            | MachineState::Executing
            | MachineState::Holding
            | MachineState::Held
            | MachineState::Stopping => DriveGoal::On,
            MachineState::FaultReaction => match self.reaction {
                Reaction::RideThrough | Reaction::PathHold | Reaction::JointStop => {
                    let stands = self.joint_stop.is_none_or(|stop| stop.is_standing());
                    if stands && (self.quick_stops == 0 || self.has_quick_stop_ended()) {
                        DriveGoal::Off
                    } else {
                        DriveGoal::StayOn
                    }
                }
                Reaction::QuickStop => {
                    if self.has_quick_stop_ended() {
                        DriveGoal::Off
                    } else {
                        DriveGoal::QuickStop
                    }
                }
                Reaction::TorqueOff => DriveGoal::Off,
            },
        }
    }

    /// True once every joint has stood for a while, or cannot be waited for any longer.
    fn has_quick_stop_ended(&mut self) -> bool {
        let speed = (*self.drives.q_actual() - *self.drives.q_previous()) * (1.0 / self.dt_s);
        // Standing is believed of fresh positions only.
        if self.drives.is_fresh() && speed.max_abs() < STANDING_SPEED {
            self.standing_s += self.dt_s;
        }
        self.standing_s > STANDING_TIME_S || self.in_state_s > 0.5 * REACTION_TIMEOUT_S
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
