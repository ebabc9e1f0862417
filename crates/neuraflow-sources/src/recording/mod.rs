//! Recordings: files of neural signals, whatever their format.
//!
//! A format is recognised by its content. Each has a file or folder here, with a reader that gives streams, markers
//! and blocks of samples. Faults that can be got over without guessing are reported as [`Warning`]s that say what
//! was dropped; anything else is a [`SourceError`] that names the file, the field, what was expected and found.

mod calibration;
mod date;
pub mod edf;
mod fields;
mod format;
pub mod gdf;
mod muse;
mod positioned;
mod reader;
mod spikes;
mod streams;
mod warning;

use std::io::{Read, Seek};
use std::path::Path;

use neuraflow_core::model::{Id, Marker, StreamHeader, StreamKey};
use neuraflow_core::source::SourceError;

use self::format::{READABLE, SNIFFED_BYTES, Sniffed};
pub use self::reader::Block;
use self::reader::{Opened, open_file};
pub use self::warning::Warning;
pub(crate) use self::warning::malformed;

/// An open recording: what it holds is known, its samples are read on demand.
///
/// Streams are keyed by the default tenant, the file's stem as the session and `recording` as the device; signals
/// are numbered in order of first appearance. See [`with_key`](Self::with_key).
///
/// ```no_run
/// use neuraflow_sources::recording::{Block, Recording};
/// let mut recording = Recording::open("S001R04.edf")?;
/// for warning in recording.warnings() {
///     println!("{warning}");
/// }
/// let mut block = Block::default();
/// while recording.next_block(&mut block)? {
///     for (stream, chunk) in recording.streams().iter().zip(block.chunks()) {
///         println!("{}: {} samples at {}", stream.name, chunk.len(), stream.time_of(chunk.first()));
///     }
/// }
/// # Ok::<(), neuraflow_core::source::SourceError>(())
/// ```
#[derive(Debug)]
pub struct Recording {
    opened: Opened,
}

impl Recording {
    /// Opens a recording of any format there is a reader for (EDF, EDF+, BDF, BDF+, GDF, Muse CSV, spike trains), recognised by its
    /// content.
    ///
    /// Spike trains are a `.npy` array of events with the fields `time` (`<f8`, seconds, ascending) and `unit` (an integer from 0
    /// on). They come as one stream of 1,000 samples a second with a channel for each unit: how often it fired within the
    /// millisecond that begins with the sample.
    ///
    /// # Errors
    /// [`SourceError::Io`] where the system refuses the file, [`SourceError::UnsupportedFormat`] where no reader
    /// knows it, [`SourceError::Malformed`] where it is damaged beyond recovery.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, SourceError> {
        let (mut file, about) = open_file(path.as_ref())?;
        let failed = |source| SourceError::Io { action: "read", target: about.target.clone(), source };
        let mut head = Vec::with_capacity(SNIFFED_BYTES);
        file.by_ref().take(SNIFFED_BYTES as u64).read_to_end(&mut head).map_err(failed)?;
        file.rewind().map_err(failed)?;
        if head.is_empty() {
            return Err(malformed(&about.target, "file", "a recording", "an empty file (0 bytes)"));
        }
        let opened = match format::sniff(&head) {
            Sniffed::Edf => edf::Edf::opened(file, &about)?,
            Sniffed::Gdf => gdf::Gdf::opened(file, &about)?,
            Sniffed::Muse => muse::Muse::opened(file, &about)?,
            Sniffed::Spikes => spikes::Spikes::opened(file, &about)?,
            Sniffed::Other(found) => {
                let target = about.target;
                return Err(SourceError::UnsupportedFormat { target, found, readable: READABLE });
            }
        };
        Ok(Self { opened })
    }

    /// The same recording, its streams keyed by this tenant, session and device. Signals keep their numbers.
    #[must_use]
    pub fn with_key(mut self, key: StreamKey) -> Self {
        for stream in &mut self.opened.contents.streams {
            stream.key = key.with_signal(stream.key.signal);
        }
        self
    }

    /// The same recording, its streams keyed by these names and the default tenant.
    #[must_use]
    pub fn with_names(self, session: &str, device: &str) -> Self {
        let key =
            StreamKey { session: Id::of_name(session), device: Id::of_name(device), ..StreamKey::default() };
        self.with_key(key)
    }

    /// Its streams, one for each sampling rate; none where there are only annotations.
    pub fn streams(&self) -> &[StreamHeader] {
        &self.opened.contents.streams
    }

    /// Its markers, in order of time. They belong to the [widest stream](Self::marker_stream).
    pub fn markers(&self) -> &[Marker] {
        &self.opened.contents.markers
    }

    /// Which of the streams the markers go with: the one with the most channels, the first of equals.
    pub fn marker_stream(&self) -> Option<usize> {
        widest(&self.opened.contents.streams)
    }

    /// What was wrong with the file and got over, and what was dropped because of it.
    pub fn warnings(&self) -> &[Warning] {
        &self.opened.contents.warnings
    }

    /// Goes on with the first block that holds a sample at or after `first[stream]` of any stream; `u64::MAX` for one that
    /// does not matter. What lies before is not read, but for the onsets of the records of a discontinuous file.
    ///
    /// # Errors
    /// [`SourceError::Malformed`] where a stream ends before that sample; otherwise as [`next_block`](Self::next_block).
    pub fn seek(&mut self, first: &[u64]) -> Result<(), SourceError> {
        self.opened.reader.seek(first)
    }

    /// Reads the next block into `block`; `false` at the end.
    ///
    /// # Errors
    /// [`SourceError::Io`] or [`SourceError::Malformed`], naming file, record and signal.
    pub fn next_block(&mut self, block: &mut Block) -> Result<bool, SourceError> {
        self.opened.reader.next_block(block)
    }
}

fn widest(streams: &[StreamHeader]) -> Option<usize> {
    (0..streams.len()).rev().max_by_key(|&index| streams[index].channels.len())
}
