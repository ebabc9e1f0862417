//! A bounded channel to another thread of the host.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crossbeam_channel as channel;
use neuraflow_core::operator::Item;
use neuraflow_core::sink::{Overflow, Placement, Sink, SinkContext, SinkError, SinkWriter};

/// A sink that sends into a channel of at most `capacity` items (at least 1), and the end to receive from.
///
/// Under [`Overflow::Block`] nothing is lost: the writer waits on a thread of its own, and the pipeline is held back
/// once that thread's queue is full too. Under the other policies it runs on the workers and never waits;
/// what it drops is counted. Receiving ends when the pipeline has ended, whether its handle was joined or not, and everything was
/// received.
///
/// ```
/// use neuraflow_core::model::Chunk;
/// use neuraflow_core::sink::{Overflow, Sink, SinkContext, SinkWriter};
///
/// let (sink, receiver) = neuraflow_sinks::bounded(2, Overflow::DropOldest);
/// let mut writer = sink.open(&SinkContext::default())?;
/// writer.write(&mut (0..5).map(|n| Chunk::new(n, 1)).collect())?;
/// drop((sink, writer));
/// assert_eq!(receiver.dropped(), 3);
/// assert_eq!(receiver.iter().map(|chunk| chunk.first()).collect::<Vec<_>>(), [3, 4]);
/// # Ok::<(), neuraflow_core::sink::SinkError>(())
/// ```
pub fn bounded<T: Item>(capacity: usize, overflow: Overflow) -> (ChannelSink<T>, Receiver<T>) {
    let capacity = capacity.max(1);
    let (sender, items) = channel::bounded(capacity);
    let shared = Arc::new(Shared::default());
    // Only who drops the oldest needs to take from the channel; with a second receiver the channel itself no longer
    // tells that the first one is gone, so a flag does.
    let oldest = (overflow == Overflow::DropOldest).then(|| items.clone());
    let name = "channel".to_owned();
    let sink = ChannelSink { name, capacity, overflow, sender, oldest, shared: Arc::clone(&shared) };
    (sink, Receiver { items, shared })
}

#[derive(Debug, Default)]
struct Shared {
    dropped: AtomicU64,
    gone: AtomicBool,
}

/// Sends items into a channel. See [`bounded`].
pub struct ChannelSink<T> {
    name: String,
    capacity: usize,
    overflow: Overflow,
    sender: channel::Sender<T>,
    oldest: Option<channel::Receiver<T>>,
    shared: Arc<Shared>,
}

impl<T> ChannelSink<T> {
    /// Gives it a name, to tell it from others in reports and errors.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }
}

impl<T> fmt::Debug for ChannelSink<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("ChannelSink");
        debug
            .field("name", &self.name)
            .field("capacity", &self.capacity)
            .field("overflow", &self.overflow)
            .finish()
    }
}

impl<T: Item> Sink for ChannelSink<T> {
    type Item = T;
    type Writer = ChannelWriter<T>;

    fn name(&self) -> String {
        self.name.clone()
    }

    fn placement(&self) -> Placement {
        match self.overflow {
            Overflow::Block => Placement::Thread { capacity: self.capacity, overflow: Overflow::Block },
            Overflow::DropOldest | Overflow::DropNewest => Placement::Inline,
        }
    }

    fn open(&self, _: &SinkContext) -> Result<ChannelWriter<T>, SinkError> {
        Ok(ChannelWriter {
            name: self.name.clone(),
            overflow: self.overflow,
            sender: self.sender.clone(),
            oldest: self.oldest.clone(),
            shared: Arc::clone(&self.shared),
        })
    }
}

/// One writer of a [`ChannelSink`].
pub struct ChannelWriter<T> {
    name: String,
    overflow: Overflow,
    sender: channel::Sender<T>,
    oldest: Option<channel::Receiver<T>>,
    shared: Arc<Shared>,
}

impl<T> fmt::Debug for ChannelWriter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChannelWriter").field("name", &self.name).field("overflow", &self.overflow).finish()
    }
}

impl<T> ChannelWriter<T> {
    /// Sends one item as the policy says; `false` if there is nobody to receive it.
    fn send(&self, item: T) -> bool {
        let mut item = match self.overflow {
            Overflow::Block => return self.sender.send(item).is_ok(),
            Overflow::DropOldest | Overflow::DropNewest => item,
        };
        while !self.shared.gone.load(Ordering::Acquire) {
            match self.sender.try_send(item) {
                Ok(()) => return true,
                Err(channel::TrySendError::Disconnected(_)) => return false,
                Err(channel::TrySendError::Full(back)) => item = back,
            }
            let Some(oldest) = &self.oldest else {
                self.shared.dropped.fetch_add(1, Ordering::Relaxed);
                return true;
            };
            if oldest.try_recv().is_ok() {
                self.shared.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
        false
    }
}

impl<T: Item> SinkWriter for ChannelWriter<T> {
    type Item = T;

    fn write(&mut self, items: &mut Vec<T>) -> Result<(), SinkError> {
        for item in items.drain(..) {
            if !self.send(item) {
                return Err(SinkError::Disconnected { sink: self.name.clone() });
            }
        }
        Ok(())
    }
}

/// Where the items of a [`ChannelSink`] come out.
pub struct Receiver<T> {
    items: channel::Receiver<T>,
    shared: Arc<Shared>,
}

impl<T> Receiver<T> {
    /// The next item, waited for; `None` once there will be no more.
    pub fn recv(&self) -> Option<T> {
        self.items.recv().ok()
    }

    /// The next item if it comes within `timeout`.
    pub fn recv_timeout(&self, timeout: Duration) -> Option<T> {
        self.items.recv_timeout(timeout).ok()
    }

    /// The next item if it is there already.
    pub fn try_recv(&self) -> Option<T> {
        self.items.try_recv().ok()
    }

    /// All items, each waited for, until there will be no more.
    pub fn iter(&self) -> impl Iterator<Item = T> {
        self.items.iter()
    }

    /// Items that were dropped because nobody received them in time.
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.shared.gone.store(true, Ordering::Release);
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("waiting", &self.items.len())
            .field("dropped", &self.dropped())
            .finish()
    }
}
