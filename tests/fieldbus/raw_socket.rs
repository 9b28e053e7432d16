//! The raw socket over a pair of virtual network interfaces. Needs root; says so when it is skipped.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use motiond::fieldbus::link::MAX_FRAME_BYTES;
use motiond::fieldbus::link::raw_socket::{OpenError, RawSocket};
use motiond::fieldbus::{BringUpError, BusDescription, FrameLink, FramePump, PumpSettings, bring_up};
use motiond::simulator::Segment;
use motiond::units::Nanoseconds;

use crate::segment_link::{expected_cell, segment};

/// Two connected interfaces; gone when dropped.
struct InterfacePair {
    near: String,
    far: String,
}

fn ip(arguments: &[&str]) -> bool {
    Command::new("ip").args(arguments).output().is_ok_and(|output| output.status.success())
}

fn is_operational(interface: &str) -> bool {
    std::fs::read_to_string(format!("/sys/class/net/{interface}/operstate"))
        .is_ok_and(|state| state.trim() == "up")
}

impl InterfacePair {
    /// `None`, with the reason on the console, where interfaces cannot be made.
    #[expect(clippy::print_stdout, reason = "a skipped test says so")]
    fn make(test: &str) -> Option<Self> {
        let id = std::process::id() % 100_000;
        let (near, far) = (format!("{test}{id}a"), format!("{test}{id}b"));
        let pair = Self { near, far };
        let made = ip(&["link", "add", &pair.near, "type", "veth", "peer", "name", &pair.far])
            && ip(&["link", "set", &pair.near, "up"])
            && ip(&["link", "set", &pair.far, "up"]);
        // The kernel attaches the queues a little after it has answered; frames sent before are dropped.
        let patience = Instant::now();
        while made && !(is_operational(&pair.near) && is_operational(&pair.far)) {
            assert!(patience.elapsed() < Duration::from_secs(20), "the virtual interfaces never come up");
            std::thread::yield_now();
        }
        if !made {
            println!("SKIPPED: making virtual network interfaces needs root and the veth driver");
        }
        made.then_some(pair)
    }
}

impl Drop for InterfacePair {
    fn drop(&mut self) {
        ip(&["link", "del", &self.near]);
    }
}

/// A frame as the pump would send it: one NOP datagram.
fn frame() -> Vec<u8> {
    let mut frame = vec![0xFF; 6];
    frame.extend([0x10, 0x10, 0, 0, 0, 1, 0x88, 0xA4, 14, 0x10]);
    frame.extend([0, 7, 0, 0, 0, 0, 2, 0, 0, 0, 0xAB, 0xCD, 0, 0]);
    frame.resize(60, 0);
    frame
}

/// Sends every frame back with the source bit set, as the first SubDevice does, until told to stop.
fn reflect(mut socket: RawSocket, stop: &AtomicBool) {
    let mut buffer = [0; MAX_FRAME_BYTES];
    while !stop.load(Ordering::Relaxed) {
        let deadline = socket.now().plus(Nanoseconds(20_000_000));
        if let Ok(Some(length)) = socket.receive(&mut buffer, deadline) {
            buffer[6] |= 2;
            socket.send(&buffer[..length]).expect("the other end is up");
        }
    }
}

#[test]
fn a_frame_goes_out_and_its_answer_comes_back() {
    let Some(pair) = InterfacePair::make("mdrs") else { return };
    let mut near = RawSocket::open(&pair.near).expect("the near end");
    let far = RawSocket::open(&pair.far).expect("the far end");
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| reflect(far, &stop));
        let mut expected = frame();
        near.send(&expected).expect("the interface is up");
        let mut buffer = [0; MAX_FRAME_BYTES];
        let deadline = near.now().plus(Nanoseconds(5_000_000_000));
        let length = near.receive(&mut buffer, deadline).expect("the interface is up");
        stop.store(true, Ordering::Relaxed);
        expected[6] |= 2;
        assert_eq!(length.map(|length| buffer[..length].to_vec()), Some(expected));
    });
    // Its own frame never comes back by itself, and the deadline ends the waiting.
    near.send(&frame()).expect("the interface is up");
    let deadline = near.now().plus(Nanoseconds(30_000_000));
    assert_eq!(near.receive(&mut [0; MAX_FRAME_BYTES], deadline), Ok(None));
    assert!(near.now() >= deadline);
}

