//! What a pipeline that goes on has to read again: the records of a journal from a position on, up to where the device's queue
//! begins.

use std::collections::{BTreeMap, VecDeque};

use neuraflow_core::model::{PacketBody, Positions, StreamHeader};
use neuraflow_core::source::SourceError;

use super::record::Item;
use super::segment::{Head, Segment, Step, Walk, head_of};
use super::writer::{Streams, follow, io_error, start_of};

/// What positions call the place up to which everything was emitted.
const JOURNAL: &str = "journal";

/// How far a device's packets were emitted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Emitted {
    /// Everything before this place was.
    pub(crate) all: u64,
    /// Of these streams (by the hash of their keys) everything before a place further on was: reports of dropped samples go
    /// ahead of packets of other streams.
    pub(crate) ahead: BTreeMap<u64, u64>,
}

impl Emitted {
    /// Notes that a record of a stream was emitted.
    pub(crate) fn note(&mut self, stream: u64, end: u64) {
        let ahead = self.ahead.entry(stream).or_default();
        *ahead = end.max(*ahead);
    }

    /// The same, as numbers for a checkpoint.
    pub(crate) fn positions(&self) -> Positions {
        let mut positions = Positions::default();
        positions.set(JOURNAL, self.all);
        for (stream, end) in self.ahead.iter().filter(|(_, end)| **end > self.all) {
            positions.set(format!("{stream:016x}"), *end);
        }
        positions
    }

    pub(crate) fn of(positions: &Positions) -> Self {
        let ahead = positions.iter().filter_map(|(part, at)| Some((u64::from_str_radix(part, 16).ok()?, at)));
        Self { all: Self::all_in(positions).unwrap_or(0), ahead: ahead.collect() }
    }

    pub(crate) fn all_in(positions: &Positions) -> Option<u64> {
        positions.get(JOURNAL)
    }
}

/// What was lost of a journal, and what was read again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) packets: u64,
    pub(crate) damaged: u64,
    pub(crate) torn: u64,
}

/// A packet to be emitted again.
pub(crate) struct Again {
    /// The stream as it was opened, whose packet it is.
    pub(crate) header: StreamHeader,
    pub(crate) body: PacketBody,
    /// When it was pushed, in nanoseconds since the Unix epoch.
    pub(crate) wall: u64,
}

/// The rest of a journal.
pub(crate) struct Backlog {
    segments: VecDeque<Segment>,
    walk: Option<Walk>,
    /// Where the segment that is read was followed by the next one: beyond lies nothing but a torn end.
    limit: u64,
    /// Where the last record ends that was read.
    reached: u64,
    emitted: Emitted,
    /// Where it ends: the device's queue has what follows.
    until: u64,
    streams: Streams,
    /// A record that was read already.
    ready: Option<(u64, super::record::Record)>,
    pub(crate) counts: Counts,
}

impl Backlog {
    /// What `segments` hold from `from` to `until`. Without `from`, all of it.
    pub(super) fn open(
        segments: Vec<Segment>,
        from: Option<&Positions>,
        until: u64,
        target: &str,
    ) -> Result<Self, SourceError> {
        let emitted = from.map(Emitted::of).unwrap_or_default();
        let refused = |expected: String, found: String| {
            let field = "position".to_owned();
            Err(SourceError::Malformed { target: target.to_owned(), field, expected, found })
        };
        if emitted.all > until {
            let expected = format!("at most {until}; it is not the journal of this checkpoint");
            return refused(expected, emitted.all.to_string());
        }
        let start = start_of(&segments, emitted.all)?;
        let mut backlog = Self {
            segments: segments.into_iter().skip(start).collect(),
            walk: None,
            limit: u64::MAX,
            reached: 0,
            emitted,
            until,
            streams: Streams::new(),
            ready: None,
            counts: Counts::default(),
        };
        let first = backlog.segments.front().cloned();
        backlog.next_segment()?;
        if let (Some(_), Some(first), Some(walk)) = (from, first, &backlog.walk)
            && let Head::Follows(end) = walk.head
            && first.base > backlog.emitted.all
            && end > backlog.emitted.all
        {
            let expected = format!("the records from {} on", backlog.emitted.all);
            return refused(expected, format!("none before {end}: segments were removed"));
        }
        // Streams that were opened before the position are resumed and not opened, so they must be known now.
        backlog.look()?;
        Ok(backlog)
    }

