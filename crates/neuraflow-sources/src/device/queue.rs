//! The bounded queue between device threads and the pipeline: plain state, no lock, no clock.
//!
//! What is dropped leaves a tombstone where it was, merged with its neighbour when the two ranges of the counter
//! touch. Under `DropOldest` everything that precedes the oldest samples moves to a lane of its own (the residue):
//! it holds tombstones and controls only, so making room never has to search or shift the queue.

use std::collections::{HashMap, VecDeque};

use neuraflow_core::model::{Control, Marker, Sequence, StreamHeader, StreamKey};
use neuraflow_core::sink::Overflow;

use super::error::{PushError, Pushed};
use super::journal::{Place, SILENT_BYTES};

/// Controls (opens, markers, ends) that may wait, and tombstones that may.
pub(super) const CONTROLS: usize = 65_536;

/// Something on its way to the pipeline.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) stream: usize,
    pub(super) arrival: u64,
    /// Where it lies in the journal, if there is one.
    pub(super) place: Place,
    pub(super) body: Body,
}

/// What becomes of samples, as the overflow policy says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// They are queued, and older ones make room if they must.
    Take,
    /// They are dropped.
    Refuse,
    /// They wait.
    Wait,
}

#[derive(Debug)]
pub(super) enum Body {
    Open(Box<StreamHeader>),
    Samples { sequence: Sequence, samples: u64, values: Vec<f32> },
    Dropped { sequence: Sequence, samples: u64 },
    Marker(Marker),
    Control(Control),
    End { next: Sequence },
}

#[derive(Debug)]
struct Stream {
    header: StreamHeader,
    /// Counter after the furthest sample pushed.
    next: Sequence,
    heard: bool,
    ended: bool,
    /// What the pipeline was told of it, while it runs there.
    told: Option<Told>,
    /// The stream's latest entry in the lane of tombstones, if that is a tombstone: its number in the lane.
    tombstone: Option<u64>,
}

/// A stream as the pipeline has heard of it.
#[derive(Debug)]
struct Told {
    header: StreamHeader,
    /// Counter after the furthest sample that was taken out.
    next: Sequence,
}

impl Told {
    fn pass(&mut self, sequence: Sequence, samples: u64) {
        let bits = self.header.sequence;
        let end = bits.wrap(sequence.wrapping_add(samples));
        if bits.difference(end, self.next) > 0 {
            self.next = end;
        }
    }
}

/// Entries numbered from the first that ever was in it.
#[derive(Debug, Default)]
struct Lane {
    popped: u64,
    entries: VecDeque<Entry>,
}

impl Lane {
    fn push(&mut self, entry: Entry) -> u64 {
        self.entries.push_back(entry);
        self.popped + self.entries.len() as u64 - 1
    }

    fn pop(&mut self) -> Option<Entry> {
        let entry = self.entries.pop_front()?;
        self.popped += 1;
        Some(entry)
    }

    fn get_mut(&mut self, number: u64) -> Option<&mut Entry> {
        let index = number.checked_sub(self.popped)?;
        self.entries.get_mut(usize::try_from(index).ok()?)
    }
}

/// Counts of a device queue since it was made. Samples count once for all channels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeviceStats {
    /// Samples offered to the queue.
    pub pushed: u64,
    /// Those of them that were dropped by the overflow policy.
    pub dropped: u64,
    /// Those of the dropped that could not be reported one by one, since too many separate runs were waiting to be
    /// reported: they show up as lost instead.
    pub untold: u64,
    /// Samples that are waiting now.
    pub queued: u64,
}

#[derive(Debug)]
pub(super) struct Queue {
    pub(super) capacity: u64,
    overflow: Overflow,
    streams: Vec<Stream>,
    by_key: HashMap<StreamKey, usize>,
    residue: Lane,
    live: Lane,
    controls: usize,
    tombstones: usize,
    /// Where the journal's records end that were queued, or that the reader has made of a silence.
    pub(super) journaled: u64,
    pub(super) stats: DeviceStats,
}

impl Queue {
    pub(super) fn new(capacity: u64, overflow: Overflow) -> Self {
        Self {
            capacity,
            overflow,
            streams: Vec::new(),
            by_key: HashMap::new(),
            residue: Lane::default(),
            live: Lane::default(),
            controls: 0,
            tombstones: 0,
            journaled: 0,
            stats: DeviceStats::default(),
        }
    }

    pub(super) fn headers(&self) -> Vec<StreamHeader> {
        self.streams.iter().map(|stream| stream.header.clone()).collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.live.entries.is_empty() && self.residue.entries.is_empty()
    }

    /// Stamps everything that came before the pipeline's clock was known.
    pub(super) fn stamp(&mut self, arrival: u64) {
        self.residue.entries.iter_mut().chain(&mut self.live.entries).for_each(|e| e.arrival = arrival);
    }

