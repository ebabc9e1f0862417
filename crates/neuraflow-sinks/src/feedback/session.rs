//! A session: one running pipeline, and the sinks that its graph ends in.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use neuraflow_core::dataflow::{StreamMarker, Watch};
use neuraflow_core::model::{Decision, Features, Span, Window};

use super::channel::{Channel, Draft};
use super::hub::{Bell, Hub};
use super::life::State;
use super::message::{Body, DecisionBody, Grid, MarkerBody, Stamp, Table};
use super::signal::Decimator;
use super::sink::{FeedbackSink, Look};
use super::suppress::{Moment, Suppressed};
use crate::metrics::Metrics;

/// One running pipeline, as its clients see it.
///
/// The sinks it makes run on the workers: they never block, and take microseconds however many clients there are.
#[derive(Clone)]
pub struct Session {
    pub(super) channel: Arc<Channel>,
    pub(super) bell: Arc<Bell>,
    /// Of what programs act on.
    max_age: Option<Duration>,
    metrics: Metrics,
}

impl Session {
    pub(super) fn new(channel: Arc<Channel>, hub: &Hub) -> Self {
        let (bell, metrics) = (Arc::clone(&hub.bell), hub.metrics.clone());
        Self { channel, bell, max_age: hub.config.max_age, metrics }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.channel.name
    }

    /// Its state.
    pub fn state(&self) -> State {
        self.channel.state()
    }

    /// WebSocket clients of this session now.
    pub fn clients(&self) -> usize {
        self.channel.clients()
    }

    /// Number of its latest message.
    pub fn seq(&self) -> u64 {
        self.channel.lock().ring.latest()
    }

    /// Windows that were not published since the session was opened first.
    pub fn suppressed(&self) -> Suppressed {
        self.channel.suppressions.counts()
    }

    /// Sends features as `features` messages of this name, while they are [fresh](super::FeedbackConfig::max_age).
    pub fn features(&self, name: &str) -> FeedbackSink<Features> {
        let label: Arc<str> = name.into();
        FeedbackSink::new(self, name, self.max_age, FEATURES, move || {
            let name = Arc::clone(&label);
            Box::new(move |features: Features, now| table(&name, features, now, Body::Features))
        })
    }

    /// Sends features as `quality` messages: `quality` is a score from 0 to 1 for each channel, `flags` are 0 or 1.
    pub fn quality(&self, name: &str) -> FeedbackSink<Features> {
        let label: Arc<str> = name.into();
        FeedbackSink::new(self, name, None, FEATURES, move || {
            let name = Arc::clone(&label);
            Box::new(move |features: Features, now| table(&name, features, now, Body::Quality))
        })
    }

    /// Sends windows as `signal` messages (`raw` or `filtered`), each cut into `points` parts (at least one) of which the
    /// lowest and the highest value are kept.
    pub fn signal(&self, name: &str, points: usize) -> FeedbackSink<Window> {
        let label: Arc<str> = name.into();
        let look: Look<Window> =
            Look { moment: |w| Moment::of_window(&w.info), untold: |w| Draft::untold(&w.info) };
        FeedbackSink::new(self, name, None, look, move || {
            let mut decimator = Decimator::new(Arc::clone(&label), points);
            Box::new(move |window: Window, now| {
                let body = Body::Signal(decimator.cut(&window, now));
                Draft::of_window(body, &window.info)
            })
        })
    }

    /// Sends decisions as `decision` messages of this name, while they are [fresh](super::FeedbackConfig::max_age).
    pub fn decisions<I>(&self, name: &str) -> FeedbackSink<Decision<I>>
    where
        I: fmt::Display + Clone + Send + 'static,
    {
        let label: Arc<str> = name.into();
        let look: Look<Decision<I>> =
            Look { moment: |d| Moment::of_window(&d.info), untold: |d| Draft::untold(&d.info) };
        FeedbackSink::new(self, name, self.max_age, look, move || {
            let name = Arc::clone(&label);
            Box::new(move |decision: Decision<I>, now| decided(&name, &decision, now))
        })
    }

    /// Sends experiment events as `marker` messages.
    pub fn markers(&self) -> FeedbackSink<StreamMarker> {
        let look = Look {
            moment: Moment::of_marker,
            untold: |item| Draft { body: None, stream: Arc::clone(&item.stream), hop: None },
        };
        FeedbackSink::new(self, "markers", None, look, || {
            Box::new(|item: StreamMarker, _| {
                let body = Body::Marker(MarkerBody {
                    stream: Arc::clone(&item.stream),
                    time_ns: item.marker.time.as_nanos(),
                    label: item.marker.label.clone(),
                    duration_ns: item.marker.duration.as_nanos(),
                });
                Draft { body: Some(body), stream: item.stream, hop: None }
            })
        })
    }

    /// Tells accounting, windows and latency of this pipeline in the session's `status`, and in the metrics.
    pub fn watch(&self, watch: Watch) {
        self.metrics.watch(self.name(), watch.clone());
        self.channel.change(|core| {
            core.watch = Some(watch);
            core.windows.clear();
            false
        });
    }

    /// Tells the group delay of the pipeline's filters in the session's `status`.
    pub fn group_delay(&self, delay: Span) {
        self.channel.lock().group_delay = delay;
    }

    /// The pipeline has ended as it should. Clients stay connected and see it.
    pub fn ended(&self) {
        self.channel.change(|core| core.life.end());
    }

    /// The pipeline has failed. Clients stay connected and see why; `/health` says so too.
    pub fn failed(&self, why: impl Into<String>) {
        self.channel.change(|core| core.life.fail(why.into()));
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("name", &self.name()).field("state", &self.state()).finish()
    }
}

const FEATURES: Look<Features> =
    Look { moment: |f| Moment::of_window(&f.info), untold: |f| Draft::untold(&f.info) };

fn table(name: &Arc<str>, features: Features, now: u64, body: fn(Table) -> Body) -> Draft {
    let Features { info, spec, values } = features;
    let table = Table {
        window: Stamp::of(&info, now),
        name: Arc::clone(name),
        unit: spec.unit.clone(),
        rows: Arc::clone(&spec.rows),
        columns: Arc::clone(&spec.columns),
        values: Grid { width: spec.columns.len(), rows: spec.rows.len(), values },
    };
    Draft::of_window(body(table), &info)
}

fn decided<I: fmt::Display>(name: &Arc<str>, decision: &Decision<I>, now: u64) -> Draft {
    let (intent, confidence, none) = match &decision.outcome {
        Ok((intent, confidence)) => (Some(intent.to_string()), Some(*confidence), None),
        Err(none) => (None, None, Some(*none)),
    };
    let window = Stamp::of(&decision.info, now);
    let body = DecisionBody { window, name: Arc::clone(name), intent, confidence, none };
    Draft::of_window(Body::Decision(body), &decision.info)
}
