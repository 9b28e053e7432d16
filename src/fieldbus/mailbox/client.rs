//! Mailbox requests before the cycle: one asynchronous script for each SubDevice, all of them at once. Each
//! round gives every SubDevice that waits for something one datagram, so that slow devices work in parallel.
//! Not real-time: allocates, and may wait for seconds.

#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "runs before the cycle, or without one"
)]

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use super::MailboxProblem;
use super::coe::{ObjectList, Request};
use super::datagram::{Scratch, exchange};
use super::emergency::{EmergencyRing, StampedEmergency};
use super::exchange::{Event, MESSAGE_BYTES_MAX, Mailbox};
use crate::fieldbus::frame_pump::FramePump;
use crate::fieldbus::link::FrameLink;
use crate::units::Nanoseconds;

/// How long one datagram may take; below the pump's own time-out for a frame.
const DATAGRAM_TIME: Nanoseconds = Nanoseconds(20_000_000);
/// Room for an uploaded value whose length nobody knows beforehand.
const UPLOAD_BYTES_MAX: usize = 1 << 20;
/// Room for most values; a longer one is read again with more.
const USUAL_BYTES: usize = 4096;

#[derive(Debug)]
enum Slot {
    Idle,
    Wanted(Request, Vec<u8>),
    Running(Vec<u8>),
    Done(Result<Vec<u8>, MailboxProblem>),
}

/// A script's access to the mailbox of its SubDevice; one request at a time.
#[derive(Debug)]
pub struct Client<'a> {
    slot: &'a RefCell<Slot>,
}

impl Client<'_> {
    async fn request(&self, request: Request, data: Vec<u8>) -> Result<Vec<u8>, MailboxProblem> {
        self.slot.replace(Slot::Wanted(request, data));
        poll_fn(|_| match self.slot.replace(Slot::Idle) {
            Slot::Done(result) => Poll::Ready(result),
            other @ (Slot::Idle | Slot::Wanted(..) | Slot::Running(_)) => {
                self.slot.replace(other);
                Poll::Pending
            }
        })
        .await
    }

    async fn request_growing(&self, request: Request) -> Result<Vec<u8>, MailboxProblem> {
        match self.request(request, vec![0; USUAL_BYTES]).await {
            // The length is the device's word: trust it up to a bound.
            Err(MailboxProblem::TooLong { .. }) => self.request(request, vec![0; UPLOAD_BYTES_MAX]).await,
            other => other,
        }
    }

    /// Reads an object.
    ///
    /// # Errors
    /// What the device or the mailbox says.
    pub async fn upload(&self, index: u16, subindex: u8) -> Result<Vec<u8>, MailboxProblem> {
        self.request_growing(Request::Upload { index, subindex, complete: false }).await
    }

    /// Reads all subindices of an object from `subindex` on; subindex 0 takes two bytes.
    ///
    /// # Errors
    /// What the device or the mailbox says.
    pub async fn upload_complete(&self, index: u16, subindex: u8) -> Result<Vec<u8>, MailboxProblem> {
        self.request_growing(Request::Upload { index, subindex, complete: true }).await
    }

    /// Writes an object.
    ///
    /// # Errors
    /// What the device or the mailbox says.
    pub async fn download(&self, index: u16, subindex: u8, value: &[u8]) -> Result<(), MailboxProblem> {
        let request = Request::Download { index, subindex, complete: false, length: value.len() };
        self.request(request, value.to_vec()).await.map(drop)
    }

    /// Writes all subindices of an object from `subindex` on; subindex 0 takes two bytes.
    ///
    /// # Errors
    /// What the device or the mailbox says.
    pub async fn download_complete(
        &self,
        index: u16,
        subindex: u8,
        value: &[u8],
    ) -> Result<(), MailboxProblem> {
        let request = Request::Download { index, subindex, complete: true, length: value.len() };
        self.request(request, value.to_vec()).await.map(drop)
    }

    /// Indices of all objects.
    ///
    /// # Errors
    /// What the device or the mailbox says; many devices have no object list.
    pub async fn objects(&self, list: ObjectList) -> Result<Vec<u16>, MailboxProblem> {
        let bytes = self.request_growing(Request::Objects { list }).await?;
        // The list type comes first.
        Ok(bytes
            .chunks_exact(2)
            .skip(1)
            .filter_map(|pair| pair.first_chunk().copied().map(u16::from_le_bytes))
            .collect())
    }

    /// Description of an object, for [`ObjectDescription::parse`](super::information::ObjectDescription::parse).
    ///
    /// # Errors
    /// What the device or the mailbox says.
    pub async fn object(&self, index: u16) -> Result<Vec<u8>, MailboxProblem> {
        self.request_growing(Request::Object { index }).await
    }

    /// Description of an entry, for [`EntryDescription::parse`](super::information::EntryDescription::parse).
    ///
    /// # Errors
    /// What the device or the mailbox says.
    pub async fn entry(&self, index: u16, subindex: u8) -> Result<Vec<u8>, MailboxProblem> {
        self.request_growing(Request::Entry { index, subindex }).await
    }
}

