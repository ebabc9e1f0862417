//! How far sources that read a log of somebody else's, such as Kafka's, are behind its end.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::Metrics;
use super::family::{Kind, Writer};

/// How far a source is behind in one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lag {
    /// The topic.
    pub topic: String,
    /// The partition of it.
    pub partition: i32,
    /// Records that it has not read yet.
    pub records: u64,
}

type Read = Arc<dyn Fn() -> Vec<Lag> + Send + Sync>;

/// What says how far sources are behind, by their names.
#[derive(Default)]
pub(super) struct Lags(Mutex<BTreeMap<String, Read>>);

impl fmt::Debug for Lags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lags")
    }
}

impl Metrics {
    /// Tells how far a source is behind, as `kafka_consumer_lag_records`. `read` is called at each scrape and must not wait: it
    /// says what the source's own statistics had last.
    ///
    /// ```
    /// use neuraflow_sinks::metrics::{Lag, Metrics};
    /// let metrics = Metrics::default();
    /// metrics.lag("ingest", || vec![Lag { topic: "eeg".into(), partition: 3, records: 12 }]);
    /// let line = "kafka_consumer_lag_records{source=\"ingest\",topic=\"eeg\",partition=\"3\"} 12.0";
    /// assert!(metrics.text()?.contains(line));
    /// # Ok::<(), std::fmt::Error>(())
    /// ```
    pub fn lag(&self, source: impl Into<String>, read: impl Fn() -> Vec<Lag> + Send + Sync + 'static) {
        self.0.lags.0.lock().unwrap_or_else(PoisonError::into_inner).insert(source.into(), Arc::new(read));
    }
}

impl Lags {
    pub(super) fn write(&self, out: &mut Writer<'_>) -> fmt::Result {
        // What is called does not hold others up that want to be told of.
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let help = "Records that a source has not read yet";
        out.family("kafka_consumer_lag_records", help, Kind::Largest, |family| {
            for (source, read) in &all {
                for Lag { topic, partition, records } in read() {
                    let partition = partition.to_string();
                    let who = [("source", source.as_str()), ("topic", &topic), ("partition", &partition)];
                    family.tell(&who, &[], records as f64);
                }
            }
        })
    }
}
