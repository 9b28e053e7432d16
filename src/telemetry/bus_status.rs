//! The health of the bus in the units and names of the outside: each SubDevice with its counters, the line, the
//! clock, and in words what went wrong and where.

use serde::Serialize;
use serde_json::{Value, json};

use crate::bus_health::al_state::{AlState, AlStatus};
use crate::bus_health::{BusNews, ClockHealth, Interruption, LineHealth, PORTS, SubDeviceHealth};
use crate::telemetry::joint_travel::JointTravel;
use crate::units::Nanoseconds;

/// How well the cycle follows the reference clock.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClockStatus {
    /// Name of the SubDevice whose clock is the reference.
    pub reference: String,
    /// Smoothed phase error, µs; positive: the frames pass late.
    pub phase_error_us: f64,
    /// How much faster the reference clock runs than the host's, ppm.
    pub rate_difference_ppm: f64,
    /// The cycle follows the clock.
    pub locked: bool,
    /// How long the newest lock took, s; null before the first one.
    pub lock_time_s: Option<f64>,
    /// How often the lock was lost.
    pub lock_losses: u32,
    /// Measurements that were not used: too far from what was expected.
    pub outliers: u64,
    /// Largest difference of a SubDevice's clock from the reference (0x092C), ns.
    pub difference_max_ns: Option<u32>,
}

/// One SubDevice.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SubDeviceStatus {
    /// Position on the bus, from 1.
    pub position: usize,
    /// Its name in the cell.
    pub name: String,
    /// AL state.
    pub state: &'static str,
    /// Why it left its state, with the AL status code; null when it did not.
    pub error: Option<String>,
    /// Its inputs of the newest cycle known are of that cycle.
    pub fresh: bool,
    /// Cycles whose frame did not come back in time.
    pub lost_cycles: u64,
    /// Cycles whose frame came back without fresh inputs of this SubDevice.
    pub stale_cycles: u64,
    /// Frames with a wrong checksum, port 0 first.
    pub crc_errors: [u64; PORTS],
    /// Frames that were damaged further up, port 0 first.
    pub forwarded_errors: [u64; PORTS],
    /// Losses of the link, port 0 first.
    pub lost_links: [u64; PORTS],
    /// Which ports have a link, port 0 first.
    pub links: [bool; PORTS],
    /// Difference of its clock from the reference, ns; null without a clock.
    pub clock_difference_ns: Option<u32>,
    /// Emergencies it has sent since the bus was brought up.
    pub emergencies: u32,
}

/// The bus.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct BusStatus {
    /// Where the line is interrupted, in words; null when it is not.
    pub interruption: Option<String>,
    /// Why the bus could not be brought up again, in words; null when it is up.
    pub failure: Option<String>,
    /// The line.
    pub line: LineHealth,
    /// The clock; null on a bus without distributed clocks.
    pub clock: Option<ClockStatus>,
    /// The SubDevices, in bus order.
    pub subdevices: Vec<SubDeviceStatus>,
    /// How far each joint goes when the controller dies at full speed.
    pub travels: Vec<JointTravel>,
}

/// What is known of the bus, from the news the real-time thread tells.
#[derive(Clone, Debug)]
pub struct BusMonitor {
    names: Vec<String>,
    cycle: Nanoseconds,
    health: Vec<SubDeviceHealth>,
    line: LineHealth,
    clock: Option<ClockHealth>,
    interruption: Option<Interruption>,
    failure: Option<String>,
    travels: Vec<JointTravel>,
}

impl BusMonitor {
    /// A bus of which nothing is known but the names of its SubDevices, in bus order, and the cycle time.
    #[must_use]
    pub fn new(names: Vec<String>, cycle: Nanoseconds) -> Self {
        Self {
            health: vec![SubDeviceHealth::default(); names.len()],
            names,
            cycle,
            line: LineHealth::default(),
            clock: None,
            interruption: None,
            failure: None,
            travels: Vec::new(),
        }
    }

    /// The same, with what the reaction audit has made sure of.
    #[must_use]
    pub fn with_travels(self, travels: Vec<JointTravel>) -> Self {
        Self { travels, ..self }
    }

    /// Takes news in; what went wrong comes back as kind and details of an event.
    pub fn take(&mut self, news: &BusNews) -> Option<(&'static str, Value)> {
        match *news {
            BusNews::SubDevice(at, health) => {
                if let Some(known) = self.health.get_mut(usize::from(at)) {
                    *known = health;
                }
                let answers = health.al.state != AlState::NoAnswer;
                self.interruption = self.interruption.filter(|found| found.first_missing != at || !answers);
                None
            }
            BusNews::Line(line) => {
                self.line = line;
                None
            }
            BusNews::Clock(clock) => {
                self.clock = Some(clock);
                None
            }
            BusNews::LeftOperation(at, al) => {
                if let Some(known) = self.health.get_mut(usize::from(at)) {
                    known.al = al;
                }
                let details = json!({
                    "subdevice": usize::from(at) + 1,
                    "state": al.state.name(),
                    "al_status_code": al.code,
                    "message": self.left_operation_words(at, al),
                });
                Some(("subdevice_left_op", details))
            }
            BusNews::Emergency(at, emergency) => {
                let details = json!({
                    "subdevice": usize::from(at) + 1,
                    "error_code": format!("{:#06x}", emergency.code),
                    "error_register": format!("{:#04x}", emergency.register),
                    "data": emergency.data,
                    "message": format!("{}: {emergency}", self.place(at)),
                });
                Some(("emergency", details))
            }
            BusNews::Interrupted(interruption) => {
                self.interruption = Some(interruption);
                let details = json!({
                    "first_missing": usize::from(interruption.first_missing) + 1,
                    "message": self.interruption_words(&interruption),
                });
                Some(("bus_interrupted", details))
            }
            BusNews::Counted { found, expected } => {
                Some(("bus_counted", json!({"found": found, "expected": expected})))
            }
        }
    }

