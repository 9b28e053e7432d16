//! What is asked of the machine: commands with their lease, answered in the cycle they arrive in.

use super::Cycle;
use crate::boundary::command_queue::{CAPACITY as COMMANDS_MAX, Command, StampedCommand};
use crate::boundary::event_queue::{EventKind, Refusal};
use crate::machine::MachineState;
use crate::realtime::machine_state::{MachineEvent, Transition, on};

impl Cycle {
    pub(super) fn take_commands(&mut self) {
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
}
