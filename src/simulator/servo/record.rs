//! What a drive received, for tests: the oracle on the other end of the wire.

use crate::units::Nanoseconds;

/// What a drive took over at one SYNC0 or sync manager event in OP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReceivedSetpoint {
    /// When: true time.
    pub time: Nanoseconds,
    /// Controlword.
    pub controlword: u16,
    /// Mode of operation.
    pub mode: i8,
    /// Target position, counts.
    pub target_position: i32,
    /// Target velocity, counts/s; zero where it is not mapped.
    pub target_velocity: i32,
    /// Target torque, per thousand of rated torque; zero where it is not mapped.
    pub target_torque: i16,
    /// Position counter at that moment, counts.
    pub position_actual: i32,
    /// The outputs were written since the event before.
    pub is_fresh: bool,
    /// The drive follows its setpoints (operation enabled, brake open).
    pub is_following: bool,
}

/// A ring of received setpoints that overwrites the oldest.
#[derive(Debug)]
pub(super) struct Record {
    ring: Vec<ReceivedSetpoint>,
    capacity: usize,
    /// Index of the oldest.
    begin: usize,
    lost: u64,
    /// The newest.
    pub(super) last: Option<ReceivedSetpoint>,
}

impl Record {
    /// An empty one.
    pub(super) fn new(capacity: usize) -> Self {
        Self { ring: Vec::with_capacity(capacity), capacity, begin: 0, lost: 0, last: None }
    }

    /// Keeps one.
    pub(super) fn push(&mut self, received: ReceivedSetpoint) {
        self.last = Some(received);
        if self.ring.len() < self.capacity {
            self.ring.push(received);
        } else if let Some(oldest) = self.ring.get_mut(self.begin) {
            *oldest = received;
            self.begin = (self.begin + 1) % self.capacity;
            self.lost += 1;
        }
    }

    /// Takes all out, oldest first. Returns how many were overwritten.
    pub(super) fn drain(&mut self, mut take: impl FnMut(ReceivedSetpoint)) -> u64 {
        let (newer, older) = self.ring.split_at(self.begin);
        older.iter().chain(newer).for_each(|received| take(*received));
        self.ring.clear();
        self.begin = 0;
        std::mem::take(&mut self.lost)
    }
}
