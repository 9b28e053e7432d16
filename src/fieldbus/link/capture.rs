//! Wraps a link and remembers the newest frames, for Wireshark. Writes them out afterwards as pcapng.

#![expect(
    clippy::disallowed_types,
    clippy::disallowed_macros,
    reason = "both buffers are allocated once, when the capture is made"
)]

use std::io;

use super::{FrameLink, LinkError, MAX_FRAME_BYTES};
use crate::units::Nanoseconds;

/// Which way a frame went, seen from the controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameDirection {
    /// Controller to devices.
    Sent,
    /// Devices to controller.
    Received,
}

#[derive(Clone, Copy, Debug)]
struct Record {
    time: Nanoseconds,
    direction: FrameDirection,
    /// Place in the ring of bytes, counted from the beginning of the capture.
    begin: u64,
    length: u32,
}

/// A link that remembers its newest frames.
#[derive(Debug)]
pub struct Capture<L> {
    link: L,
    bytes: Vec<u8>,
    records: Vec<Record>,
    /// Frames captured since the beginning; the newest is `records[(count - 1) % capacity]`.
    count: u64,
    /// Bytes captured since the beginning.
    written: u64,
    is_paused: bool,
}

impl<L: FrameLink> Capture<L> {
    /// Remembers the newest `frames` frames, as far as they fit in `bytes` bytes (at least one frame).
    pub fn new(link: L, frames: usize, bytes: usize) -> Self {
        let nothing = Record { time: Nanoseconds(0), direction: FrameDirection::Sent, begin: 0, length: 0 };
        let ring = vec![0; bytes.max(MAX_FRAME_BYTES)];
        let records = vec![nothing; frames.max(1)];
        Self { link, bytes: ring, records, count: 0, written: 0, is_paused: false }
    }

    /// The wrapped link.
    pub const fn inner(&self) -> &L {
        &self.link
    }

    /// The wrapped link.
    pub const fn inner_mut(&mut self) -> &mut L {
        &mut self.link
    }

    /// Stops or goes on remembering: a fault freezes the capture.
    pub const fn set_paused(&mut self, is_paused: bool) {
        self.is_paused = is_paused;
    }

    /// Number of frames that can be written out.
    #[must_use]
    pub fn len(&self) -> usize {
        self.kept().count()
    }

    /// True when no frame was captured.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The records whose bytes are still there, oldest first.
    fn kept(&self) -> impl Iterator<Item = &Record> {
        let capacity = self.records.len() as u64;
        let oldest_byte = self.written.saturating_sub(self.bytes.len() as u64);
        (self.count.saturating_sub(capacity)..self.count)
            .filter_map(move |number| self.records.get(index(number, self.records.len())))
            .filter(move |record| record.begin >= oldest_byte)
    }

    fn remember(&mut self, direction: FrameDirection, frame: &[u8]) {
        let Self { bytes, records, count, written, link, .. } = self;
        let (ring, capacity) = (bytes.len(), records.len());
        let Ok(length) = u32::try_from(frame.len()) else { return };
        let Some(record) = records.get_mut(index(*count, capacity)) else { return };
        // A frame at the end of the ring goes on at its beginning.
        let begin = index(*written, ring);
        let (head, tail) = frame.split_at(frame.len().min(ring - begin));
        let (Some(first), true) = (bytes.get_mut(begin..begin + head.len()), tail.len() <= begin) else {
            return;
        };
        first.copy_from_slice(head);
        if let Some(rest) = bytes.get_mut(..tail.len()) {
            rest.copy_from_slice(tail);
        }
        *record = Record { time: link.now(), direction, begin: *written, length };
        *count += 1;
        *written += u64::from(length);
    }

