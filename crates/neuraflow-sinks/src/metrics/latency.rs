//! How long signals take through a pipeline, as a histogram by kind of signal, stage and device model.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use neuraflow_core::model::{StreamKey, WindowInfo};
use neuraflow_core::operator::Item;
use neuraflow_core::resilience::Clock;
use neuraflow_core::sink::{Placement, Sink, SinkContext, SinkError, SinkWriter};

use super::Metrics;
use super::family::{Bounded, Writer};
use super::histogram::Histogram;
use super::signal::signal_type;

/// A millisecond to a second.
const BOUNDS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0];

/// Histograms by stage, device model and kind of signal.
#[derive(Debug)]
pub(super) struct Latencies(Mutex<Bounded<3, Arc<Histogram>>>);

impl Latencies {
    pub(super) fn new(limit: usize) -> Self {
        Self(Mutex::new(Bounded::new(limit, 2)))
    }

    fn cell(&self, stage: &str, model: &str, signal: &str) -> Arc<Histogram> {
        let mut cells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(cells.entry([stage, model, signal], || Arc::new(Histogram::new(BOUNDS))))
    }

    pub(super) fn write(&self, out: &mut Writer<'_>) -> fmt::Result {
        const NAME: &str = "neural_processing_latency_seconds";
        let cells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let series = cells.entries.iter().map(|([stage, model, signal], histogram)| {
            let labels = vec![
                ("signal_type", signal.as_str()),
                ("processing_stage", stage.as_str()),
                ("device_model", model.as_str()),
            ];
            (labels, histogram.buckets())
        });
        out.histogram(NAME, "From arrival of the packet that closed a window to the stage's end", series)?;
        out.folded.insert(NAME, cells.folded());
        Ok(())
    }
}

impl Metrics {
    /// A sink that measures how long what reaches it has taken since the packet that closed its window arrived, as
    /// `neural_processing_latency_seconds` of this `processing_stage`. It runs on the worker, and takes well under a microsecond.
    ///
    /// ```
    /// use neuraflow_core::sink::Sink;
    /// use neuraflow_core::model::Features;
    /// use neuraflow_sinks::metrics::Metrics;
    /// let metrics = Metrics::default();
    /// // In a pipeline: `.feature(..).branch(|bands| bands.sink(metrics.latency("bands")))`
    /// let sink = metrics.latency::<Features>("bands");
    /// assert_eq!(sink.name(), "latency of bands");
    /// ```
    pub fn latency<T: Item>(&self, stage: impl Into<String>) -> LatencySink<T> {
        LatencySink { metrics: self.clone(), stage: stage.into().into(), item: PhantomData }
    }
}

/// Measures how long items have taken: see [`Metrics::latency`].
#[derive(Debug)]
pub struct LatencySink<T> {
    metrics: Metrics,
    stage: Arc<str>,
    item: PhantomData<fn(&T)>,
}

impl<T: Item> Sink for LatencySink<T> {
    type Item = T;
    type Writer = LatencyWriter<T>;

    fn name(&self) -> String {
        format!("latency of {}", self.stage)
    }

    fn placement(&self) -> Placement {
        Placement::Inline
    }

    fn open(&self, context: &SinkContext) -> Result<LatencyWriter<T>, SinkError> {
        Ok(LatencyWriter {
            metrics: self.metrics.clone(),
            stage: Arc::clone(&self.stage),
            clock: Arc::clone(&context.clock),
            cells: BTreeMap::new(),
            version: 0,
            spent: Vec::new(),
        })
    }
}

/// One worker's share of a [`LatencySink`].
#[derive(Debug)]
pub struct LatencyWriter<T> {
    metrics: Metrics,
    stage: Arc<str>,
    clock: Arc<dyn Clock>,
    /// Where the latencies of each stream are counted.
    cells: BTreeMap<StreamKey, Arc<Histogram>>,
    /// Of the devices' models, as they were when these were looked up.
    version: u64,
    spent: Vec<T>,
}

impl<T> LatencyWriter<T> {
    fn record(&mut self, info: &WindowInfo, now: u64) {
        let (metrics, stage) = (&self.metrics.0, &self.stage);
        let cell = self.cells.entry(info.stream.key).or_insert_with(|| {
            let model = metrics.devices.model(info.stream.key.device);
            metrics.latencies.cell(stage, &model, signal_type(&info.stream))
        });
        cell.record(Duration::from_nanos(now.saturating_sub(info.arrival)));
    }
}

impl<T: Item> SinkWriter for LatencyWriter<T> {
    type Item = T;

    fn write(&mut self, items: &mut Vec<T>) -> Result<(), SinkError> {
        let version = self.metrics.0.devices.version();
        if version != self.version || self.cells.len() > self.metrics.0.limit {
            (self.version, self.cells) = (version, BTreeMap::new());
        }
        let now = self.clock.now();
        items.iter().filter_map(Item::info).for_each(|info| self.record(info, now));
        self.spent.clear(); // what nobody took back
        std::mem::swap(items, &mut self.spent);
        Ok(())
    }

    fn spent(&mut self) -> Option<&mut Vec<T>> {
        Some(&mut self.spent)
    }
}
