//! The trace: a CSV file, one row a cycle.
//!
//! Columns: `cycle, time_s, segment, s_mm, q1_rad…, qa1_rad…, tau1_nm…, tcp_x_mm, tcp_y_mm, tcp_z_mm`, then every
//! named output. `q` are setpoints, `qa` measured (`_m` for a prismatic joint), `tau` the torque that reaches the
//! joint by what its drive reports (`_n`: force of a prismatic joint), the tool centre point is
//! that of the setpoint. `segment` is the position of the piece in the run, −1 without a run. `s_mm` is
//! the way of the tool centre point since the segment began: the path parameter itself on Cartesian
//! segments, the summed way of the setpoint on others. Digital outputs are 0 or 1.
//!
//! Numbers have a fixed number of decimals and no locale: equal samples give equal bytes.

use std::io::{self, Write};

use super::recorder::Recorder;
use super::status::{ChannelNames, bit};
use crate::boundary::piece_queue::PieceKind;
use crate::boundary::sample_ring::Sample;
use crate::kinematics::JointKind;
use crate::machine::RunTag;
use crate::trajectory::path::ParameterUnit;

/// Decimals of joint positions: 1 nrad, far below a count of any encoder.
const JOINT_DECIMALS: u32 = 9;
/// Decimals of lengths in mm: 1 nm.
const LENGTH_DECIMALS: u32 = 6;
/// Decimals of times in s.
const TIME_DECIMALS: u32 = 6;
/// Decimals of torques in Nm and forces in N.
const TORQUE_DECIMALS: u32 = 4;
/// Decimals of analog values.
const ANALOG_DECIMALS: u32 = 4;
/// Bytes collected before they are written.
const BUFFER_BYTES: usize = 256 * 1024;

/// Writes the trace.
#[derive(Debug)]
pub struct TraceWriter<W> {
    output: W,
    buffer: Vec<u8>,
    joints: usize,
    digital: Vec<u8>,
    analog: Vec<u8>,
    /// Whether each piece of the run is travelled by tool distance.
    by_distance: Vec<bool>,
    run: RunTag,
    segment: u32,
    way_m: f64,
    last_tcp: Option<[f64; 3]>,
    rows: u64,
    failed: Option<io::Error>,
}

impl<W: Write> TraceWriter<W> {
    /// Writes the heading. `joints` are the kinds of the arm's joints, in order.
    ///
    /// # Errors
    /// What the output says.
    pub fn new(mut output: W, joints: &[JointKind], channels: &ChannelNames) -> io::Result<Self> {
        let unit = |kind: &JointKind| match kind {
            JointKind::Revolute | JointKind::Continuous => "rad",
            JointKind::Prismatic => "m",
        };
        let mut heading = "cycle,time_s,segment,s_mm".to_owned();
        for prefix in ["q", "qa"] {
            for (joint, kind) in joints.iter().enumerate() {
                heading.push_str(&format!(",{prefix}{}_{}", joint + 1, unit(kind)));
            }
        }
        for (joint, kind) in joints.iter().enumerate() {
            let unit = if *kind == JointKind::Prismatic { "n" } else { "nm" };
            heading.push_str(&format!(",tau{}_{unit}", joint + 1));
        }
        heading.push_str(",tcp_x_mm,tcp_y_mm,tcp_z_mm");
        for (name, _) in channels.digital_outputs.iter().chain(&channels.analog_outputs) {
            heading.push(',');
            heading.push_str(name);
        }
        heading.push('\n');
        output.write_all(heading.as_bytes())?;
        Ok(Self {
            output,
            buffer: Vec::with_capacity(BUFFER_BYTES + 4096),
            joints: joints.len(),
            digital: channels.digital_outputs.iter().map(|(_, channel)| *channel).collect(),
            analog: channels.analog_outputs.iter().map(|(_, channel)| *channel).collect(),
            by_distance: Vec::new(),
            run: RunTag(0),
            segment: 0,
            way_m: 0.0,
            last_tcp: None,
            rows: 0,
            failed: None,
        })
    }

    /// Writes what is left and returns the number of rows.
    ///
    /// # Errors
    /// The first error of writing.
    pub fn finish(&mut self) -> io::Result<u64> {
        self.write_out();
        match self.failed.take() {
            Some(error) => Err(error),
            None => self.output.flush().map(|()| self.rows),
        }
    }

