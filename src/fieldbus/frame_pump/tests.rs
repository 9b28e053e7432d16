//! The pump against a hand-made wire: one SubDevice that answers every datagram with working counter 1.

use ethercrab::Command;
use ethercrab::error::{Error, TimeoutError};

use super::*;
use crate::fieldbus::link::LinkError;
use crate::fieldbus::link::fault_injection::{Fault, FaultInjection, FaultRates};

/// Answers each frame after 10 µs: source bit set, working counters raised, data of reads set to `value`.
struct Responder {
    now: Nanoseconds,
    answers: Vec<(Nanoseconds, Vec<u8>)>,
    value: u8,
    sends_fail: bool,
    is_silent: bool,
}

const ROUND_TRIP: Nanoseconds = Nanoseconds(10_000);

impl Responder {
    fn new() -> Self {
        Self { now: Nanoseconds(0), answers: Vec::new(), value: 0x5A, sends_fail: false, is_silent: false }
    }

    fn answer(&self, frame: &[u8]) -> Vec<u8> {
        let mut answer = frame.to_vec();
        answer[SOURCE] |= 0x02;
        let mut offset = FIRST_DATAGRAM;
        while offset < frame.len() {
            let length = usize::from(u16_at(frame, offset + 6).unwrap() & 0x07FF);
            let data = offset + DATAGRAM_HEADER_BYTES;
            answer[data..data + length].fill(self.value);
            answer[data + length] = 1;
            offset = data + length + WORKING_COUNTER_BYTES;
        }
        answer
    }
}

impl FrameLink for Responder {
    fn send(&mut self, frame: &[u8]) -> Result<(), LinkError> {
        if self.sends_fail {
            return Err(LinkError::Full);
        }
        if !self.is_silent {
            let answer = self.answer(frame);
            self.answers.push((self.now.plus(ROUND_TRIP), answer));
        }
        Ok(())
    }

    fn receive(&mut self, buffer: &mut [u8], deadline: Nanoseconds) -> Result<Option<usize>, LinkError> {
        match self.answers.first() {
            Some((arrival, _)) if *arrival <= deadline.max(self.now) => {
                let (arrival, frame) = self.answers.remove(0);
                self.now = self.now.max(arrival);
                buffer[..frame.len()].copy_from_slice(&frame);
                Ok(Some(frame.len()))
            }
            _ => {
                self.now = self.now.max(deadline);
                Ok(None)
            }
        }
    }

    fn now(&self) -> Nanoseconds {
        self.now
    }

    fn wait_until(&mut self, time: Nanoseconds) {
        self.now = self.now.max(time);
    }
}

type TestPump = FramePump<FaultInjection<Responder>>;

fn pump() -> TestPump {
    let settings = PumpSettings { frame_retries: 2, ..PumpSettings::SIMULATED };
    FramePump::new(FaultInjection::new(Responder::new(), FaultRates::default(), 1), settings)
}

/// One register read with 1 ms to come back.
fn read(pump: &mut TestPump) -> Result<Result<u8, Error>, PumpEnd> {
    let limit = pump.link().now().plus(Nanoseconds(1_000_000));
    let main_device = pump.main_device();
    pump.run(Command::fprd(0x1000, 0x0130).receive::<u8>(main_device), limit)
}

#[test]
fn an_answered_read_takes_one_round_trip_of_virtual_time() {
    let mut pump = pump();
    assert_eq!(read(&mut pump), Ok(Ok(0x5A)));
    assert_eq!(pump.link().now(), ROUND_TRIP);
    assert_eq!(pump.counters(), LinkCounters { sent: 1, accepted: 1, ..LinkCounters::default() });
}

#[test]
fn when_nothing_answers_the_limit_ends_it_at_exactly_its_time() {
    let mut pump = pump();
    pump.link_mut().inner_mut().is_silent = true;
    assert_eq!(read(&mut pump), Err(PumpEnd::Elapsed));
    assert_eq!(pump.link().now(), Nanoseconds(1_000_000));
}

