//! Metrics: what a monitoring system wants to know, as OpenMetrics text. Names, labels and units: docs/reference/metrics.md;
//! alerts on them: docs/alerts.yml.
//!
//! ```
//! use neuraflow_core::model::Id;
//! use neuraflow_sinks::metrics::Metrics;
//! let metrics = Metrics::default();
//! metrics.device(Id::of_name("headset 7"), "Unicorn"); // for the label device_model
//! // In a graph: `.branch(|raw| raw.feature(SignalQuality::new).sink(metrics.quality()))`
//! //             `.branch(|bands| bands.sink(metrics.latency("bands")))`
//! // Once it runs: `metrics.watch("P01", running.watch())`
//! let connection = metrics.connected(Id::of_name("headset 7"));
//! drop(connection);
//! let text = metrics.text()?; // the answer to GET /metrics; the feedback server gives it by itself
//! assert!(text.contains("device_connection_duration_seconds_count{device_model=\"Unicorn\"} 1"));
//! assert!(text.ends_with("# EOF\n"));
//! # Ok::<(), std::fmt::Error>(())
//! ```
//!
//! A metric has at most so many series; what comes beyond is told in one whose labels are `other`, and counted in
//! `neuraflow_metrics_folded_total`. There a counter has the sum, and a gauge the worst.

mod device;
mod errors;
pub(crate) mod family;
mod histogram;
mod lag;
mod latency;
#[cfg(feature = "layer")]
mod outbox;
mod pipeline;
mod quality;
mod signal;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use neuraflow_core::resilience::{Clock, SystemClock};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::registry::Registry;

pub use device::Connection;
pub use errors::Severity;
pub use lag::Lag;
pub use latency::{LatencySink, LatencyWriter};
pub use quality::{QualitySink, QualityWriter};

use family::{Kind, Writer};

/// Series that a metric may have, unless told otherwise.
const LIMIT: usize = 2_000;

/// The metrics of a process. Cloning gives another handle on the same.
///
/// It is a [`Collector`], for hosts that have a registry of `prometheus-client` of their own; see [the module](self) for the rest.
#[derive(Clone, Debug)]
pub struct Metrics(Arc<Inside>);

#[derive(Debug)]
struct Inside {
    limit: usize,
    clock: Arc<dyn Clock>,
    devices: device::Devices,
    latencies: latency::Latencies,
    scores: quality::Scores,
    errors: errors::Errors,
    pipelines: pipeline::Pipelines,
    lags: lag::Lags,
    #[cfg(feature = "layer")]
    outboxes: outbox::Outboxes,
    /// How many values were told under `other`, by metric.
    folded: Mutex<BTreeMap<&'static str, u64>>,
}

impl Default for Metrics {
    /// With at most 2000 series a metric, and the machine's clock.
    fn default() -> Self {
        Self::new(LIMIT, Arc::new(SystemClock::new()))
    }
}

impl Metrics {
    /// With at most `limit` series a metric, those that differ only in a state, place, status or quantile counted once. Ages are
    /// those of this clock, which must be the pipelines' own.
    pub fn new(limit: usize, clock: Arc<dyn Clock>) -> Self {
        let limit = limit.max(1);
        Self(Arc::new(Inside {
            limit,
            clock,
            devices: device::Devices::new(limit),
            latencies: latency::Latencies::new(limit),
            scores: quality::Scores::default(),
            errors: errors::Errors::new(limit),
            pipelines: pipeline::Pipelines::default(),
            lags: lag::Lags::default(),
            #[cfg(feature = "layer")]
            outboxes: outbox::Outboxes::default(),
            folded: Mutex::default(),
        }))
    }

    /// All metrics, in OpenMetrics text format 1.0.0.
    ///
    /// # Errors
    /// None that is known: the type is that of whoever writes text.
    pub fn text(&self) -> Result<String, fmt::Error> {
        self.text_with(|_| Ok(()))
    }

    /// The same, with more metrics after them.
    pub(crate) fn text_with<F>(&self, more: F) -> Result<String, fmt::Error>
    where
        F: Fn(&mut Writer<'_>) -> fmt::Result + Send + Sync + 'static,
    {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(All { metrics: self.clone(), more }));
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry)?;
        Ok(text)
    }

    fn write(
        &self,
        encoder: DescriptorEncoder<'_>,
        more: impl FnOnce(&mut Writer<'_>) -> fmt::Result,
    ) -> fmt::Result {
        let mut folded = self.0.folded.lock().unwrap_or_else(PoisonError::into_inner);
        let mut out = Writer::new(encoder, self.0.limit, std::mem::take(&mut folded));
        let written = self.0.write(&mut out).and_then(|()| more(&mut out));
        folded.clone_from(&out.folded);
        written?;
        out.family("neuraflow_metrics_folded", "Values told under `other`", Kind::Counter, |family| {
            for (metric, values) in folded.iter() {
                family.tell(&[], &[("metric", metric)], *values as f64);
            }
        })
    }
}

impl Inside {
    fn write(&self, out: &mut Writer<'_>) -> fmt::Result {
        let now = self.clock.now();
        let looks = self.pipelines.look(now);
        self.latencies.write(out)?;
        self.scores.write(out, now)?;
        self.devices.write(out)?;
        self.errors.write(out, looks.iter().map(|look| &look.status))?;
        pipeline::write(&looks, self, out)?;
        #[cfg(feature = "layer")]
        self.outboxes.write(out)?;
        self.lags.write(out)
    }
}

impl Collector for Metrics {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.write(encoder, |_| Ok(()))
    }
}

/// The metrics of a process, and more.
struct All<F> {
    metrics: Metrics,
    more: F,
}

impl<F> fmt::Debug for All<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.metrics.fmt(f)
    }
}

impl<F: Fn(&mut Writer<'_>) -> fmt::Result + Send + Sync + 'static> Collector for All<F> {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.metrics.write(encoder, &self.more)
    }
}
