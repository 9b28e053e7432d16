//! The report of a run, as `demo` and `simulate` print it.
//!
//! What the numbers are:
//! * *path deviation*: distance of the measured tool centre point (drive positions through forward
//!   kinematics) from the nearest point of the programmed path, over all samples of Cartesian motions;
//!   the same for seams and for joint motions apart.
//! * *servo lag*: the time by which the measured point is behind the setpoint along the path, at constant
//!   speed. It is no deviation: the path is travelled later, not elsewhere. It holds the cycles a setpoint
//!   and a measured position spend on the wire.
//! * *tcp speed*: measured, over the main phase of the seams: on Cartesian motions under a process, without
//!   the stretch at both ends of each motion in which its law ramps up or down (from the ceilings of the
//!   segment) and [`SETTLING_S`] more for the drives to follow. A stop between two motions of a seam is
//!   such an end. A hold in the middle of a seam is not: it shows as a speed of zero.
//! * *counters* count since the daemon started.

use serde::Serialize;

use super::measured_path::MeasuredPath;
use super::picture::PictureData;
use super::recorder::Recorder;
use super::statistics::{MeanMax, MinMeanMax, Statistics};
use super::status::{ChannelNames, FaultStatus};
use crate::boundary::event_queue::{Event, EventKind, RunResult};
use crate::boundary::piece_queue::PieceKind;
use crate::boundary::sample_ring::Sample;
use crate::kinematics::Chain;
use crate::machine::{MachineState, RunTag};
use crate::trajectory::{Ceiling, Segment};

/// Time for which a speed counts as settling after the law has reached it, and before it leaves it, s.
pub const SETTLING_S: f64 = 0.1;
/// Faults that are kept.
const FAULTS_MAX: usize = 16;

/// The report. Null where nothing was measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// From the first cycle of the run to its last, s of path time.
    pub duration_s: f64,
    /// Time the arc burnt, s.
    pub arc_on_s: f64,
    /// Way of the tool while the arc burnt, mm.
    pub arc_length_mm: f64,
    /// On all Cartesian motions, mm.
    pub path_deviation_mm: Option<MeanMax>,
    /// On the Cartesian motions of processes, mm.
    pub seam_deviation_mm: Option<MeanMax>,
    /// On joint motions, mm.
    pub joint_motion_deviation_mm: Option<MeanMax>,
    /// Lag of the measured point along the path, ms.
    pub servo_lag_ms: Option<MeanMax>,
    /// Over the main phase of the seams, mm/s.
    pub tcp_speed_mm_s: Option<MinMeanMax>,
    /// Programmed way on Cartesian motions under a process, mm.
    pub seam_length_mm: f64,
    /// Cycles sent.
    pub cycles: u64,
    /// Cyclic exchanges that brought nothing in time.
    pub lost_frames: u64,
    /// Cycles that began late or were skipped.
    pub late_cycles: u64,
    /// Exchanges with a wrong working counter.
    pub wkc_errors: u64,
    /// Heap allocations seen inside a cycle.
    pub heap_allocations_in_cycle: u64,
    /// Samples that were not seen; the numbers above are without them.
    pub dropped_samples: u64,
    /// Path time over wall time; null when not measured.
    pub realtime_factor: Option<f64>,
    /// `completed`, `stopped`, `faulted`, `refused`, or `none` when nothing ran to an end.
    pub result: &'static str,
    /// Faults of the run.
    pub faults: Vec<FaultStatus>,
}

/// Makes the report of the last run while it is executed. Memory: the plan, and a picture of fixed size.
#[derive(Debug)]
pub struct RunReport {
    path: MeasuredPath,
    channels: ChannelNames,
    cycle_s: f64,
    run: RunTag,
    began: Option<u64>,
    last_of_run: u64,
    result: Option<RunResult>,
    all: Statistics,
    seam: Statistics,
    joint: Statistics,
    lag: Statistics,
    speed: Statistics,
    arc_cycles: u64,
    arc_length_m: f64,
    seam_length_m: f64,
    last_tool: Option<(u64, nalgebra::Point3<f64>)>,
    last_sample: Option<Sample>,
    faults: Vec<FaultStatus>,
    picture: PictureData,
}