#[test]
fn a_run_that_begins_after_its_limit_still_sends_its_frame() {
    let mut pump = pump();
    pump.link_mut().wait_until(Nanoseconds(5_000_000));
    let main_device = pump.main_device();
    let result = pump.run(Command::fprd(0x1000, 0).receive::<u8>(main_device), Nanoseconds(4_000_000));
    assert_eq!((result, pump.counters().sent), (Err(PumpEnd::Elapsed), 1));
}

#[test]
fn when_nothing_answers_the_library_sends_again_and_gives_up_by_its_own_timeouts() {
    let mut pump = pump();
    pump.link_mut().inner_mut().is_silent = true;
    let main_device = pump.main_device();
    let result = pump.run(Command::fprd(0x1000, 0).receive::<u8>(main_device), Nanoseconds(u64::MAX));
    assert_eq!(result, Ok(Err(Error::Timeout(TimeoutError::Pdu))));
    assert_eq!(pump.counters().sent, 3, "once and two retries");
    assert_eq!(pump.link().now(), Nanoseconds(90_000_000), "three times 30 ms");
}

#[test]
fn each_fault_of_the_wire_costs_only_its_own_frame() {
    for (fault, expected, counted) in [
        (Fault::DropSent, None, LinkCounters { sent: 2, accepted: 1, ..LinkCounters::default() }),
        (Fault::Drop, None, LinkCounters { sent: 2, accepted: 1, ..LinkCounters::default() }),
        (
            Fault::Delay(Nanoseconds(995_000)),
            None,
            LinkCounters { sent: 2, accepted: 1, late: 1, ..LinkCounters::default() },
        ),
        (
            Fault::Duplicate,
            Some(0x5A),
            LinkCounters { sent: 2, accepted: 2, duplicate: 1, ..LinkCounters::default() },
        ),
        (
            Fault::Truncate(20),
            None,
            LinkCounters { sent: 2, accepted: 1, malformed: 1, ..LinkCounters::default() },
        ),
        (
            Fault::Truncate(9),
            None,
            LinkCounters { sent: 2, accepted: 1, foreign: 1, ..LinkCounters::default() },
        ),
    ] {
        let mut pump = pump();
        assert!(pump.link_mut().script(fault));
        let first = read(&mut pump);
        assert_eq!(first, expected.map_or(Err(PumpEnd::Elapsed), |value| Ok(Ok(value))), "{fault:?}");
        pump.link_mut().inner_mut().value = 0x77;
        assert_eq!(read(&mut pump), Ok(Ok(0x77)), "the read after {fault:?}");
        assert_eq!(pump.counters(), counted, "{fault:?}");
    }
}

#[test]
fn a_damaged_header_byte_never_passes_for_an_answer() {
    // Bytes 6 to 25 are source address, type, frame header and datagram header. Byte 22 and 23 hold the
    // length with the circulating bit (bit 6 of byte 23), 24 and 25 the event bits: those may change.
    for byte in 6..24 {
        for bit in 0..8 {
            if byte == 23 && bit == 6 {
                continue;
            }
            // Reserved bits of the datagram length carry no meaning.
            if byte == 23 && (3..6).contains(&bit) {
                continue;
            }
            let mut pump = pump();
            assert!(pump.link_mut().script(Fault::Corrupt { byte, mask: 1 << bit }));
            assert_eq!(read(&mut pump), Err(PumpEnd::Elapsed), "byte {byte}, bit {bit}");
            assert_eq!(read(&mut pump), Ok(Ok(0x5A)), "the read after byte {byte}, bit {bit}");
        }
    }
}

#[test]
fn a_late_answer_never_passes_for_a_new_one_whatever_its_age() {
    // ethercrab's own index repeats every 256 datagrams: an answer that is exactly that old is the trap.
    for age in [1_u64, 3, 7, 8, 15, 16, 255, 256, 257, 512] {
        let mut pump = pump();
        pump.link_mut().inner_mut().value = 0xEE;
        // Comes in the middle of the read that is `age` reads later; each read takes 1 ms.
        assert!(pump.link_mut().script(Fault::Delay(Nanoseconds(age * 1_000_000 - 5_000))));
        assert_eq!(read(&mut pump), Err(PumpEnd::Elapsed));
        pump.link_mut().inner_mut().value = 0x11;
        for later in 1..=age + 1 {
            assert_eq!(
                read(&mut pump),
                Ok(Ok(0x11)),
                "read {later} with an answer {age} reads old on the wire"
            );
            let next = pump.link().now().0.next_multiple_of(1_000_000);
            pump.link_mut().wait_until(Nanoseconds(next));
        }
        assert_eq!(pump.counters().late, 1, "age {age}");
    }
}

