//! One session's messages and state, shared by who publishes and who reads.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use neuraflow_core::dataflow::{Health, Watch};
use neuraflow_core::model::{Span, StreamHeader, StreamKey, WindowInfo};
use neuraflow_core::resilience::Clock;
use tokio::sync::Notify;

use super::life::{Life, State};
use super::message::{Body, Hello, LatencyBody, StreamBody};
use super::reader::{Next, Reader, Received, private};
use super::ring::Ring;
use super::subscription::Subscription;
use super::suppress::Suppressions;

/// What a session is and has said.
pub(super) struct Core {
    pub(super) ring: Ring,
    pub(super) life: Life,
    pub(super) streams: BTreeMap<StreamKey, Arc<StreamHeader>>,
    pub(super) hop: Option<Span>,
    pub(super) watch: Option<Watch>,
    pub(super) group_delay: Span,
    /// When the next status is due; at once after a change of state.
    pub(super) status_due: u64,
    /// The state that the last status told.
    pub(super) said: State,
    /// How the watched pipeline was when the last status told it.
    pub(super) told: Option<Health>,
    /// The latency that the last status told.
    pub(super) latency: Option<LatencyBody>,
    /// Windows that the watched pipeline had closed for each stream when it was looked at last.
    pub(super) windows: BTreeMap<StreamKey, u64>,
}

impl Core {
    /// Gets to know a stream.
    pub(super) fn meet(&mut self, header: &Arc<StreamHeader>) {
        if !self.streams.get(&header.key).is_some_and(|known| Arc::ptr_eq(known, header)) {
            self.streams.insert(header.key, Arc::clone(header));
        }
    }

    pub(super) fn stream_bodies(&self) -> Vec<StreamBody> {
        self.streams.values().map(|header| StreamBody::of(header)).collect()
    }

    pub(super) fn hop_ms(&self) -> Option<f64> {
        self.hop.map(Span::as_millis_f64)
    }
}

/// A message on its way, and the window it is about.
pub(super) struct Draft {
    /// None for a window that is not published: that there was one is a sign of life all the same.
    pub(super) body: Option<Body>,
    pub(super) stream: Arc<StreamHeader>,
    /// Length of the window, unless it is an epoch.
    pub(super) hop: Option<Span>,
}

impl Draft {
    pub(super) fn of_window(body: Body, info: &WindowInfo) -> Self {
        Self { body: Some(body), ..Self::untold(info) }
    }

    pub(super) fn untold(info: &WindowInfo) -> Self {
        let hop = info.marker.is_none().then(|| info.end - info.start);
        Self { body: None, stream: Arc::clone(&info.stream), hop }
    }
}

/// Nanoseconds from one window to the next that holds a sample.
pub(super) fn pace(stream: &StreamHeader, hop: Span) -> u64 {
    // Saturates: a rate of next to nothing is infinitely slow.
    let sample = (1e9 / stream.rate.as_hz()) as u64;
    u64::try_from(hop.as_nanos()).unwrap_or(0).max(sample)
}

/// A session as everybody shares it.
pub(super) struct Channel {
    pub(super) name: String,
    pub(super) clock: Arc<dyn Clock>,
    core: Mutex<Core>,
    /// Wakes readers that are threads.
    arrived: Condvar,
    /// Wakes one reader that is a task; it passes the word on, so that who publishes wakes one task, however many wait.
    first: Notify,
    others: Notify,
    clients: AtomicUsize,
    pub(super) suppressions: Suppressions,
}

impl Channel {
    pub(super) fn new(name: String, clock: Arc<dyn Clock>, queue: usize, stale_after: u64) -> Self {
        let core = Core {
            ring: Ring::new(queue),
            life: Life::new(stale_after),
            streams: BTreeMap::new(),
            hop: None,
            watch: None,
            group_delay: Span::ZERO,
            status_due: 0,
            said: State::Waiting,
            told: None,
            latency: None,
            windows: BTreeMap::new(),
        };
        Self {
            name,
            clock,
            core: Mutex::new(core),
            arrived: Condvar::new(),
            first: Notify::new(),
            others: Notify::new(),
            clients: AtomicUsize::new(0),
            suppressions: Suppressions::default(),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Publishes what was computed. Costs the same however many clients there are; answers whether the state changed.
    pub(super) fn publish(&self, drafts: impl IntoIterator<Item = Draft>) -> bool {
        let now = self.clock.now();
        let mut gone = Vec::new();
        let mut changed = false;
        let mut core = self.lock();
        for Draft { body, stream, hop } in drafts {
            core.meet(&stream);
            if let Some(hop) = hop {
                core.hop = Some(hop);
                changed |= core.life.window(stream.key, now, pace(&stream, hop));
            }
            gone.extend(body.and_then(|body| core.ring.push(body)));
        }
        if changed {
            core.status_due = 0;
        }
        drop(core);
        self.wake();
        changed
    }

    /// Wakes everybody who waits for messages.
    pub(super) fn wake(&self) {
        self.arrived.notify_all();
        self.first.notify_one();
    }

    /// Waits for messages, as a task. `ready` looks for them once a wake-up can no longer be missed.
    pub(super) async fn woken<T>(&self, mut ready: impl FnMut() -> Option<T>) -> Option<T> {
        let others = self.others.notified();
        tokio::pin!(others);
        others.as_mut().enable();
        if let Some(found) = ready() {
            return Some(found);
        }
        tokio::select! {
            () = self.first.notified() => self.others.notify_waiters(),
            () = &mut others => {}
        }
        None
    }

    /// Waits for messages, as a thread, for at most `timeout`.
    pub(super) fn wait<'a>(
        &'a self,
        core: MutexGuard<'a, Core>,
        timeout: std::time::Duration,
    ) -> MutexGuard<'a, Core> {
        self.arrived.wait_timeout(core, timeout).unwrap_or_else(PoisonError::into_inner).0
    }

    /// A reader and its hello.
    pub(super) fn join(&self, asked: Subscription, protocol: &str) -> (Reader, Received) {
        let core = self.lock();
        let mut reader = Reader::new(asked, &core.ring);
        let hello = Hello {
            session: self.name.clone(),
            protocol: protocol.to_owned(),
            state: core.life.state(),
            streams: core.stream_bodies(),
            hop_ms: core.hop_ms(),
        };
        let hello = private(Body::Hello(hello), Some(core.ring.latest()), reader.take_skipped());
        (reader, hello)
    }

    pub(super) fn poll(&self, reader: &mut Reader) -> Next {
        let now = self.clock.now();
        reader.poll(&self.lock().ring, now)
    }

    /// What waits for its turn, although that has not come.
    pub(super) fn rest(&self, reader: &mut Reader) -> Option<Received> {
        match reader.poll(&self.lock().ring, u64::MAX) {
            Next::Message(message) => Some(message),
            Next::Wait(_) => None,
        }
    }

    pub(super) fn state(&self) -> State {
        self.lock().life.state()
    }

    pub(super) fn clients(&self) -> usize {
        self.clients.load(Ordering::SeqCst)
    }

    /// Counts a client for as long as the answer lives.
    pub(super) fn count_client(self: &Arc<Self>) -> Counted {
        self.clients.fetch_add(1, Ordering::SeqCst);
        Counted(Arc::clone(self))
    }
}

/// A client's place in the count.
pub(super) struct Counted(Arc<Channel>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.clients.fetch_sub(1, Ordering::SeqCst);
    }
}
