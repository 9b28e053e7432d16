//! Mastering: where the joints are, what is recorded of it, and whether it is relied on.

use serde_json::json;

use super::commands::states_for;
use super::{Caller, Daemon};
use crate::api::answer::{Answer, DriveMastering, JointTrust, MasteringAnswer};
use crate::api::error::ApiError;
use crate::api::request::{MasterAccept, MasterSet};
use crate::boundary::command_queue::Command;
use crate::machine::MachineState;
use crate::mastering::store::MasteringStore;
use crate::positions::JointDistrust;

impl Daemon {
    /// Keeps where the joints are in `store` from now on.
    pub fn keep_positions(&mut self, store: MasteringStore) {
        self.mastering = Some(store);
    }

    /// Takes what the cycle says of the positions, and writes it down when it is worth it.
    pub(super) fn take_position_reports(&mut self) {
        let mut newest = None;
        while let Some(report) = self.end.positions.pop() {
            newest = Some(report);
        }
        let Some(report) = newest else { return };
        let before = self.untrusted_joints();
        self.position_report = Some(report);
        if let Some(store) = &mut self.mastering {
            let result = store.take(report);
            let failure = result.err().map(|error| error.to_string());
            if failure != self.mastering_failure {
                if let Some(message) = &failure {
                    self.log("mastering_not_recorded", json!({"message": message}), None);
                }
                self.mastering_failure = failure;
            }
        }
        let now = self.untrusted_joints();
        if now != before {
            let joints: Vec<_> =
                now.iter().map(|(joint, reason)| json!({"joint": joint, "reason": reason})).collect();
            self.log("positions_untrusted", json!({"joints": joints}), None);
        }
    }

    /// The joints (from 1) whose position is not relied on, with the reason in words.
    pub(super) fn untrusted_joints(&self) -> Vec<(usize, &'static str)> {
        let distrust = self.position_report.as_ref().map(|report| report.distrust);
        let joints = distrust.unwrap_or_default().into_iter().enumerate();
        joints.filter_map(|(joint, reason)| Some((joint + 1, reason?.words()))).collect()
    }

    /// Why a reference was taken but is not durable.
    pub(super) fn mastering_failure(&self) -> Option<ApiError> {
        self.mastering_failure.as_ref().map(|detail| ApiError::Storage {
            detail: format!("the reference is in force until the daemon ends, but not recorded: {detail}"),
        })
    }

    pub(super) fn master_set(&mut self, caller: &Caller, set: &MasterSet) -> Result<Answer, ApiError> {
        let joint = self.joint_of(set.joint)?;
        self.may_reference("master.set")?;
        let kind = self.facts.joints.get(usize::from(joint)).copied();
        let position = set.at / kind.map_or(1.0, crate::kinematics::JointKind::outside_per_unit);
        let (min, max) = self.facts.position_limits.get(usize::from(joint)).copied().unwrap_or((0.0, 0.0));
        // An arm may stand a little outside: pushed there, or because that is where its mark is.
        let beyond = 0.1 * (max - min);
        if !(min - beyond..=max + beyond).contains(&position) {
            let outside =
                |value: f64| value * kind.map_or(1.0, crate::kinematics::JointKind::outside_per_unit);
            return Err(ApiError::InvalidParams {
                place: "at".to_owned(),
                detail: format!(
                    "{} is no position of joint {}; allowed: {:.3} to {:.3}",
                    set.at,
                    set.joint,
                    outside(min - beyond),
                    outside(max + beyond)
                ),
            });
        }
        self.command(caller, Command::SetJoint { joint, position }, "master.set")
    }

    pub(super) fn master_accept(
        &mut self,
        caller: &Caller,
        accept: &MasterAccept,
    ) -> Result<Answer, ApiError> {
        let joint = accept.joint.map(|joint| self.joint_of(joint)).transpose()?;
        self.may_reference("master.accept")?;
        self.command(caller, Command::AcceptPositions { joint }, "master.accept")
    }

    pub(super) fn joint_of(&self, joint: u8) -> Result<u8, ApiError> {
        let count = self.facts.joints.len();
        joint.checked_sub(1).filter(|at| usize::from(*at) < count).ok_or_else(|| ApiError::InvalidParams {
            place: "joint".to_owned(),
            detail: format!("there is no joint {joint}; allowed: 1 to {count}"),
        })
    }

    fn may_reference(&self, method: &str) -> Result<(), ApiError> {
        match self.machine {
            MachineState::Disabled | MachineState::Ready => Ok(()),
            MachineState::Fault | MachineState::FaultReaction => Err(self.fault_active()),
            state @ (MachineState::Enabling
            | MachineState::Executing
            | MachineState::Holding
            | MachineState::Held
            | MachineState::Stopping
            | MachineState::Disabling) => Err(ApiError::WrongState { state, needs: states_for(method) }),
        }
    }

    pub(super) fn master_status(&self) -> Answer {
        let report = self.position_report.as_ref();
        let distrust: JointDistrust = report.map(|report| report.distrust).unwrap_or_default();
        let joints = self.facts.joints.iter().enumerate().map(|(at, kind)| {
            let reason = distrust.get(at).copied().flatten();
            JointTrust {
                joint: at + 1,
                position: report.map(|report| report.q.get(at) * kind.outside_per_unit()),
                trusted: report.is_some() && reason.is_none(),
                reason: reason.map(crate::positions::Distrust::name),
                message: reason.map(crate::positions::Distrust::words),
            }
        });
        let record = self.mastering.as_ref().and_then(MasteringStore::record);
        let drives = record.map(|record| record.drives.iter().map(DriveMastering::from).collect());
        Answer::Mastering(Box::new(MasteringAnswer {
            found_at_start: self.mastering.as_ref().map(|store| store.found().name()),
            recorded: self.mastering.is_some() && self.mastering_failure.is_none(),
            failure: self.mastering_failure.clone(),
            settled: record.is_some_and(|record| record.settled),
            joints: joints.collect(),
            drives: drives.unwrap_or_default(),
        }))
    }
}
