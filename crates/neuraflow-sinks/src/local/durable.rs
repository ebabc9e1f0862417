//! What a checkpoint knows of a sink's files: how long each of them was, and whose the one is that was named. They are cut to that when a run goes on, and the
//! lengths are told at a barrier.
//!
//! Files that the checkpoint does not know are left alone. One that was begun after the checkpoint is replaced when its
//! stream comes again; any other belongs to another run.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use neuraflow_core::model::{Positions, StreamHeader};
use neuraflow_core::sink::SinkError;

use super::file::{OpenFiles, Place, Records, Target, io_error};

/// What the positions call the stream whose one file was named: no file has such a name.
const OWNER: &str = "/stream";

/// The lengths of a sink's files, as far as they are durable.
#[derive(Debug)]
pub(super) struct Durable {
    sink: &'static str,
    directory: PathBuf,
    lengths: Positions,
    /// Whether a file was created since the directory was made durable.
    created: bool,
}

impl Durable {
    /// Cuts the files that `from` knows to the lengths that it knows. Only names that `target` would give are touched.
    pub(super) fn restore(
        sink: &'static str,
        target: &Target,
        suffixes: &[&str],
        from: Option<&Positions>,
    ) -> Result<Self, SinkError> {
        let directory = target.directory();
        let lengths = from.cloned().unwrap_or_default();
        for (name, length) in files(&lengths) {
            let path = directory.join(name);
            if !target.owns(name, suffixes) {
                let expected = format!("one of its own files, which end with {}", suffixes.join(" or "));
                return Err(misplaced(sink, &path, expected, "another name".into()));
            }
            cut(sink, &path, length)?;
        }
        Ok(Self { sink, directory, lengths, created: false })
    }

    /// How long the checkpoint left the file at `path`; `None` if it does not know it.
    pub(super) fn length(&self, path: &Path) -> Option<u64> {
        self.lengths.get(path.file_name()?.to_str()?)
    }

    /// The names and lengths that are known.
    pub(super) fn paths(&self) -> impl Iterator<Item = (PathBuf, u64)> {
        files(&self.lengths).map(|(name, length)| (self.directory.join(name), length))
    }

    /// Where a stream's files go. The one file that was named is the first stream's, also in a run that goes on.
    pub(super) fn place(&mut self, target: &Target, stream: &StreamHeader) -> Result<Place, SinkError> {
        let hash = stream.key.stable_hash();
        if target.is_single() {
            if self.lengths.get(OWNER).is_some_and(|owner| owner != hash) {
                return Err(SinkError::Layout {
                    sink: self.sink.into(),
                    what: "streams",
                    expected: format!(
                        "one in {}; name a directory to get a file for each",
                        target.path().display()
                    ),
                    found: format!("another, {}", stream.name),
                });
            }
            self.lengths.set(OWNER, hash);
        }
        Ok(target.place(stream))
    }

    /// The records of a file: those that the checkpoint left there, to be gone on with, or none in a new file.
    pub(super) fn records(&mut self, path: PathBuf, open: &mut OpenFiles) -> Result<Records, SinkError> {
        match self.length(&path) {
            Some(length) => Ok(Records::resume(self.sink, path, length, open)),
            None => {
                self.created = true;
                Records::create(self.sink, path, open)
            }
        }
    }

    /// Makes a file durable.
    pub(super) fn sync(&mut self, records: &mut Records, open: &mut OpenFiles) -> Result<(), SinkError> {
        records.sync(open)?;
        if let Some(name) = records.path().file_name() {
            self.lengths.set(name.to_string_lossy(), records.whole());
        }
        Ok(())
    }

    /// All files are durable: makes their names durable too, and says how long they are.
    pub(super) fn positions(&mut self) -> Result<Positions, SinkError> {
        // Elsewhere than on Unix a directory cannot be opened, and its entries are durable with their files.
        if cfg!(unix) && std::mem::take(&mut self.created) {
            let synced = File::open(&self.directory).and_then(|directory| directory.sync_all());
            synced.map_err(|error| io_error(self.sink, "flush directory", &self.directory, error))?;
        }
        Ok(self.lengths.clone())
    }
}

/// The files among the positions.
fn files(positions: &Positions) -> impl Iterator<Item = (&str, u64)> {
    positions.iter().filter(|(name, _)| *name != OWNER)
}

/// What is at `path` is not what the checkpoint left there.
pub(super) fn misplaced(sink: &'static str, path: &Path, expected: String, found: String) -> SinkError {
    SinkError::Position { sink: sink.into(), target: path.display().to_string(), expected, found }
}

fn cut(sink: &'static str, path: &Path, length: u64) -> Result<(), SinkError> {
    let differs = |found: &str| misplaced(sink, path, format!("at least {length} bytes"), found.into());
    let about = match fs::metadata(path) {
        Ok(about) => about,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(differs("no file")),
        Err(error) => return Err(io_error(sink, "open", path, error)),
    };
    if !about.is_file() {
        return Err(differs("no regular file"));
    }
    if about.len() < length {
        return Err(differs(&about.len().to_string()));
    }
    if about.len() > length {
        let file = OpenOptions::new().write(true).open(path);
        file.and_then(|file| file.set_len(length)).map_err(|error| io_error(sink, "cut", path, error))?;
    }
    Ok(())
}