impl RunReport {
    /// For the arm `chain`, with a cycle of `cycle_s`.
    #[must_use]
    pub fn new(chain: Chain, channels: ChannelNames, cycle_s: f64) -> Self {
        Self {
            path: MeasuredPath::new(chain),
            channels,
            cycle_s,
            run: RunTag(0),
            began: None,
            last_of_run: 0,
            result: None,
            all: Statistics::default(),
            seam: Statistics::default(),
            joint: Statistics::default(),
            lag: Statistics::default(),
            speed: Statistics::default(),
            arc_cycles: 0,
            arc_length_m: 0.0,
            seam_length_m: 0.0,
            last_tool: None,
            last_sample: None,
            faults: Vec::new(),
            picture: PictureData::default(),
        }
    }

    /// The run has ended.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.result.is_some()
    }

    /// The report. `wall_s` is the wall time the recorded cycles took, where it was measured.
    #[must_use]
    pub fn report(&self, wall_s: Option<f64>) -> Report {
        let counters = self.last_sample.as_ref().map(|sample| sample.counters).unwrap_or_default();
        let cycles = self.last_sample.as_ref().map_or(0, |sample| sample.cycle.0);
        let path_time_s = self.last_sample.as_ref().map_or(0.0, |sample| sample.time.as_seconds());
        Report {
            duration_s: self.began.map_or(0.0, |began| self.seconds(self.last_of_run - began + 1)),
            arc_on_s: self.seconds(self.arc_cycles),
            arc_length_mm: self.arc_length_m * 1e3,
            path_deviation_mm: self.all.mean_max(1e3),
            seam_deviation_mm: self.seam.mean_max(1e3),
            joint_motion_deviation_mm: self.joint.mean_max(1e3),
            servo_lag_ms: self.lag.mean_max(1e3),
            tcp_speed_mm_s: self.speed.min_mean_max(1e3),
            seam_length_mm: self.seam_length_m * 1e3,
            cycles,
            lost_frames: counters.lost_frames,
            late_cycles: counters.late_cycles,
            wkc_errors: counters.working_counter_errors,
            heap_allocations_in_cycle: counters.heap_allocations,
            dropped_samples: self.last_sample.as_ref().map_or(0, |sample| sample.dropped),
            realtime_factor: wall_s.filter(|wall_s| *wall_s > 0.0).map(|wall_s| path_time_s / wall_s),
            result: match self.result {
                Some(RunResult::Completed) => "completed",
                Some(RunResult::Stopped) => "stopped",
                Some(RunResult::Faulted) => "faulted",
                None => "none",
            },
            faults: self.faults.clone(),
        }
    }

    /// The picture of the run as SVG.
    #[must_use]
    pub fn picture(&self, title: &str) -> String {
        self.picture.svg(title)
    }

    #[expect(clippy::cast_precision_loss, reason = "exact up to 2⁵³ cycles")]
    fn seconds(&self, cycles: u64) -> f64 {
        cycles as f64 * self.cycle_s
    }

    fn sample_of_run(&mut self, sample: &Sample) {
        let arc = self.channels.arc_on(sample);
        self.arc_cycles += u64::from(arc);
        // A stale position says nothing about where the tool is.
        if !sample.fresh {
            return;
        }
        let tool = self.path.tool(sample);
        let before = self.last_tool.replace((sample.cycle.0, tool));
        let step = before
            .filter(|(cycle, _)| *cycle < sample.cycle.0)
            .map(|(cycle, before)| ((tool - before).norm(), self.seconds(sample.cycle.0 - cycle)));
        if arc {
            self.arc_length_m += step.map_or(0.0, |(way_m, _)| way_m);
        }
        let speed_m_s = step.map(|(way_m, time_s)| way_m / time_s);
        if let Some(began) = self.began {
            let time_s = self.seconds(sample.cycle.0 - began);
            self.picture.driven(time_s, &tool, sample.phase.is_some(), arc, speed_m_s);
        }
        // Standing for a phase of a process, a dwell or an input: there is no path to deviate from.
        let Some(measured) = self.path.look(sample, &tool) else { return };
        let under_process = sample.phase.is_some();
        if measured.cartesian {
            self.all.add(measured.distance_m);
            if under_process {
                self.seam.add(measured.distance_m);
            }
        } else {
            self.joint.add(measured.distance_m);
        }
        if let Some(lag_s) = measured.lag_s {
            self.lag.add(lag_s);
        }
        if let (true, true, Some(s), Some(speed_m_s), Some(segment)) =
            (under_process, measured.cartesian, measured.s, speed_m_s, self.path.segment(sample.piece))
            && is_main_phase(segment, s)
        {
            self.speed.add(speed_m_s);
        }
    }
}

