//! Pipelines that panic and that hang, as health checks, status messages and metrics show them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use neuraflow_core::checkpoint::{Config, RestoreError, SnapshotReader, SnapshotWriter};
use neuraflow_core::dataflow::{Checkpointing, Pipeline, Restarts, Tumbling, Workers};
use neuraflow_core::model::Chunk;
use neuraflow_core::operator::{Latency, Operator, OperatorError, SignalSpec};
use neuraflow_core::testing::MemoryStore;
use neuraflow_sinks::feedback::{Feedback, FeedbackConfig};

use crate::headset::Headset;
use crate::kit::*;

/// What goes wrong, once, when the signal comes.
#[derive(Clone)]
enum Mishap {
    Panic(Arc<AtomicBool>),
    /// Until the test lets it go.
    Hang(Arc<(Mutex<bool>, Condvar)>),
}

#[derive(Clone)]
struct Faulty(Mishap);

impl Operator for Faulty {
    type In = Chunk;
    type Out = Chunk;

    fn prepare(&mut self, spec: &SignalSpec) -> Result<SignalSpec, OperatorError> {
        Ok(spec.clone())
    }

    fn reset(&mut self) {}

    fn latency(&self) -> Latency {
        Latency::default()
    }

    fn process(&mut self, input: &Chunk, output: &mut Chunk) -> Result<(), OperatorError> {
        match &self.0 {
            Mishap::Panic(done) => assert!(done.swap(true, Ordering::SeqCst), "bitten by a bug"),
            Mishap::Hang(gate) => {
                let open = gate.0.lock().unwrap();
                drop(gate.1.wait_while(open, |open| !*open).unwrap());
            }
        }
        output.clone_from(input);
        Ok(())
    }

    fn snapshot(&self, _: &mut SnapshotWriter) {}

    fn restore(&mut self, _: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        Ok(())
    }
}

fn holds(metrics: &str, line: &str) -> bool {
    metrics.lines().any(|found| found == line)
}

#[test]
fn a_pipeline_that_is_started_again_is_ill_meanwhile_and_its_restarts_are_counted() {
    let feedback = Feedback::new(FeedbackConfig::default()).unwrap();
    let session = feedback.session("s");
    let server = feedback.serve("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = server.local_addr();
    let mut client = Client::connect(address, "/neural-stream/s?kinds=status", None);
    let panics = Faulty(Mishap::Panic(Arc::default()));
    let graph = Pipeline::from(Headset::new(3, 250, 40)).stage(move || panics.clone());
    let pipeline = graph.window(Tumbling::millis(50)).sink(session.signal("raw", 4)).build().unwrap();
    let store = Checkpointing::new(Arc::new(MemoryStore::default()));
    let every = Config::every(Duration::from_millis(500)).unwrap();
    let pause = Duration::from_secs(2);
    let supervised = pipeline
        .checkpoints(store.with_config(every))
        .unwrap()
        .supervise(Workers::new(1), Restarts::at_most(1).backing_off(pause, pause))
        .unwrap();
    session.watch(supervised.watch());

    let ill = client.until(|m| m["pipeline"]["state"] == "restarting");
    assert_eq!(ill["pipeline"]["restarts"], 0);
    assert!(ill["pipeline"]["reason"].as_str().unwrap().contains("bitten by a bug"), "{ill}");
    let answer = get(address, "/health");
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    let why = body(&answer)["why"][0].as_str().unwrap().to_owned();
    assert!(why.starts_with("session s has a pipeline that is restarting: worker 0 panicked"), "{why}");
    assert!(holds(
        &get(address, "/metrics"),
        "neuraflow_pipeline_state{session=\"s\",state=\"restarting\"} 1.0"
    ));

    let well = client.until(|m| {
        let pipeline = &m["pipeline"];
        pipeline["state"] == "running" && pipeline["checkpoints"]["committed"].as_u64() > Some(0)
    });
    assert_eq!(well["pipeline"]["restarts"], 1);
    assert!(well["pipeline"]["reason"].as_str().unwrap().contains("bitten by a bug"), "{well}");
    let metrics = get(address, "/metrics");
    for line in [
        "neuraflow_pipeline_state{session=\"s\",state=\"running\"} 1.0",
        "neuraflow_pipeline_state{session=\"s\",state=\"restarting\"} 0.0",
        "neuraflow_pipeline_restarts_total{session=\"s\"} 1",
        "neuraflow_checkpoints_total{session=\"s\",outcome=\"abandoned\"} 0",
    ] {
        assert!(holds(&metrics, line), "{line} is not in\n{metrics}");
    }
    for name in [
        "neuraflow_checkpoint_last{session=\"s\"}",
        "neuraflow_checkpoint_bytes_total{session=\"s\"}",
        "neuraflow_checkpoint_duration_seconds{session=\"s\",quantile=\"0.99\"}",
    ] {
        let value = metrics.lines().find_map(|line| line.strip_prefix(name)).map(|v| v.trim().parse::<f64>());
        assert!(matches!(value, Some(Ok(value)) if value > 0.0), "{name}: {value:?} in\n{metrics}");
    }
    // The headset has no more to say: in a moment it is stale, but its pipeline is well.
    assert!(!get(address, "/health").contains("pipeline"));
    supervised.stop();
    supervised.join().unwrap();
    client.until(|m| m["pipeline"]["state"] == "finished");
    session.ended();
    assert!(get(address, "/health").starts_with("HTTP/1.1 200"));
}

#[test]
fn a_pipeline_that_hangs_is_ill_and_the_server_still_answers() {
    let feedback = Feedback::new(FeedbackConfig::default()).unwrap();
    let session = feedback.session("s");
    let server = feedback.serve("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = server.local_addr();
    let mut client = Client::connect(address, "/neural-stream/s?kinds=status", None);
    let gate: Arc<(Mutex<bool>, Condvar)> = Arc::default();
    let hangs = Faulty(Mishap::Hang(Arc::clone(&gate)));
    let graph = Pipeline::from(Headset::new(3, 250, 40)).stage(move || hangs.clone());
    let pipeline = graph.window(Tumbling::millis(50)).sink(session.signal("raw", 4)).build().unwrap();
    let running = pipeline.watchdog(Duration::from_millis(300)).spawn(Workers::new(1)).unwrap();
    session.watch(running.watch());

    let ill = client.until(|m| m["pipeline"]["state"] == "hung");
    assert!(ill["pipeline"]["reason"].as_str().unwrap().starts_with("worker 0 hangs"), "{ill}");
    for _ in 0..3 {
        let answer = get(address, "/health");
        assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
        assert!(answer.contains("session s has a pipeline that is hung: worker 0 hangs"), "{answer}");
        assert!(holds(
            &get(address, "/metrics"),
            "neuraflow_pipeline_state{session=\"s\",state=\"hung\"} 1.0"
        ));
    }
    session.failed(running.join().unwrap_err().to_string());
    client.until(|m| m["state"] == "failed" && m["pipeline"]["state"] == "hung");
    assert!(get(address, "/health").contains("session s is failed: worker 0 hangs"));
    *gate.0.lock().unwrap() = true;
    gate.1.notify_all();
}
