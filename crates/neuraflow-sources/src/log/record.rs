//! Recording: a source that writes down what another emits.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use neuraflow_core::ingest::Ingest;
use neuraflow_core::model::StreamHeader;
use neuraflow_core::source::{Polled, Source, SourceContext, SourceError, SourceReader};

use super::format;
use super::replay::PacketLog;

/// A source whose packets are written to a log on their way. See [`PacketLog::record`].
///
/// At the end of each poll the packets are in the hands of the operating system, so a crash of the process loses
/// none that an operator has seen; at the end of the source they are on the disk.
#[derive(Debug)]
pub struct Recorded<S> {
    inner: S,
    file: Arc<Mutex<File>>,
    path: PathBuf,
}

impl PacketLog {
    /// Writes everything that `source` emits to a new file at `path`, control packets included. An existing file
    /// is replaced.
    pub fn record<S: Source>(source: S, path: impl AsRef<Path>) -> Result<Recorded<S>, SourceError> {
        let path = path.as_ref().to_owned();
        let created = File::create(&path).and_then(|mut file| {
            file.write_all(&format::header())?;
            Ok(file)
        });
        let file = created.map_err(|source| io_error("create", &path, source))?;
        Ok(Recorded { inner: source, file: Arc::new(Mutex::new(file)), path })
    }
}

pub(super) fn io_error(action: &'static str, path: &Path, source: io::Error) -> SourceError {
    SourceError::Io { action, target: path.display().to_string(), source }
}

impl<S: Source> Source for Recorded<S> {
    fn name(&self) -> String {
        self.inner.name()
    }

    fn streams(&self) -> Vec<StreamHeader> {
        self.inner.streams()
    }

    fn open(&self, context: SourceContext) -> Result<Option<Box<dyn SourceReader>>, SourceError> {
        let Some(inner) = self.inner.open(context)? else { return Ok(None) };
        Ok(Some(Box::new(Reader {
            inner,
            gathered: Ingest::gathering(),
            bytes: Vec::new(),
            file: Arc::clone(&self.file),
            path: self.path.clone(),
        })))
    }
}

struct Reader {
    inner: Box<dyn SourceReader>,
    gathered: Ingest,
    bytes: Vec<u8>,
    file: Arc<Mutex<File>>,
    path: PathBuf,
}

impl SourceReader for Reader {
    fn poll(&mut self, out: &mut Ingest, budget: usize) -> Result<Polled, SourceError> {
        let now = out.arrival();
        self.gathered.set_arrival(now);
        let polled = self.inner.poll(&mut self.gathered, budget);
        let packets = self.gathered.drain();
        self.bytes.clear();
        for (arrival, packet) in &packets {
            let record = format::encode(*arrival, packet).map_err(|found| SourceError::Malformed {
                target: self.path.display().to_string(),
                field: "record".into(),
                expected: format!("a packet of at most {} bytes; send smaller packets", format::LIMIT),
                found,
            })?;
            self.bytes.extend(record);
        }
        // The log is ahead of the graph: whatever an operator sees is in it.
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(&self.bytes).map_err(|error| io_error("write", &self.path, error))?;
        if polled.as_ref().is_ok_and(|polled| *polled == Polled::Ended) {
            file.sync_data().map_err(|error| io_error("flush", &self.path, error))?;
        }
        drop(file);
        for (arrival, packet) in packets {
            out.set_arrival(arrival);
            out.packet(packet);
        }
        out.set_arrival(now);
        polled
    }
}
