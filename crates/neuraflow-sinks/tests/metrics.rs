//! Metrics without a server: what a pipeline, its devices and its outboxes have to tell, within bounds.

#![allow(clippy::unwrap_used, clippy::panic)] // helpers outside #[test]

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use neuraflow_core::model::{Channel, Features, Id, StreamKey, WindowInfo};
use neuraflow_core::resilience::Clock;
use neuraflow_core::sink::{Sink, SinkContext, SinkError, SinkWriter};
use neuraflow_core::testing::{FakeClock, Scratch};
use neuraflow_sinks::Callback;
use neuraflow_sinks::layer::{Outbox, OutboxConfig};
use neuraflow_sinks::metrics::{Lag, Metrics, Severity};

const MS: u64 = 1_000_000;

/// Metrics on a clock that the test moves.
struct Site {
    clock: Arc<FakeClock>,
    metrics: Metrics,
}

impl Site {
    fn new(limit: usize) -> Self {
        let clock = Arc::new(FakeClock::at(10_000 * MS));
        Self { metrics: Metrics::new(limit, Arc::clone(&clock) as Arc<dyn Clock>), clock }
    }

    fn context(&self) -> SinkContext {
        SinkContext { clock: Arc::clone(&self.clock) as Arc<dyn Clock>, from: None }
    }

    fn write<S: Sink>(&self, sink: &S, items: impl IntoIterator<Item = S::Item>) -> Result<(), SinkError> {
        sink.open(&self.context()).unwrap().write(&mut items.into_iter().collect())
    }

    /// The value of one series.
    fn value(&self, series: &str) -> Option<f64> {
        // The order of labels says nothing.
        let sorted = |series: &str| {
            let mut parts: Vec<String> = series.split(['{', ',', '}']).map(str::to_owned).collect();
            parts.sort();
            parts
        };
        let (text, wanted) = (self.metrics.text().unwrap(), sorted(series));
        let mut lines = text.lines().filter_map(|line| line.rsplit_once(' '));
        lines.find(|(found, _)| sorted(found) == wanted).map(|(_, value)| value.parse().unwrap())
    }

    /// How many series a metric has.
    fn series(&self, name: &str) -> usize {
        let text = self.metrics.text().unwrap();
        text.lines().filter(|line| line.starts_with(&format!("{name}{{"))).count()
    }
}

/// A window of a device that arrived so many milliseconds ago, with these scores.
fn scored(device: &str, arrival: u64, scores: &[f64]) -> Features {
    let channels = ["C3", "Cz", "C4", "Pz"].into_iter().take(scores.len()).map(Channel::new).collect();
    let info = WindowInfo { arrival, ..support::info(support::header(device, channels), 0) };
    support::features(info, &["score"], scores.to_vec())
}

#[test]
fn latencies_are_a_histogram_by_signal_stage_and_model() {
    let site = Site::new(100);
    let sink = site.metrics.latency::<Features>("bands");
    let mut writer = sink.open(&site.context()).unwrap();
    let write = |writer: &mut dyn SinkWriter<Item = Features>, millis: u64| {
        writer.write(&mut vec![scored("a", site.clock.now() - millis * MS, &[1.0])]).unwrap();
    };
    [1, 3, 40, 300, 2_000].into_iter().for_each(|millis| write(&mut writer, millis));
    let labels =
        |model: &str| format!("signal_type=\"eeg\",processing_stage=\"bands\",device_model=\"{model}\"");
    let below = |model: &str, le: &str| {
        site.value(&format!("neural_processing_latency_seconds_bucket{{{},le=\"{le}\"}}", labels(model)))
    };
    let found = ["0.001", "0.0025", "0.005", "0.05", "0.1", "0.5", "1.0", "+Inf"]
        .map(|le| below("unknown", le).unwrap());
    assert_eq!(found, [1.0, 1.0, 2.0, 3.0, 3.0, 4.0, 4.0, 5.0]);
    let sum = site.value(&format!("neural_processing_latency_seconds_sum{{{}}}", labels("unknown")));
    assert!((sum.unwrap() - 2.344).abs() < 1e-9);
    // A device that says later of what model it is, is of that model from then on.
    site.metrics.device(StreamKey::of_names("session", "a").device, "Unicorn");
    write(&mut writer, 40);
    assert_eq!((below("Unicorn", "0.05"), below("unknown", "+Inf")), (Some(1.0), Some(5.0)));
}

