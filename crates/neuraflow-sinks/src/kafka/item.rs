//! What a record says: a result as MessagePack.

use std::fmt;
use std::sync::Arc;

use neuraflow_core::model::{Decision, Features, NoDecision, Window, WindowInfo};
use neuraflow_core::operator::Item;
use serde::{Deserialize, Serialize};

/// The version that is written.
const VERSION: u8 = 1;

/// A result that can be written into a topic.
pub trait KafkaItem: Item {
    /// The window it was computed from.
    fn window(&self) -> &WindowInfo;

    /// What it says.
    fn result(&self) -> KafkaResult;
}

/// The value of a record: a MessagePack map with these names. Its key is the [stream's](neuraflow_core::model::StreamKey::to_bytes).
///
/// `(key, sink, index)` names a result: the same result, written again, has the same three.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KafkaRecord {
    /// The version of the format: 1.
    pub version: u8,
    /// The name given to the sink.
    pub sink: Arc<str>,
    /// What people call the stream.
    pub stream: String,
    /// The window's number on the grid of windows.
    pub index: i64,
    /// Its begin in event time, in nanoseconds since the Unix epoch.
    pub start_ns: i64,
    /// Its end in event time.
    pub end_ns: i64,
    /// Samples that belong in it.
    pub expected: u32,
    /// Those of them that came.
    pub received: u32,
    /// Those of them that were made up by the gap policy.
    pub imputed: u32,
    /// `complete`, `gap` or `partial`.
    pub status: String,
    /// Filters or look-back were not filled yet.
    pub warm_up: bool,
    /// The label of the marker that it was cut around, if it was.
    pub marker: Option<String>,
    /// What was found.
    pub result: KafkaResult,
}

/// What was found in a window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum KafkaResult {
    /// Numbers, row by row.
    Features {
        /// Names of the rows: channels.
        rows: Arc<[String]>,
        /// Names of the columns.
        columns: Arc<[String]>,
        /// Unit of the numbers.
        unit: String,
        /// The numbers, `[row][column]`; NaN where there is none.
        values: Vec<f64>,
    },
    /// The samples themselves.
    Window {
        /// Names of the channels.
        channels: Vec<String>,
        /// The values, `[sample][channel]`, in the channels' units; NaN where one is missing.
        values: Vec<f32>,
    },
    /// What a decoder concluded.
    Decision {
        /// The intent, if there is one.
        intent: Option<String>,
        /// Confidence in it, from 0 to 1.
        confidence: Option<f64>,
        /// Why there is none: `warm_up`, `gap`, `artifact`, `degenerate`, `other`.
        none: Option<String>,
    },
}

impl KafkaRecord {
    pub(super) fn of(item: &impl KafkaItem, sink: &Arc<str>) -> Self {
        let info = item.window();
        Self {
            version: VERSION,
            sink: Arc::clone(sink),
            stream: info.stream.name.clone(),
            index: info.index,
            start_ns: info.start.as_nanos(),
            end_ns: info.end.as_nanos(),
            expected: info.expected,
            received: info.received,
            imputed: info.imputed,
            status: info.status.name().to_owned(),
            warm_up: info.warm_up,
            marker: info.marker.as_ref().map(|marker| marker.label.clone()),
            result: item.result(),
        }
    }

    /// Reads the value of a record.
    ///
    /// # Errors
    /// It is none of this version.
    ///
    /// ```
    /// use neuraflow_sinks::kafka::KafkaRecord;
    /// assert!(KafkaRecord::read(b"something else").is_err());
    /// ```
    pub fn read(value: &[u8]) -> Result<Self, rmp_serde::decode::Error> {
        let record: Self = rmp_serde::from_slice(value)?;
        if record.version == VERSION {
            Ok(record)
        } else {
            let found = format!("version {VERSION} expected, found {}", record.version);
            Err(rmp_serde::decode::Error::Syntax(found))
        }
    }
}

impl KafkaItem for Features {
    fn window(&self) -> &WindowInfo {
        &self.info
    }

    fn result(&self) -> KafkaResult {
        KafkaResult::Features {
            rows: Arc::clone(&self.spec.rows),
            columns: Arc::clone(&self.spec.columns),
            unit: self.spec.unit.clone(),
            values: self.values.clone(),
        }
    }
}

impl KafkaItem for Window {
    fn window(&self) -> &WindowInfo {
        &self.info
    }

    fn result(&self) -> KafkaResult {
        let channels = self.info.stream.channels.iter().map(|channel| channel.name().to_owned());
        KafkaResult::Window { channels: channels.collect(), values: self.samples.values().to_vec() }
    }
}

impl<I: fmt::Display + Clone + Send + 'static> KafkaItem for Decision<I> {
    fn window(&self) -> &WindowInfo {
        &self.info
    }

    fn result(&self) -> KafkaResult {
        let (intent, confidence, none) = match &self.outcome {
            Ok((intent, confidence)) => (Some(intent.to_string()), Some(*confidence), None),
            Err(none) => (None, None, Some(reason(*none).to_owned())),
        };
        KafkaResult::Decision { intent, confidence, none }
    }
}

fn reason(none: NoDecision) -> &'static str {
    match none {
        NoDecision::WarmUp => "warm_up",
        NoDecision::Gap => "gap",
        NoDecision::Artifact => "artifact",
        NoDecision::Degenerate => "degenerate",
        NoDecision::Undecided => "undecided",
        NoDecision::Idle => "idle",
        _ => "other",
    }
}
