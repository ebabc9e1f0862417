//! Feedback: the sessions, and the thread that looks after them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::time::Duration;

use neuraflow_core::resilience::{Clock, SystemClock};

use super::channel::Channel;
use super::config::FeedbackConfig;
use super::error::FeedbackError;
use super::metrics::Counters;
use super::session::Session;
use super::subscriber::Subscriber;
use super::subscription::Subscription;
use crate::metrics::Metrics;

/// How often the sessions are looked after.
const LOOK: Duration = Duration::from_millis(25);

/// Sends what pipelines compute to whoever watches: over WebSockets, or to threads of the same process.
///
/// Cloning gives another handle on the same sessions. See [the module](super) for an example.
#[derive(Clone)]
pub struct Feedback {
    pub(super) hub: Arc<Hub>,
}

/// What all handles share.
pub(super) struct Hub {
    pub(super) config: FeedbackConfig,
    pub(super) counters: Counters,
    pub(super) metrics: Metrics,
    pub(super) clients: AtomicUsize,
    clock: Arc<dyn Clock>,
    sessions: Mutex<BTreeMap<String, Arc<Channel>>>,
    pub(super) bell: Arc<Bell>,
}

/// Tells the thread to look at once, or to end.
#[derive(Default)]
pub(super) struct Bell {
    rung: Mutex<(bool, bool)>,
    ring: Condvar,
}

impl Bell {
    pub(super) fn ring(&self) {
        self.rung.lock().unwrap_or_else(PoisonError::into_inner).0 = true;
        self.ring.notify_one();
    }

    fn end(&self) {
        self.rung.lock().unwrap_or_else(PoisonError::into_inner).1 = true;
        self.ring.notify_one();
    }

    /// Waits for the next look; `false` at the end.
    fn wait(&self) -> bool {
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        let quiet = |rung: &mut (bool, bool)| !rung.0 && !rung.1;
        let waited = self.ring.wait_timeout_while(rung, LOOK, quiet);
        let (mut rung, _) = waited.unwrap_or_else(PoisonError::into_inner);
        rung.0 = false;
        !rung.1
    }
}

impl Feedback {
    /// Feedback with these settings. Nothing listens yet: see [`serve`](Self::serve) and [`subscribe`](Self::subscribe).
    pub fn new(config: FeedbackConfig) -> Result<Self, FeedbackError> {
        Self::with_clock(config, Arc::new(SystemClock::new()))
    }

    /// Feedback that measures how long streams are silent with this clock.
    pub fn with_clock(config: FeedbackConfig, clock: Arc<dyn Clock>) -> Result<Self, FeedbackError> {
        let metrics = Metrics::new(config.series, Arc::clone(&clock));
        let bell = Arc::new(Bell::default());
        let hub = Arc::new(Hub {
            config,
            counters: Counters::default(),
            metrics,
            clients: AtomicUsize::new(0),
            clock,
            sessions: Mutex::default(),
            bell: Arc::clone(&bell),
        });
        let weak = Arc::downgrade(&hub);
        std::thread::Builder::new()
            .name("feedback status".into())
            .spawn(move || look_after(&weak, &bell))
            .map_err(|source| FeedbackError::Start { what: "the status thread", source })?;
        Ok(Self { hub })
    }

    /// The session of that name, opened if it is new or had ended. Its clients stay, and its numbers go on.
    pub fn session(&self, name: impl Into<String>) -> Session {
        let name = name.into();
        let mut sessions = self.hub.lock();
        let channel = sessions.entry(name.clone()).or_insert_with(|| {
            let stale = u64::try_from(self.hub.config.stale_after.as_nanos()).unwrap_or(u64::MAX);
            Arc::new(Channel::new(name, Arc::clone(&self.hub.clock), self.hub.config.queue, stale))
        });
        let channel = Arc::clone(channel);
        drop(sessions);
        channel.change(|core| {
            core.windows.clear();
            if core.life.state().is_final() {
                // What the pipeline before has counted is no sign of life of the one to come.
                (core.watch, core.told, core.latency, core.hop) = (None, None, None, None);
                core.streams.clear();
                self.hub.metrics.forget(&channel.name);
            }
            core.life.reopen()
        });
        Session::new(channel, &self.hub)
    }

    /// Reads a session's messages in this process. It gets hello, then what is published from now on.
    pub fn subscribe(&self, session: &str, asked: Subscription) -> Result<Subscriber, FeedbackError> {
        let asked = asked.checked()?;
        let channel = self.hub.channel(session).ok_or_else(|| FeedbackError::UnknownSession {
            expected: self.hub.channels().iter().map(|channel| channel.name.clone()).collect(),
            found: session.to_owned(),
        })?;
        Ok(Subscriber::new(channel, asked))
    }

    /// What `/metrics` tells beside the server's own: a host tells there of its devices, errors, outboxes and lag.
    pub fn metrics(&self) -> &Metrics {
        &self.hub.metrics
    }

    /// WebSocket clients now, all sessions together.
    pub fn clients(&self) -> usize {
        self.hub.clients.load(Ordering::SeqCst)
    }
}

impl fmt::Debug for Feedback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sessions: Vec<_> = self.hub.lock().keys().cloned().collect();
        f.debug_struct("Feedback").field("sessions", &sessions).field("clients", &self.clients()).finish()
    }
}

impl Hub {
    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Arc<Channel>>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn channel(&self, name: &str) -> Option<Arc<Channel>> {
        self.lock().get(name).cloned()
    }

    pub(super) fn channels(&self) -> Vec<Arc<Channel>> {
        self.lock().values().cloned().collect()
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.bell.end();
    }
}

fn look_after(hub: &Weak<Hub>, bell: &Bell) {
    while bell.wait() {
        let Some(hub) = hub.upgrade() else { return };
        hub.channels().iter().for_each(|channel| channel.tick());
    }
}
