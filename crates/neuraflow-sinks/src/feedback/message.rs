//! What is said: the messages of docs/reference/feedback.md as Rust types.

use std::sync::Arc;

use neuraflow_core::model::{NoDecision, StreamHeader, StreamKey, WindowInfo, WindowStatus};
use neuraflow_core::window::Accounting;
use serde::ser::{SerializeSeq, Serializer};
use serde::{Deserialize, Serialize};

use super::life::State;
use super::suppress::Suppressed;
use super::vitals::PipelineBody;

/// The kinds of messages that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The signal, decimated for drawing.
    Signal,
    /// Numbers of a window.
    Features,
    /// What a decoder concluded.
    Decision,
    /// How good each channel is.
    Quality,
    /// Experiment events.
    Marker,
    /// State, accounting and latency of the session.
    Status,
}

impl Kind {
    /// All of them, in the order of their declaration.
    pub const ALL: [Self; 6] =
        [Self::Signal, Self::Features, Self::Decision, Self::Quality, Self::Marker, Self::Status];

    /// Its name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Signal => "signal",
            Self::Features => "features",
            Self::Decision => "decision",
            Self::Quality => "quality",
            Self::Marker => "marker",
            Self::Status => "status",
        }
    }
}

/// A message of a session.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Message {
    /// Its number; in [`Body::Hello`] the session's latest, in [`Body::Heartbeat`] none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// What it says.
    #[serde(flatten)]
    pub body: Body,
}

/// What a message says.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
#[non_exhaustive]
pub enum Body {
    /// The first message.
    Hello(Hello),
    /// The signal of a window, decimated for drawing.
    Signal(SignalBody),
    /// Numbers of a window.
    Features(Table),
    /// Quality of each channel in a window.
    Quality(Table),
    /// What a decoder concluded from a window.
    Decision(DecisionBody),
    /// An experiment event.
    Marker(MarkerBody),
    /// State of the session.
    Status(Box<StatusBody>),
    /// Nothing happened, and the server is well.
    Heartbeat,
}

impl Body {
    /// Its kind, for those that can be asked for.
    pub fn kind(&self) -> Option<Kind> {
        Some(match self {
            Self::Hello(_) | Self::Heartbeat => return None,
            Self::Signal(_) => Kind::Signal,
            Self::Features(_) => Kind::Features,
            Self::Quality(_) => Kind::Quality,
            Self::Decision(_) => Kind::Decision,
            Self::Marker(_) => Kind::Marker,
            Self::Status(_) => Kind::Status,
        })
    }

    /// Its name and stream: with the kind, what a client's `rate` counts apart.
    pub(super) fn source(&self) -> (Option<&Arc<str>>, StreamKey) {
        match self {
            Self::Hello(_) | Self::Heartbeat | Self::Status(_) => (None, StreamKey::default()),
            Self::Signal(body) => (Some(&body.name), body.window.stream.key),
            Self::Features(body) | Self::Quality(body) => (Some(&body.name), body.window.stream.key),
            Self::Decision(body) => (Some(&body.name), body.window.stream.key),
            Self::Marker(body) => (None, body.stream.key),
        }
    }
}

/// What a client is told first.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Hello {
    /// The session's name.
    pub session: String,
    /// The sub-protocol that is spoken.
    pub protocol: String,
    /// State of the session.
    pub state: State,
    /// Its streams, as far as they are known.
    pub streams: Vec<StreamBody>,
    /// Time from one window to the next in milliseconds; `None` before the first.
    pub hop_ms: Option<f64>,
}

/// A stream, for people and pages.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StreamBody {
    /// Its name.
    pub name: String,
    /// Its channels' names.
    pub channels: Vec<String>,
    /// Samples per second.
    pub sampling_rate: f64,
}

impl StreamBody {
    pub(super) fn of(header: &StreamHeader) -> Self {
        Self {
            name: header.name.clone(),
            channels: header.channels.iter().map(|channel| channel.name().to_owned()).collect(),
            sampling_rate: header.rate.as_hz(),
        }
    }
}

/// What every message about a window says.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Stamp {
    /// Whose window.
    #[serde(serialize_with = "stream_name")]
    pub stream: Arc<StreamHeader>,
    /// Its end in event time.
    pub time_ns: i64,
    /// From arrival of the packet that closed it to the message being queued, in microseconds.
    pub age_us: f64,
    /// Complete, gap or partial.
    #[serde(serialize_with = "status_name")]
    pub status: WindowStatus,
    /// Filters or look-back were not filled yet.
    pub warm_up: bool,
}

impl Stamp {
    /// The stamp of a window's result that is queued at `now`, in nanoseconds of the pipeline's clock.
    pub(super) fn of(info: &WindowInfo, now: u64) -> Self {
        Self {
            stream: Arc::clone(&info.stream),
            time_ns: info.end.as_nanos(),
            age_us: now.saturating_sub(info.arrival) as f64 / 1e3,
            status: info.status,
            warm_up: info.warm_up,
        }
    }
}

/// Numbers of a window.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Table {
    /// Which window.
    #[serde(flatten)]
    pub window: Stamp,
    /// The name given to the sink.
    pub name: Arc<str>,
    /// Unit of the numbers.
    pub unit: String,
    /// Names of the rows: channels.
    pub rows: Arc<[String]>,
    /// Names of the columns.
    pub columns: Arc<[String]>,
    /// The numbers.
    pub values: Grid<f64>,
}