#[test]
fn a_link_that_cannot_send_costs_the_frame_and_makes_no_busy_loop() {
    let mut pump = pump();
    pump.link_mut().inner_mut().sends_fail = true;
    assert_eq!(read(&mut pump), Err(PumpEnd::Elapsed));
    assert_eq!((pump.counters().send_errors, pump.link().now()), (1, Nanoseconds(1_000_000)));
    pump.link_mut().inner_mut().sends_fail = false;
    assert_eq!(read(&mut pump), Ok(Ok(0x5A)));
}

#[test]
fn our_own_unprocessed_frame_and_other_protocols_are_foreign() {
    let sent = [SentFrame { sequence: 0, length: 0, answered: true, bytes: [0; MAX_FRAME_BYTES] };
        REMEMBERED_FRAMES];
    let mut echo = [0_u8; 60];
    echo[ETHERTYPE..14].copy_from_slice(&ETHERTYPE_ETHERCAT);
    write_source(&mut echo, 5);
    assert_eq!(classify(&echo, &sent, 1), Arrival::Foreign);
    echo[SOURCE] |= 2;
    assert_eq!(classify(&echo, &sent, 1), Arrival::Late, "processed, but nobody waits for it");
    echo[ETHERTYPE] = 0x08;
    assert_eq!(classify(&echo, &sent, 1), Arrival::Foreign);
    assert_eq!(classify(&[], &sent, 1), Arrival::Foreign);
}

#[test]
fn an_unanswered_frame_of_an_earlier_run_is_late_however_well_it_fits() {
    let mut request = [0_u8; 60];
    request[ETHERTYPE..14].copy_from_slice(&ETHERTYPE_ETHERCAT);
    // One NOP datagram without data: 12 bytes.
    request[14..FIRST_DATAGRAM].copy_from_slice(&[12, 0x10]);
    for sequence in [5, u32::MAX - 1] {
        let mut answer = request;
        write_source(&mut answer, sequence);
        let mut sent = [SentFrame { sequence: 0, length: 0, answered: true, bytes: [0; MAX_FRAME_BYTES] };
            REMEMBERED_FRAMES];
        let place = sequence as usize % REMEMBERED_FRAMES;
        sent[place] = SentFrame { sequence, length: 28, answered: false, bytes: [0; MAX_FRAME_BYTES] };
        sent[place].bytes[..28].copy_from_slice(&answer[..28]);
        answer[SOURCE] |= 2;
        assert_eq!(classify(&answer, &sent, sequence), Arrival::Answer(place));
        assert_eq!(classify(&answer, &sent, sequence.wrapping_add(1)), Arrival::Late);
        assert_eq!(classify(&answer, &sent, sequence.wrapping_add(5)), Arrival::Late);
    }
}

#[test]
fn sequence_numbers_may_wrap() {
    let mut pump = pump();
    pump.next_sequence = u32::MAX - 3;
    for _ in 0..10 {
        assert_eq!(read(&mut pump), Ok(Ok(0x5A)));
    }
}

#[test]
fn many_pumps_in_many_threads_do_not_disturb_each_other() {
    let threads: Vec<_> = (0..4)
        .map(|_| {
            std::thread::spawn(|| {
                let mut pump = pump();
                for _ in 0..500 {
                    assert_eq!(read(&mut pump), Ok(Ok(0x5A)));
                }
                pump.link().now()
            })
        })
        .collect();
    for thread in threads {
        assert_eq!(thread.join().unwrap(), Nanoseconds(500 * ROUND_TRIP.0));
    }
}
