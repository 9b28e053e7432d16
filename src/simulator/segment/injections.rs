//! Switches faults on in a running segment.

use crate::devices::{DrivePlace, MAX_SUBDEVICES};

use super::super::faults::SubDeviceFault;
use super::super::injection::{Injection, InjectionError};
use super::super::servo::Servo;
use super::super::subdevice::SubDevice;
use super::super::terminal::Terminal;
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
            Injection::DriveFault { drive, code, lasts } => {
                let now = self.now;
                self.servo_mut(drive)?.inject_fault(code, lasts, now);
            }
            Injection::Drive { drive, fault } => self.servo_mut(drive)?.disturb(fault),
            Injection::EncoderJump { drive, counts } => {
                let device = self.device_mut(drive.subdevice)?;
                match device.terminal_mut().and_then(Terminal::encoder_mut) {
                    Some(encoder) => encoder.jump(counts),
                    None => self.servo_mut(drive)?.jump_encoder(counts),
                }
            }
            Injection::PlantStall { drive, stalled } => self.servo_mut(drive)?.set_stalled(stalled),
            Injection::ShaftSwitch { drive, switch, level } => {
                let now = self.now;
                self.servo_mut(drive)?.force_switch(switch, level, now);
            }
            Injection::SafeTorqueOff { device, active } => {
                let now = self.now;
                self.each_servo(device, |servo| servo.set_safe_torque_off(active, now))?;
            }
            Injection::VoltageLoss { device, lost } => {
                let now = self.now;
                self.each_servo(device, |servo| servo.set_voltage_lost(lost, now))?;
            }
            Injection::EncoderSpeed { device, counts_s } => {
                let encoder = self.device_mut(device)?.terminal_mut().and_then(Terminal::encoder_mut);
                encoder.ok_or(InjectionError::WrongKind { device })?.set_speed(counts_s);
            }
            Injection::Wrench { device, wrench } => {
                let sensor = self.device_mut(device)?.terminal_mut().and_then(Terminal::force_sensor_mut);
                sensor.ok_or(InjectionError::WrongKind { device })?.set_wrench(wrench);
            }
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

    fn servo_mut(&mut self, place: DrivePlace) -> Result<&mut Servo, InjectionError> {
        let device = place.subdevice;
        let servos = self.device_mut(device)?.servos_mut();
        servos.get_mut(place.axis).ok_or(InjectionError::WrongKind { device })
    }

    /// All axes of a SubDevice, or of all of them.
    fn each_servo(
        &mut self,
        device: Option<usize>,
        mut act: impl FnMut(&mut Servo),
    ) -> Result<(), InjectionError> {
        if let Some(device) = device
            && self.device_mut(device)?.servos_mut().is_empty()
        {
            return Err(InjectionError::WrongKind { device });
        }
        for (position, found) in self.devices.iter_mut().enumerate() {
            if device.is_none_or(|device| device == position) {
                found.servos_mut().iter_mut().for_each(&mut act);
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
