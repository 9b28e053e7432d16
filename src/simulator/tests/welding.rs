//! Terminals with a welding power source and a stop input behind them.

use super::support::{Wire, analog_terminal, digital_terminal};
use crate::simulator::{
    ArcFailure, Channel, Equipment, Injection, PowerSourceParameters, SegmentDescription,
};
use crate::units::Nanoseconds;

const MILLISECOND: u64 = 1_000_000;

fn digital(channel: u8) -> Option<Channel> {
    Some(Channel { device: 0, channel })
}

fn analog(channel: u8) -> Option<Channel> {
    Some(Channel { device: 1, channel })
}

/// Outputs: gas at 0, weld at 1; current and voltage. Inputs: arc at 0, ready at 1, stop input at 7.
struct Cell {
    wire: Wire,
}

impl Cell {
    fn new() -> Self {
        let source = PowerSourceParameters {
            gas: digital(0),
            weld_on: digital(1),
            arc_established: digital(0),
            ready: digital(1),
            current_setpoint: analog(0),
            voltage_setpoint: analog(1),
            actual_current: analog(0),
            actual_voltage: analog(1),
            ..PowerSourceParameters::default()
        };
        let description = SegmentDescription::new(vec![digital_terminal(), analog_terminal()])
            .with_equipment(vec![
                Equipment::WeldingPowerSource(source),
                Equipment::StopInput { input: Channel { device: 0, channel: 7 } },
            ]);
        let mut wire = Wire::of(description);
        wire.sync_manager(0, 0, 0x1100, 1, 0x24);
        wire.sync_manager(0, 1, 0x1280, 1, 0x20);
        wire.request(0, 0x02);
        wire.pre_op(1);
        wire.sync_manager(1, 2, 0x1100, 4, 0x24);
        wire.sync_manager(1, 3, 0x1280, 4, 0x20);
        for device in 0..2 {
            assert_eq!(wire.request(device, 0x04), (0x04, 0));
            wire.request(device, 0x08);
        }
        let mut cell = Self { wire };
        cell.set(0, 0, 0);
        for device in 0..2 {
            assert_eq!(cell.wire.read_u16(device, 0x0130), 0x08);
        }
        cell
    }

    fn set(&mut self, bits: u8, current: i16, voltage: i16) {
        assert!(self.wire.write(0, 0x1100, &[bits]));
        let mut data = current.to_le_bytes().to_vec();
        data.extend_from_slice(&voltage.to_le_bytes());
        assert!(self.wire.write(1, 0x1100, &data));
    }

    fn wait(&mut self, milliseconds: u64) {
        self.wire.wait(Nanoseconds(milliseconds * MILLISECOND));
    }

    fn inputs(&mut self) -> u8 {
        self.wire.read(0, 0x1280, 1).unwrap()[0]
    }

    /// Current and voltage as the controller reads them, A and V.
    fn actual(&mut self) -> (f64, f64) {
        let data = self.wire.read(1, 0x1280, 4).unwrap();
        let value = |at: usize| f64::from(i16::from_le_bytes([data[at], data[at + 1]])) / 32767.0;
        (value(0) * 500.0, value(2) * 50.0)
    }
}

/// 200 A and 24 V.
const SETPOINTS: (i16, i16) = (13_107, 15_728);

#[test]
fn weld_on_leads_to_an_arc_with_current_and_voltage() {
    let mut cell = Cell::new();
    cell.wait(5);
    assert_eq!(cell.inputs(), 0b1000_0010, "ready, stop chain closed");
    cell.set(0b11, SETPOINTS.0, SETPOINTS.1);
    cell.wait(50);
    assert_eq!(cell.inputs() & 1, 0, "ignition takes at least 60 ms");
    assert!(cell.actual().1 > 40.0, "open circuit voltage");
    cell.wait(60);
    assert_eq!(cell.inputs() & 1, 1, "and at most 100 ms");
    cell.wait(200);
    let (current, voltage) = cell.actual();
    assert!((current - 200.0).abs() < 10.0 && (voltage - 24.0).abs() < 2.0, "{current} A, {voltage} V");
    cell.set(0b01, 0, 0);
    cell.wait(200);
    assert_eq!(cell.inputs() & 1, 0);
    assert!(cell.actual().0 < 1.0);
    let source = cell.wire.segment.power_source(0).unwrap();
    assert_eq!((source.ignitions, source.burned_without_gas), (1, Nanoseconds(0)));
}