    fn write_out(&mut self) {
        if self.failed.is_none()
            && let Err(error) = self.output.write_all(&self.buffer)
        {
            self.failed = Some(error);
        }
        self.buffer.clear();
    }

    /// Way of the tool centre point since the segment began, mm.
    fn way_mm(&mut self, sample: &Sample) -> f64 {
        let tcp: [f64; 3] = sample.x_base_tool.translation.vector.into();
        let last = self.last_tcp.replace(tcp).unwrap_or(tcp);
        if sample.run != self.run || sample.piece != self.segment {
            self.run = sample.run;
            self.segment = sample.piece;
            self.way_m = 0.0;
        }
        let step: f64 = tcp.iter().zip(last).map(|(now, before)| (now - before).powi(2)).sum();
        self.way_m += step.sqrt();
        let piece = usize::try_from(sample.piece).unwrap_or(usize::MAX);
        if self.by_distance.get(piece) == Some(&true) { sample.s * 1e3 } else { self.way_m * 1e3 }
    }
}

impl<W: Write + Send> Recorder for TraceWriter<W> {
    fn planned(&mut self, _run: RunTag, pieces: &mut dyn Iterator<Item = &PieceKind>) {
        self.by_distance = pieces
            .map(|piece| {
                let PieceKind::Motion(segment) = piece else { return false };
                segment.path.unit() == ParameterUnit::ToolDistance
            })
            .collect();
    }

    fn sample(&mut self, sample: &Sample) {
        let way_mm = self.way_mm(sample);
        let row = &mut self.buffer;
        integer(row, sample.cycle.0);
        row.push(b',');
        fixed(row, sample.time.as_seconds(), TIME_DECIMALS);
        if sample.run == RunTag(0) {
            row.extend_from_slice(b",-1,");
        } else {
            row.push(b',');
            integer(row, u64::from(sample.piece));
            row.push(b',');
        }
        fixed(row, way_mm, LENGTH_DECIMALS);
        for joints in [&sample.q_setpoint, &sample.q_actual] {
            for joint in 0..self.joints {
                row.push(b',');
                fixed(row, joints.get(joint), JOINT_DECIMALS);
            }
        }
        for joint in 0..self.joints {
            row.push(b',');
            fixed(row, sample.torque_actual.get(joint), TORQUE_DECIMALS);
        }
        for coordinate in sample.x_base_tool.translation.vector.iter() {
            row.push(b',');
            fixed(row, coordinate * 1e3, LENGTH_DECIMALS);
        }
        for channel in &self.digital {
            row.push(b',');
            row.push(if bit(sample.digital_outputs, *channel) { b'1' } else { b'0' });
        }
        for channel in &self.analog {
            row.push(b',');
            let value = sample.analog_outputs.get(usize::from(*channel)).copied().unwrap_or(0.0);
            fixed(row, f64::from(value), ANALOG_DECIMALS);
        }
        row.push(b'\n');
        self.rows += 1;
        if self.buffer.len() >= BUFFER_BYTES {
            self.write_out();
        }
    }
}

fn integer(row: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0_u8; 20];
    let mut start = digits.len();
    while let Some(digit) = start.checked_sub(1).and_then(|at| digits.get_mut(at)) {
        start -= 1;
        *digit = b'0' + u8::try_from(value % 10).unwrap_or(0);
        value /= 10;
        if value == 0 {
            break;
        }
    }
    row.extend_from_slice(digits.get(start..).unwrap_or_default());
}

