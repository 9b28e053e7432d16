use super::*;
use crate::fieldbus::mailbox::ObjectList;
use proptest::prelude::*;

const CHANNEL: Channel = Channel { station: 0x1000, out: (0x1000, 64), inward: (0x1100, 64), repeat: false };
const SOON: Nanoseconds = Nanoseconds(1_000_000_000);

/// A SubDevice that answers as told: its mailbox, and what it received.
struct Device {
    mailbox: Mailbox,
    scratch: [u8; MESSAGE_BYTES_MAX],
    data: Vec<u8>,
    counter: u8,
}

impl Device {
    fn new(request: Request, data: &[u8]) -> Self {
        let mut mailbox = Mailbox::new(CHANNEL);
        mailbox.begin(request, Nanoseconds(0), SOON).unwrap();
        Self { mailbox, scratch: [0; MESSAGE_BYTES_MAX], data: data.to_vec(), counter: 0 }
    }

    fn next(&mut self) -> Datagram {
        self.mailbox.next(&self.data, &mut self.scratch)
    }

    fn take(&mut self, answer: Answer<'_>) -> Event {
        self.mailbox.answer(answer, &mut self.data, Nanoseconds(0))
    }

    /// The message the controller writes now, from its CoE header on.
    fn written(&mut self) -> Vec<u8> {
        let Datagram::Write { address: 0x1000, length: 64 } = self.next() else {
            panic!("a message is due, not {:?}", self.mailbox)
        };
        let length = usize::from(u16_at(&self.scratch, 0).unwrap());
        let message = self.scratch[HEADER_BYTES..HEADER_BYTES + length].to_vec();
        assert_eq!(self.take(Answer::Done(&[])), Event::Nothing);
        message
    }

    fn message(counter: u8, kind: u8, body: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; 64];
        put(&mut bytes, 0, &u16::try_from(body.len()).unwrap().to_le_bytes());
        put(&mut bytes, 5, &[kind | counter << 4]);
        put(&mut bytes, HEADER_BYTES, body);
        bytes
    }

    /// The device says something.
    fn says(&mut self, kind: u8, body: &[u8]) -> Event {
        self.counter = self.counter % 7 + 1;
        let bytes = Self::message(self.counter, kind, body);
        assert_eq!(self.next(), Datagram::Read { address: 0x1100, length: 64 });
        self.take(Answer::Done(&bytes))
    }

    fn answers(&mut self, sdo: &[u8]) -> Event {
        let body = [&[0x00, 0x30], sdo].concat();
        self.says(TYPE_COE, &body)
    }
}

const UPLOAD: Request = Request::Upload { index: 0x6064, subindex: 0, complete: false };

#[test]
fn an_expedited_upload_takes_one_message_each_way() {
    let mut device = Device::new(UPLOAD, &[0; 16]);
    assert_eq!(device.written(), [0x00, 0x20, 0x40, 0x64, 0x60, 0, 0, 0, 0, 0]);
    assert_eq!(device.answers(&[0x4B, 0x64, 0x60, 0, 0x34, 0x12, 0, 0]), Event::Done(Ok(2)));
    assert_eq!(device.data[..2], [0x34, 0x12]);
}

#[test]
fn a_segmented_upload_is_put_together() {
    let mut device = Device::new(UPLOAD, &[0; 128]);
    device.written();
    let value: Vec<u8> = (0..60).collect();
    // 64 bytes of mailbox: 48 in the first answer, 12 in the segment.
    let first = [&[0x41, 0x64, 0x60, 0, 60, 0, 0, 0], &value[..48]].concat();
    assert_eq!(device.answers(&first), Event::Nothing);
    assert_eq!(device.written()[2], 0x60);
    assert_eq!(device.answers(&[&[0x00], &value[48..55]].concat()), Event::Nothing);
    assert_eq!(device.written()[2], 0x70);
    // Seven bytes, two of them unused, the last segment.
    assert_eq!(device.answers(&[&[0x15], &value[55..], &[0, 0]].concat()), Event::Done(Ok(60)));
    assert_eq!(device.data[..60], value);
}

#[test]
fn a_segment_with_the_wrong_toggle_bit_ends_the_transfer_and_tells_the_device() {
    let mut device = Device::new(UPLOAD, &[0; 128]);
    device.written();
    assert_eq!(device.answers(&[0x41, 0x64, 0x60, 0, 60, 0, 0, 0]), Event::Nothing);
    device.written();
    assert_eq!(device.answers(&[0x10, 1, 2, 3, 4, 5, 6, 7]), Event::Nothing);
    let Datagram::Write { .. } = device.next() else { panic!("an abort is due") };
    assert_eq!(device.scratch[8..12], [0x80, 0x64, 0x60, 0]);
    assert_eq!(device.take(Answer::Done(&[])), Event::Done(Err(MailboxProblem::Toggle)));
}