    /// The bus was brought up again, or could not be: why.
    pub fn brought_up(&mut self, failure: Option<String>) {
        self.interruption = None;
        self.failure = failure;
    }

    /// `name` (position n), counted from 1.
    fn place(&self, at: u8) -> String {
        let name = self.names.get(usize::from(at)).map_or("?", String::as_str);
        format!("`{name}` (position {})", u32::from(at) + 1)
    }

    fn left_operation_words(&self, at: u8, al: AlStatus) -> String {
        let mut text = format!("{} is in {}", self.place(at), al.state.name());
        if al.error || al.code != 0 {
            text.push_str(&format!(": AL status code {:#06x}, {}", al.code, al.words()));
        }
        text
    }

    fn interruption_words(&self, found: &Interruption) -> String {
        let missing = self.place(found.first_missing);
        if !found.line_ends {
            return format!(
                "{missing} does not answer, but those behind it do: it was restarted or lost its address; \
                 reset to take it in again"
            );
        }
        let Some(before) = found.first_missing.checked_sub(1) else {
            return format!(
                "nothing answers: the cable between the controller and {missing} is interrupted, or it has no power"
            );
        };
        let link = match found.links_before {
            // One link leads back to the controller.
            Some(links) if links.count_ones() <= 1 => "no link there: cable, plug, or no power behind it",
            Some(_) => "the link is still there: what is behind it does not pass frames on",
            None => "cable, plug, or no power behind it",
        };
        format!("the line is interrupted between {} and {missing}: {link}", self.place(before))
    }

    /// The bus as the outside sees it.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "cycles are far below 2^53")]
    pub fn status(&self) -> BusStatus {
        let difference_max_ns = self.health.iter().filter_map(|health| health.clock_difference_ns).max();
        let clock = self.clock.map(|clock| ClockStatus {
            reference: self.names.get(usize::from(clock.reference)).cloned().unwrap_or_default(),
            phase_error_us: clock.phase_error_ns * 1e-3,
            rate_difference_ppm: clock.rate_difference_ppb * 1e-3,
            locked: clock.locked,
            lock_time_s: (clock.lock_cycles > 0).then(|| clock.lock_cycles as f64 * self.cycle.as_seconds()),
            lock_losses: clock.lock_losses,
            outliers: clock.outliers,
            difference_max_ns,
        });
        BusStatus {
            interruption: self.interruption.as_ref().map(|found| self.interruption_words(found)),
            failure: self.failure.clone(),
            line: self.line,
            clock,
            subdevices: self.subdevices().collect(),
            travels: self.travels.clone(),
        }
    }

    fn subdevices(&self) -> impl Iterator<Item = SubDeviceStatus> + '_ {
        self.names.iter().zip(&self.health).enumerate().map(|(at, (name, health))| SubDeviceStatus {
            position: at + 1,
            name: name.clone(),
            state: health.al.state.name(),
            error: (health.al.error || health.al.code != 0)
                .then(|| format!("AL status code {:#06x}, {}", health.al.code, health.al.words())),
            fresh: health.fresh,
            lost_cycles: health.lost_cycles,
            stale_cycles: health.stale_cycles,
            crc_errors: health.crc_errors,
            forwarded_errors: health.forwarded_errors,
            lost_links: health.lost_links,
            links: std::array::from_fn(|port| health.links >> port & 1 == 1),
            clock_difference_ns: health.clock_difference_ns,
            emergencies: health.emergencies,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn monitor() -> BusMonitor {
        let names = ["drive-1", "drive-2", "drive-3"].map(str::to_owned).to_vec();
        BusMonitor::new(names, Nanoseconds(1_000_000))
    }

    fn told(first_missing: u8, line_ends: bool, links_before: Option<u8>) -> String {
        let news = BusNews::Interrupted(Interruption { first_missing, line_ends, links_before });
        let (_, details) = monitor().take(&news).unwrap();
        details["message"].as_str().unwrap().to_owned()
    }

    #[test]
    fn the_place_of_a_break_is_told_by_name_and_position() {
        let text = told(2, true, Some(0b01));
        assert!(text.contains("between `drive-2` (position 2) and `drive-3` (position 3)"), "{text}");
        assert!(text.contains("no link"), "{text}");
        assert!(told(2, true, Some(0b11)).contains("link is still there"));
        assert!(told(0, true, None).contains("between the controller and `drive-1`"));
        assert!(told(1, false, Some(0b11)).contains("restarted"));
    }

    #[test]
    fn a_subdevice_that_answers_again_ends_the_interruption() {
        let mut monitor = monitor();
        let found = Interruption { first_missing: 2, line_ends: true, links_before: None };
        assert!(monitor.take(&BusNews::Interrupted(found)).is_some());
        assert!(monitor.status().interruption.is_some());
        let al = AlStatus { state: AlState::Op, error: false, code: 0 };
        assert_eq!(
            monitor.take(&BusNews::SubDevice(2, SubDeviceHealth { al, ..SubDeviceHealth::default() })),
            None
        );
        assert_eq!(monitor.status().interruption, None);
    }

    #[test]
    fn a_state_is_left_with_its_code_in_words() {
        let al = AlStatus { state: AlState::SafeOp, error: true, code: 0x001B };
        let (kind, details) = monitor().take(&BusNews::LeftOperation(1, al)).unwrap();
        assert_eq!(kind, "subdevice_left_op");
        let text = details["message"].as_str().unwrap();
        assert!(text.contains("`drive-2`") && text.contains("0x001b") && text.contains("watchdog"), "{text}");
    }
}