/// `value` with `decimals` digits behind the point, rounded half away from zero; `nan` if it is not a
/// finite number of a magnitude any of these columns can have.
fn fixed(row: &mut Vec<u8>, value: f64, decimals: u32) {
    let scale = 10_u64.pow(decimals);
    #[expect(clippy::cast_precision_loss, reason = "a power of ten up to 10⁹ is exact")]
    let scaled = (value * scale as f64).round();
    if scaled.is_nan() || scaled.abs() >= 9.0e15 {
        row.extend_from_slice(b"nan");
        return;
    }
    if scaled < 0.0 {
        row.push(b'-');
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole number below 9e15")]
    let scaled = scaled.abs() as u64;
    integer(row, scaled / scale);
    row.push(b'.');
    let mut fraction = scaled % scale;
    let start = row.len();
    for _ in 0..decimals {
        row.push(b'0' + u8::try_from(fraction % 10).unwrap_or(0));
        fraction /= 10;
    }
    if let Some(digits) = row.get_mut(start..) {
        digits.reverse();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::test_samples::{sample, straight_run};
    use proptest::prelude::*;

    fn text(value: f64, decimals: u32) -> String {
        let mut row = Vec::new();
        fixed(&mut row, value, decimals);
        String::from_utf8(row).unwrap()
    }

    #[test]
    fn numbers_are_written_with_fixed_decimals() {
        assert_eq!(text(0.0, 6), "0.000000");
        assert_eq!(text(-0.0, 6), "0.000000");
        assert_eq!(text(-1.5, 3), "-1.500");
        assert_eq!(text(-0.000_000_000_4, 9), "0.000000000");
        assert_eq!(text(123.456_789, 4), "123.4568");
        assert_eq!(text(f64::NAN, 6), "nan");
        assert_eq!(text(f64::INFINITY, 6), "nan");
        assert_eq!(text(1e300, 6), "nan");
        let mut row = Vec::new();
        integer(&mut row, u64::MAX);
        assert_eq!(row, u64::MAX.to_string().into_bytes());
    }

    proptest! {
        #![proptest_config(ProptestConfig { rng_seed: proptest::test_runner::RngSeed::Fixed(7), ..ProptestConfig::default() })]

        #[test]
        fn what_is_written_is_what_was_meant(value in -1e5_f64..1e5) {
            let read: f64 = text(value, 9).parse().unwrap();
            prop_assert!((read - value).abs() <= 0.5e-9 + 1e-15 * value.abs(), "{value} became {read}");
        }
    }

    #[test]
    fn a_row_has_what_its_heading_says() {
        let channels = ChannelNames {
            digital_outputs: vec![("gas".to_owned(), 1), ("weld_on".to_owned(), 0)],
            analog_outputs: vec![("current_a".to_owned(), 0)],
            ..ChannelNames::default()
        };
        let mut trace = TraceWriter::new(Vec::new(), &[JointKind::Revolute; 2], &channels).unwrap();
        let (pieces, _) = straight_run();
        trace.planned(RunTag(1), &mut pieces.iter());
        let mut idle = sample(0);
        idle.q_setpoint = crate::joints::JointVector::from_slice(&[0.5, -0.25]).unwrap();
        idle.q_actual = idle.q_setpoint;
        idle.torque_actual = crate::joints::JointVector::from_slice(&[3.5, -0.25]).unwrap();
        idle.digital_outputs = 0b10;
        idle.analog_outputs[0] = 180.5;
        trace.sample(&idle);
        let mut moving = idle;
        moving.cycle.0 = 1;
        moving.time.0 = 1_000_000;
        moving.run = RunTag(1);
        moving.s = 0.0125;
        trace.sample(&moving);
        assert_eq!(trace.finish().unwrap(), 2);
        assert_eq!(
            String::from_utf8(trace.output).unwrap(),
            "cycle,time_s,segment,s_mm,q1_rad,q2_rad,qa1_rad,qa2_rad,tau1_nm,tau2_nm,tcp_x_mm,tcp_y_mm,tcp_z_mm,gas,weld_on,current_a\n\
             0,0.000000,-1,0.000000,0.500000000,-0.250000000,0.500000000,-0.250000000,3.5000,-0.2500,0.000000,0.000000,0.000000,1,0,180.5000\n\
             1,0.001000,0,12.500000,0.500000000,-0.250000000,0.500000000,-0.250000000,3.5000,-0.2500,0.000000,0.000000,0.000000,1,0,180.5000\n"
        );
    }

    #[test]
    fn a_full_disk_is_reported_at_the_end_and_stops_nothing() {
        #[derive(Debug)]
        struct Full(usize);
        impl Write for Full {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                if self.0 < bytes.len() {
                    return Err(io::ErrorKind::StorageFull.into());
                }
                self.0 -= bytes.len();
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut trace =
            TraceWriter::new(Full(1000), &[JointKind::Revolute; 6], &ChannelNames::default()).unwrap();
        for cycle in 0..10_000 {
            trace.sample(&sample(cycle));
        }
        assert_eq!(trace.finish().map_err(|error| error.kind()), Err(io::ErrorKind::StorageFull));
        assert!(trace.buffer.capacity() < 2 * BUFFER_BYTES);
    }
}