/// What a decoder concluded.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DecisionBody {
    /// From which window.
    #[serde(flatten)]
    pub window: Stamp,
    /// The name given to the sink.
    pub name: Arc<str>,
    /// The intent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intent: Option<String>,
    /// Confidence in it, from 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "finite")]
    pub confidence: Option<f64>,
    /// Why there is no intent.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "reason")]
    pub none: Option<NoDecision>,
}

/// The signal of a window, decimated for drawing.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SignalBody {
    /// Which window.
    #[serde(flatten)]
    pub window: Stamp,
    /// The name given to the sink.
    pub name: Arc<str>,
    /// Names of the channels.
    pub channels: Arc<[String]>,
    /// The channels' unit; empty where they have different ones.
    pub unit: Arc<str>,
    /// The window's begin in event time.
    pub start_ns: i64,
    /// Parts that the window was cut into.
    pub points: usize,
    /// The lowest value in each part, `[channel][point]`.
    pub min: Grid<f32>,
    /// The highest value in each part, `[channel][point]`.
    pub max: Grid<f32>,
}

/// An experiment event.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MarkerBody {
    /// Whose.
    #[serde(serialize_with = "stream_name")]
    pub stream: Arc<StreamHeader>,
    /// Its begin in event time.
    pub time_ns: i64,
    /// Its text.
    pub label: String,
    /// How long it lasts; 0 for an instant.
    pub duration_ns: i64,
}

/// State of a session.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StatusBody {
    /// Waiting, live, stale, ended or failed.
    pub state: State,
    /// Why, where that is not obvious.
    pub why: Option<String>,
    /// The session's streams, as in hello: some are known only later.
    pub streams: Vec<StreamBody>,
    /// Time from one window to the next in milliseconds; `None` before the first.
    pub hop_ms: Option<f64>,
    /// Where every sample went, all streams together; `None` where no pipeline is watched.
    pub accounting: Option<Accounting>,
    /// Windows by status; `None` where no pipeline is watched.
    pub windows: Option<WindowsBody>,
    /// Whether the pipeline runs; `None` where none is watched.
    pub pipeline: Option<PipelineBody>,
    /// The parts of latency; `None` where no pipeline is watched.
    pub latency_us: Option<LatencyBody>,
    /// Windows that were not published: too late, or published before.
    pub suppressed: Suppressed,
    /// Group delay of the filters, as declared.
    pub group_delay_ms: f64,
    /// Clients of the session.
    pub clients: usize,
}

/// Windows by status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct WindowsBody {
    pub complete: u64,
    pub gap: u64,
    pub partial: u64,
}

/// The parts of latency, see [`LatencySplit`](neuraflow_core::dataflow::LatencySplit).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct LatencyBody {
    pub wait: Quantiles,
    pub compute: Quantiles,
    pub output: Quantiles,
    pub total: Quantiles,
}

/// Quantiles in microseconds; `None` before the first measurement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct Quantiles {
    pub p50: Option<f64>,
    pub p99: Option<f64>,
    pub p999: Option<f64>,
    pub max: Option<f64>,
}

/// Numbers in rows of equal width; on the wire an array of arrays, with null for what is not a finite number.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Grid<T> {
    /// Numbers in a row.
    pub width: usize,
    /// How many rows; counted apart, since rows may be empty.
    pub rows: usize,
    /// All numbers, row by row.
    pub values: Vec<T>,
}

impl<T: Copy> Grid<T> {
    /// A row's numbers.
    pub fn row(&self, row: usize) -> &[T] {
        let begin = row.saturating_mul(self.width);
        self.values.get(begin..begin.saturating_add(self.width)).unwrap_or_default()
    }

    /// Some of the rows, in the given order.
    pub(super) fn select(&self, rows: &[usize]) -> Self {
        let values = rows.iter().flat_map(|row| self.row(*row)).copied().collect();
        Self { width: self.width, rows: rows.len(), values }
    }
}

impl<T: Copy + Serialize + Into<f64>> Serialize for Grid<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut rows = serializer.serialize_seq(Some(self.rows))?;
        for row in 0..self.rows {
            rows.serialize_element(&Row(self.row(row)))?;
        }
        rows.end()
    }
}

struct Row<'a, T>(&'a [T]);

impl<T: Copy + Serialize + Into<f64>> Serialize for Row<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut row = serializer.serialize_seq(Some(self.0.len()))?;
        for value in self.0 {
            let number: f64 = (*value).into();
            row.serialize_element(&number.is_finite().then_some(value))?;
        }
        row.end()
    }
}

fn stream_name<S: Serializer>(stream: &Arc<StreamHeader>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&stream.name)
}

fn status_name<S: Serializer>(status: &WindowStatus, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(status.name())
}

fn finite<S: Serializer>(value: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    value.filter(|value| value.is_finite()).serialize(serializer)
}

fn reason<S: Serializer>(none: &Option<NoDecision>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match none {
        Some(NoDecision::WarmUp) => "warm_up",
        Some(NoDecision::Gap) => "gap",
        Some(NoDecision::Artifact) => "artifact",
        Some(NoDecision::Degenerate) => "degenerate",
        Some(NoDecision::Undecided) => "undecided",
        Some(NoDecision::Idle) => "idle",
        _ => "other",
    })
}
