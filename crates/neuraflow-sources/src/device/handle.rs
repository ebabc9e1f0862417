//! The device's side: a handle that any thread or task may push with.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll};

use neuraflow_core::model::{Marker, Sequence, StreamHeader, StreamKey};

use super::error::{PushError, Pushed};
use super::queue::DeviceStats;
use super::shared::{Shared, State};

/// Pushes into a pipeline, from any thread. Clones push into the same one; when the last is dropped, all streams
/// end, and so does the source.
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
        self.shared.change(|state, now| state.queue.open(header, now))
    }

    /// Pushes samples, `[sample][channel]` in microvolts; `sequence` is the device's counter at the first of them.
    /// A full queue does what [`DeviceConfig::overflow`](super::DeviceConfig::overflow) says: under `Block` the
    /// thread waits until the pipeline made room. Never call that from a worker of the pipeline itself.
    pub fn push(&self, key: &StreamKey, sequence: Sequence, values: &[f32]) -> Result<Pushed, PushError> {
        let mut state = self.shared.lock();
        loop {
            let now = state.now();
            if let Some(pushed) = state.alive()?.queue.offer(key, sequence, values, now)? {
                Shared::release(state);
                return Ok(pushed);
            }
            state = self.shared.space.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// As [`push`](Self::push), but where that would wait it is [`PushError::Full`].
    pub fn try_push(&self, key: &StreamKey, sequence: Sequence, values: &[f32]) -> Result<Pushed, PushError> {
        self.shared.change(|state, now| {
            let offered = state.queue.offer(key, sequence, values, now)?;
            offered.ok_or(PushError::Full { capacity: state.queue.capacity })
        })
    }

    /// As [`push`](Self::push), but a task waits instead of a thread, on any executor. Nothing is pushed if the
    /// future is dropped before it is ready.
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
        self.shared.change(|state, now| state.queue.marker(key, marker, now))
    }

    /// Ends a stream; what the device had taken up to then is known from its counter.
    pub fn end(&self, key: &StreamKey) -> Result<(), PushError> {
        self.shared.change(|state, now| state.queue.end(key, now))
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

impl PushFuture<'_> {
    fn attempt(&self, state: &mut State) -> Result<Option<Pushed>, PushError> {
        let now = state.now();
        state.alive()?.queue.offer(&self.key, self.sequence, self.values, now)
    }
}

impl Future for PushFuture<'_> {
    type Output = Result<Pushed, PushError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.shared.lock();
        match self.attempt(&mut state) {
            Ok(None) => {
                let task = state.register(self.task, context.waker());
                drop(state);
                self.task = Some(task);
                Poll::Pending
            }
            Ok(Some(pushed)) => {
                Shared::release(state);
                Poll::Ready(Ok(pushed))
            }
            Err(error) => Poll::Ready(Err(error)),
        }
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