impl Recorder for RunReport {
    fn planned(&mut self, run: RunTag, pieces: &mut dyn Iterator<Item = &PieceKind>) {
        let pieces: Vec<PieceKind> = pieces.copied().collect();
        let mut fresh = Self::new(*self.path.chain(), std::mem::take(&mut self.channels), self.cycle_s);
        fresh.run = run;
        fresh.last_sample = self.last_sample;
        fresh.path.planned(&mut pieces.iter());
        let mut under_process = false;
        for piece in &pieces {
            match piece {
                PieceKind::ProcessStart(_) => under_process = true,
                PieceKind::ProcessEnd => under_process = false,
                PieceKind::Motion(segment) => {
                    fresh.picture.programmed(segment, fresh.path.chain(), under_process);
                    if under_process && !matches!(segment.path, crate::trajectory::path::Path::Joint(_)) {
                        fresh.seam_length_m += tool_way_m(segment);
                    }
                }
                PieceKind::Dwell(_)
                | PieceKind::Output(_)
                | PieceKind::WaitInput { .. }
                | PieceKind::EndOfRun => {}
            }
        }
        *self = fresh;
    }

    fn event(&mut self, event: &Event) {
        match event.kind {
            EventKind::RunEnded(result) if event.run == self.run && self.result.is_none() => {
                self.result = Some(result);
            }
            EventKind::RunEnded(_)
            | EventKind::Fault(_)
            | EventKind::CommandDone { .. }
            | EventKind::CommandRefused { .. }
            | EventKind::State(_)
            | EventKind::Warning(_)
            | EventKind::PieceBegan { .. }
            | EventKind::PhaseBegan { .. }
            | EventKind::ProcessInterrupted { .. }
            | EventKind::ProcessEnded { .. } => {}
        }
    }

    fn fault(&mut self, fault: &FaultStatus) {
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(fault.clone());
        }
    }

    fn sample(&mut self, sample: &Sample) {
        let on_path = matches!(
            sample.state,
            MachineState::Executing | MachineState::Holding | MachineState::Held | MachineState::Stopping
        );
        if sample.run == self.run && self.run != RunTag(0) && on_path {
            self.began.get_or_insert(sample.cycle.0);
            self.last_of_run = sample.cycle.0;
            self.sample_of_run(sample);
        }
        self.last_sample = Some(*sample);
    }
}

/// Way of the tool on a Cartesian segment, m; zero on a pure rotation.
fn tool_way_m(segment: &Segment) -> f64 {
    match segment.path.unit() {
        crate::trajectory::path::ParameterUnit::ToolDistance => segment.path.length(),
        crate::trajectory::path::ParameterUnit::ToolRotation
        | crate::trajectory::path::ParameterUnit::JointDistance => 0.0,
    }
}

/// Way from standstill to the ceiling of speed by the jerk-limited law, in the unit of the path.
fn ramp_way(ceiling: &Ceiling) -> f64 {
    let Ceiling { speed, acceleration, jerk } = *ceiling;
    // Acceleration ramps up and down within the jerk; it reaches its ceiling only if speed² allows.
    let time_s = if speed * jerk >= acceleration * acceleration {
        speed / acceleration + acceleration / jerk
    } else {
        2.0 * (speed / jerk).sqrt()
    };
    // The ramp is symmetric: half the final speed on average.
    0.5 * speed * time_s
}

fn is_main_phase(segment: &Segment, s: f64) -> bool {
    let margin = ramp_way(&segment.ceiling) + SETTLING_S * segment.ceiling.speed;
    (margin..=segment.path.length() - margin).contains(&s)
}

#[cfg(test)]
mod tests {
    use nalgebra::Vector3;

    use super::*;
    use crate::boundary::phase_table::{Actions, PhaseTable};
    use crate::telemetry::test_samples::{arc, at, gantry, line, sample};
    use crate::trajectory::time_law::{PathClock, Target};
    use crate::units::{Cycles, Nanoseconds, Ratio};

    /// A perfect real-time side with drives that follow by a first-order lag (exact discretisation), and
    /// stand `beside` the path.
    struct Machine {
        report: RunReport,
        cycle: u64,
        tool: Vector3<f64>,
        lag_s: f64,
        beside: Vector3<f64>,
    }

