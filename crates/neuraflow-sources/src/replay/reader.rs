//! The worker's side of a replay: takes what was read ahead, keeps pace, never waits.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};

use neuraflow_core::ingest::{Ingest, StreamSlot};
use neuraflow_core::model::{Positions, StreamHeader};
use neuraflow_core::source::{Polled, SourceError, SourceReader};

use super::cutter::{Cutter, Next, Ready};
use super::place::Place;
use super::prefetch::{self, Message};
use crate::pace::{Pacer, Speed};

/// Gives the packets of a replay.
#[derive(Debug)]
pub(super) struct ReplayReader {
    streams: Arc<[StreamHeader]>,
    /// Where it begins.
    place: Place,
    cutter: Cutter,
    /// Gone once everything needed was read; the thread then ends.
    messages: Option<Receiver<Message>>,
    speed: Speed,
    target: String,
    slots: Vec<StreamSlot>,
    /// Counts from the first poll.
    pacer: Option<Pacer>,
}

impl ReplayReader {
    pub(super) fn new(
        streams: Arc<[StreamHeader]>,
        place: Place,
        cutter: Cutter,
        messages: Receiver<Message>,
        speed: Speed,
        target: String,
    ) -> Self {
        Self {
            streams,
            place,
            cutter,
            messages: Some(messages),
            speed,
            target,
            slots: Vec::new(),
            pacer: None,
        }
    }

    /// Gives what is due at `now`, up to about `budget` samples.
    pub(super) fn step(
        &mut self,
        now: u64,
        budget: usize,
        give: &mut dyn FnMut(Next<'_>, &StreamHeader),
    ) -> Result<Polled, SourceError> {
        let pacer = *self
            .pacer
            .get_or_insert_with(|| Pacer::new(now, self.speed).after(self.place.over(&self.streams)));
        let mut spent = 0;
        while spent < budget.max(1) {
            match self.cutter.ready() {
                Ready::At(offset) => {
                    if let Some(wait) = pacer.wait(offset, now) {
                        return Ok(Polled::After(wait));
                    }
                }
                Ready::Now => {}
                Ready::Starved if self.receive()? => continue,
                Ready::Starved => return Ok(Polled::Idle),
                Ready::Finished => {
                    self.messages = None;
                    return Ok(Polled::Ended);
                }
            }
            let streams = &self.streams;
            self.cutter.take(&mut |next| {
                let stream = &streams[next.stream()];
                // A marker costs something too, or a million of them would be one poll's work.
                spent += match &next {
                    Next::Samples { values, .. } => values.len() / stream.channels.len().max(1),
                    Next::Marker { .. } | Next::End { .. } => 1,
                };
                give(next, stream);
            });
        }
        Ok(Polled::Ready)
    }

    /// Takes one message; `false` where there is none yet.
    fn receive(&mut self) -> Result<bool, SourceError> {
        let message = match &self.messages {
            Some(messages) => messages.try_recv(),
            None => Ok(Message::End),
        };
        match message {
            Ok(Message::Blocks(blocks)) => {
                for chunks in blocks {
                    self.cutter.push(chunks);
                }
                if self.cutter.is_full() {
                    self.messages = None;
                }
                Ok(true)
            }
            Ok(Message::End) => {
                self.messages = None;
                self.cutter.finish();
                Ok(true)
            }
            Ok(Message::Failed(error)) => Err(error),
            Err(TryRecvError::Empty) => Ok(false),
            Err(TryRecvError::Disconnected) => Err(prefetch::vanished(self.target.clone())),
        }
    }
}

impl SourceReader for ReplayReader {
    fn poll(&mut self, out: &mut Ingest, budget: usize) -> Result<Polled, SourceError> {
        if self.slots.is_empty() {
            let opened = self.streams.iter().zip(&self.place.streams);
            let slot = |(stream, given): (&StreamHeader, &Option<_>)| match given {
                Some(_) => out.resume(stream.clone()),
                None => out.open(stream.clone()),
            };
            self.slots = opened.map(slot).collect();
        }
        let slots = std::mem::take(&mut self.slots);
        let polled = self.step(out.arrival(), budget, &mut |next, stream| {
            let slot = slots[next.stream()];
            match next {
                Next::Samples { first, values, .. } => out.samples(slot, stream.sequence.wrap(first), values),
                Next::Marker { marker, .. } => out.marker(slot, marker.clone()),
                Next::End { next, .. } => out.end(slot, Some(stream.sequence.wrap(next))),
            }
        });
        self.slots = slots;
        polled
    }

    fn positions(&self) -> Option<Positions> {
        let place = if self.slots.is_empty() { self.place.clone() } else { self.cutter.place() };
        Some(place.positions(&self.streams))
    }
}
