//! Switches faults on in a running segment.

use crate::devices::MAX_SUBDEVICES;

use super::super::faults::SubDeviceFault;
use super::super::injection::{Injection, InjectionError};
use super::super::subdevice::SubDevice;
use super::Segment;

impl Segment {
    /// Lets something go wrong, from now on.
    ///
    /// # Errors
    /// When there is no such device, channel or equipment; nothing happens then.
    pub fn inject(&mut self, injection: Injection) -> Result<(), InjectionError> {
        match injection {
            Injection::Frames(fault) => self.frame_faults.inject(fault, self.now),
            Injection::Flapping(flapping) => {
                if flapping.position >= self.devices.len() {
                    return Err(InjectionError::NoSuchDevice { device: flapping.position });
                }
                self.frame_faults.flap(flapping, self.now);
            }
            Injection::Mailbox { device, fault } => {
                let now = self.now;
                if !self.device_mut(device)?.inject_into_mailbox(fault, now) {
                    return Err(InjectionError::WrongKind { device });
                }
            }
            Injection::SubDevice { device, fault } => return self.inject_into_device(device, fault),
            Injection::DropFrames { count, processed: false } => self.faults.drop_before = count,
            Injection::DropFrames { count, processed: true } => self.faults.drop_after = count,
            Injection::DuplicateFrames { count } => self.faults.duplicate = count,
            Injection::DelayFrames { count, delay } => self.faults.delay = (count, delay),
            Injection::CorruptFrames { count, offset, mask } => self.faults.corrupt = (count, offset, mask),
            Injection::WorkingCounterOffset { count, offset } => {
                self.faults.working_counter = (count, offset);
            }
            Injection::Detach { position } => self.cut_before(position),
            Injection::Attach => {
                self.detached = self.devices.len();
                self.wire_up();
            }
            Injection::PowerCycle { device, off_for } => {
                let now = self.now;
                self.device_mut(device)?.switch_off(now.plus(off_for), now);
                self.wire_up();
            }
            Injection::AlError { device, state, code } => {
                let now = self.now;
                self.device_mut(device)?.fall_to(state, code, now);
            }
            Injection::RefuseState { device, state, code } => {
                self.device_mut(device)?.set_refused(state, code);
            }
            Injection::Emergency { device, code, register } => {
                let now = self.now;
                if !self.device_mut(device)?.send_emergency(code, register, now) {
                    return Err(InjectionError::WrongKind { device });
                }
            }
            Injection::DriveFault { .. }
            | Injection::SafeTorqueOff { .. }
            | Injection::VoltageLoss { .. }
            | Injection::EncoderJump { .. }
            | Injection::ShaftSwitch { .. }
            | Injection::PlantStall { .. } => return self.inject_into_drive(injection),
            Injection::ClockStep { device, by_ns } => {
                let clock = self.device_mut(device)?.esc.clock.as_mut();
                clock.ok_or(InjectionError::NoClock { device })?.step(by_ns);
            }
            Injection::ClockDrift { device, ppm } => {
                let clock = self.device_mut(device)?.esc.clock.as_mut();
                clock.ok_or(InjectionError::NoClock { device })?.set_drift(ppm);
            }
            Injection::PortErrors { device, port, invalid_frames, lost_links } => {
                self.device_mut(device)?.esc.count_port_errors(port, invalid_frames, lost_links);
            }
            Injection::StopInput { closed } => {
                if self.stop_inputs.is_empty() {
                    return Err(InjectionError::NoSuchEquipment);
                }
                self.set_stop_inputs(closed);
            }
            Injection::DigitalInput { channel, level } => {
                let terminal = self.device_mut(channel.device)?.terminal_mut();
                if !terminal.is_some_and(|terminal| terminal.set_digital_input(channel.channel, level)) {
                    return Err(InjectionError::NoSuchChannel { channel });
                }
            }
            Injection::AnalogInput { channel, value } => {
                let terminal = self.device_mut(channel.device)?.terminal_mut();
                if !terminal.is_some_and(|terminal| terminal.set_analog_input(channel.channel, value)) {
                    return Err(InjectionError::NoSuchChannel { channel });
                }
            }
            Injection::PowerSource(failure) => {
                if self.power_sources.is_empty() {
                    return Err(InjectionError::NoSuchEquipment);
                }
                self.power_sources.iter_mut().for_each(|source| source.set_failure(failure));
            }
        }
        Ok(())
    }