    impl Machine {
        fn new(lag_s: f64, beside: Vector3<f64>) -> Self {
            let channels = ChannelNames { arc_input: Some(3), ..ChannelNames::default() };
            Self {
                report: RunReport::new(gantry(), channels, 1e-3),
                cycle: 100,
                tool: Vector3::zeros(),
                lag_s,
                beside,
            }
        }

        fn drive(&mut self, segments: &[Segment], override_ratio: f64) {
            let table = PhaseTable::new(1, Actions::default(), &[]).unwrap();
            let mut pieces = vec![PieceKind::ProcessStart(table)];
            pieces.extend(segments.iter().map(|segment| PieceKind::Motion(*segment)));
            pieces.extend([PieceKind::ProcessEnd, PieceKind::EndOfRun]);
            self.report.planned(RunTag(1), &mut pieces.iter());
            for (piece, segment) in (1..).zip(segments) {
                let mut clock = PathClock::start(segment.path.length(), segment.ceiling).unwrap();
                clock.set_target(Target::Run { override_ratio: Ratio::new(override_ratio).unwrap() });
                while !clock.is_at_end() {
                    let now = clock.step(1e-3);
                    self.sample(segment, piece, now.s, now.speed);
                }
            }
            let event = Event {
                cycle: Cycles(self.cycle),
                run: RunTag(1),
                kind: EventKind::RunEnded(RunResult::Completed),
            };
            self.report.event(&event);
        }

        fn sample(&mut self, segment: &Segment, piece: u32, s: f64, speed: f64) {
            let setpoint = super::super::measured_path::tool_position(segment, &gantry(), s);
            let share = if self.lag_s > 0.0 { 1.0 - (-1e-3 / self.lag_s).exp() } else { 1.0 };
            self.tool += (setpoint - self.tool) * share;
            self.cycle += 1;
            let mut sample = sample(self.cycle);
            sample.time = Nanoseconds(self.cycle * 1_000_000);
            sample.state = MachineState::Executing;
            sample.run = RunTag(1);
            sample.piece = piece;
            sample.s = s;
            sample.speed = speed;
            sample.q_setpoint = at(setpoint);
            sample.q_actual = at(self.tool + self.beside);
            sample.phase = Some((1, 0));
            // The arc burns on the first half of the first segment.
            sample.digital_inputs = u64::from(piece == 1 && s < 0.5 * segment.path.length()) << 3;
            self.report.sample(&sample);
        }
    }

    fn near(actual: f64, expected: f64, tolerance: f64) {
        assert!((actual - expected).abs() <= tolerance, "{actual} instead of {expected} ± {tolerance}");
    }

    #[test]
    fn a_drive_that_is_late_on_a_line_has_a_lag_and_no_deviation() {
        let mut machine = Machine::new(0.02, Vector3::zeros());
        machine.drive(&[line(Vector3::zeros(), Vector3::new(0.5, 0.0, 0.0))], 1.0);
        let report = machine.report.report(None);
        near(report.path_deviation_mm.unwrap().max, 0.0, 1e-9);
        // Sampled first-order lag on a ramp: T − dt/2 plus terms of dt²; it settles from above.
        near(report.servo_lag_ms.unwrap().mean, 19.5, 0.05);
        near(report.servo_lag_ms.unwrap().max, 19.5, 1.0);
        let speed = report.tcp_speed_mm_s.unwrap();
        near(speed.min, 100.0, 0.2);
        near(speed.mean, 100.0, 0.05);
        near(speed.max, 100.0, 0.2);
        near(report.arc_length_mm, 250.0, 2.5);
        near(report.seam_length_mm, 500.0, 1e-9);
        // 0.5 m at 0.1 m/s, and one ramp of v/a + a/j = 0.2 s (two halves of the speed lost).
        near(report.duration_s, 5.2, 0.002);
        assert_eq!(report.result, "completed");
    }

    #[test]
    fn what_stands_beside_the_path_is_deviation_and_no_lag() {
        let mut machine = Machine::new(0.0, Vector3::new(0.0, 3e-5, -4e-5));
        machine.drive(&[line(Vector3::zeros(), Vector3::new(0.5, 0.0, 0.0))], 1.0);
        let report = machine.report.report(None);
        near(report.path_deviation_mm.unwrap().mean, 0.05, 1e-9);
        near(report.seam_deviation_mm.unwrap().max, 0.05, 1e-9);
        near(report.servo_lag_ms.unwrap().max, 0.0, 1e-6);
        assert_eq!(report.joint_motion_deviation_mm, None);
    }