#[test]
fn downloads_of_every_length_arrive_whole() {
    for length in (0..200).chain([1000, 5000]) {
        let value: Vec<u8> = (0..251).cycle().step_by(7).take(length).collect();
        let request = Request::Download { index: 0x2000, subindex: 3, complete: false, length };
        let mut device = Device::new(request, &value);
        let first = device.written();
        let mut received = if first[2] & 0x02 != 0 {
            first[6..10 - usize::from(first[2] >> 2 & 3)].to_vec()
        } else {
            assert_eq!(u32::from_le_bytes(first[6..10].try_into().unwrap()), u32::try_from(length).unwrap());
            first[10..].to_vec()
        };
        let mut event = device.answers(&[0x60, 0x00, 0x20, 3, 0, 0, 0, 0]);
        let mut toggle = 0;
        while event == Event::Nothing {
            let segment = device.written();
            assert_eq!(segment[2] & 0x10, toggle);
            let unused = if segment.len() == 10 { usize::from(segment[2] >> 1 & 7) } else { 0 };
            received.extend(&segment[3..segment.len() - unused]);
            let is_last = segment[2] & 1 == 1;
            event = device.answers(&[0x20 | toggle, 0, 0, 0, 0, 0, 0, 0]);
            assert_eq!(is_last, event != Event::Nothing);
            toggle ^= 0x10;
        }
        assert_eq!(event, Event::Done(Ok(length)));
        assert_eq!(received, value);
    }
}

#[test]
fn complete_access_sets_its_bit() {
    let mut device = Device::new(Request::Upload { index: 0x1C12, subindex: 0, complete: true }, &[0; 16]);
    assert_eq!(device.written()[2], 0x50);
    let request = Request::Download { index: 0x1C12, subindex: 0, complete: true, length: 6 };
    assert_eq!(Device::new(request, &[0; 6]).written()[2], 0x31);
}

#[test]
fn an_emergency_instead_of_the_answer_is_told_and_the_answer_still_comes() {
    let mut device = Device::new(UPLOAD, &[0; 16]);
    device.written();
    for code in [0x2320_u16, 0x8611, 0x7311, 0] {
        let [low, high] = code.to_le_bytes();
        let event = device.says(TYPE_COE, &[0x00, 0x10, low, high, 0x21, 1, 2, 3, 4, 5]);
        let expected = Emergency { code, register: 0x21, data: [1, 2, 3, 4, 5] };
        assert_eq!(event, Event::Emergency(expected));
    }
    assert_eq!(device.answers(&[0x4F, 0x64, 0x60, 0, 7, 0, 0, 0]), Event::Done(Ok(1)));
}

#[test]
fn a_lost_read_asks_for_the_message_again_and_a_message_that_comes_twice_counts_once() {
    let mut device = Device::new(UPLOAD, &[0; 16]);
    device.written();
    device.next();
    assert_eq!(device.take(Answer::Lost), Event::Nothing);
    assert_eq!(device.next(), Datagram::Write { address: 0x080E, length: 1 });
    assert_eq!(device.scratch[0], 0b11);
    device.take(Answer::Lost);
    assert_eq!(device.next(), Datagram::Write { address: 0x080E, length: 1 }, "until it gets through");
    device.take(Answer::Done(&[]));
    assert_eq!(device.next(), Datagram::Read { address: 0x080F, length: 1 });
    device.take(Answer::Done(&[0b00]));
    assert_eq!(device.next(), Datagram::Read { address: 0x080F, length: 1 }, "until it is acknowledged");
    device.take(Answer::Done(&[0b10]));
    assert_eq!(device.answers(&[0x4F, 0x64, 0x60, 0, 7, 0, 0, 0]), Event::Done(Ok(1)));
    // The same message once more, after the next request.
    device.mailbox.begin(UPLOAD, Nanoseconds(0), SOON).unwrap();
    device.written();
    let again = Device::message(device.counter, TYPE_COE, &[0, 0x30, 0x4F, 0x64, 0x60, 0, 9, 0, 0, 0]);
    assert_eq!(device.take(Answer::Done(&again)), Event::Nothing);
    assert_eq!(device.mailbox.counters().duplicate, 1);
    assert_eq!(device.answers(&[0x4F, 0x64, 0x60, 0, 8, 0, 0, 0]), Event::Done(Ok(1)));
    assert_eq!(device.data[0], 8);
}

