//! How old messages are at a client, alone and in a crowd. Measures; asserts nothing about time:
//!
//! `cargo test -p neuraflow-sinks --features feedback --release --test feedback -- --ignored --nocapture --test-threads 1`

use std::sync::Arc;
use std::time::Duration;

use neuraflow_core::dataflow::{LatencyHistogram, Pipeline, Running, Tumbling, Workers};
use neuraflow_core::resilience::{Clock, SystemClock};
use neuraflow_sinks::feedback::{Feedback, FeedbackConfig, Server, Session};
use serde_json::Value;
use tungstenite::Message;

use crate::headset::Headset;
use crate::kit::*;

/// A pipeline that serves a headset's windows as `signal`.
struct Run {
    clock: Arc<dyn Clock>,
    headset: Headset,
    session: Session,
    server: Server,
}

impl Run {
    fn new(headset: Headset) -> Self {
        let feedback = Feedback::new(FeedbackConfig::default()).unwrap();
        let session = feedback.session("s");
        let server = feedback.serve("127.0.0.1:0".parse().unwrap()).unwrap();
        Self { clock: Arc::new(SystemClock::new()), headset, session, server }
    }

    fn client(&self, protocol: &str) -> Client {
        Client::connect(self.server.local_addr(), "/neural-stream/s?kinds=signal", Some(protocol))
    }

    fn start(&self) -> Running {
        let graph = Pipeline::from(self.headset.clone()).window(Tumbling::millis(50));
        let pipeline = graph.sink(self.session.signal("raw", 4)).build().unwrap();
        pipeline.with_clock(Arc::clone(&self.clock)).spawn(Workers::new(1)).unwrap()
    }

    /// The ages of all windows at a client. It looks at the clock before it looks into the message, which may cost more.
    fn listen(&self, mut client: Client, last: i64) -> (Client, Vec<(i64, u64)>) {
        let mut heard = Vec::new();
        while heard.last().is_none_or(|(window, _)| *window < last) {
            let message = client.0.read().unwrap();
            let now = self.clock.now();
            let message: Value = match message {
                Message::Text(text) => serde_json::from_str(&text).unwrap(),
                Message::Binary(bytes) => rmp_serde::from_slice(&bytes).unwrap(),
                _ => continue,
            };
            if message["kind"] == "signal" {
                let window = message["time_ns"].as_i64().unwrap() / HOP - 1;
                heard.push((window, now - self.headset.arrivals.lock().unwrap()[window as usize]));
            }
        }
        (client, heard)
    }
}

fn micros(ages: &LatencyHistogram, quantile: f64) -> f64 {
    ages.quantile(quantile).unwrap() as f64 / 1e3
}

fn told(ages: &LatencyHistogram) -> String {
    let [p50, p99, p999, max] = [0.5, 0.99, 0.999, 1.0].map(|quantile| micros(ages, quantile));
    format!("p50 {p50:.0} µs, p99 {p99:.0} µs, p99.9 {p999:.0} µs, max {max:.0} µs")
}

#[test]
#[ignore = "a measurement of a minute"]
fn age_at_the_client_over_ten_thousand_windows() {
    const WINDOWS: i64 = 10_000;
    for (channels, rate) in [(8, 250), (64, 160)] {
        for protocol in ["neuraflow.v1.json", "neuraflow.v1.msgpack"] {
            let run = Run::new(Headset::new(channels, rate, WINDOWS));
            let client = run.client(protocol);
            let running = run.start();
            let (_, heard) = run.listen(client, WINDOWS - 1);
            running.stop();
            running.join().unwrap();
            let mut ages = LatencyHistogram::default();
            heard.iter().for_each(|(_, age)| ages.record(*age));
            println!(
                "{channels} × {rate} Hz, {protocol}: {} of {WINDOWS} windows, {}",
                heard.len(),
                told(&ages)
            );
        }
    }
}

/// One client that never reads, one that talks nonsense and comes again, and fifty good ones, against one good one alone.
#[test]
#[ignore = "a measurement of three minutes"]
fn a_crowd_against_none() {
    const WINDOWS: i64 = 1_000;
    for interval in [50, 10].map(Duration::from_millis) {
        let [alone, crowd] = [1, 50].map(|clients| crowded(clients, interval, WINDOWS));
        for (name, alone, crowd) in [("pipeline", &alone.0, &crowd.0), ("client", &alone.1, &crowd.1)] {
            println!("a window every {interval:?}, {name} alone: {}", told(alone));
            println!("a window every {interval:?}, {name} in the crowd: {}", told(crowd));
            println!("    p99 shifts by {:.0} µs", micros(crowd, 0.99) - micros(alone, 0.99));
        }
    }
}

/// The latency of the pipeline, and of all good clients together.
fn crowded(clients: usize, interval: Duration, windows: i64) -> (LatencyHistogram, LatencyHistogram) {
    let run = Run::new(Headset::new(8, 250, windows).every(interval));
    let good: Vec<_> = (0..clients).map(|_| run.client("neuraflow.v1.msgpack")).collect();
    let bad = (clients > 1).then(|| (run.client("neuraflow.v1.json"), run.client("neuraflow.v1.json")));
    let running = run.start();
    let mut all = LatencyHistogram::default();
    std::thread::scope(|scope| {
        let listeners: Vec<_> =
            good.into_iter().map(|client| scope.spawn(|| run.listen(client, windows - 1))).collect();
        if let Some((_, mut garbage)) = bad {
            while !listeners.iter().all(|listener| listener.is_finished()) {
                garbage.say("BRAINS");
                assert_eq!(garbage.closed().0, 1008);
                std::thread::park_timeout(interval);
                garbage = run.client("neuraflow.v1.json");
            }
        }
        for listener in listeners {
            let (_, heard) = listener.join().unwrap();
            assert_eq!(heard.len() as i64, windows, "a good client misses nothing");
            heard.iter().for_each(|(_, age)| all.record(*age));
        }
    });
    let total = running.watch().status().latency.total;
    running.stop();
    running.join().unwrap();
    (total, all)
}