    /// The journal's place up to which everything was taken out.
    pub(super) fn emitted(&self) -> u64 {
        let first = self.residue.entries.front().or_else(|| self.live.entries.front());
        first.map_or(self.journaled, |entry| entry.place.start)
    }

    /// A stream fell silent, and its reader has said so: that will have a record, before any other.
    pub(super) fn silent(&mut self) {
        self.journaled += SILENT_BYTES;
    }

    pub(super) fn open(&mut self, header: StreamHeader, arrival: u64, place: Place) -> Result<(), PushError> {
        self.room_for_control()?;
        let boxed = Box::new(header.clone());
        let next = header.first_sequence;
        let fresh = Stream { header, next, heard: false, ended: false, told: None, tombstone: None };
        let stream = match self.by_key.get(&boxed.key) {
            Some(&stream) => {
                let Stream { told, tombstone, .. } = &mut self.streams[stream];
                self.streams[stream] = Stream { told: told.take(), tombstone: *tombstone, ..fresh };
                stream
            }
            None => {
                self.streams.push(fresh);
                self.by_key.insert(boxed.key, self.streams.len() - 1);
                self.streams.len() - 1
            }
        };
        self.control(Entry { stream, arrival, place, body: Body::Open(boxed) });
        Ok(())
    }

    pub(super) fn marker(
        &mut self,
        key: &StreamKey,
        marker: Marker,
        arrival: u64,
        place: Place,
    ) -> Result<(), PushError> {
        let stream = self.running(key)?;
        self.room_for_control()?;
        self.control(Entry { stream, arrival, place, body: Body::Marker(marker) });
        Ok(())
    }

    pub(super) fn tell(
        &mut self,
        key: &StreamKey,
        control: Control,
        arrival: u64,
        place: Place,
    ) -> Result<(), PushError> {
        let stream = self.running(key)?;
        self.room_for_control()?;
        self.control(Entry { stream, arrival, place, body: Body::Control(control) });
        Ok(())
    }

    pub(super) fn end(&mut self, key: &StreamKey, arrival: u64, place: Place) -> Result<(), PushError> {
        let stream = self.running(key)?;
        self.streams[stream].ended = true;
        let next = self.streams[stream].next;
        self.control(Entry { stream, arrival, place, body: Body::End { next } });
        Ok(())
    }

    /// The streams that were not ended yet.
    pub(super) fn running_streams(&self) -> Vec<StreamKey> {
        let running = self.streams.iter().filter(|stream| !stream.ended);
        running.map(|stream| stream.header.key).collect()
    }

    /// How many samples some values of a stream are.
    pub(super) fn samples_in(&self, key: &StreamKey, values: &[f32]) -> Result<u64, PushError> {
        let channels = self.streams[self.running(key)?].header.channels.len();
        Ok((values.len() / channels.max(1)) as u64)
    }

    /// The counter that a running stream ends with.
    pub(super) fn next_of(&self, key: &StreamKey) -> Result<Sequence, PushError> {
        Ok(self.streams[self.running(key)?].next)
    }

    /// What becomes of samples; `full` says that the journal has no room for them.
    pub(super) fn weigh(&self, key: &StreamKey, values: &[f32], full: bool) -> Result<Verdict, PushError> {
        let stream = self.running(key)?;
        let channels = self.streams[stream].header.channels.len();
        if values.is_empty() || channels == 0 || !values.len().is_multiple_of(channels) {
            return Err(PushError::Shape { channels, found: values.len() });
        }
        let samples = (values.len() / channels) as u64;
        if samples > self.capacity {
            return Err(PushError::TooLarge { capacity: self.capacity, found: samples });
        }
        Ok(match self.overflow {
            Overflow::Block if full || self.stats.queued + samples > self.capacity => Verdict::Wait,
            Overflow::DropNewest if full || self.stats.queued + samples > self.capacity => Verdict::Refuse,
            // A checkpoint may need the oldest records of a journal, so they cannot make room in it.
            Overflow::DropOldest if full => Verdict::Refuse,
            _ => Verdict::Take,
        })
    }

    /// Queues or drops samples that were [weighed](Self::weigh).
    pub(super) fn take(
        &mut self,
        (key, sequence, values): (&StreamKey, Sequence, &[f32]),
        arrival: u64,
        verdict: Verdict,
        place: Place,
    ) -> Result<Pushed, PushError> {
        let stream = self.running(key)?;
        let samples = (values.len() / self.streams[stream].header.channels.len().max(1)) as u64;
        self.advance(stream, sequence, samples);
        self.stats.pushed += samples;
        self.journaled = self.journaled.max(place.end);
        if verdict == Verdict::Refuse {
            self.bury(Entry { stream, arrival, place, body: Body::Dropped { sequence, samples } }, false);
            return Ok(Pushed::Refused { samples });
        }
        let dropped = self.displace(samples);
        self.stats.queued += samples;
        if self.overflow == Overflow::DropNewest {
            self.streams[stream].tombstone = None;
        }
        let body = Body::Samples { sequence, samples, values: values.to_vec() };
        self.live.push(Entry { stream, arrival, place, body });
        Ok(if dropped > 0 { Pushed::Displaced { samples: dropped } } else { Pushed::Queued })
    }