#[test]
fn an_interface_that_goes_down_is_an_error_and_works_again_when_it_is_up() {
    let Some(pair) = InterfacePair::make("mddn") else { return };
    let mut near = RawSocket::open(&pair.near).expect("the near end");
    assert!(ip(&["link", "set", &pair.near, "down"]));
    assert!(near.send(&frame()).is_err());
    assert!(ip(&["link", "set", &pair.near, "up"]));
    // The error of the change itself may come once.
    assert!(near.send(&frame()).is_ok() || near.send(&frame()).is_ok());
}

#[test]
fn a_bus_where_nothing_answers_says_so() {
    let Some(pair) = InterfacePair::make("mdna") else { return };
    let near = RawSocket::open(&pair.near).expect("the near end");
    let description = BusDescription::new(Vec::new(), Nanoseconds(1_000_000));
    let failure = bring_up(FramePump::new(near, PumpSettings::REAL), &description).expect_err("no devices");
    assert_eq!(failure.error, BringUpError::NothingAnswers);
    assert_eq!(failure.pump.counters().accepted, 0);
    assert!(failure.pump.counters().sent > 0);
}

#[test]
fn an_interface_that_does_not_exist_is_named_as_such() {
    match RawSocket::open("no-such-if0") {
        Err(OpenError::NoSuchInterface) => {}
        Err(OpenError::NotPermitted) => println!("SKIPPED: raw sockets need CAP_NET_RAW"),
        other => panic!("{other:?}"),
    }
}

/// Answers frames with a simulated segment in real time, until told to stop.
fn simulate(mut socket: RawSocket, mut segment: Segment, stop: &AtomicBool) {
    let begin = socket.now();
    let mut buffer = [0; MAX_FRAME_BYTES];
    while !stop.load(Ordering::Relaxed) {
        let deadline = socket.now().plus(Nanoseconds(1_000_000));
        let received = socket.receive(&mut buffer, deadline);
        let now = socket.now().since(begin);
        segment.advance_to(now);
        if let Ok(Some(length)) = received
            && segment.process_frame(&mut buffer[..length], now)
        {
            socket.send(&buffer[..length]).expect("the other end is up");
        }
    }
}

#[test]
fn a_simulated_cell_comes_to_op_over_a_network_interface() {
    let Some(pair) = InterfacePair::make("mdop") else { return };
    let near = RawSocket::open(&pair.near).expect("the near end");
    let far = RawSocket::open(&pair.far).expect("the far end");
    // This host may stand still for tens of milliseconds: a patient watchdog and a slow cycle.
    let cycle = Nanoseconds(4_000_000);
    let mut description = BusDescription::new(expected_cell(), cycle);
    description.watchdog = Nanoseconds(1_000_000_000);
    for device in &mut description.devices {
        device.startup.clear();
    }
    let stop = AtomicBool::new(false);
    let (reached, fresh) = std::thread::scope(|scope| {
        scope.spawn(|| simulate(far, segment(), &stop));
        let settings = PumpSettings { clock_drift_rounds: 200, ..PumpSettings::REAL };
        let outcome = bring_up(FramePump::new(near, settings), &description);
        let result = match outcome {
            Ok(mut bus) => {
                let cycles = (0..100).filter(|_| {
                    let start = bus.wait_for_cycle();
                    bus.exchange(start.woke_at.plus(Nanoseconds(3_200_000))).fresh
                });
                let fresh = cycles.count();
                drop(bus.shut_down(Nanoseconds(200_000_000)));
                (Ok(()), fresh)
            }
            Err(failure) => (Err(failure.error.to_string()), 0),
        };
        stop.store(true, Ordering::Relaxed);
        result
    });
    assert_eq!(reached, Ok(()));
    assert!(fresh > 50, "{fresh} of 100 cycles fresh");
}