    fn inject_into_drive(&mut self, injection: Injection) -> Result<(), InjectionError> {
        let now = self.now;
        let selected = match injection {
            Injection::SafeTorqueOff { device, .. } | Injection::VoltageLoss { device, .. } => device,
            Injection::DriveFault { device, .. }
            | Injection::EncoderJump { device, .. }
            | Injection::ShaftSwitch { device, .. }
            | Injection::PlantStall { device, .. } => Some(device),
            Injection::Frames(_)
            | Injection::Flapping(_)
            | Injection::Mailbox { .. }
            | Injection::SubDevice { .. }
            | Injection::DropFrames { .. }
            | Injection::DuplicateFrames { .. }
            | Injection::DelayFrames { .. }
            | Injection::CorruptFrames { .. }
            | Injection::WorkingCounterOffset { .. }
            | Injection::Detach { .. }
            | Injection::Attach
            | Injection::PowerCycle { .. }
            | Injection::AlError { .. }
            | Injection::RefuseState { .. }
            | Injection::Emergency { .. }
            | Injection::ClockStep { .. }
            | Injection::ClockDrift { .. }
            | Injection::PortErrors { .. }
            | Injection::StopInput { .. }
            | Injection::DigitalInput { .. }
            | Injection::AnalogInput { .. }
            | Injection::PowerSource(_) => return Ok(()),
        };
        if let Some(device) = selected {
            self.device_mut(device)?.servo_mut().ok_or(InjectionError::WrongKind { device })?;
        }
        for (position, device) in self.devices.iter_mut().enumerate() {
            let Some(servo) = device.servo_mut().filter(|_| selected.is_none_or(|only| only == position))
            else {
                continue;
            };
            if let Injection::DriveFault { code, lasts, .. } = injection {
                servo.inject_fault(code, lasts, now);
            } else if let Injection::SafeTorqueOff { active, .. } = injection {
                servo.set_safe_torque_off(active, now);
            } else if let Injection::VoltageLoss { lost, .. } = injection {
                servo.set_voltage_lost(lost, now);
            } else if let Injection::EncoderJump { counts, .. } = injection {
                servo.jump_encoder(counts);
            } else if let Injection::ShaftSwitch { switch, level, .. } = injection {
                servo.force_switch(switch, level, now);
            } else if let Injection::PlantStall { stalled, .. } = injection {
                servo.set_stalled(stalled);
            }
        }
        Ok(())
    }

    /// Cuts the cable before a SubDevice; the one before it notices the loss of the link.
    pub(super) fn cut_before(&mut self, position: usize) {
        self.detached = position;
        let before = position.checked_sub(1).and_then(|before| self.devices.get_mut(before));
        if let Some(before) = before {
            before.esc.count_port_errors(1, 0, 1);
        }
        self.wire_up();
    }

    fn inject_into_device(&mut self, device: usize, fault: SubDeviceFault) -> Result<(), InjectionError> {
        let now = self.now;
        match fault {
            SubDeviceFault::ChangePlaces { with } => {
                if device.max(with) >= self.devices.len() {
                    return Err(InjectionError::NoSuchDevice { device: device.max(with) });
                }
                self.devices.swap(device, with);
                self.wire_up();
            }
            SubDeviceFault::Doubled => {
                if self.devices.len() >= MAX_SUBDEVICES {
                    return Err(InjectionError::NoSuchDevice { device: self.devices.len() });
                }
                let double = self.device_mut(device)?.double(now);
                let was_whole = self.detached >= self.devices.len();
                self.devices.push(double);
                if was_whole {
                    self.detached = self.devices.len();
                }
                self.wire_up();
            }
            SubDeviceFault::Bridged { bridged } => {
                self.device_mut(device)?.is_bridged = bridged;
                self.wire_up();
            }
            SubDeviceFault::WorkingCounter { .. }
            | SubDeviceFault::ShownStatus(_)
            | SubDeviceFault::SlowTransitions { .. }
            | SubDeviceFault::Identity { .. }
            | SubDeviceFault::Hang { .. }
            | SubDeviceFault::Sync0Lost { .. }
            | SubDeviceFault::ClockDifference { .. }
            | SubDeviceFault::ClockJitter { .. }
            | SubDeviceFault::NarrowClock => self.device_mut(device)?.inject(fault, now),
        }
        Ok(())
    }

    /// Sets the level of every stop input.
    pub(super) fn set_stop_inputs(&mut self, closed: bool) {
        for input in &self.stop_inputs {
            if let Some(terminal) = self.devices.get_mut(input.device).and_then(SubDevice::terminal_mut) {
                terminal.set_digital_input(input.channel, closed);
            }
        }
    }

    fn device_mut(&mut self, device: usize) -> Result<&mut SubDevice, InjectionError> {
        self.devices.get_mut(device).ok_or(InjectionError::NoSuchDevice { device })
    }
}
