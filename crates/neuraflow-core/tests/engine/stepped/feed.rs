//! A source that has only what it was fed so far, and can be read again from any packet.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use neuraflow_core::ingest::Ingest;
use neuraflow_core::model::{Packet, PacketBody, Positions, StreamHeader};
use neuraflow_core::source::{Polled, Source, SourceContext, SourceError, SourceReader, Waker};

use super::super::recovery::tape::Tape;

/// Packets in one poll, at most.
const POLL: usize = 5;

/// The packets of a tape, of which readers see those that were fed.
#[derive(Clone)]
pub(super) struct Feed {
    streams: Arc<Vec<(StreamHeader, Vec<Packet>)>>,
    fed: Arc<Vec<AtomicUsize>>,
    wakers: Arc<Mutex<Vec<Waker>>>,
}

impl Feed {
    /// Nothing is fed yet.
    pub(super) fn of(tape: &Tape) -> Self {
        let streams = Arc::clone(&tape.streams);
        let fed = streams.iter().map(|_| AtomicUsize::new(0)).collect();
        Self { streams, fed: Arc::new(fed), wakers: Arc::default() }
    }

    pub(super) fn len(&self) -> usize {
        self.streams.len()
    }

    /// Feeds so many packets of a stream, but not its last one.
    pub(super) fn feed(&self, stream: usize, packets: usize) {
        let fed = self.fed[stream].load(Ordering::SeqCst);
        let most = self.streams[stream].1.len() - 1;
        self.fed[stream].store((fed + packets).min(most), Ordering::SeqCst);
        self.wake();
    }

    /// Feeds all there is: then readers come to their end.
    pub(super) fn feed_all(&self) {
        for (fed, (_, packets)) in self.fed.iter().zip(&*self.streams) {
            fed.store(packets.len(), Ordering::SeqCst);
        }
        self.wake();
    }

    /// Forgets who read from it.
    pub(super) fn unplug(&self) {
        self.wakers.lock().unwrap().clear();
    }

    fn wake(&self) {
        self.wakers.lock().unwrap().iter().for_each(Waker::wake);
    }
}

impl Source for Feed {
    fn name(&self) -> String {
        "feed".into()
    }

    fn streams(&self) -> Vec<StreamHeader> {
        self.streams.iter().map(|(header, _)| header.clone()).collect()
    }

    fn open(&self, context: SourceContext) -> Result<Option<Box<dyn SourceReader>>, SourceError> {
        let own = (0..self.streams.len()).filter(|stream| stream % context.workers == context.worker);
        let from = |stream: usize| context.from.as_ref()?.get(&self.streams[stream].0.name);
        let places: Vec<(usize, usize)> =
            own.map(|stream| (stream, from(stream).unwrap_or(0) as usize)).collect();
        if places.is_empty() {
            return Ok(None);
        }
        self.wakers.lock().unwrap().push(context.waker);
        Ok(Some(Box::new(FeedReader { feed: self.clone(), fresh: true, places, turn: 0 })))
    }
}

struct FeedReader {
    feed: Feed,
    /// Not polled yet.
    fresh: bool,
    /// Streams, and the next packet of each.
    places: Vec<(usize, usize)>,
    turn: usize,
}

impl SourceReader for FeedReader {
    fn poll(&mut self, out: &mut Ingest, _: usize) -> Result<Polled, SourceError> {
        if std::mem::take(&mut self.fresh) {
            for (stream, from) in &self.places {
                let before = self.feed.streams[*stream].1[..*from].iter().rev();
                let opened = before.filter_map(|packet| match &packet.body {
                    PacketBody::Open(header) => Some((**header).clone()),
                    _ => None,
                });
                opened.take(1).for_each(|header| _ = out.resume(header));
            }
        }
        for _ in 0..POLL {
            self.turn = (self.turn + 1) % self.places.len();
            let (stream, next) = &mut self.places[self.turn];
            if *next < self.feed.fed[*stream].load(Ordering::SeqCst) {
                out.packet(self.feed.streams[*stream].1[*next].clone());
                *next += 1;
            }
        }
        let behind = |(stream, next): &(usize, usize)| *next < self.feed.fed[*stream].load(Ordering::SeqCst);
        let at_end = |(stream, next): &(usize, usize)| *next == self.feed.streams[*stream].1.len();
        Ok(match () {
            () if self.places.iter().all(at_end) => Polled::Ended,
            () if self.places.iter().any(behind) => Polled::Ready,
            () => Polled::Idle,
        })
    }

    fn positions(&self) -> Option<Positions> {
        let mut positions = Positions::default();
        for (stream, next) in &self.places {
            positions.set(self.feed.streams[*stream].0.name.clone(), *next as u64);
        }
        Some(positions)
    }
}
