//! Quality scores of channels, as the latest window has them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use neuraflow_core::model::{FeatureSpec, Features, Id, StreamKey};
use neuraflow_core::resilience::Clock;
use neuraflow_core::sink::{Placement, Sink, SinkContext, SinkError, SinkWriter};

use super::Metrics;
use super::family::{Kind, OTHER, Writer};

const NAME: &str = "neural_signal_quality_score";
/// Nanoseconds after which a score says nothing any more: its device may be gone.
const FORGOTTEN: u64 = 60_000_000_000;
/// Of scores that share a series, the lowest of so many nanoseconds is told.
const TOGETHER: u64 = 1_000_000_000;
const COLUMN: &str = "score";

/// The scores of all streams.
#[derive(Debug, Default)]
pub(super) struct Scores(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    streams: BTreeMap<StreamKey, Rows>,
    /// Channels in all of them.
    channels: usize,
    /// The lowest score of the streams for which there was no room, and since when.
    other: Option<(f64, u64)>,
    folded: u64,
}

/// The channels of one stream, and what was told of them when.
#[derive(Debug)]
struct Rows {
    spec: Arc<FeatureSpec>,
    scores: Vec<f64>,
    at: u64,
}

impl Table {
    fn tell(&mut self, features: &Features, column: usize, limit: usize, now: u64) {
        let scores = features.rows().filter_map(|(_, row)| row.get(column).copied());
        let (key, spec) = (features.info.stream.key, &features.spec);
        if self.streams.get(&key).is_some_and(|rows| !Arc::ptr_eq(&rows.spec, spec)) {
            self.forget(|of, _| *of == key);
        }
        if !self.streams.contains_key(&key) {
            if self.channels + spec.rows.len() > limit {
                let lowest = scores.fold(f64::INFINITY, f64::min);
                let known = self.other.filter(|(_, since)| now.saturating_sub(*since) < TOGETHER);
                self.other = Some(known.map_or((lowest, now), |(score, since)| (score.min(lowest), since)));
                self.folded += 1;
                return;
            }
            self.channels += spec.rows.len();
            self.streams.insert(key, Rows { spec: Arc::clone(spec), scores: Vec::new(), at: now });
        }
        if let Some(rows) = self.streams.get_mut(&key) {
            rows.scores.clear();
            rows.scores.extend(scores);
            rows.at = now;
        }
    }

    fn forget(&mut self, which: impl Fn(&StreamKey, &Rows) -> bool) {
        let channels = &mut self.channels;
        self.streams.retain(|key, rows| {
            let forgotten = which(key, rows);
            *channels -= if forgotten { rows.spec.rows.len() } else { 0 };
            !forgotten
        });
    }
}

impl Scores {
    pub(super) fn write(&self, out: &mut Writer<'_>, now: u64) -> fmt::Result {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let old = |at: u64| now.saturating_sub(at) >= FORGOTTEN;
        table.forget(|_, rows| old(rows.at));
        table.other = table.other.filter(|(_, since)| !old(*since));
        out.family(
            NAME,
            "Quality of a channel from 0 to 1, by its latest window",
            Kind::Smallest,
            |family| {
                for (key, rows) in &table.streams {
                    let (session, device) = (hex(key.session), hex(key.device));
                    for (channel, score) in rows.spec.rows.iter().zip(&rows.scores) {
                        let labels =
                            [("session_id", session.as_str()), ("channel", channel), ("device_id", &device)];
                        family.tell(&[], &labels, *score);
                    }
                }
                if let Some((score, _)) = table.other {
                    let labels = ["session_id", "channel", "device_id"].map(|label| (label, OTHER));
                    family.tell(&[], &labels, score);
                }
            },
        )?;
        out.folded.insert(NAME, table.folded);
        Ok(())
    }
}

/// An id as labels have it.
pub(super) fn hex(id: Id) -> String {
    format!("{id:?}")
}

impl Metrics {
    /// A sink that tells the scores of `ops::quality::SignalQuality`, or of whatever has a column `score`, as
    /// `neural_signal_quality_score`. It runs on the worker. A score that was not told again for a minute is forgotten: its device
    /// may be gone.
    ///
    /// ```
    /// use neuraflow_core::sink::Sink;
    /// use neuraflow_sinks::metrics::Metrics;
    /// let metrics = Metrics::default();
    /// // In a pipeline: `.branch(|raw| raw.feature(SignalQuality::new).sink(metrics.quality()))`
    /// assert_eq!(metrics.quality().name(), "quality scores");
    /// ```
    pub fn quality(&self) -> QualitySink {
        QualitySink { metrics: self.clone() }
    }
}

/// Tells quality scores: see [`Metrics::quality`].
#[derive(Clone, Debug)]
pub struct QualitySink {
    metrics: Metrics,
}

impl Sink for QualitySink {
    type Item = Features;
    type Writer = QualityWriter;

    fn name(&self) -> String {
        "quality scores".into()
    }

    fn placement(&self) -> Placement {
        Placement::Inline
    }

    fn open(&self, context: &SinkContext) -> Result<QualityWriter, SinkError> {
        let clock = Arc::clone(&context.clock);
        Ok(QualityWriter { metrics: self.metrics.clone(), clock })
    }
}

/// One worker's share of a [`QualitySink`].
#[derive(Debug)]
pub struct QualityWriter {
    metrics: Metrics,
    clock: Arc<dyn Clock>,
}

impl SinkWriter for QualityWriter {
    type Item = Features;

    fn write(&mut self, items: &mut Vec<Features>) -> Result<(), SinkError> {
        let (inside, now) = (&self.metrics.0, self.clock.now());
        let mut table = inside.scores.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut wrong = None;
        items.retain(|features| {
            let column = features.spec.columns.iter().position(|name| name == COLUMN);
            match column {
                Some(column) => table.tell(features, column, inside.limit, now),
                None => wrong = Some(features.spec.columns.join(", ")),
            }
            column.is_none()
        });
        drop(table);
        wrong.map_or(Ok(()), |found| {
            let (sink, expected) = ("quality scores".into(), format!("a column {COLUMN}"));
            Err(SinkError::Layout { sink, what: "columns", expected, found })
        })
    }
}