#[test]
fn current_and_voltage_ripple_and_repeat_with_the_same_seed() {
    let record = || {
        let mut cell = Cell::new();
        cell.set(0b11, SETPOINTS.0, SETPOINTS.1);
        cell.wait(300);
        (0..50)
            .map(|_| {
                cell.wait(1);
                cell.actual().0
            })
            .collect::<Vec<f64>>()
    };
    let first = record();
    let (low, high) =
        first.iter().fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(*value), high.max(*value)));
    assert!(high - low > 0.2 && high - low < 12.0, "ripple {}", high - low);
    assert_eq!(first, record());
}

#[test]
fn an_arc_that_never_establishes() {
    let mut cell = Cell::new();
    cell.wire.segment.inject(Injection::PowerSource(Some(ArcFailure::NeverEstablishes))).unwrap();
    cell.set(0b11, SETPOINTS.0, SETPOINTS.1);
    cell.wait(2000);
    assert_eq!(cell.inputs() & 1, 0);
}

#[test]
fn an_arc_that_goes_out_stays_out_until_weld_is_switched_off() {
    let mut cell = Cell::new();
    let failure = ArcFailure::GoesOutAfter(Nanoseconds(300 * MILLISECOND));
    cell.wire.segment.inject(Injection::PowerSource(Some(failure))).unwrap();
    cell.set(0b11, SETPOINTS.0, SETPOINTS.1);
    cell.wait(250);
    assert_eq!(cell.inputs() & 1, 1);
    cell.wait(200);
    assert_eq!(cell.inputs() & 1, 0);
    cell.wire.segment.inject(Injection::PowerSource(None)).unwrap();
    cell.wait(500);
    assert_eq!(cell.inputs() & 1, 0);
    cell.set(0b01, 0, 0);
    cell.wait(2);
    cell.set(0b11, SETPOINTS.0, SETPOINTS.1);
    cell.wait(150);
    assert_eq!(cell.inputs() & 1, 1);
}

#[test]
fn a_source_that_is_not_ready_says_so() {
    let mut cell = Cell::new();
    cell.wire.segment.inject(Injection::PowerSource(Some(ArcFailure::NotReady))).unwrap();
    cell.wait(2);
    assert_eq!(cell.inputs() & 2, 0);
}

#[test]
fn without_current_setpoint_there_is_no_arc_and_without_gas_it_is_noticed() {
    let mut cell = Cell::new();
    cell.set(0b11, 0, 0);
    cell.wait(500);
    assert_eq!(cell.inputs() & 1, 0);
    cell.set(0b10, SETPOINTS.0, SETPOINTS.1);
    cell.wait(500);
    assert_eq!(cell.inputs() & 1, 1);
    assert!(cell.wire.segment.power_source(0).unwrap().burned_without_gas > Nanoseconds(300 * MILLISECOND));
}

#[test]
fn leaving_op_switches_the_weld_off() {
    let mut cell = Cell::new();
    cell.set(0b11, SETPOINTS.0, SETPOINTS.1);
    cell.wait(200);
    assert_eq!(cell.inputs() & 1, 1);
    cell.wire.request(0, 0x04);
    cell.wait(2);
    assert_eq!(cell.inputs() & 1, 0);
}

#[test]
fn the_stop_input_shows_the_chain() {
    let mut cell = Cell::new();
    cell.wire.segment.inject(Injection::StopInput { closed: false }).unwrap();
    cell.wait(1);
    assert_eq!(cell.inputs() >> 7, 0);
    cell.wire.segment.inject(Injection::StopInput { closed: true }).unwrap();
    cell.wait(1);
    assert_eq!(cell.inputs() >> 7, 1);
}