#[test]
fn quality_is_what_the_latest_window_says_until_nobody_says_it_any_more() {
    let site = Site::new(100);
    let sink = site.metrics.quality();
    let series = |device: &str, channel: &str| {
        let key = StreamKey::of_names("session", device);
        let (session, device) = (key.session, key.device);
        format!(
            "neural_signal_quality_score{{session_id=\"{session:?}\",channel=\"{channel}\",device_id=\"{device:?}\"}}"
        )
    };
    site.write(&sink, [scored("a", 0, &[0.9, 0.1]), scored("a", 0, &[0.8, 0.2]), scored("b", 0, &[0.7])])
        .unwrap();
    assert_eq!(site.value(&series("a", "C3")), Some(0.8));
    assert_eq!(site.value(&series("a", "Cz")), Some(0.2));
    site.clock.advance(59_000 * MS);
    site.write(&sink, [scored("b", 0, &[0.6])]).unwrap();
    site.clock.advance(1_000 * MS);
    assert_eq!((site.value(&series("a", "C3")), site.value(&series("b", "C3"))), (None, Some(0.6)));
    // What has no score is left to be counted as skipped.
    let info = support::info(support::header("a", vec![Channel::new("C3")]), 0);
    let error = site.write(&sink, [support::features(info, &["rms"], vec![1.0])]).unwrap_err();
    assert!(error.to_string().contains("expected a column score, found rms"), "{error}");
}

#[test]
fn however_many_streams_there_are_a_metric_has_few_series() {
    let site = Site::new(10);
    let (quality, latency) = (site.metrics.quality(), site.metrics.latency::<Features>("raw"));
    let mut writer = latency.open(&site.context()).unwrap();
    for device in 0..500 {
        let name = format!("device {device}");
        site.metrics.device(StreamKey::of_names("session", &name).device, &name);
        let score = 0.5 + f64::from(device) / 1e3;
        site.write(&quality, [scored(&name, site.clock.now(), &[score, 0.9])]).unwrap();
        writer.write(&mut vec![scored(&name, site.clock.now(), &[1.0])]).unwrap();
        site.metrics.error(&format!("error {device}"), None, Severity::Warning);
        site.metrics.connection_failed(StreamKey::of_names("session", &name).device, "timeout");
        drop(site.metrics.connected(StreamKey::of_names("session", &name).device));
    }
    site.metrics.lag("ingest", || {
        (0..500).map(|partition| Lag { topic: "eeg".into(), partition, records: partition as u64 }).collect()
    });
    let other = "session_id=\"other\",channel=\"other\",device_id=\"other\"";
    assert_eq!(site.value(&format!("neural_signal_quality_score{{{other}}}")), Some(0.505), "the lowest");
    let other = "signal_type=\"eeg\",processing_stage=\"other\",device_model=\"other\"";
    let told = site.value(&format!("neural_processing_latency_seconds_count{{{other}}}")).unwrap();
    assert!(told >= 489.0, "{told}");
    let other = "source=\"other\",topic=\"other\",partition=\"other\"";
    assert_eq!(site.value(&format!("kafka_consumer_lag_records{{{other}}}")), Some(499.0), "the most");
    for (name, most) in [
        ("neural_signal_quality_score", 11),
        ("neural_processing_latency_seconds_count", 11),
        ("device_connection_duration_seconds_count", 11),
        ("device_connection_errors_total", 11),
        ("kafka_consumer_lag_records", 11),
    ] {
        let found = site.series(name);
        assert!(found > 5 && found <= most, "{name}: {found}");
        let metric = name.trim_end_matches("_count").trim_end_matches("_total");
        let folded = site.value(&format!("neuraflow_metrics_folded_total{{metric=\"{metric}\"}}"));
        assert!(folded.unwrap() >= 489.0, "{name}: {folded:?}");
    }
    assert_eq!(site.series("neural_processing_errors_total"), 11);
}

