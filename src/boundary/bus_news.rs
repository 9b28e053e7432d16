//! News from the bus: counters, states, clocks, where the line is interrupted. Writer: the real-time thread, at most
//! one a cycle. Reader: the daemon. Full: the news is dropped and counted; each comes round again, except
//! what went wrong, which is kept for the next cycle.

use rtrb::{Consumer, Producer, RingBuffer};

use crate::bus_health::BusNews;

/// News that may wait: two seconds at 1 kHz.
pub const CAPACITY: usize = 2048;

/// The real-time thread's end.
#[derive(Debug)]
pub struct BusNewsWriter {
    producer: Producer<BusNews>,
    /// What went wrong and found no room.
    kept: Option<BusNews>,
}

/// The daemon's end.
#[derive(Debug)]
pub struct BusNewsReader(Consumer<BusNews>);

/// Makes the ring.
#[must_use]
pub fn bus_news() -> (BusNewsWriter, BusNewsReader) {
    let (producer, consumer) = RingBuffer::new(CAPACITY);
    (BusNewsWriter { producer, kept: None }, BusNewsReader(consumer))
}

impl BusNewsWriter {
    /// Publishes news. Real-time safe, wait-free.
    pub fn publish(&mut self, news: BusNews) {
        if let Some(kept) = self.kept {
            self.kept = self.producer.push(kept).is_err().then_some(kept);
        }
        let comes_again = matches!(news, BusNews::SubDevice(..) | BusNews::Line(_) | BusNews::Clock(_));
        if self.producer.push(news).is_err() && !comes_again {
            self.kept = Some(news);
        }
    }
}

impl BusNewsReader {
    /// The next news, if there are any.
    pub fn pop(&mut self) -> Option<BusNews> {
        self.0.pop().ok()
    }
}
