//! Recording: a source that writes down what another emits.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded};
use neuraflow_core::ingest::Ingest;
use neuraflow_core::model::{Packet, PacketBody, StreamHeader, StreamKey};
use neuraflow_core::source::{Polled, Source, SourceContext, SourceError, SourceReader, Waker};

use super::format;
use super::replay::PacketLog;

/// Polls whose packets may wait for the disk before the source is held back.
const BATCHES: usize = 8;

/// A source whose packets are written to a log on their way. See [`PacketLog::record`].
///
/// The file is written by a thread of its own, so that no worker waits for a disk. Where the disk is slower than the
/// source, the source is held back: a recording pauses, a device's queue applies its policy. When the source has ended, or
/// the pipeline is stopped, everything that operators have seen is on the disk before the pipeline is over. A crash of
/// the process loses what the thread had not written yet: the packets of at most eight polls.
///
/// A run that is recorded does not go on from a checkpoint, even where its source could: the log would have a hole. It has no
/// positions. What is to survive a crash is replayed from the log.
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
        let waker = context.waker.clone();
        let Some(inner) = self.inner.open(context)? else { return Ok(None) };
        Ok(Some(Box::new(Reader {
            inner,
            gathered: Ingest::gathering(),
            known: BTreeMap::new(),
            writer: Writer::start(Arc::clone(&self.file), self.path.clone(), waker)?,
            path: self.path.clone(),
        })))
    }
}

/// The thread that writes, as its reader sees it.
struct Writer {
    /// Records to be written; none once the source has ended.
    batches: Option<Sender<Vec<u8>>>,
    /// One answer for each batch; disconnected once all is on the disk.
    written: Receiver<Result<(), SourceError>>,
    under_way: usize,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    fn start(file: Arc<Mutex<File>>, path: PathBuf, waker: Waker) -> Result<Self, SourceError> {
        let (batches, queue) = bounded::<Vec<u8>>(BATCHES);
        let (answers, written) = bounded(BATCHES + 1);
        let target = path.clone();
        let write = move || {
            let lock = || file.lock().unwrap_or_else(PoisonError::into_inner);
            for batch in queue {
                let result = lock().write_all(&batch).map_err(|error| io_error("write", &path, error));
                let failed = result.is_err();
                // There is room for as many answers as batches. Who no longer listens needs no answer.
                let _ = answers.try_send(result);
                waker.wake();
                if failed {
                    return;
                }
            }
            if let Err(error) = lock().sync_data() {
                let _ = answers.try_send(Err(io_error("flush", &path, error)));
            }
            drop(answers); // before the wake that tells of it
            waker.wake();
        };
        let thread = std::thread::Builder::new().name("packet log".into()).spawn(write);
        let thread = thread.map_err(|source| io_error("start a thread to write", &target, source))?;
        Ok(Self { batches: Some(batches), written, under_way: 0, thread: Some(thread) })
    }

    /// Takes the answers that are there; whether everything is on the disk.
    fn check(&mut self) -> Result<bool, SourceError> {
        loop {
            match self.written.try_recv() {
                Ok(answer) => answer?,
                Err(TryRecvError::Empty) => return Ok(false),
                Err(TryRecvError::Disconnected) => return Ok(true),
            }
            self.under_way = self.under_way.saturating_sub(1);
        }
    }

    fn write(&mut self, batch: Vec<u8>) {
        // At most BATCHES are under way, so there is room; if the thread has failed, the next check says so.
        if let Some(batches) = &self.batches
            && !batch.is_empty()
            && batches.try_send(batch).is_ok()
        {
            self.under_way += 1;
        }
    }
}

impl Drop for Writer {
    /// The pipeline is over with this source: what operators have seen is written before it ends.
    fn drop(&mut self) {
        self.batches = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        // Nobody polls any more, so nobody else would hear of it.
        while let Ok(answer) = self.written.try_recv() {
            if let Err(error) = answer {
                tracing::error!(%error, "the packet log is incomplete");
            }
        }
    }
}

struct Reader {
    inner: Box<dyn SourceReader>,
    gathered: Ingest,
    /// The header that each stream has in the log.
    known: BTreeMap<StreamKey, StreamHeader>,
    writer: Writer,
    path: PathBuf,
}

impl Reader {
    /// What was gathered, as packets. A stream that is taken up and is not known begins here: a run that is recorded goes on from nothing. One
    /// that is known with another header begins anew, as it does in a pipeline.
    fn packets(&mut self, now: u64) -> Vec<(u64, Packet)> {
        let mut taken_up: BTreeMap<_, _> =
            self.gathered.resumed().map(|header| (header.key, header.clone())).collect();
        let drained = self.gathered.drain();
        taken_up.retain(|key, header| self.known.get(key) != Some(header));
        for (_, packet) in &drained {
            if let PacketBody::Open(header) = &packet.body {
                if taken_up.get(&header.key) == Some(header) {
                    taken_up.remove(&header.key);
                }
                self.known.insert(header.key, (**header).clone());
            }
        }
        self.known.extend(taken_up.iter().map(|(key, header)| (*key, header.clone())));
        // Ahead of all: it is taken up before its first packet.
        let open = |(stream, header)| (now, Packet { stream, body: PacketBody::Open(Box::new(header)) });
        taken_up.into_iter().map(open).chain(drained).collect()
    }
}

impl SourceReader for Reader {
    fn poll(&mut self, out: &mut Ingest, budget: usize) -> Result<Polled, SourceError> {
        let done = self.writer.check()?;
        if self.writer.batches.is_none() {
            return Ok(if done { Polled::Ended } else { Polled::Idle });
        }
        if self.writer.under_way >= BATCHES {
            return Ok(Polled::Idle); // woken by the writer
        }
        let now = out.arrival();
        self.gathered.set_arrival(now);
        let polled = self.inner.poll(&mut self.gathered, budget);
        let packets = self.packets(now);
        let mut batch = Vec::new();
        for (arrival, packet) in &packets {
            let record = format::encode(*arrival, packet).map_err(|found| SourceError::Malformed {
                target: self.path.display().to_string(),
                field: "record".into(),
                expected: format!("a packet of at most {} bytes; send smaller packets", format::LIMIT),
                found,
            })?;
            batch.extend(record);
        }
        self.writer.write(batch);
        for (arrival, packet) in packets {
            out.set_arrival(arrival);
            out.packet(packet);
        }
        out.set_arrival(now);
        match polled {
            Ok(Polled::Ended) => {
                self.writer.batches = None;
                Ok(Polled::Idle) // woken once all is on the disk
            }
            polled => polled,
        }
    }

    fn stopped(&mut self) {
        self.inner.stopped();
    }
}
