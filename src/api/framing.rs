//! Lines out of a byte stream, with a limit: newline-delimited messages as they arrive in any portions.

/// Longest line without its newline, bytes.
pub const LINE_MAX: usize = 1024 * 1024;

/// What the bytes amounted to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A whole line without its end ("\n" or "\r\n").
    Line(Vec<u8>),
    /// A line longer than [`LINE_MAX`]; its bytes are thrown away as they arrive.
    Oversize,
}

/// Collects bytes into lines. Keeps at most [`LINE_MAX`] bytes.
#[derive(Debug, Default)]
pub struct LineSplitter {
    partial: Vec<u8>,
    discarding: bool,
}

impl LineSplitter {
    /// Takes the next bytes; returns the first line they complete (or the news that a line is too long)
    /// and how many bytes were used. Call again with the rest.
    pub fn feed(&mut self, bytes: &[u8]) -> (usize, Option<Frame>) {
        let newline = bytes.iter().position(|&byte| byte == b'\n');
        let used = newline.map_or(bytes.len(), |at| at + 1);
        let content = bytes.get(..newline.unwrap_or(bytes.len())).unwrap_or_default();

        if self.discarding {
            self.discarding = newline.is_none();
            return (used, None);
        }
        if self.partial.len() + content.len() > LINE_MAX {
            self.partial = Vec::new();
            self.discarding = newline.is_none();
            return (used, Some(Frame::Oversize));
        }
        self.partial.extend_from_slice(content);
        let frame = newline.map(|_| {
            let mut line = std::mem::take(&mut self.partial);
            if line.last() == Some(&b'\r') {
                line.pop();
            }
            Frame::Line(line)
        });
        (used, frame)
    }

    /// True when part of a line is waiting for its end.
    #[must_use]
    pub fn is_inside_line(&self) -> bool {
        self.discarding || !self.partial.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frames(portions: &[&[u8]]) -> Vec<Frame> {
        let mut splitter = LineSplitter::default();
        let mut frames = Vec::new();
        for portion in portions {
            let mut rest: &[u8] = portion;
            while !rest.is_empty() {
                let (used, frame) = splitter.feed(rest);
                rest = &rest[used..];
                frames.extend(frame);
            }
        }
        frames
    }

    #[test]
    fn a_line_may_arrive_in_any_portions_and_end_either_way() {
        let lines = frames(&[b"{\"a\"", b":1}\r\n{}", b"\n\nx"]);
        assert_eq!(
            lines,
            [Frame::Line(b"{\"a\":1}".to_vec()), Frame::Line(b"{}".to_vec()), Frame::Line(Vec::new())]
        );
    }

    #[test]
    fn a_line_of_exactly_the_limit_passes_and_one_byte_more_does_not() {
        let mut exact = vec![b'x'; LINE_MAX];
        exact.push(b'\n');
        assert_eq!(frames(&[&exact]).len(), 1);
        assert!(matches!(frames(&[&exact])[0], Frame::Line(_)));
        exact.insert(0, b'x');
        assert_eq!(frames(&[&exact, b"ok\n"]), [Frame::Oversize, Frame::Line(b"ok".to_vec())]);
    }

    #[test]
    fn an_endless_line_is_reported_once_and_keeps_no_memory() {
        let mut splitter = LineSplitter::default();
        let portion = vec![b'x'; 64 * 1024];
        let mut reports = 0;
        for _ in 0..1000 {
            reports += usize::from(splitter.feed(&portion).1.is_some());
            assert!(splitter.partial.capacity() <= 2 * LINE_MAX);
        }
        assert_eq!(reports, 1);
        assert_eq!(splitter.feed(b"tail\n"), (5, None));
        assert_eq!(splitter.feed(b"next\n"), (5, Some(Frame::Line(b"next".to_vec()))));
    }

    proptest! {
        #![proptest_config(ProptestConfig { rng_seed: proptest::test_runner::RngSeed::Fixed(7), ..ProptestConfig::default() })]

        #[test]
        fn where_the_stream_is_cut_does_not_matter(
            lines in proptest::collection::vec("[a-z]{0,20}", 0..10),
            cuts in proptest::collection::vec(1usize..9, 1..40),
        ) {
            let stream: Vec<u8> = lines.iter().flat_map(|line| line.bytes().chain([b'\n'])).collect();
            let mut portions: Vec<&[u8]> = Vec::new();
            let mut rest: &[u8] = &stream;
            for cut in cuts.iter().cycle() {
                if rest.is_empty() { break; }
                let (head, tail) = rest.split_at((*cut).min(rest.len()));
                portions.push(head);
                rest = tail;
            }
            let expected: Vec<Frame> = lines.iter().map(|line| Frame::Line(line.clone().into_bytes())).collect();
            prop_assert_eq!(frames(&portions), expected);
        }
    }
}
