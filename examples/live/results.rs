//! What comes out of `live`: gathered by callbacks while it runs, summed up when it ends.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use neuraflow::dataflow::StreamMarker;
use neuraflow::operator::Item;
use neuraflow::prelude::*;
use neuraflow::telemetry::OutputDigest;
use serde_json::{Value, json};

use super::summary::{Summary, accounting};

pub const BAND_POWER: &str = "band power";

/// Everything the callbacks keep. Cloning shares it.
#[derive(Clone, Default)]
pub struct Results(Arc<Mutex<Tally>>);

#[derive(Default)]
struct Tally {
    digest: OutputDigest,
    warm_up: u64,
    flagged: BTreeMap<String, u64>,
    /// Sum and count of settled band power, by stream, channel and band.
    power: BTreeMap<(StreamKey, String, String), (f64, u64)>,
    latest: String,
}

impl Results {
    fn with(&self, change: impl FnOnce(&mut Tally)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// A sink that keeps something of every item.
    fn keeping<T: Item, K: Fn(&mut Tally, &T) + Send + Sync + 'static>(
        &self,
        name: &str,
        keep: K,
    ) -> impl Sink<Item = T> + use<T, K> {
        let results = self.clone();
        Callback::new(move |item: &T| results.with(|tally| keep(tally, item))).named(name)
    }

    pub fn markers(&self) -> impl Sink<Item = StreamMarker> + use<> {
        self.keeping("markers", |tally, item: &StreamMarker| {
            tally.digest.marker(0, &item.stream.key, &item.marker);
        })
    }

    pub fn flags(&self) -> impl Sink<Item = Features> + use<> {
        self.keeping("flags", |tally, flags: &Features| {
            tally.digest.features(1, flags);
            for (column, flag) in flags.spec.columns.iter().enumerate() {
                let raised = flags.rows().any(|(_, row)| row[column] > 0.0);
                *tally.flagged.entry(flag.clone()).or_default() += u64::from(raised);
            }
        })
    }

    pub fn quality(&self) -> impl Sink<Item = Features> + use<> {
        self.keeping("quality", |tally, quality: &Features| tally.digest.features(2, quality))
    }

    pub fn band_power(&self) -> impl Sink<Item = Features> + use<> {
        self.keeping(BAND_POWER, |tally, power: &Features| {
            tally.digest.features(3, power);
            if power.info.warm_up {
                tally.warm_up += 1;
                return;
            }
            for (channel, row) in power.rows() {
                for (band, value) in power.spec.columns.iter().zip(row).filter(|(_, value)| value.is_finite())
                {
                    let key = (power.info.stream.key, channel.to_owned(), band.clone());
                    let (sum, count) = tally.power.entry(key).or_default();
                    (*sum, *count) = (*sum + value, *count + 1);
                }
            }
            let first = power.rows().next();
            tally.latest = first.map_or(String::new(), |(channel, row)| format!("{channel} {row:.1?} µV²"));
        })
    }

    /// The latest band power, for the progress line.
    pub fn glance(&self) -> String {
        let mut latest = String::new();
        self.with(|tally| latest.clone_from(&tally.latest));
        latest
    }

    pub fn summary(&self, report: &Report, contract: Latency, wall: Duration) -> Summary {
        let mut json = accounting(report, contract);
        self.with(|tally| {
            // Streams are averaged in the order of their keys, so that the sum's last bit is always the same.
            let mut means: BTreeMap<&str, BTreeMap<&str, (f64, u64)>> = BTreeMap::new();
            for ((_, channel, band), (sum, count)) in &tally.power {
                let mean = means.entry(channel).or_default().entry(band).or_default();
                (mean.0, mean.1) = (mean.0 + sum, mean.1 + count);
            }
            let mean = |bands: &BTreeMap<&str, (f64, u64)>| -> Value {
                bands
                    .iter()
                    .map(|(band, (sum, count))| ((*band).to_owned(), json!(sum / *count as f64)))
                    .collect()
            };
            json["band_power"] =
                means.iter().map(|(channel, bands)| ((*channel).to_owned(), mean(bands))).collect();
            json["windows_flagged"] = json!(tally.flagged);
            json["features_warmup"] = json!(tally.warm_up);
            json["output_digest"] = json!(format!("{:032x}", tally.digest.finish()));
        });
        json["wall_s"] = json!(wall.as_secs_f64());
        json["version"] = json!(env!("CARGO_PKG_VERSION"));
        Summary { json, adds_up: report.balances() && report.orphan_values == 0 }
    }
}
