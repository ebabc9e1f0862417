//! `/metrics`: what a monitoring system wants to know, as OpenMetrics. Names and units: docs/reference/metrics.md.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use neuraflow_core::dataflow::Status;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use super::channel::Channel;
use super::hub::Hub;
use super::life::State;
use super::message::{Body, Kind, LatencyBody};
use super::suppress::Suppressed;
use super::vitals;

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

/// All metrics as text.
pub(super) fn text(hub: &Arc<Hub>) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Scrape::of(hub)));
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry)?;
    Ok(text)
}

#[derive(Debug)]
struct SessionScrape {
    name: String,
    state: State,
    clients: usize,
    latest: u64,
    latency: Option<LatencyBody>,
    suppressed: Suppressed,
    status: Option<Status>,
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
            let (state, latest, latency) = (core.life.state(), core.ring.latest(), core.latency);
            let watch = core.watch.clone();
            drop(core);
            let status = watch.map(|watch| watch.status());
            let (name, clients, suppressed) =
                (channel.name.clone(), channel.clients(), channel.suppressions.counts());
            SessionScrape { name, state, clients, latest, latency, suppressed, status }
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

    fn samples(&self, family: &mut Family<'_>) -> fmt::Result {
        for (session, status) in self.watched() {
            for stream in &status.streams {
                let books = &stream.accounting;
                for (place, samples) in [
                    ("in", books.samples_in),
                    ("windowed", books.windowed),
                    ("late", books.late),
                    ("duplicate", books.duplicate),
                    ("rejected", books.rejected),
                    ("dropped", books.dropped),
                    ("lost", books.lost),
                    ("imputed", books.imputed),
                ] {
                    let labels =
                        [("session", session), ("stream", stream.header.name.as_str()), ("place", place)];
                    family.counter(&labels, samples)?;
                }
            }
        }
        Ok(())
    }

    fn windows(&self, family: &mut Family<'_>) -> fmt::Result {
        for (session, status) in self.watched() {
            for stream in &status.streams {
                let counts = stream.windows;
                for (status, windows) in
                    [("complete", counts.complete), ("gap", counts.gap), ("partial", counts.partial)]
                {
                    let labels =
                        [("session", session), ("stream", stream.header.name.as_str()), ("status", status)];
                    family.counter(&labels, windows)?;
                }
            }
        }
        Ok(())
    }

    fn latency(&self, family: &mut Family<'_>) -> fmt::Result {
        for session in &self.sessions {
            let Some(latency) = &session.latency else { continue };
            for (part, q) in [
                ("wait", latency.wait),
                ("compute", latency.compute),
                ("output", latency.output),
                ("total", latency.total),
            ] {
                for (quantile, micros) in [("0.5", q.p50), ("0.99", q.p99), ("0.999", q.p999), ("1", q.max)] {
                    if let Some(micros) = micros {
                        let labels =
                            [("session", session.name.as_str()), ("part", part), ("quantile", quantile)];
                        family.gauge(&labels, micros / 1e6)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn suppressed(&self, family: &mut Family<'_>) -> fmt::Result {
        for session in &self.sessions {
            let counts = session.suppressed;
            for (reason, windows) in [("stale", counts.stale), ("repeat", counts.repeat)] {
                family.counter(&[("session", session.name.as_str()), ("reason", reason)], windows)?;
            }
        }
        Ok(())
    }

    fn states(&self, family: &mut Family<'_>) -> fmt::Result {
        for session in &self.sessions {
            for state in [State::Waiting, State::Live, State::Stale, State::Ended, State::Failed] {
                let labels = [("session", session.name.as_str()), ("state", state.name())];
                family.gauge(&labels, f64::from(u8::from(session.state == state)))?;
            }
        }
        Ok(())
    }

    fn watched(&self) -> impl Iterator<Item = (&str, &Status)> {
        self.sessions
            .iter()
            .filter_map(|session| session.status.as_ref().map(|status| (session.name.as_str(), status)))
    }
}

/// One metric with all its label sets.
pub(super) struct Family<'a>(MetricEncoder<'a>);

impl Family<'_> {
    pub(super) fn counter(&mut self, labels: &[(&str, &str)], value: u64) -> fmt::Result {
        if labels.is_empty() {
            return self.0.encode_counter::<NoLabelSet, _, u64>(&value, None);
        }
        self.0.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&value, None)
    }

    pub(super) fn gauge(&mut self, labels: &[(&str, &str)], value: f64) -> fmt::Result {
        self.0.encode_family(&labels)?.encode_gauge(&value)
    }
}

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        use MetricType::{Counter, Gauge};
        let mut family = |name, help, kind, fill: &dyn Fn(&mut Family<'_>) -> fmt::Result| {
            fill(&mut Family(encoder.encode_descriptor(name, help, None, kind)?))
        };
        family("neuraflow_samples", "Samples by where they ended", Counter, &|f| self.samples(f))?;
        family("neuraflow_windows", "Windows closed, by status", Counter, &|f| self.windows(f))?;
        family("neuraflow_latency_seconds", "Latency of windows since the start, by part", Gauge, &|f| {
            self.latency(f)
        })?;
        for (name, help, kind, write) in vitals::METRICS {
            family(name, help, kind, &|f| {
                self.watched().try_for_each(|(session, status)| write(f, session, status))
            })?;
        }
        family("neuraflow_session_state", "1 for the state that a session is in", Gauge, &|f| {
            self.states(f)
        })?;
        family("neuraflow_session_messages", "Messages that a session published", Counter, &|f| {
            self.sessions.iter().try_for_each(|s| f.counter(&[("session", s.name.as_str())], s.latest))
        })?;
        family("neuraflow_session_suppressed", "Windows not published, by reason", Counter, &|f| {
            self.suppressed(f)
        })?;
        family("neuraflow_feedback_clients", "WebSocket clients connected", Gauge, &|f| {
            self.sessions.iter().try_for_each(|s| f.gauge(&[("session", s.name.as_str())], s.clients as f64))
        })?;
        family("neuraflow_feedback_messages", "Messages sent to clients, by kind", Counter, &|f| {
            self.sent.iter().try_for_each(|(kind, sent)| f.counter(&[("kind", kind)], *sent))
        })?;
        family(
            "neuraflow_feedback_skipped",
            "Messages that clients missed: too slow, or away",
            Counter,
            &|f| f.counter(&[], self.skipped),
        )?;
        family("neuraflow_feedback_refused", "Requests and connections refused", Counter, &|f| {
            f.counter(&[], self.refused)
        })?;
        family("neuraflow_feedback_closed", "Clients closed by the server", Counter, &|f| {
            f.counter(&[], self.closed)
        })
    }
}
