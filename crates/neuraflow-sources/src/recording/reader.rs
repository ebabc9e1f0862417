//! What a format's reader gives, and how its file is opened.

use std::fmt::Debug;
use std::fs::{self, File};
use std::io;
use std::path::Path;

use neuraflow_core::model::{Chunk, Marker, StreamHeader, StreamKey};
use neuraflow_core::source::SourceError;

use super::Warning;

/// One piece of a recording: a chunk of each of its streams. In EDF and BDF it is a data record; in GDF, where a record may
/// be a single sample, as many of them as make up 256 samples; in Muse CSV 256 lines, in spike trains half a second.
///
/// Reuse one for the whole recording; its memory is kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Block {
    record: u64,
    chunks: Vec<Chunk>,
}

impl Block {
    /// Its number within the recording.
    pub fn record(&self) -> u64 {
        self.record
    }

    /// A chunk for each stream, in the order of [`Recording::streams`](super::Recording::streams): values in µV
    /// (or the channel's own unit), and the index of the first sample. A chunk that begins beyond the end of the
    /// same stream's last one leaves a hole. A chunk may be empty.
    pub fn chunks(&self) -> &[Chunk] {
        &self.chunks
    }

    /// Takes the chunks out.
    pub(crate) fn take(&mut self) -> Vec<Chunk> {
        std::mem::take(&mut self.chunks)
    }

    /// Begins a new piece, with old chunks to be [restarted](Chunk::restart).
    pub(super) fn restart(&mut self, record: u64, streams: usize) -> &mut [Chunk] {
        self.record = record;
        self.chunks.resize_with(streams, Chunk::default);
        &mut self.chunks
    }
}

/// Reads the samples of an open recording. One for each format.
pub(crate) trait RecordingReader: Debug + Send {
    /// Reads the next piece; `false` at the end. After an error it is not asked again.
    fn next_block(&mut self, block: &mut Block) -> Result<bool, SourceError>;

    /// Makes the first piece with a sample at or after `first[stream]` of any stream the next one; `u64::MAX` for a stream
    /// that does not matter.
    fn seek(&mut self, first: &[u64]) -> Result<(), SourceError>;
}

/// What is known of a recording once it is open.
#[derive(Debug)]
pub(crate) struct Contents {
    pub(crate) streams: Vec<StreamHeader>,
    /// In order of time.
    pub(crate) markers: Vec<Marker>,
    pub(crate) warnings: Vec<Warning>,
}

/// An open recording, of whatever format.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) contents: Contents,
    pub(crate) reader: Box<dyn RecordingReader>,
}

/// What is known of a file before it is read.
#[derive(Debug)]
pub(super) struct About {
    pub(super) size: u64,
    /// Its name for messages.
    pub(super) target: String,
    /// What its streams are to be called.
    pub(super) key: StreamKey,
    pub(super) name: String,
}

/// Opens a regular file, whose streams are called after its stem.
pub(super) fn open_file(path: &Path) -> Result<(File, About), SourceError> {
    let target = path.display().to_string();
    let failed = |source| SourceError::Io { action: "open", target: target.clone(), source };
    let about = fs::metadata(path).map_err(failed)?;
    if about.is_dir() {
        return Err(failed(io::Error::new(
            io::ErrorKind::IsADirectory,
            "it is a directory, not a recording",
        )));
    }
    if !about.is_file() {
        // To open a pipe could block for ever.
        return Err(failed(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file")));
    }
    let file = File::open(path).map_err(failed)?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    Ok((file, About { size: about.len(), target, key: StreamKey::of_names(&name, "recording"), name }))
}