    /// Writes the remembered frames as pcapng (link type Ethernet, times in nanoseconds).
    ///
    /// `clock_origin` is added to every time: the Unix time, in ns, at which the clock of the link was zero.
    ///
    /// # Errors
    /// Those of `output`.
    ///
    /// Source: draft-ietf-opsawg-pcapng, sections 4.1 to 4.3.
    pub fn write_pcapng(&self, output: &mut impl io::Write, clock_origin: u64) -> io::Result<()> {
        const SECTION_HEADER: u32 = 0x0A0D_0D0A;
        const BYTE_ORDER_MAGIC: u32 = 0x1A2B_3C4D;
        const INTERFACE: u32 = 1;
        const ENHANCED_PACKET: u32 = 6;
        const LINK_TYPE_ETHERNET: u32 = 1;

        let section = [BYTE_ORDER_MAGIC, 1, u32::MAX, u32::MAX];
        write_block(output, SECTION_HEADER, &section, &[], &[])?;
        // Option 9 (if_tsresol), length 1, value 9: 10⁻⁹ s, padded to 4 bytes; then end of options.
        let resolution = [0x0001_0009, 9, 0];
        let snap_length = u32::try_from(MAX_FRAME_BYTES).unwrap_or(u32::MAX);
        write_block(output, INTERFACE, &[LINK_TYPE_ETHERNET, snap_length], &[], &resolution)?;
        let mut frame = Vec::with_capacity(MAX_FRAME_BYTES);
        for record in self.kept() {
            frame.clear();
            let ring = self.bytes.len();
            let begin = index(record.begin, ring);
            let length = record.length as usize;
            frame.extend(self.bytes.iter().skip(begin).chain(self.bytes.iter()).take(length));
            let time = record.time.0.saturating_add(clock_origin);
            let [high, low] = [time >> 32, time & 0xFFFF_FFFF].map(|half| u32::try_from(half).unwrap_or(0));
            // Option 2 (epb_flags), length 4: 1 inbound, 2 outbound; then end of options.
            let flags = match record.direction {
                FrameDirection::Received => 1,
                FrameDirection::Sent => 2,
            };
            write_block(
                output,
                ENHANCED_PACKET,
                &[0, high, low, record.length, record.length],
                &frame,
                &[0x0004_0002, flags, 0],
            )?;
        }
        output.flush()
    }
}

/// `number` modulo `capacity` as an index.
fn index(number: u64, capacity: usize) -> usize {
    usize::try_from(number % (capacity.max(1) as u64)).unwrap_or(0)
}

/// One pcapng block: type, length, words, data padded to 4 bytes, option words, length again.
fn write_block(
    output: &mut impl io::Write,
    kind: u32,
    words: &[u32],
    data: &[u8],
    options: &[u32],
) -> io::Result<()> {
    let padding = data.len().next_multiple_of(4) - data.len();
    let length = 12 + 4 * (words.len() + options.len()) + data.len() + padding;
    let length = u32::try_from(length).map_err(|_| io::ErrorKind::InvalidInput)?;
    for word in [kind, length].iter().chain(words) {
        output.write_all(&word.to_le_bytes())?;
    }
    output.write_all(data)?;
    output.write_all([0; 3].get(..padding).unwrap_or(&[]))?;
    for word in options.iter().chain(&[length]) {
        output.write_all(&word.to_le_bytes())?;
    }
    Ok(())
}

impl<L: FrameLink> FrameLink for Capture<L> {
    fn send(&mut self, frame: &[u8]) -> Result<(), LinkError> {
        if !self.is_paused {
            self.remember(FrameDirection::Sent, frame);
        }
        self.link.send(frame)
    }

    fn receive(&mut self, buffer: &mut [u8], deadline: Nanoseconds) -> Result<Option<usize>, LinkError> {
        let received = self.link.receive(buffer, deadline)?;
        if let (Some(frame), false) = (received.and_then(|length| buffer.get(..length)), self.is_paused) {
            self.remember(FrameDirection::Received, frame);
        }
        Ok(received)
    }

    fn now(&self) -> Nanoseconds {
        self.link.now()
    }

