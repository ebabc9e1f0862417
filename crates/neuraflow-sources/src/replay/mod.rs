//! Replay: a recording as a source, at any speed.

mod cutter;
mod place;
mod prefetch;
mod reader;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use neuraflow_core::model::{Marker, Span, StreamHeader, StreamKey};
use neuraflow_core::source::{Source, SourceContext, SourceError, SourceReader};

use self::cutter::Cutter;
use self::place::Place;
use self::reader::ReplayReader;
pub use crate::pace::Speed;
use crate::recording::{Recording, Warning, malformed};

/// Replays a recording: a [`Source`] of its streams and markers.
///
/// What it gives does not depend on the speed: the packets of all streams in the order in which their last samples
/// were taken, each marker just before the packet that holds the sample nearest to it (on the stream with the most
/// channels). One worker reads it; a thread of its own reads the file ahead.
///
/// It can be replayed from a checkpoint: its positions are the samples given of every stream, and reading goes on with the
/// block that holds the next one. Pace is kept from there on.
///
/// ```no_run
/// use neuraflow_core::model::Span;
/// use neuraflow_sources::replay::{Replay, Speed};
/// let replay = Replay::open("S001R04.edf")?.speed(Speed::Times(10.0)).packet(16).until(Span::secs(60));
/// # Ok::<(), neuraflow_core::source::SourceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Replay {
    path: PathBuf,
    streams: Arc<[StreamHeader]>,
    markers: Arc<[Marker]>,
    marked: usize,
    warnings: Vec<Warning>,
    speed: Speed,
    packet: Option<usize>,
    until: Option<Span>,
}

impl Replay {
    /// How much of each stream is in a packet unless set: 10 ms.
    const PACKET: Span = Span::millis(10);

    /// Opens a recording to be replayed, of any format that [`Recording::open`] reads.
    ///
    /// # Errors
    /// As [`Recording::open`]; and [`SourceError::Malformed`] for a recording of annotations alone.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, SourceError> {
        let path = path.as_ref().to_owned();
        let recording = Recording::open(&path)?;
        let Some(marked) = recording.marker_stream() else {
            let found =
                format!("{} annotations alone; Recording::markers has them", recording.markers().len());
            let target = path.display().to_string();
            return Err(malformed(&target, "signals", "at least one with samples to replay", found));
        };
        Ok(Self {
            streams: recording.streams().into(),
            markers: recording.markers().into(),
            marked,
            warnings: recording.warnings().to_vec(),
            path,
            speed: Speed::default(),
            packet: None,
            until: None,
        })
    }

    /// How fast: a packet is given when its last sample would have been taken, counted from the first poll.
    #[must_use]
    pub fn speed(mut self, speed: Speed) -> Self {
        self.speed = speed;
        self
    }

    /// How many samples are in a packet of every stream, at least 1; 10 ms worth of each stream unless set.
    /// Packets begin at multiples of it, counted from the stream's start or its last hole.
    #[must_use]
    pub fn packet(mut self, samples: usize) -> Self {
        self.packet = Some(samples);
        self
    }

    /// Ends each stream after this much event time; of markers, those that begin before are given.
    #[must_use]
    pub fn until(mut self, span: Span) -> Self {
        self.until = Some(span);
        self
    }

    /// Keys the streams by another tenant, session and device. Signals keep their numbers.
    #[must_use]
    pub fn key(mut self, key: StreamKey) -> Self {
        let keyed = |stream: &StreamHeader| StreamHeader {
            key: key.with_signal(stream.key.signal),
            ..stream.clone()
        };
        self.streams = self.streams.iter().map(keyed).collect();
        self
    }

    /// What was wrong with the recording and got over.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The packets to be given after `place`, before any block was read.
    fn cutter(&self, place: &Place) -> Cutter {
        let packet = |stream: &StreamHeader| match self.packet {
            Some(samples) => samples as u64,
            None => stream.rate.samples_in(Self::PACKET).max(1),
        };
        let limit =
            |stream: &StreamHeader| self.until.map_or(u64::MAX, |span| stream.rate.first_at_or_after(span));
        let packets: Vec<u64> = self.streams.iter().map(packet).collect();
        let limits: Vec<u64> = self.streams.iter().map(limit).collect();
        let markers = match (self.until, self.streams.first()) {
            (Some(span), Some(stream)) => {
                let end = stream.t0 + span;
                self.markers.iter().filter(|marker| marker.time < end).cloned().collect()
            }
            _ => Arc::clone(&self.markers),
        };
        Cutter::new(Arc::clone(&self.streams), markers, self.marked, &packets, &limits, place)
    }

    fn check(&self) -> Result<(), SourceError> {
        self.speed.check()?;
        if self.packet == Some(0) {
            let expected = "at least 1 sample".to_owned();
            return Err(SourceError::Setting { setting: "replay packet", expected, found: "0".to_owned() });
        }
        Ok(())
    }
}

impl Source for Replay {
    fn name(&self) -> String {
        format!("replay of {}", self.path.file_name().unwrap_or_default().to_string_lossy())
    }

    fn streams(&self) -> Vec<StreamHeader> {
        self.streams.to_vec()
    }

    fn open(&self, context: SourceContext) -> Result<Option<Box<dyn SourceReader>>, SourceError> {
        self.check()?;
        if context.worker != 0 {
            return Ok(None);
        }
        let place = match &context.from {
            Some(positions) => Place::of(positions, &self.streams),
            None => Place::start(self.streams.len()),
        };
        let (streams, cutter) = (Arc::clone(&self.streams), self.cutter(&place));
        let messages =
            prefetch::spawn(self.path.clone(), Arc::clone(&streams), cutter.wanted(), context.waker)?;
        let target = self.path.display().to_string();
        Ok(Some(Box::new(ReplayReader::new(streams, place, cutter, messages, self.speed, target))))
    }
}