/// A SubDevice and what is to be done with its mailbox.
pub(in crate::fieldbus) struct Station<'a> {
    pub(in crate::fieldbus) position: usize,
    /// `None`: every request ends with [`MailboxProblem::NoMailbox`].
    pub(in crate::fieldbus) mailbox: Option<&'a mut Mailbox>,
}

/// Where requests and results of each script are; made before the scripts, which borrow it.
#[derive(Debug, Default)]
pub(in crate::fieldbus) struct Slots(Vec<RefCell<Slot>>);

impl Slots {
    pub(in crate::fieldbus) fn new(count: usize) -> Self {
        Self((0..count).map(|_| RefCell::new(Slot::Idle)).collect())
    }

    /// The clients, one for each station.
    pub(in crate::fieldbus) fn clients(&self) -> impl Iterator<Item = Client<'_>> {
        self.0.iter().map(|slot| Client { slot })
    }
}

/// A script.
pub(in crate::fieldbus) type Script<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// Runs one script for each station to its end and returns their results in order. A request fails
/// when its device lets `time_out` pass without a step forward. `done` is told after each script that ended how many have ended.
pub(in crate::fieldbus) fn run<L: FrameLink, T>(
    pump: &mut FramePump<L>,
    stations: &mut [Station<'_>],
    slots: &Slots,
    scripts: Vec<Script<'_, T>>,
    emergencies: &mut EmergencyRing,
    time_out: Nanoseconds,
    mut done: impl FnMut(usize),
) -> Vec<T> {
    let mut context = Context::from_waker(Waker::noop());
    let mut scripts: Vec<Option<Script<'_, T>>> = scripts.into_iter().map(Some).collect();
    let mut results: Vec<Option<T>> = scripts.iter().map(|_| None).collect();
    let mut scratch: Scratch = [0; MESSAGE_BYTES_MAX];
    let mut ended = 0;
    while scripts.iter().any(Option::is_some) {
        for (((station, slot), script), result) in
            stations.iter_mut().zip(&slots.0).zip(&mut scripts).zip(&mut results)
        {
            let Some(running) = script else { continue };
            if !matches!(*slot.borrow(), Slot::Running(_))
                && let Poll::Ready(output) = running.as_mut().poll(&mut context)
            {
                *result = Some(output);
                *script = None;
                ended += 1;
                done(ended);
                continue;
            }
            let next = step(pump, station, slot.replace(Slot::Idle), &mut scratch, emergencies, time_out);
            slot.replace(next);
        }
    }
    results.into_iter().flatten().collect()
}

/// One datagram for one station.
fn step<L: FrameLink>(
    pump: &mut FramePump<L>,
    station: &mut Station<'_>,
    slot: Slot,
    scratch: &mut Scratch,
    emergencies: &mut EmergencyRing,
    time_out: Nanoseconds,
) -> Slot {
    let Some(mailbox) = station.mailbox.as_mut() else {
        return match slot {
            Slot::Wanted(..) | Slot::Running(_) => Slot::Done(Err(MailboxProblem::NoMailbox)),
            Slot::Idle | Slot::Done(_) => slot,
        };
    };
    let mut data = match slot {
        Slot::Wanted(request, data) => {
            if let Err(problem) = mailbox.begin(request, pump.link().now(), time_out) {
                return Slot::Done(Err(problem));
            }
            data
        }
        Slot::Running(data) => data,
        Slot::Idle | Slot::Done(_) => return slot,
    };
    let datagram = mailbox.next(&data, scratch);
    let deadline = pump.link().now().plus(DATAGRAM_TIME);
    let answer = exchange(pump, mailbox.station(), datagram, scratch, deadline);
    let now = pump.link().now();
    match mailbox.answer(answer, &mut data, now) {
        Event::Nothing => Slot::Running(data),
        Event::Emergency(emergency) => {
            emergencies.push(StampedEmergency { at: now, position: station.position, emergency });
            Slot::Running(data)
        }
        Event::Done(result) => Slot::Done(result.map(|length| {
            data.truncate(length);
            data
        })),
    }
}