    fn wait_until(&mut self, time: Nanoseconds) {
        self.link.wait_until(time);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fieldbus::link::testing::Echo;

    fn word(bytes: &[u8], offset: usize) -> u32 {
        bytes[offset..].first_chunk().copied().map(u32::from_le_bytes).unwrap()
    }

    /// Reads a pcapng file back by its own rules: (time, direction flag, frame).
    fn parse(bytes: &[u8]) -> Vec<(u64, u32, Vec<u8>)> {
        let mut frames = Vec::new();
        let mut offset = 0;
        while offset < bytes.len() {
            let length = word(bytes, offset + 4) as usize;
            assert_eq!(word(bytes, offset + length - 4) as usize, length, "both lengths of a block agree");
            if word(bytes, offset) == 6 {
                let time = u64::from(word(bytes, offset + 12)) << 32 | u64::from(word(bytes, offset + 16));
                let captured = word(bytes, offset + 20) as usize;
                let data = offset + 28;
                let flags = word(bytes, data + captured.next_multiple_of(4) + 4);
                frames.push((time, flags, bytes[data..data + captured].to_vec()));
            }
            offset += length;
        }
        frames
    }

    fn written(capture: &Capture<Echo>, origin: u64) -> Vec<u8> {
        let mut file = Vec::new();
        capture.write_pcapng(&mut file, origin).unwrap();
        file
    }

    #[test]
    fn what_was_sent_and_received_is_in_the_file_with_time_and_direction() {
        let mut capture = Capture::new(Echo::new(Nanoseconds(700)), 10, 10_000);
        capture.wait_until(Nanoseconds(5_000_000_000));
        capture.send(&[7; 61]).unwrap();
        let mut buffer = [0; MAX_FRAME_BYTES];
        assert_eq!(capture.receive(&mut buffer, Nanoseconds(6_000_000_000)), Ok(Some(61)));
        assert_eq!(
            parse(&written(&capture, 1_000)),
            [(5_000_001_000, 2, vec![7; 61]), (5_000_001_700, 1, vec![7; 61])]
        );
    }

    #[test]
    fn the_file_begins_with_a_section_and_a_nanosecond_ethernet_interface() {
        let file = written(&Capture::new(Echo::new(Nanoseconds(0)), 1, 1), 0);
        let expected: [u32; 15] = [
            0x0A0D_0D0A,
            28,
            0x1A2B_3C4D,
            1,
            u32::MAX,
            u32::MAX,
            28, //
            1,
            32,
            1,
            1514,
            0x0001_0009,
            9,
            0,
            32,
        ];
        let words: Vec<u32> = file.chunks_exact(4).map(|chunk| word(chunk, 0)).collect();
        assert_eq!(words, expected);
    }

    #[test]
    fn the_newest_frames_are_kept_within_both_bounds_and_whole() {
        // 2000 bytes hold 19 frames of 100 bytes and a part of one, which is not shown.
        let mut capture = Capture::new(Echo::new(Nanoseconds(0)), 50, 1_950);
        for number in 0..1_000_u32 {
            let value = u8::try_from(number % 251).unwrap();
            capture.send(&[value; 100]).unwrap();
        }
        let frames = parse(&written(&capture, 0));
        assert_eq!((frames.len(), capture.len()), (19, 19));
        for ((_, _, frame), number) in frames.iter().zip(981..1_000_u32) {
            assert_eq!(frame, &vec![u8::try_from(number % 251).unwrap(); 100]);
        }
        let mut few = Capture::new(Echo::new(Nanoseconds(0)), 3, 100_000);
        for _ in 0..9 {
            few.send(&[1; 60]).unwrap();
        }
        assert_eq!(few.len(), 3);
    }

    #[test]
    fn a_paused_capture_passes_frames_but_keeps_the_old_ones() {
        let mut capture = Capture::new(Echo::new(Nanoseconds(0)), 10, 10_000);
        capture.send(&[1; 60]).unwrap();
        capture.set_paused(true);
        capture.send(&[2; 60]).unwrap();
        assert_eq!((capture.len(), capture.inner().sent()), (1, 2));
    }
}
