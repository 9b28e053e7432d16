//! What crosses between the real-time side and the daemon side: `Copy` values of fixed size in bounded
//! queues, one file a queue, each saying who writes and who reads. No behaviour of either side lives
//! here.
//!
//! | queue | writer | reader | full means |
//! |---|---|---|---|
//! | [`piece_queue`] | planner | real-time thread | no credit: the planner waits its turn |
//! | [`command_queue`] | daemon | real-time thread | the request is answered "busy" |
//! | [`event_queue`] | real-time thread | telemetry | the event is counted as dropped |
//! | [`sample_ring`] | real-time thread | telemetry | the sample is counted as dropped |
//! | [`object_queue`] | daemon; real-time thread back | real-time thread; daemon | whoever writes waits its turn |
//! | [`bus_news`] | real-time thread | daemon | counters come round again, what went wrong is kept |
//! | [`position_reports`] | real-time thread | daemon | regular ones are left out, room is kept for changes |

pub mod bus_news;
pub mod command_queue;
pub mod event_queue;
pub mod object_queue;
pub mod phase_table;
pub mod piece_queue;
pub mod position_reports;
pub mod sample_ring;

/// The real-time thread's ends of all queues.
#[derive(Debug)]
pub struct RealtimeEnd {
    /// Pieces of the running job, in order.
    pub pieces: piece_queue::PieceReader,
    /// Commands, in order.
    pub commands: command_queue::CommandReader,
    /// Events to the daemon.
    pub events: event_queue::EventWriter,
    /// One sample a cycle to the daemon.
    pub samples: sample_ring::SampleWriter,
    /// News from the bus.
    pub bus: bus_news::BusNewsWriter,
    /// Where the joints are.
    pub positions: position_reports::PositionWriter,
    /// Objects of SubDevices.
    pub objects: object_queue::RealtimeObjects,
}

/// The daemon's ends of all queues.
#[derive(Debug)]
pub struct DaemonEnd {
    /// Pieces of the running job, in order.
    pub pieces: piece_queue::PieceWriter,
    /// Commands, in order.
    pub commands: command_queue::CommandWriter,
    /// Events from the cycle.
    pub events: event_queue::EventReader,
    /// One sample a cycle.
    pub samples: sample_ring::SampleReader,
    /// News from the bus.
    pub bus: bus_news::BusNewsReader,
    /// Where the joints are.
    pub positions: position_reports::PositionReader,
    /// Objects of SubDevices.
    pub objects: object_queue::DaemonObjects,
}

/// Bytes all queues and rings keep, and keep locked when memory is.
#[must_use]
pub const fn queue_bytes() -> usize {
    piece_queue::CAPACITY * size_of::<piece_queue::Piece>()
        + command_queue::CAPACITY * size_of::<command_queue::StampedCommand>()
        + event_queue::CAPACITY * size_of::<event_queue::Event>()
        + sample_ring::CAPACITY * size_of::<sample_ring::Sample>()
        + bus_news::CAPACITY * size_of::<crate::bus_health::BusNews>()
        + position_reports::CAPACITY * size_of::<position_reports::PositionReport>()
        + object_queue::CAPACITY
            * (size_of::<object_queue::ObjectOrder>() + size_of::<object_queue::ObjectNews>())
}

/// Makes all queues at once. Called once, before the real-time thread starts.
#[must_use]
pub fn boundary() -> (RealtimeEnd, DaemonEnd) {
    let (piece_writer, piece_reader) = piece_queue::piece_queue();
    let (command_writer, command_reader) = command_queue::command_queue();
    let (event_writer, event_reader) = event_queue::event_queue();
    let (sample_writer, sample_reader) = sample_ring::sample_ring();
    let (news_writer, news_reader) = bus_news::bus_news();
    let (position_writer, position_reader) = position_reports::position_reports();
    let (realtime_objects, daemon_objects) = object_queue::object_queues();
    (
        RealtimeEnd {
            pieces: piece_reader,
            commands: command_reader,
            events: event_writer,
            samples: sample_writer,
            bus: news_writer,
            positions: position_writer,
            objects: realtime_objects,
        },
        DaemonEnd {
            pieces: piece_writer,
            commands: command_writer,
            events: event_reader,
            samples: sample_reader,
            bus: news_reader,
            positions: position_reader,
            objects: daemon_objects,
        },
    )
}
