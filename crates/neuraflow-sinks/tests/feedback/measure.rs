//! How old messages are at a client, alone and in a crowd. Measures; asserts nothing about time:
//!
//! `cargo test -p neuraflow-sinks --features feedback --release --test feedback -- --ignored --nocapture --test-threads 1`

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use neuraflow_core::dataflow::{LatencyHistogram, Pipeline, Running, Tumbling, Workers};
use neuraflow_core::resilience::{Clock, SystemClock};
use neuraflow_sinks::feedback::{Feedback, FeedbackConfig, Server, Session};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tungstenite::Message;
use tungstenite::client::ClientRequestBuilder;

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

    async fn async_client(&self) -> WebSocketStream<TcpStream> {
        let address = self.server.local_addr();
        let uri = format!("ws://{address}/neural-stream/s?kinds=signal").parse().unwrap();
        let request = ClientRequestBuilder::new(uri).with_sub_protocol("neuraflow.v1.msgpack");
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        tokio_tungstenite::client_async(request, stream).await.unwrap().0
    }

    /// The ages of all windows at a client, which looks into the messages when all is over.
    async fn hear(&self, mut client: WebSocketStream<TcpStream>, windows: i64) -> Vec<u64> {
        let (mut ages, mut seen) = (Vec::new(), Vec::new());
        while (seen.len() as i64) < windows {
            let message = client.next().await.unwrap().unwrap();
            let now = self.clock.now();
            let Message::Binary(bytes) = message else { continue };
            // The only messages of this length are signals; hello and heartbeats are shorter.
            if bytes.len() > 400 {
                seen.push((now, bytes));
            }
        }
        for (now, bytes) in seen {
            let message: Value = rmp_serde::from_slice(&bytes).unwrap();
            assert_eq!(message["kind"], "signal");
            let window = message["time_ns"].as_i64().unwrap() / HOP - 1;
            ages.push(now - self.headset.arrivals.lock().unwrap()[window as usize]);
        }
        ages
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

/// The latency of the pipeline, and of all good clients together. They share a thread, as they would not be on this machine:
/// fifty threads that wake at once on two cores would measure each other.
fn crowded(clients: usize, interval: Duration, windows: i64) -> (LatencyHistogram, LatencyHistogram) {
    let run = Run::new(Headset::new(8, 250, windows).every(interval));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let good: Vec<_> = (0..clients).map(|_| runtime.block_on(run.async_client())).collect();
    let bad = (clients > 1).then(|| (run.client("neuraflow.v1.json"), run.client("neuraflow.v1.json")));
    let running = run.start();
    let mut all = LatencyHistogram::default();
    std::thread::scope(|scope| {
        let listener = scope.spawn(|| {
            runtime.block_on(futures_util::future::join_all(
                good.into_iter().map(|client| run.hear(client, windows)),
            ))
        });
        if let Some((_, mut garbage)) = bad {
            while !listener.is_finished() {
                garbage.say("BRAINS");
                assert_eq!(garbage.closed().0, 1008);
                std::thread::park_timeout(interval);
                garbage = run.client("neuraflow.v1.json");
            }
        }
        for heard in listener.join().unwrap() {
            assert_eq!(heard.len() as i64, windows, "a good client misses nothing");
            heard.iter().for_each(|age| all.record(*age));
        }
    });
    let total = running.watch().status().latency.total;
    running.stop();
    running.join().unwrap();
    (total, all)
}
