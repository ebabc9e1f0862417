//! The thread that reads a recording ahead, so that the worker never waits for a file.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use neuraflow_core::model::{Chunk, StreamHeader};
use neuraflow_core::source::{SourceError, Waker};

use crate::recording::{Block, Recording, malformed};

/// Values in a batch of blocks, at least: smaller records travel together.
const BATCH_VALUES: usize = 32 << 10;
/// Batches read ahead.
const BATCHES: usize = 2;

/// What the thread says.
#[derive(Debug)]
pub(super) enum Message {
    /// Blocks, in order: a chunk for each stream.
    Blocks(Vec<Vec<Chunk>>),
    /// There are no more.
    End,
    /// The recording could not be read on.
    Failed(SourceError),
}

/// Starts to read `path`, which must still hold `streams`, at the first block with a wanted sample. The thread wakes `waker` after every message and when it
/// ends, and ends soon after the receiver is dropped.
pub(super) fn spawn(
    path: PathBuf,
    streams: Arc<[StreamHeader]>,
    wanted: Vec<u64>,
    waker: Waker,
) -> Result<Receiver<Message>, SourceError> {
    let (sender, receiver) = sync_channel(BATCHES);
    let target = path.display().to_string();
    let mut out = Out { sender: Some(sender), waker };
    thread::Builder::new()
        .name("neuraflow-replay".to_owned())
        .spawn(move || {
            let last = match read(path, &streams, &wanted, &mut out) {
                Ok(()) => Message::End,
                Err(error) => Message::Failed(error),
            };
            out.send(last);
        })
        .map_err(|source| SourceError::Io { action: "start a thread to read", target, source })?;
    Ok(receiver)
}

fn read(path: PathBuf, streams: &[StreamHeader], wanted: &[u64], out: &mut Out) -> Result<(), SourceError> {
    let mut recording = Recording::open(&path)?;
    let same = |(now, then): (&StreamHeader, &StreamHeader)| {
        now.t0 == then.t0 && now.rate == then.rate && now.channels == then.channels
    };
    if recording.streams().len() != streams.len() || !recording.streams().iter().zip(streams).all(same) {
        let target = path.display().to_string();
        return Err(malformed(&target, "streams", "those it had when the replay was made", "others"));
    }
    if wanted.iter().any(|sample| *sample > 0) {
        recording.seek(wanted)?;
    }
    let mut block = Block::default();
    loop {
        let (mut batch, mut values) = (Vec::new(), 0);
        while values < BATCH_VALUES {
            match recording.next_block(&mut block) {
                Ok(true) => {
                    let chunks = block.take();
                    // An empty block counts too, or a batch might never fill.
                    values += 1 + chunks.iter().map(|chunk| chunk.values().len()).sum::<usize>();
                    batch.push(chunks);
                }
                Ok(false) => {
                    out.send(Message::Blocks(batch));
                    return Ok(());
                }
                Err(error) => {
                    out.send(Message::Blocks(batch));
                    return Err(error);
                }
            }
        }
        if !out.send(Message::Blocks(batch)) {
            return Ok(());
        }
    }
}

/// The thread's way out. However the thread ends, the worker is woken once the channel is closed.
struct Out {
    sender: Option<SyncSender<Message>>,
    waker: Waker,
}

impl Out {
    /// Sends, waiting for room; `false` where nobody listens any more.
    fn send(&mut self, message: Message) -> bool {
        let sent = self.sender.as_ref().is_some_and(|sender| sender.send(message).is_ok());
        self.waker.wake();
        sent
    }
}

impl Drop for Out {
    fn drop(&mut self) {
        self.sender = None;
        self.waker.wake();
    }
}

/// The thread is gone without a word: it panicked.
pub(super) fn vanished(target: String) -> SourceError {
    SourceError::Io { action: "read", target, source: io::Error::other("the reading thread stopped") }
}