#[test]
fn a_lost_or_refused_write_is_sent_again_with_the_same_counter_and_the_next_one_with_another() {
    let mut device = Device::new(UPLOAD, &[0; 16]);
    let mut counters = Vec::new();
    for answer in [Answer::Lost, Answer::Refused, Answer::Done(&[])] {
        device.next();
        counters.push(device.scratch[5] >> 4);
        device.take(answer);
        if answer == Answer::Refused {
            device.next();
            device.take(answer);
        }
    }
    assert_eq!(counters, [1, 1, 1]);
    device.answers(&[0x4F, 0x64, 0x60, 0, 7, 0, 0, 0]);
    for expected in [2, 3, 4, 5, 6, 7, 1] {
        device.mailbox.begin(UPLOAD, Nanoseconds(0), SOON).unwrap();
        device.next();
        assert_eq!(device.scratch[5] >> 4, expected);
        device.take(Answer::Done(&[]));
        device.answers(&[0x4F, 0x64, 0x60, 0, 7, 0, 0, 0]);
    }
}

#[test]
fn a_refused_write_is_followed_by_a_read_because_the_device_may_wait_with_a_message_of_its_own() {
    let mut device = Device::new(UPLOAD, &[0; 16]);
    device.next();
    device.take(Answer::Refused);
    let event = device.says(TYPE_COE, &[0x00, 0x10, 0x20, 0x23, 1, 0, 0, 0, 0, 0]);
    assert!(matches!(event, Event::Emergency(_)));
    device.written();
    assert_eq!(device.answers(&[0x4F, 0x64, 0x60, 0, 7, 0, 0, 0]), Event::Done(Ok(1)));
}

#[test]
fn the_late_answer_to_an_older_request_is_not_taken_for_the_new_one() {
    let mut device = Device::new(UPLOAD, &[0; 16]);
    device.written();
    assert_eq!(device.answers(&[0x4F, 0x41, 0x60, 0, 7, 0, 0, 0]), Event::Nothing);
    assert_eq!(device.answers(&[0x80, 0x41, 0x60, 0, 0, 0, 2, 6]), Event::Nothing);
    assert_eq!(device.mailbox.counters().unexpected, 2);
    assert_eq!(device.answers(&[0x4F, 0x64, 0x60, 0, 8, 0, 0, 0]), Event::Done(Ok(1)));
}

#[test]
fn aborts_mailbox_errors_and_silence_end_the_request() {
    let mut device = Device::new(UPLOAD, &[0; 16]);
    device.written();
    let abort = device.answers(&[0x80, 0x64, 0x60, 0, 0, 0, 2, 6]);
    assert_eq!(abort, Event::Done(Err(MailboxProblem::Aborted { code: 0x0602_0000 })));

    let mut device = Device::new(UPLOAD, &[0; 16]);
    device.written();
    let refused = device.says(TYPE_ERROR, &[1, 0, 8, 0]);
    assert_eq!(refused, Event::Done(Err(MailboxProblem::MessageRefused { detail: 8 })));

    let mut device = Device::new(UPLOAD, &[0; 16]);
    device.written();
    device.next();
    let Device { mailbox, data, .. } = &mut device;
    assert_eq!(mailbox.answer(Answer::Refused, data, Nanoseconds(999_999_999)), Event::Nothing);
    let timeout = Event::Done(Err(MailboxProblem::Timeout));
    assert_eq!(mailbox.answer(Answer::Refused, data, SOON), timeout);
}

#[test]
fn a_value_longer_than_the_room_is_refused_with_its_length() {
    let mut device = Device::new(UPLOAD, &[0; 16]);
    device.written();
    assert_eq!(device.answers(&[0x41, 0x64, 0x60, 0, 17, 0, 0, 0]), Event::Nothing);
    device.next();
    let too_long = MailboxProblem::TooLong { bytes: 17, room: 16 };
    assert_eq!(device.take(Answer::Done(&[])), Event::Done(Err(too_long)));
}

