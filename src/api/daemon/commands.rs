//! Commands to the cycle, and what the daemon does when the lease is lost.

use serde_json::json;

use super::requests::busy_commands;
use super::{Caller, Daemon, PENDING_MAX, Shutdown};
use crate::api::answer::Answer;
use crate::api::error::ApiError;
use crate::api::lease::{Held, SessionId};
use crate::api::request::OnLoss;
use crate::boundary::command_queue::{Command, StampedCommand};
use crate::jobs::runner::RunState;
use crate::units::Nanoseconds;

/// States of the machine in which the cycle takes a command.
pub(super) fn states_for(command: &str) -> &'static str {
    match command {
        "enable" => "disabled, enabling, ready",
        "job.start" => "ready",
        "hold" => "executing, holding, held",
        "resume" => "held, holding, executing",
        "stop" => "executing, holding, held, stopping, ready",
        "reset" => "any but fault_reaction",
        "master.set" | "master.accept" => "disabled, ready",
        _ => "any",
    }
}

impl Daemon {
    pub(super) fn new_command(&mut self, session: SessionId, name: &'static str) -> u32 {
        let id = self.next_command;
        self.next_command = self.next_command.wrapping_add(1).max(1);
        if self.pending.len() >= PENDING_MAX {
            self.pending.pop_first();
        }
        self.pending.insert(id, (session, name));
        id
    }

    pub(super) fn push(&mut self, id: u32, command: Command) -> bool {
        self.end.commands.push(StampedCommand { epoch: self.cycle_epoch, id, command }).is_ok()
    }

    pub(super) fn command(
        &mut self,
        caller: &Caller,
        command: Command,
        name: &'static str,
    ) -> Result<Answer, ApiError> {
        let command_id = self.new_command(caller.session, name);
        if self.push(command_id, command) {
            return Ok(Answer::Accepted { accepted: true, command_id });
        }
        self.pending.remove(&command_id);
        Err(busy_commands())
    }

    /// Sends what the daemon itself owes the cycle, as far as there is room.
    pub(super) fn send_owed(&mut self) {
        while let Some(command) = self.owed.front().copied() {
            let id = self.next_command;
            if !self.push(id, command) {
                return;
            }
            self.next_command = self.next_command.wrapping_add(1).max(1);
            self.owed.pop_front();
        }
        let id = self.next_command;
        if self.shutdown == Shutdown::Owed && self.push(id, Command::Disable) {
            self.next_command = self.next_command.wrapping_add(1).max(1);
            self.shutdown = Shutdown::Sent(id);
        }
    }

    /// Tells the cycle the lease's number, unless a run still carries the old one.
    pub(super) fn announce_epoch(&mut self) {
        let epoch = self.lease.epoch();
        if epoch == self.cycle_epoch || self.active_run().is_some() {
            return;
        }
        let stamped = StampedCommand { epoch, id: self.next_command, command: Command::NewEpoch };
        if self.end.commands.push(stamped).is_ok() {
            self.next_command = self.next_command.wrapping_add(1).max(1);
            self.cycle_epoch = epoch;
        }
    }

    pub(super) fn expire_lease(&mut self, now: Nanoseconds) {
        if let Some(held) = self.lease.expire(now) {
            self.lease_ended(&held, "expired");
        }
    }

    pub(super) fn lease_ended(&mut self, held: &Held, reason: &'static str) {
        self.log(
            "control",
            json!({
                "change": "lost",
                "reason": reason,
                "holder": held.client,
                "session": held.session.0,
                "epoch": self.lease.epoch().0,
            }),
            None,
        );
        let Some(run) = self.active_run() else { return };
        let planning = run.state == RunState::Planning;
        match held.on_loss {
            OnLoss::Continue => {}
            // Nothing moves yet: what was not begun under control is not begun without it.
            OnLoss::Hold | OnLoss::Stop if planning => self.cancel_planning(),
            OnLoss::Hold => self.owed.push_back(Command::Hold),
            OnLoss::Stop => self.owed.push_back(Command::Stop),
        }
        self.send_owed();
    }
}