    #[test]
    fn a_late_drive_cuts_an_arc_by_the_radius_the_closed_form_gives() {
        // A first-order lag T on a circle of radius r at angular speed w settles on r / √(1 + (wT)²).
        let (radius, lag_s, speed) = (0.1, 0.02, 0.1);
        let mut machine = Machine::new(lag_s, Vector3::zeros());
        let end = Vector3::new(2.0 * radius, 0.0, 0.0);
        machine.drive(&[arc(Vector3::zeros(), Vector3::new(radius, radius, 0.0), end)], 1.0);
        let omega = speed / radius;
        let cut_mm = 1e3 * radius * (1.0 - 1.0 / (1.0 + (omega * lag_s).powi(2)).sqrt());
        let report = machine.report.report(None);
        near(report.path_deviation_mm.unwrap().max, cut_mm, 0.05 * cut_mm);
        near(report.servo_lag_ms.unwrap().mean, 19.5, 0.05);
    }

    #[test]
    fn a_corner_with_a_stop_is_no_deviation_and_its_ramps_are_not_seam_speed() {
        let corner = Vector3::new(0.3, 0.0, 0.0);
        let mut machine = Machine::new(0.02, Vector3::zeros());
        machine.drive(&[line(Vector3::zeros(), corner), line(corner, Vector3::new(0.3, 0.3, 0.0))], 1.0);
        let report = machine.report.report(None);
        // While the setpoint leaves the corner the tool is still on its way to it, and rounds it by a part
        // of what was left at the stop: j·T³ = 0.08 mm for a law that ends with jerk j.
        assert!(report.path_deviation_mm.unwrap().max < 0.04, "{report:?}");
        assert!(report.tcp_speed_mm_s.unwrap().min > 99.0, "{report:?}");
    }

    #[test]
    fn a_stop_on_a_straight_seam_is_no_deviation_while_the_tool_is_still_on_the_segment_before() {
        let (middle, end) = (Vector3::new(0.3, 0.0, 0.0), Vector3::new(0.6, 0.0, 0.0));
        let mut machine = Machine::new(0.02, Vector3::zeros());
        machine.drive(&[line(Vector3::zeros(), middle), line(middle, end)], 1.0);
        near(machine.report.report(None).path_deviation_mm.unwrap().max, 0.0, 1e-9);
    }

    #[test]
    fn an_override_shows_in_the_speed_and_a_lost_frame_in_nothing() {
        let mut machine = Machine::new(0.0, Vector3::zeros());
        machine.drive(&[line(Vector3::zeros(), Vector3::new(0.5, 0.0, 0.0))], 0.5);
        near(machine.report.report(None).tcp_speed_mm_s.unwrap().mean, 50.0, 1e-3);

        let segment = line(Vector3::zeros(), Vector3::new(0.5, 0.0, 0.0));
        let before = machine.report.report(None);
        let mut stale = sample(machine.cycle + 1);
        stale.state = MachineState::Executing;
        stale.run = RunTag(1);
        stale.piece = 1;
        stale.s = segment.path.length();
        stale.fresh = false;
        stale.q_actual = at(Vector3::new(0.0, 1.0, 0.0));
        machine.report.sample(&stale);
        assert_eq!(machine.report.report(None).path_deviation_mm, before.path_deviation_mm);
    }

    #[test]
    fn the_picture_is_one_well_formed_svg_of_bounded_size() {
        let mut machine = Machine::new(0.02, Vector3::zeros());
        let far = Vector3::new(60.0, 0.0, 0.0);
        machine.drive(&[line(Vector3::zeros(), far), line(far, Vector3::zeros())], 1.0);
        let svg = machine.report.picture("1200 s <of> welding & more");
        assert!(svg.len() < 600_000, "{} bytes", svg.len());
        assert!(svg.contains("1200 s &lt;of&gt; welding &amp; more"));
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
        for tag in ["svg", "text", "style"] {
            let opened = svg.matches(&format!("<{tag}")).count();
            assert_eq!(opened, svg.matches(&format!("</{tag}>")).count(), "{tag}");
        }
        let empty = RunReport::new(gantry(), ChannelNames::default(), 1e-3).picture("empty");
        assert!(empty.ends_with("</svg>\n") && !empty.contains("NaN") && !empty.contains("inf"));
    }
}
