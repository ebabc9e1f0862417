//! A whole pipeline behind the server: its books in `status` and metrics, and how old its messages are at a client.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use neuraflow_core::dataflow::{LatencyHistogram, Pipeline, Tumbling, Workers};
use neuraflow_core::ingest::Ingest;
use neuraflow_core::model::{Channel, SamplingRate, StreamHeader, StreamKey, Timestamp};
use neuraflow_core::resilience::{Clock, SystemClock};
use neuraflow_core::source::{Polled, Source, SourceContext, SourceError, SourceReader};
use neuraflow_sinks::feedback::{Feedback, FeedbackConfig};
use serde_json::json;

use crate::kit::*;

/// One packet for each window, a millisecond apart; then nothing, until it is stopped.
#[derive(Clone)]
struct Headset {
    header: StreamHeader,
    windows: i64,
    /// When each window's packet arrived.
    arrivals: Arc<Mutex<Vec<u64>>>,
}

impl Headset {
    fn new(channels: usize, rate: u64, windows: i64) -> Self {
        let channels = (1..=channels).map(|n| Channel::new(format!("Ch{n}"))).collect();
        let rate = SamplingRate::hz(rate).unwrap();
        let header = StreamHeader::new(StreamKey::of_names("s", "headset"), "headset", rate, channels);
        Self { header, windows, arrivals: Arc::default() }
    }
}

impl Source for Headset {
    fn name(&self) -> String {
        "headset".into()
    }

    fn streams(&self) -> Vec<StreamHeader> {
        vec![self.header.clone()]
    }

    fn open(&self, context: SourceContext) -> Result<Option<Box<dyn SourceReader>>, SourceError> {
        let reader = Reader { headset: self.clone(), next: 0 };
        Ok((context.worker == 0).then(|| Box::new(reader) as Box<dyn SourceReader>))
    }
}

struct Reader {
    headset: Headset,
    next: i64,
}

impl SourceReader for Reader {
    fn poll(&mut self, out: &mut Ingest, _: usize) -> Result<Polled, SourceError> {
        let header = &self.headset.header;
        if self.next == 0 {
            out.open(header.clone());
        }
        if self.next == self.headset.windows {
            return Ok(Polled::Idle);
        }
        let slot = out.slot(&header.key).unwrap();
        let edge = |window: i64| header.first_at_or_after(Timestamp::from_nanos(window * HOP));
        let (first, end) = (edge(self.next), edge(self.next + 1));
        let values: Vec<f32> =
            (first..end).flat_map(|n| header.channels.iter().map(move |_| (n % 97) as f32 * 0.37)).collect();
        self.headset.arrivals.lock().unwrap().push(out.arrival());
        out.samples(slot, first, &values);
        self.next += 1;
        Ok(Polled::After(Duration::from_millis(1)))
    }
}

#[test]
fn the_books_of_a_pipeline_are_in_status_and_metrics() {
    let feedback = Feedback::new(FeedbackConfig::default()).unwrap();
    let session = feedback.session("s");
    let server = feedback.serve("127.0.0.1:0".parse().unwrap()).unwrap();
    let mut client = Client::connect(server.local_addr(), "/neural-stream/s?kinds=status", None);
    let running = Pipeline::from(Headset::new(3, 250, 40))
        .window(Tumbling::millis(50))
        .sink(session.signal("raw", 4))
        .build()
        .unwrap()
        .spawn(Workers::new(1))
        .unwrap();
    session.watch(running.watch());
    // 40 windows of 50 ms at 250 Hz: 500 samples.
    let status = client.until(|m| m["windows"]["complete"] == 40 && m["latency_us"]["total"]["p99"].is_f64());
    assert_eq!(status["accounting"]["samples_in"], 500);
    assert_eq!(status["accounting"]["windowed"], 500);
    assert_eq!(status["streams"][0]["channels"], json!(["Ch1", "Ch2", "Ch3"]));
    let metrics = get(server.local_addr(), "/metrics");
    for line in [
        "neuraflow_samples_total{session=\"s\",stream=\"headset\",place=\"windowed\"} 500",
        "neuraflow_windows_total{session=\"s\",stream=\"headset\",status=\"complete\"} 40",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} is not in\n{metrics}");
    }
    running.stop();
    running.join().unwrap();
    session.ended();
    let last = client.until(|m| m["state"] == "ended");
    assert_eq!(last["accounting"]["samples_in"], 500);
    assert!(last["latency_us"]["total"]["p50"].is_f64(), "what was measured outlives the pipeline");
}

/// Measures, asserts nothing about time:
/// `cargo test -p neuraflow-sinks --features feedback --release --test feedback -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement of a minute"]
fn age_at_the_client_over_ten_thousand_windows() {
    for (channels, rate) in [(8, 250), (64, 160)] {
        for protocol in ["neuraflow.v1.json", "neuraflow.v1.msgpack"] {
            measure(channels, rate, protocol);
        }
    }
}

fn measure(channels: usize, rate: u64, protocol: &str) {
    const WINDOWS: i64 = 10_000;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let feedback = Feedback::new(FeedbackConfig::default()).unwrap();
    let session = feedback.session("s");
    let server = feedback.serve("127.0.0.1:0".parse().unwrap()).unwrap();
    let mut client = Client::connect(server.local_addr(), "/neural-stream/s?kinds=signal", Some(protocol));
    let headset = Headset::new(channels, rate, WINDOWS);
    let arrivals = Arc::clone(&headset.arrivals);
    let running = Pipeline::from(headset)
        .window(Tumbling::millis(50))
        .sink(session.signal("raw", 4))
        .build()
        .unwrap()
        .with_clock(Arc::clone(&clock))
        .spawn(Workers::new(1))
        .unwrap();
    let (mut ages, mut skipped) = (LatencyHistogram::default(), 0);
    loop {
        let message = client.next();
        let now = clock.now();
        skipped += message["skipped"].as_u64().unwrap();
        if message["kind"] == "signal" {
            let window = message["time_ns"].as_i64().unwrap() / HOP - 1;
            ages.record(now - arrivals.lock().unwrap()[window as usize]);
            if window == WINDOWS - 1 {
                break;
            }
        }
    }
    running.stop();
    running.join().unwrap();
    let micros = |quantile| ages.quantile(quantile).unwrap() as f64 / 1e3;
    println!(
        "{channels} × {rate} Hz, {protocol}: {} windows, {skipped} skipped, p50 {:.0} µs, p99 {:.0} µs, p99.9 {:.0} µs, \
         max {:.0} µs",
        ages.count(),
        micros(0.5),
        micros(0.99),
        micros(0.999),
        micros(1.0)
    );
}
