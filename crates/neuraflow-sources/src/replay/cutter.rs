//! Cuts blocks of a recording into packets: pure, it knows neither file nor clock.
//!
//! What comes out depends on the recording and the packet size alone, never on how blocks arrive.

use std::collections::VecDeque;
use std::sync::Arc;

use neuraflow_core::model::{Chunk, Marker, Span, StreamHeader};

use super::place::{Given, Place};

/// Whether the cutter has something to give.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Ready {
    /// Yes: a packet whose last sample was taken this long after the recording's start, or its marker.
    At(Span),
    /// Yes, and it is due with what was given last.
    Now,
    /// It needs another block to go on.
    Starved,
    /// Everything was given.
    Finished,
}

/// What the cutter gives.
#[derive(Debug, PartialEq)]
pub(super) enum Next<'a> {
    /// Samples of a stream.
    Samples { stream: usize, first: u64, values: &'a [f32] },
    /// A marker, which belongs before the packet that follows.
    Marker { stream: usize, marker: &'a Marker },
    /// A stream has ended; the next sample would have been `next`.
    End { stream: usize, next: u64 },
}

impl Next<'_> {
    /// The stream it belongs to.
    pub(super) fn stream(&self) -> usize {
        match *self {
            Self::Samples { stream, .. } | Self::Marker { stream, .. } | Self::End { stream, .. } => stream,
        }
    }
}

/// What is next, found by [`Cutter::find`].
#[derive(Clone, Copy, Debug)]
enum Found {
    Packet(usize, Range),
    /// A marker, and the packet that it goes before.
    Marker(Option<Range>),
    End(usize),
    Starved,
    Finished,
}

/// The packets of a recording, in order of event time.
#[derive(Debug)]
pub(super) struct Cutter {
    headers: Arc<[StreamHeader]>,
    streams: Vec<Stream>,
    markers: Arc<[Marker]>,
    next_marker: usize,
    /// The stream that the markers go with.
    marked: usize,
    finished: bool,
}

#[derive(Debug)]
struct Stream {
    /// Samples in a packet.
    packet: u64,
    /// No sample from this one on is wanted.
    limit: u64,
    pending: VecDeque<Chunk>,
    /// Samples of the first pending chunk that are already in a packet.
    taken: usize,
    /// Where the contiguous run began that packets are counted from.
    anchor: u64,
    /// One past the last sample that was given.
    next: u64,
    /// One past the contiguous run of samples at the front of `pending`, within the limit.
    run: u64,
    /// Whether more is pending behind a hole after that run.
    broken: bool,
    /// Whether a sample at or beyond the limit has arrived.
    beyond: bool,
    ended: bool,
    /// The packet put together, if it crosses chunks.
    joined: Vec<f32>,
}

/// A packet that can be given: its first sample, and one past its last.
type Range = (u64, u64);

impl Cutter {
    /// Cuts packets of `packet[stream]` samples from the samples below `limit[stream]`, those that come after `place`.
    pub(super) fn new(
        headers: Arc<[StreamHeader]>,
        markers: Arc<[Marker]>,
        marked: usize,
        packet: &[u64],
        limit: &[u64],
        place: &Place,
    ) -> Self {
        let stream = |(index, (&packet, &limit)): (usize, (&u64, &u64))| {
            let Given { next, run } =
                place.streams.get(index).copied().flatten().unwrap_or(Given { next: 0, run: 0 });
            Stream {
                packet: packet.max(1),
                limit,
                pending: VecDeque::new(),
                taken: 0,
                anchor: run.min(next),
                next,
                run: 0,
                broken: false,
                beyond: next >= limit,
                ended: (index as u64) < place.ended,
                joined: Vec::new(),
            }
        };
        let streams = packet.iter().zip(limit).enumerate().map(stream).collect();
        let next_marker =
            usize::try_from(place.markers).map_or(markers.len(), |next| next.min(markers.len()));
        Self { headers, streams, markers, next_marker, marked, finished: false }
    }

    /// What was given so far, of streams that are open.
    pub(super) fn place(&self) -> Place {
        let given = |stream: &Stream| Some(Given { next: stream.next, run: stream.anchor });
        Place {
            streams: self.streams.iter().map(given).collect(),
            markers: self.next_marker as u64,
            ended: self.streams.iter().filter(|stream| stream.ended).count() as u64,
        }
    }

    /// The first sample of each stream that is wanted: `u64::MAX` where none is.
    pub(super) fn wanted(&self) -> Vec<u64> {
        let wanted = |stream: &Stream| if stream.beyond || stream.ended { u64::MAX } else { stream.next };
        self.streams.iter().map(wanted).collect()
    }

    /// Takes a block: a chunk for each stream.
    pub(super) fn push(&mut self, chunks: Vec<Chunk>) {
        for (stream, chunk) in self.streams.iter_mut().zip(chunks) {
            stream.push(chunk);
        }
    }

    /// No more blocks will come, or none is needed.
    pub(super) fn finish(&mut self) {
        self.finished = true;
    }

    /// Whether all samples within the limits have arrived.
    pub(super) fn is_full(&self) -> bool {
        self.streams.iter().all(|stream| stream.beyond)
    }