#[test]
fn the_fragments_of_an_object_list_are_put_together_and_a_missing_one_is_noticed() {
    let objects = Request::Objects { list: ObjectList::All };
    let mut device = Device::new(objects, &[0; 64]);
    assert_eq!(device.written(), [0x00, 0x80, 1, 0, 0, 0, 1, 0]);
    let first = [0x00, 0x80, 0x82, 0, 2, 0, 1, 0, 0x00, 0x10];
    assert_eq!(device.says(TYPE_COE, &first), Event::Nothing);
    let mut skipped = Device { data: device.data.clone(), ..device };
    assert_eq!(skipped.says(TYPE_COE, &[0x00, 0x80, 0x82, 0, 1, 0, 0x01, 0x10]), Event::Nothing);
    let last = skipped.says(TYPE_COE, &[0x00, 0x80, 0x02, 0, 0, 0, 0x18, 0x10]);
    assert_eq!(last, Event::Done(Ok(8)));
    assert_eq!(skipped.data[..8], [1, 0, 0x00, 0x10, 0x01, 0x10, 0x18, 0x10]);

    let mut device = Device::new(objects, &[0; 64]);
    device.written();
    device.says(TYPE_COE, &first);
    let end = device.says(TYPE_COE, &[0x00, 0x80, 0x02, 0, 0, 0, 0x18, 0x10]);
    assert_eq!(end, Event::Done(Err(MailboxProblem::Malformed)));
}

#[test]
fn a_mailbox_is_found_in_the_registers_or_there_is_none() {
    let registers = [0x00, 0x10, 0x80, 0, 0x26, 0, 1, 0, 0x80, 0x10, 0x40, 0, 0x22, 0, 3, 0];
    let channel = Channel::from_registers(0x1001, &registers);
    assert_eq!(
        channel,
        Some(Channel { station: 0x1001, out: (0x1000, 128), inward: (0x1080, 64), repeat: true })
    );
    for (at, value) in [(2, 8), (4, 0x24), (6, 0), (12, 0x26), (11, 0xFF)] {
        let mut other = registers;
        other[at] = value;
        assert_eq!(Channel::from_registers(0x1001, &other), None, "byte {at} is {value}");
    }
}

fn any_request() -> impl Strategy<Value = Request> {
    prop_oneof![
        (any::<u16>(), any::<u8>(), any::<bool>()).prop_map(|(index, subindex, complete)| Request::Upload {
            index,
            subindex,
            complete
        }),
        (any::<u16>(), any::<u8>(), 0..300_usize).prop_map(|(index, subindex, length)| Request::Download {
            index,
            subindex,
            complete: false,
            length
        }),
        Just(Request::Objects { list: ObjectList::All }),
        any::<u16>().prop_map(|index| Request::Object { index }),
        (any::<u16>(), any::<u8>()).prop_map(|(index, subindex)| Request::Entry { index, subindex }),
    ]
}

/// Bytes that look like an answer more often than chance would make them.
fn hostile() -> impl Strategy<Value = Option<Vec<u8>>> {
    let header = (any::<u16>(), prop_oneof![Just(3_u8), Just(0), any::<u8>()]);
    let plausible = (header, any::<u8>(), prop::collection::vec(any::<u8>(), 0..90)).prop_map(
        |((length, kind), service, body)| {
            let mut bytes = vec![0; 6];
            put(&mut bytes, 0, &(length % 100).to_le_bytes());
            put(&mut bytes, 5, &[kind]);
            bytes.extend([0, service << 4]);
            bytes.extend(body);
            Some(bytes)
        },
    );
    prop_oneof![
        1 => Just(None),
        3 => prop::collection::vec(any::<u8>(), 0..100).prop_map(Some),
        6 => plausible,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_device_says_the_mailbox_goes_on_and_every_request_ends(
        request in any_request(),
        room in 0..200_usize,
        answers in prop::collection::vec(hostile(), 0..60),
    ) {
        let mut device = Device::new(request, &vec![0; room]);
        let mut now = 0;
        let mut ended = false;
        for answer in &answers {
            now += 10_000_000;
            let length = match device.next() {
                Datagram::Write { length, .. } | Datagram::Read { length, .. } => length,
            };
            prop_assert!(length <= 64);
            let Device { mailbox, data, .. } = &mut device;
            let answer = match answer {
                None => Answer::Lost,
                Some(bytes) if bytes.is_empty() => Answer::Refused,
                Some(bytes) => Answer::Done(bytes),
            };
            if let Event::Done(result) = mailbox.answer(answer, data, Nanoseconds(now)) {
                if let (Ok(length), Request::Upload { .. }) = (result, request) {
                    prop_assert!(length <= room);
                }
                ended = true;
                break;
            }
        }
        // Then it falls silent.
        for _ in 0..200 {
            if ended { break; }
            now += 10_000_000;
            device.next();
            let Device { mailbox, data, .. } = &mut device;
            ended = matches!(mailbox.answer(Answer::Refused, data, Nanoseconds(now)), Event::Done(_));
        }
        prop_assert!(ended);
        prop_assert!(!device.mailbox.is_busy());
    }
}
