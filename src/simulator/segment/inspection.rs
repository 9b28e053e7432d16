//! What tests and drills may look at.

use crate::devices::{DeviceKind, DrivePlace};
use crate::units::Nanoseconds;

use super::super::al_state::{AlState, AlStatus};
use super::super::description::Channel;
use super::super::equipment::{PowerSource, PowerSourceSnapshot};
use super::super::servo::{DriveSnapshot, ReceivedSetpoint, Servo};
use super::super::subdevice::SubDevice;
use super::super::terminal::Terminal;
use super::{Segment, SegmentStatistics};

/// What can be seen of any SubDevice from outside.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DeviceSnapshot {
    /// Kind of device.
    pub kind: DeviceKind,
    /// AL status.
    pub al_status: AlStatus,
    /// It has supply and the frames reach it.
    pub is_reachable: bool,
    /// How often its sync manager watchdog expired.
    pub watchdog_expiries: u32,
    /// SYNC0 events in OP without new outputs, since power-on.
    pub missed_events: u16,
    /// Filtered difference between its clock and the reference as it sees it, ns; zero without a clock.
    pub clock_difference_ns: f64,
    /// Local copy of the system time, ns; zero without a clock.
    pub system_time_ns: u64,
    /// When the next SYNC0 comes, true time; `None`: none will come.
    pub next_sync0: Option<Nanoseconds>,
}

impl Segment {
    /// Number of SubDevices described.
    #[must_use]
    pub fn device_count(&self) -> usize {
        self.devices.len()
    }

    /// Simulated time.
    #[must_use]
    pub const fn now(&self) -> Nanoseconds {
        self.now
    }

    /// Period of SYNC0, of the first SubDevice that generates it.
    #[must_use]
    pub fn sync_cycle(&self) -> Option<Nanoseconds> {
        let syncs = self.devices.iter().map(|device| &device.esc.sync0);
        let running = syncs.filter(|sync| sync.next().is_some()).map(|sync| sync.cycle_ns);
        running.map(u64::from).map(Nanoseconds).next()
    }

    /// What has passed through.
    #[must_use]
    pub const fn statistics(&self) -> SegmentStatistics {
        self.statistics
    }

    /// Name of a SubDevice.
    #[must_use]
    pub fn device_name(&self, device: usize) -> Option<&str> {
        self.devices.get(device).map(SubDevice::name)
    }

    /// The lowest AL state of all SubDevices frames reach; INIT without any.
    #[must_use]
    pub fn lowest_state(&self) -> AlState {
        let reached = self.devices.iter().take(self.reachable).filter(|device| !device.is_bridged);
        reached.map(|device| device.status().state).min().unwrap_or_default()
    }

    /// A SubDevice, seen from outside.
    #[must_use]
    pub fn device(&self, device: usize) -> Option<DeviceSnapshot> {
        let found = self.devices.get(device)?;
        let clock = found.esc.clock.as_ref();
        Some(DeviceSnapshot {
            kind: found.kind(),
            al_status: found.status(),
            is_reachable: device < self.reachable,
            watchdog_expiries: found.watchdog_expiries(),
            missed_events: found.missed_events(),
            clock_difference_ns: clock.map_or(0.0, |clock| clock.difference_ns()),
            system_time_ns: clock.map_or(0, |clock| clock.system_time(self.now)),
            next_sync0: clock.and_then(|clock| found.esc.sync0.next().map(|next| clock.true_time_of(next))),
        })
    }

    /// A drive, seen from outside; `None` when there is no such axis.
    #[must_use]
    pub fn drive(&self, place: impl Into<DrivePlace>) -> Option<DriveSnapshot> {
        Some(self.servo(place.into())?.snapshot())
    }

    /// The last setpoint a drive took over in OP.
    #[must_use]
    pub fn last_received(&self, place: impl Into<DrivePlace>) -> Option<ReceivedSetpoint> {
        self.servo(place.into())?.last_received()
    }

    fn servo(&self, place: DrivePlace) -> Option<&Servo> {
        self.devices.get(place.subdevice)?.servos().get(place.axis)
    }

    /// Takes out all setpoints a drive has taken over in OP since the last call, oldest first. Returns how many
    /// more there were that had been overwritten ([`SegmentDescription::record_capacity`](crate::simulator::SegmentDescription::record_capacity)]).
    pub fn drain_received(
        &mut self,
        place: impl Into<DrivePlace>,
        take: impl FnMut(ReceivedSetpoint),
    ) -> u64 {
        let place = place.into();
        let device = self.devices.get_mut(place.subdevice);
        let servo = device.and_then(|device| device.servos_mut().get_mut(place.axis));
        servo.map_or(0, |servo| servo.drain_received(take))
    }

    /// All digital outputs of a terminal as applied, channel 0 in bit 0; zero when it has none.
    #[must_use]
    pub fn digital_outputs(&self, device: usize) -> u64 {
        self.terminal(device).map_or(0, Terminal::digital_outputs)
    }

    /// All digital inputs of a terminal, channel 0 in bit 0; zero when it has none.
    #[must_use]
    pub fn digital_inputs(&self, device: usize) -> u64 {
        self.terminal(device).map_or(0, Terminal::digital_inputs)
    }

    /// An analog output as applied, 32767 = 10 V; zero when there is no such channel.
    #[must_use]
    pub fn analog_output(&self, channel: Channel) -> i32 {
        self.terminal(channel.device).map_or(0, |terminal| terminal.analog_output(channel.channel))
    }

    /// An analog input, 32767 = 10 V; zero when there is no such channel.
    #[must_use]
    pub fn analog_input(&self, channel: Channel) -> i32 {
        self.terminal(channel.device).map_or(0, |terminal| terminal.analog_input(channel.channel))
    }

    /// The welding power sources, in the order of the description.
    #[must_use]
    pub fn power_source(&self, index: usize) -> Option<PowerSourceSnapshot> {
        self.power_sources.get(index).map(PowerSource::snapshot)
    }

    fn terminal(&self, device: usize) -> Option<&Terminal> {
        self.devices.get(device)?.terminal()
    }
}