    /// Whether something is next, and when it is due.
    pub(super) fn ready(&self) -> Ready {
        match self.find() {
            Found::Packet(stream, range) => Ready::At(self.due(stream, range)),
            Found::Marker(Some(range)) => Ready::At(self.due(self.marked, range)),
            Found::Marker(None) | Found::End(_) => Ready::Now,
            Found::Starved => Ready::Starved,
            Found::Finished => Ready::Finished,
        }
    }

    /// Gives what is next, if anything is.
    pub(super) fn take(&mut self, give: &mut dyn FnMut(Next<'_>)) {
        match self.find() {
            Found::Packet(stream, range) => {
                let cut = &mut self.streams[stream];
                give(Next::Samples { stream, first: range.0, values: cut.values(range) });
                cut.advance(range);
            }
            Found::Marker(_) => {
                give(Next::Marker { stream: self.marked, marker: &self.markers[self.next_marker] });
                self.next_marker += 1;
            }
            Found::End(stream) => {
                let ended = &mut self.streams[stream];
                ended.ended = true;
                give(Next::End { stream, next: if ended.beyond { ended.limit } else { ended.next } });
            }
            Found::Starved | Found::Finished => {}
        }
    }

    fn find(&self) -> Found {
        let mut earliest: Option<(Span, usize, Range)> = None;
        for (index, stream) in self.streams.iter().enumerate() {
            match stream.packet(self.finished) {
                Some(range) => {
                    let due = self.due(index, range);
                    if earliest.is_none_or(|(sooner, ..)| due < sooner) {
                        earliest = Some((due, index, range));
                    }
                }
                // Its next packet may be due before those of the others.
                None if !self.finished && !stream.beyond => return Found::Starved,
                None => {}
            }
        }
        if let Some((_, stream, range)) = earliest {
            let marked = stream == self.marked && self.marker_sample().is_some_and(|sample| sample < range.1);
            return if marked { Found::Marker(Some(range)) } else { Found::Packet(stream, range) };
        }
        if self.next_marker < self.markers.len() && !self.streams.is_empty() {
            return Found::Marker(None);
        }
        self.streams.iter().position(|stream| !stream.ended).map_or(Found::Finished, Found::End)
    }

    /// When a packet's last sample was taken, since the recording's start.
    fn due(&self, stream: usize, range: Range) -> Span {
        self.headers[stream].rate.offset(range.1.saturating_sub(1))
    }

    /// The sample of the marked stream that the next marker is nearest to.
    fn marker_sample(&self) -> Option<u64> {
        let (header, marker) = (self.headers.get(self.marked)?, self.markers.get(self.next_marker)?);
        Some(header.rate.nearest(marker.time - header.t0))
    }
}

impl Stream {
    fn push(&mut self, chunk: Chunk) {
        if chunk.end() >= self.limit {
            self.beyond = true;
        }
        // Of a block that is read again all that is wanted may have been given, though it goes on beyond the limit.
        if chunk.is_empty() || chunk.first() >= self.limit || chunk.end().min(self.limit) <= self.next {
            return;
        }
        if self.pending.is_empty() {
            // A block that is read again from where a replay goes on may begin with samples that were given before.
            self.taken = self.next.saturating_sub(chunk.first()) as usize;
        }
        self.pending.push_back(chunk);
        self.extend_run(self.pending.len() - 1);
    }

    /// Counts the pending chunks from `from` on to the run, up to the next hole.
    fn extend_run(&mut self, from: usize) {
        for (index, chunk) in self.pending.iter().enumerate().skip(from) {
            if index > 0 && (self.broken || chunk.first() > self.run) {
                self.broken = true;
                return;
            }
            self.run = chunk.end().min(self.limit);
        }
    }

    /// The next packet, if all of it is there. `finished` says that nothing more will come.
    fn packet(&self, finished: bool) -> Option<Range> {
        let first = self.pending.front()?.first() + self.taken as u64;
        let anchor = self.anchor_of(first);
        // Packets begin at multiples of their size from the anchor.
        let full = anchor.saturating_add(((first - anchor) / self.packet + 1).saturating_mul(self.packet));
        if self.run >= full {
            return Some((first, full));
        }
        (finished || self.beyond || self.broken).then_some((first, self.run))
    }

    /// Where the contiguous run that sample `first` belongs to began.
    fn anchor_of(&self, first: u64) -> u64 {
        if first == self.next { self.anchor } else { first }
    }

    fn values(&mut self, (first, end): Range) -> &[f32] {
        let wanted = (end - first) as usize;
        let Some(front) = self.pending.front() else { return &[] };
        let channels = front.channels();
        if self.taken + wanted <= front.len() {
            return &front.values()[self.taken * channels..(self.taken + wanted) * channels];
        }
        self.joined.clear();
        let mut skip = self.taken;
        let mut left = wanted;
        for chunk in &self.pending {
            let now = left.min(chunk.len() - skip);
            self.joined.extend_from_slice(&chunk.values()[skip * channels..(skip + now) * channels]);
            (skip, left) = (0, left - now);
            if left == 0 {
                break;
            }
        }
        &self.joined
    }

    fn advance(&mut self, (first, end): Range) {
        self.anchor = self.anchor_of(first);
        self.next = end;
        while let Some(front) = self.pending.front().filter(|front| front.first() < end) {
            if front.end().min(self.limit) > end {
                self.taken = (end - front.first()) as usize;
                return;
            }
            self.pending.pop_front();
            self.taken = 0;
        }
        if end == self.run {
            self.broken = false;
            self.extend_run(0);
        }
    }
}