    /// What comes next for the pipeline.
    pub(super) fn pop(&mut self) -> Option<Entry> {
        let entry = self.residue.pop().or_else(|| self.live.pop())?;
        match entry.body {
            Body::Samples { samples, .. } => self.stats.queued -= samples,
            Body::Dropped { .. } => self.tombstones -= 1,
            Body::Open(_) | Body::Marker(_) | Body::Control(_) | Body::End { .. } => self.controls -= 1,
        }
        let told = &mut self.streams[entry.stream].told;
        match &entry.body {
            Body::Open(header) => {
                *told = Some(Told { next: header.first_sequence, header: (**header).clone() });
            }
            Body::Samples { sequence, samples, .. } | Body::Dropped { sequence, samples } => {
                told.iter_mut().for_each(|told| told.pass(*sequence, *samples));
            }
            Body::End { .. } => *told = None,
            Body::Marker(_) | Body::Control(_) => {}
        }
        Some(entry)
    }

    /// The streams that a pipeline before was told of, for one that goes on: as they were opened, or, where it does not know
    /// them, as if they began with what is still to come.
    pub(super) fn told(&self, knows: bool) -> Vec<StreamHeader> {
        let told = self.streams.iter().filter_map(|stream| stream.told.as_ref());
        let header = |told: &Told| match knows {
            true => told.header.clone(),
            false => StreamHeader { first_sequence: told.next, ..told.header.clone() },
        };
        told.map(header).collect()
    }

    pub(super) fn clear(&mut self) {
        while self.pop().is_some() {}
    }

    fn running(&self, key: &StreamKey) -> Result<usize, PushError> {
        let &stream = self.by_key.get(key).ok_or(PushError::Unknown { key: *key })?;
        if self.streams[stream].ended { Err(PushError::Ended { key: *key }) } else { Ok(stream) }
    }

    pub(super) fn room_for_control(&self) -> Result<(), PushError> {
        if self.controls < CONTROLS { Ok(()) } else { Err(PushError::TooManyControls { limit: CONTROLS }) }
    }

    /// An end always finds room: each needs an open before it.
    fn control(&mut self, entry: Entry) {
        self.controls += 1;
        self.journaled = self.journaled.max(entry.place.end);
        if self.overflow == Overflow::DropNewest {
            self.streams[entry.stream].tombstone = None;
        }
        self.live.push(entry);
    }

    fn advance(&mut self, stream: usize, sequence: Sequence, samples: u64) {
        let stream = &mut self.streams[stream];
        let bits = stream.header.sequence;
        let end = bits.wrap(sequence.wrapping_add(samples));
        if !stream.heard || bits.difference(end, stream.next) > 0 {
            stream.next = end;
            stream.heard = true;
        }
    }

    /// Drops the oldest samples until `samples` more fit; how many that were.
    fn displace(&mut self, samples: u64) -> u64 {
        let mut dropped = 0;
        while self.stats.queued + samples > self.capacity {
            let Some(entry) = self.live.pop() else { break };
            if let Body::Samples { sequence, samples, .. } = entry.body {
                self.stats.queued -= samples;
                dropped += samples;
                self.bury(Entry { body: Body::Dropped { sequence, samples }, ..entry }, true);
            } else {
                self.streams[entry.stream].tombstone = None;
                self.residue.push(entry);
            }
        }
        dropped
    }

    /// Leaves a tombstone: merged with the stream's last one where the two touch. That of displaced samples lies before all
    /// that is queued, that of refused ones behind it.
    fn bury(&mut self, entry: Entry, displaced: bool) {
        let Body::Dropped { sequence, samples } = entry.body else { return };
        let stream = entry.stream;
        self.stats.dropped += samples;
        let lane = if displaced { &mut self.residue } else { &mut self.live };
        let bits = self.streams[stream].header.sequence;
        // Tombstones are remembered in one lane only: what a full journal refuses although the oldest make room is not merged.
        let merges = displaced == (self.overflow == Overflow::DropOldest);
        let last = self.streams[stream].tombstone.filter(|_| merges);
        if let Some(Entry { arrival, place, body: Body::Dropped { sequence: first, samples: run }, .. }) =
            last.and_then(|number| lane.get_mut(number))
            && bits.wrap(first.wrapping_add(*run)) == bits.wrap(sequence)
        {
            *run += samples;
            *arrival = entry.arrival;
            place.end = place.end.max(entry.place.end);
            return;
        }
        if self.tombstones >= CONTROLS {
            self.stats.untold += samples;
            if merges {
                self.streams[stream].tombstone = None;
            }
            return;
        }
        self.tombstones += 1;
        let number = lane.push(entry);
        if merges {
            self.streams[stream].tombstone = Some(number);
        }
    }
}
