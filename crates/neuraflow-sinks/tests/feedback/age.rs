//! How old a message is when a client has it: from arrival of the packet that closed the window.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use neuraflow_core::dataflow::LatencyHistogram;
use neuraflow_core::resilience::{Clock, SystemClock};
use neuraflow_core::sink::{Sink, SinkContext, SinkWriter};
use neuraflow_sinks::feedback::{Feedback, FeedbackConfig};

use crate::kit::*;

/// Measures, asserts nothing about time: `cargo test -p neuraflow-sinks --features feedback --release -- --ignored age`.
#[test]
#[ignore = "a measurement of ten seconds"]
fn age_at_the_client_over_ten_thousand_windows() {
    for protocol in ["neuraflow.v1.json", "neuraflow.v1.msgpack"] {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let feedback = Feedback::with_clock(FeedbackConfig::default(), Arc::clone(&clock)).unwrap();
        let session = feedback.session("s");
        let server = feedback.serve("127.0.0.1:0".parse().unwrap()).unwrap();
        let mut client =
            Client::connect(server.local_addr(), "/neural-stream/s?kinds=features", Some(protocol));
        client.next();
        let arrivals = Arc::new(Mutex::new(vec![0; 10_000]));
        let (table, reading) = (Arc::clone(&arrivals), Arc::clone(&clock));
        let reader = std::thread::spawn(move || {
            let mut ages = LatencyHistogram::default();
            while ages.count() < 10_000 {
                let message = client.next();
                let now = reading.now();
                let index = message["time_ns"].as_i64().unwrap() / HOP - 1;
                ages.record(now - table.lock().unwrap()[index as usize]);
            }
            ages
        });
        let context = SinkContext { clock: Arc::clone(&clock) };
        let mut writer = session.features("power").open(&context).unwrap();
        for index in 0..10_000 {
            std::thread::park_timeout(Duration::from_millis(1));
            let mut item = features(index);
            item.info.arrival = clock.now();
            arrivals.lock().unwrap()[index as usize] = item.info.arrival;
            writer.write(&mut vec![item]).unwrap();
        }
        let ages = reader.join().unwrap();
        let micros = |quantile| ages.quantile(quantile).unwrap() as f64 / 1e3;
        println!(
            "{protocol}: p50 {:.0} µs, p99 {:.0} µs, p99.9 {:.0} µs, max {:.0} µs",
            micros(0.5),
            micros(0.99),
            micros(0.999),
            ages.max().unwrap() as f64 / 1e3
        );
    }
}
