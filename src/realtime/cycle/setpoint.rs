//! The setpoint of a cycle: by the state of the machine, through the gate.

use super::Cycle;
use crate::boundary::event_queue::EventKind;
use crate::drives::channels::ChannelValues;
use crate::faults::Reaction;
use crate::joints::JointVector;
use crate::machine::MachineState;
use crate::realtime::interpolator::{Demand, Surroundings};
use crate::realtime::machine_state::{MachineEvent, on};
use crate::realtime::process_phases::PhaseNews;
use crate::realtime::supervision::Finding;

impl Cycle {
    /// Makes the setpoint of this cycle by the state and lets it pass the gate.
    pub(super) fn make_setpoint(&mut self, channels: &ChannelValues) -> Result<(), Finding> {
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

    pub(super) fn secure_process(&mut self) {
        if self.state != MachineState::Executing
            && let Some(table) = self.phases.interrupt(&mut self.outputs)
        {
            self.publish(EventKind::ProcessInterrupted { table });
        }
    }
}