#[test]
fn connections_are_told_once_they_are_over() {
    let site = Site::new(100);
    let device = Id::of_name("headset");
    site.metrics.device(device, "Unicorn");
    let connection = site.metrics.connected(device);
    site.clock.advance(90_000 * MS);
    assert_eq!(site.value("device_connection_duration_seconds_count{device_model=\"Unicorn\"}"), None);
    drop(connection);
    let value = |rest: &str| site.value(&format!("device_connection_duration_seconds{rest}"));
    assert_eq!(value("_sum{device_model=\"Unicorn\"}"), Some(90.0));
    assert_eq!(value("_bucket{device_model=\"Unicorn\",le=\"60.0\"}"), Some(0.0));
    assert_eq!(value("_bucket{device_model=\"Unicorn\",le=\"300.0\"}"), Some(1.0));
    site.metrics.connection_failed(device, "lost");
    let lost = "device_connection_errors_total{error_type=\"lost\",device_model=\"Unicorn\"}";
    assert_eq!(site.value(lost), Some(1.0));
}

#[test]
fn an_outbox_tells_what_waits_and_for_how_long() {
    let (site, scratch) = (Site::new(100), Scratch::new().unwrap());
    // A sink behind that hangs: what waits gets older all the same.
    let (go_on, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let table = Callback::new(move |_: &Features| {
        let _ = wait.lock().unwrap().recv();
    });
    let config = OutboxConfig { linger: Duration::ZERO, ..OutboxConfig::default() };
    let outbox = Outbox::new(table, scratch.file("outbox"), config).unwrap();
    site.metrics.outbox("table", outbox.watch());
    let mut writer = outbox.open(&site.context()).unwrap();
    writer.write(&mut vec![scored("a", 0, &[1.0])]).unwrap();
    let waits = site.value("neuraflow_outbox_waiting_bytes{outbox=\"table\"}").unwrap();
    site.clock.advance(70_000 * MS);
    assert_eq!(site.value("neuraflow_outbox_age_seconds{outbox=\"table\"}"), Some(70.0));
    assert!(waits > 100.0, "{waits}");
    assert_eq!(site.value("neuraflow_breaker_state{outbox=\"table\",state=\"closed\"}"), Some(1.0));
    assert_eq!(site.value("neuraflow_breaker_transitions_total{outbox=\"table\",to=\"open\"}"), Some(0.0));
    drop(go_on);
    writer.finish().unwrap();
}

/// Every name in the text that is one of a metric.
fn names(text: &str) -> BTreeSet<&str> {
    let word = |c: char| !c.is_ascii_alphanumeric() && c != '_';
    let ours = ["neuraflow_", "neural_", "device_connection", "active_bci", "kafka_"];
    text.split(word).filter(|name| ours.iter().any(|prefix| name.starts_with(prefix))).collect()
}

#[test]
fn alerts_are_on_metrics_that_there_are() {
    let alerts = include_str!("../../../docs/alerts.yml");
    let reference = include_str!("../../../docs/reference/metrics.md");
    // That these are what is really exposed, `scraped.rs` asks a Prometheus.
    let promised: BTreeSet<&str> =
        reference.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let expressions: Vec<&str> = alerts
        .lines()
        .filter(|line| {
            !line.trim_start().starts_with('#') && !line.contains("summary") && !line.contains("description")
        })
        .collect();
    let text = expressions.join("\n");
    let used = names(&text);
    assert!(used.len() > 12, "{used:?}");
    for name in used {
        let metric = name.trim_end_matches("_bucket");
        assert!(promised.contains(metric), "alerts.yml uses {name}, which is not in metrics.md");
    }
}
