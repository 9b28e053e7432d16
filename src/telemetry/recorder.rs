//! What a recorder of a run is given, in the order it happened: plan, events and samples.

use std::sync::{Arc, Mutex, PoisonError};

use super::status::FaultStatus;
use crate::boundary::event_queue::Event;
use crate::boundary::piece_queue::PieceKind;
use crate::boundary::sample_ring::Sample;
use crate::bus_health::BusNews;
use crate::machine::RunTag;

/// Takes what the daemon sees. All events of a cycle come before its sample; a plan comes before
/// anything of its run.
pub trait Recorder: Send {
    /// A run was planned; its pieces, in order.
    fn planned(&mut self, run: RunTag, pieces: &mut dyn Iterator<Item = &PieceKind>) {
        let _unused = (run, pieces);
    }

    /// Something happened.
    fn event(&mut self, event: &Event) {
        let _unused = event;
    }

    /// News from the bus came in.
    fn bus(&mut self, news: &BusNews) {
        let _unused = news;
    }

    /// A fault was detected; in words, with the names of this cell and run.
    fn fault(&mut self, fault: &FaultStatus) {
        let _unused = fault;
    }

    /// A cycle went by.
    fn sample(&mut self, sample: &Sample);
}

/// A recorder whose owner looks at it from another thread, or later.
impl<R: Recorder> Recorder for Arc<Mutex<R>> {
    fn planned(&mut self, run: RunTag, pieces: &mut dyn Iterator<Item = &PieceKind>) {
        self.lock().unwrap_or_else(PoisonError::into_inner).planned(run, pieces);
    }

    fn event(&mut self, event: &Event) {
        self.lock().unwrap_or_else(PoisonError::into_inner).event(event);
    }

    fn bus(&mut self, news: &BusNews) {
        self.lock().unwrap_or_else(PoisonError::into_inner).bus(news);
    }

    fn fault(&mut self, fault: &FaultStatus) {
        self.lock().unwrap_or_else(PoisonError::into_inner).fault(fault);
    }

    fn sample(&mut self, sample: &Sample) {
        self.lock().unwrap_or_else(PoisonError::into_inner).sample(sample);
    }
}
