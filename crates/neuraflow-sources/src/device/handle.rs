//! The device's side: a handle that any thread or task may push with.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use neuraflow_core::model::{Control, Marker, Sequence, StreamHeader, StreamKey};

use super::error::{PushError, Pushed};
use super::journal::JournalStats;
use super::offer::Offer;
use super::queue::DeviceStats;
use super::shared::{Shared, State};

/// Pushes into a pipeline, from any thread. Clones push into the same one; when the last is dropped, all streams
/// end, and so does the source.
///
/// With a [journal](super::journaled) everything that is accepted is written to it before the call returns; a slow disk holds
/// up the device then, but never the pipeline.
pub struct DeviceHandle {
    shared: Arc<Shared>,
    handles: Arc<AtomicUsize>,
}

impl DeviceHandle {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, handles: Arc::new(AtomicUsize::new(1)) }
    }

    /// Opens a stream, or opens it anew after a reconnect: its samples count from 0 again.
    pub fn open(&self, header: StreamHeader) -> Result<(), PushError> {
        self.offer(&Offer::Open(&header))
    }

    /// Pushes samples, `[sample][channel]` in microvolts; `sequence` is the device's counter at the first of them.
    /// A full queue does what [`DeviceConfig::overflow`](super::DeviceConfig::overflow) says: under `Block` the
    /// thread waits until the pipeline made room. Never call that from a worker of the pipeline itself.
    pub fn push(&self, key: &StreamKey, sequence: Sequence, values: &[f32]) -> Result<Pushed, PushError> {
        let offer = Offer::Samples { key, sequence, values };
        loop {
            let wait = &mut |state| {
                drop(self.shared.space.wait(state).unwrap_or_else(PoisonError::into_inner));
            };
            if let Some(pushed) = self.shared.submit(&offer, wait)? {
                return Ok(pushed);
            }
        }
    }

    /// As [`push`](Self::push), but where that would wait it is [`PushError::Full`].
    pub fn try_push(&self, key: &StreamKey, sequence: Sequence, values: &[f32]) -> Result<Pushed, PushError> {
        let mut capacity = 0;
        let wait = &mut |state: MutexGuard<'_, State>| capacity = state.queue.capacity;
        let pushed = self.shared.submit(&Offer::Samples { key, sequence, values }, wait)?;
        pushed.ok_or(PushError::Full { capacity })
    }

    /// As [`push`](Self::push), but a task waits instead of a thread, on any executor. Nothing is pushed if the
    /// future is dropped before it is ready. A journal is written by the task that polls, which takes microseconds unless the
    /// disk is slow.
    pub fn push_async<'a>(
        &'a self,
        key: &StreamKey,
        sequence: Sequence,
        values: &'a [f32],
    ) -> PushFuture<'a> {
        PushFuture { shared: &self.shared, key: *key, sequence, values, task: None }
    }

    /// Sends an experiment event. Never dropped.
    pub fn marker(&self, key: &StreamKey, marker: Marker) -> Result<(), PushError> {
        self.offer(&Offer::Marker { key, marker: &marker })
    }

    /// Tells an operator of a stream something: a new model, for example. Never dropped. What became of it is put out by the pipeline
    /// ([`controls`](neuraflow_core::dataflow::Flow::controls)).
    pub fn control(&self, key: &StreamKey, control: Control) -> Result<(), PushError> {
        self.offer(&Offer::Control { key, control: &control })
    }

    /// Ends a stream; what the device had taken up to then is known from its counter.
    pub fn end(&self, key: &StreamKey) -> Result<(), PushError> {
        self.offer(&Offer::End { key })
    }

    fn offer(&self, offer: &Offer<'_>) -> Result<(), PushError> {
        self.shared.submit(offer, &mut |_| ()).map(drop)
    }

    /// What the journal holds and has lost; `None` without one.
    pub fn journal(&self) -> Option<JournalStats> {
        self.shared.journal.as_ref().map(|journal| journal.stats())
    }

    /// What was pushed and dropped so far.
    pub fn stats(&self) -> DeviceStats {
        self.shared.lock().queue.stats
    }
}

impl Clone for DeviceHandle {
    fn clone(&self) -> Self {
        self.handles.fetch_add(1, Ordering::Relaxed);
        Self { shared: Arc::clone(&self.shared), handles: Arc::clone(&self.handles) }
    }
}

impl Drop for DeviceHandle {
    fn drop(&mut self) {
        if self.handles.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.shared.close();
        }
    }
}

impl fmt::Debug for DeviceHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceHandle").field("stats", &self.stats()).finish()
    }
}

/// Samples on their way into the queue. See [`DeviceHandle::push_async`].
#[must_use = "nothing is pushed until it is awaited"]
pub struct PushFuture<'a> {
    shared: &'a Shared,
    key: StreamKey,
    sequence: Sequence,
    values: &'a [f32],
    task: Option<u64>,
}

impl Future for PushFuture<'_> {
    type Output = Result<Pushed, PushError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut task = self.task;
        let wait = &mut |mut state: MutexGuard<'_, State>| task = Some(state.register(task, context.waker()));
        let offer = Offer::Samples { key: &self.key, sequence: self.sequence, values: self.values };
        let pushed = self.shared.submit(&offer, wait);
        self.task = task;
        pushed.transpose().map_or(Poll::Pending, Poll::Ready)
    }
}

impl Drop for PushFuture<'_> {
    fn drop(&mut self) {
        if let Some(task) = self.task {
            self.shared.lock().tasks.remove(&task);
        }
    }
}

impl fmt::Debug for PushFuture<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PushFuture").field("key", &self.key).field("sequence", &self.sequence).finish()
    }
}