    /// The streams that are open where it is.
    pub(crate) fn streams(&self) -> impl Iterator<Item = &StreamHeader> {
        self.streams.values()
    }

    /// How far everything was emitted.
    pub(crate) fn emitted(&self) -> &Emitted {
        &self.emitted
    }

    pub(crate) fn into_emitted(self) -> Emitted {
        self.emitted
    }

    /// The next packet to be emitted; none at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Again>, SourceError> {
        loop {
            self.look()?;
            let Some((at, record)) = self.ready.take() else {
                self.emitted.all = self.emitted.all.max(self.until);
                return Ok(None);
            };
            let known = self.streams.get(&record.stream).cloned();
            follow(&mut self.streams, record.stream, &record.item);
            let end = at + record.bytes;
            let ahead = self.emitted.ahead.get(&record.stream).is_some_and(|ahead| *ahead >= end);
            self.emitted.all = end;
            let Item::Packet(body) = record.item else { continue };
            let header = match &body {
                PacketBody::Open(header) => Some((**header).clone()),
                _ => known,
            };
            match header {
                _ if ahead => {}
                Some(header) if fits(&header, &body) => {
                    self.counts.packets += 1;
                    return Ok(Some(Again { header, body, wall: record.wall }));
                }
                // Its stream was opened in bytes that are damaged: nobody knows what it is.
                _ => self.counts.damaged += record.bytes,
            }
        }
    }

    /// Reads on until a record is ready that is to be emitted, or nothing is left.
    fn look(&mut self) -> Result<(), SourceError> {
        while self.ready.is_none() {
            let Some(walk) = &mut self.walk else { return Ok(()) };
            let step = walk.next();
            if let Step::Record(at, record) = &step {
                self.reached = at + record.bytes;
            }
            match step {
                Step::Record(at, record) if at >= self.limit => drop(record),
                Step::Record(at, _) if at >= self.until => self.walk = None,
                // What a segment begins with is no packet, also where a position is the segment's beginning.
                Step::Record(at, record)
                    if at < self.emitted.all || !matches!(record.item, Item::Packet(_)) =>
                {
                    follow(&mut self.streams, record.stream, &record.item);
                }
                Step::Record(at, record) => self.ready = Some((at, record)),
                Step::Damaged(bytes) => self.counts.damaged += bytes,
                Step::Torn(bytes) => self.end_of_segment(bytes)?,
                Step::End => self.end_of_segment(0)?,
            }
        }
        Ok(())
    }

    /// Nothing more can be read in a segment. If the next one says that there was more, that is lost, and no torn end.
    fn end_of_segment(&mut self, torn: u64) -> Result<(), SourceError> {
        match self.limit.checked_sub(self.reached) {
            Some(lost) if lost > 0 && self.limit < u64::MAX => self.counts.damaged += lost,
            _ => self.counts.torn += torn,
        }
        self.next_segment()
    }

    fn next_segment(&mut self) -> Result<(), SourceError> {
        let Some(segment) = self.segments.pop_front().filter(|segment| segment.base < self.until) else {
            self.walk = None;
            return Ok(());
        };
        (self.limit, self.reached) = (u64::MAX, segment.base);
        if let Some(next) = self.segments.front() {
            let head = head_of(next).map_err(|error| io_error("read", &next.path, error))?;
            if let Head::Follows(end) = head
                && end > segment.base
            {
                self.limit = end;
            }
        }
        self.walk = Some(Walk::open(&segment).map_err(|error| io_error("read", &segment.path, error))?);
        Ok(())
    }
}

/// Whether samples are whole samples of their stream.
fn fits(header: &StreamHeader, body: &PacketBody) -> bool {
    match body {
        PacketBody::Samples { values, .. } => {
            let channels = header.channels.len();
            channels > 0 && values.len().is_multiple_of(channels)
        }
        _ => true,
    }
}
