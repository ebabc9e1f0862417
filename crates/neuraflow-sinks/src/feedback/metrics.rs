//! `/metrics`: what the server itself has to tell, after what [`Metrics`](crate::metrics::Metrics) does.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::channel::Channel;
use super::hub::Hub;
use super::life::State;
use super::message::{Body, Kind};
use super::suppress::Suppressed;
use crate::metrics::family::{self, Family, Labels, Writer};

/// What the server counts itself.
#[derive(Debug, Default)]
pub(super) struct Counters {
    sent: [AtomicU64; Kind::ALL.len()],
    private: AtomicU64,
    skipped: AtomicU64,
    refused: AtomicU64,
    closed: AtomicU64,
}

impl Counters {
    pub(super) fn sent(&self, body: &Body, skipped: u64) {
        body.kind().map_or(&self.private, |kind| &self.sent[kind as usize]).fetch_add(1, Ordering::Relaxed);
        self.skipped.fetch_add(skipped, Ordering::Relaxed);
    }

    pub(super) fn closed(&self) {
        self.closed.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }
}

/// All metrics as text: those of the host and of watched pipelines, and those of the server itself.
pub(super) fn text(hub: &Arc<Hub>) -> Result<String, fmt::Error> {
    let scrape = Scrape::of(hub);
    hub.metrics.text_with(move |out| scrape.write(out))
}

#[derive(Debug)]
struct SessionScrape {
    name: String,
    state: State,
    clients: usize,
    latest: u64,
    suppressed: Suppressed,
}

/// Everything at one instant.
#[derive(Debug)]
struct Scrape {
    sessions: Vec<SessionScrape>,
    sent: Vec<(&'static str, u64)>,
    skipped: u64,
    refused: u64,
    closed: u64,
}

impl Scrape {
    fn of(hub: &Hub) -> Self {
        let session = |channel: Arc<Channel>| {
            let core = channel.lock();
            let (state, latest) = (core.life.state(), core.ring.latest());
            drop(core);
            let (name, clients, suppressed) =
                (channel.name.clone(), channel.clients(), channel.suppressions.counts());
            SessionScrape { name, state, clients, latest, suppressed }
        };
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let kinds = Kind::ALL.map(|kind| (kind.name(), read(&hub.counters.sent[kind as usize])));
        Self {
            sessions: hub.channels().into_iter().map(session).collect(),
            sent: kinds.into_iter().chain([("hello_heartbeat", read(&hub.counters.private))]).collect(),
            skipped: read(&hub.counters.skipped),
            refused: read(&hub.counters.refused),
            closed: read(&hub.counters.closed),
        }
    }

    fn of_sessions(&self, family: &mut Family, tell: impl Fn(&mut Family, Labels<'_>, &SessionScrape)) {
        self.sessions.iter().for_each(|session| tell(family, &[("session", &session.name)], session));
    }

    fn write(&self, out: &mut Writer<'_>) -> fmt::Result {
        use family::Kind::{Counter, Largest};
        out.family("neuraflow_session_state", "1 for the state that a session is in", Largest, |f| {
            self.of_sessions(f, |family, who, session| {
                for state in [State::Waiting, State::Live, State::Stale, State::Ended, State::Failed] {
                    let is = f64::from(u8::from(session.state == state));
                    family.tell(who, &[("state", state.name())], is);
                }
            });
        })?;
        out.family("neuraflow_session_messages", "Messages that a session published", Counter, |f| {
            self.of_sessions(f, |family, who, session| family.tell(who, &[], session.latest as f64));
        })?;
        out.family("neuraflow_session_suppressed", "Windows not published, by reason", Counter, |f| {
            self.of_sessions(f, |family, who, session| {
                let counts = session.suppressed;
                for (reason, windows) in [("stale", counts.stale), ("repeat", counts.repeat)] {
                    family.tell(who, &[("reason", reason)], windows as f64);
                }
            });
        })?;
        out.family("neuraflow_feedback_clients", "WebSocket clients connected", Largest, |f| {
            self.of_sessions(f, |family, who, session| family.tell(who, &[], session.clients as f64));
        })?;
        out.family("neuraflow_feedback_messages", "Messages sent to clients, by kind", Counter, |family| {
            for (kind, sent) in &self.sent {
                family.tell(&[], &[("kind", kind)], *sent as f64);
            }
        })?;
        for (name, help, count) in [
            ("neuraflow_feedback_skipped", "Messages that clients missed: too slow, or away", self.skipped),
            ("neuraflow_feedback_refused", "Requests and connections refused", self.refused),
            ("neuraflow_feedback_closed", "Clients closed by the server", self.closed),
        ] {
            out.family(name, help, Counter, |family| family.tell(&[], &[], count as f64))?;
        }
        Ok(())
    }
}
