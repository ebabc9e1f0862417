//! A real Prometheus scrapes `/metrics`, and understands every name that docs/reference/metrics.md promises.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use neuraflow_core::dataflow::{Checkpointing, Pipeline, Tumbling, Workers};
use neuraflow_core::model::{FeatureSpec, Features, StreamKey, Window};
use neuraflow_core::sink::{Sink, SinkContext, SinkWriter};
use neuraflow_core::testing::{MemoryStore, Scratch};
use neuraflow_sinks::Callback;
use neuraflow_sinks::feedback::{Feedback, FeedbackConfig};
use neuraflow_sinks::layer::{Outbox, OutboxConfig};
use neuraflow_sinks::metrics::Lag;
use serde_json::Value;

use crate::headset::Headset;
use crate::kit::*;

/// A Prometheus of the system's, on a free port; gone with its files when dropped.
struct Prometheus {
    child: Child,
    address: SocketAddr,
    _files: Scratch,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Prometheus {
    /// `None`, and says so, where there is none; with `CI=true` that is a failure.
    fn scraping(target: SocketAddr) -> Option<Self> {
        let files = Scratch::new().unwrap();
        let config = files.file("prometheus.yml");
        let job = format!("{{job_name: neuraflow, static_configs: [{{targets: ['{target}']}}]}}");
        std::fs::write(&config, format!("global: {{scrape_interval: 100ms}}\nscrape_configs: [{job}]\n"))
            .unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut command = Command::new("prometheus");
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", files.file("tsdb").display()))
            .arg(format!("--web.listen-address={address}"))
            .args(["--log.level=error", "--web.max-connections=16"])
            .stderr(Stdio::null());
        match command.spawn() {
            Ok(child) => Some(Self { child, address, _files: files }),
            Err(error) => {
                assert!(std::env::var_os("CI").is_none(), "cannot start prometheus: {error}");
                eprintln!("not run: cannot start prometheus: {error} (Debian: apt-get install prometheus)");
                None
            }
        }
    }

    fn answer(&self, path: &str) -> Option<Value> {
        let mut stream = TcpStream::connect(self.address).ok()?;
        let request = format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n");
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        serde_json::from_str(answer.split_once("\r\n\r\n")?.1).ok()
    }

    /// The value of the only series that fits.
    fn value(&self, query: &str) -> Option<f64> {
        let query = query.replace('{', "%7B").replace('}', "%7D").replace('"', "%22");
        let answer = self.answer(&format!("/api/v1/query?query={query}"))?;
        answer["data"]["result"].as_array().filter(|found| found.len() == 1)?[0]["value"][1]
            .as_str()?
            .parse()
            .ok()
    }

    /// Type of each metric, as it was scraped.
    fn types(&self) -> BTreeMap<String, String> {
        let answer = self.answer("/api/v1/targets/metadata").unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        answer["data"].as_array().unwrap().iter().map(|m| (text(&m["metric"]), text(&m["type"]))).collect()
    }
}

/// Name and type of each metric in the documentation.
fn promised() -> BTreeMap<String, String> {
    let text = include_str!("../../../../docs/reference/metrics.md");
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| {
        let mut cells = row.split('|').map(str::trim);
        let name = cells.next().unwrap().trim_end_matches('`');
        // The types of counters are told without their suffix.
        (name.trim_end_matches("_total").to_owned(), cells.next().unwrap().to_owned())
    })
    .collect()
}

/// A quality of three channels.
fn scored() -> Features {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Arc<[String]>>();
    let spec =
        FeatureSpec { rows: names(&["C3", "Cz", "C4"]), columns: names(&["score"]), unit: String::new() };
    Features { info: info(0), spec: Arc::new(spec), values: vec![1.0, 0.25, 0.5] }
}

#[test]
fn prometheus_understands_every_number_that_is_promised() {
    let stale_after = Duration::from_secs(3_600);
    let feedback = Feedback::new(FeedbackConfig { stale_after, ..FeedbackConfig::default() }).unwrap();
    let session = feedback.session("s");
    let server = feedback.serve("127.0.0.1:0".parse().unwrap()).unwrap();
    let Some(prometheus) = Prometheus::scraping(server.local_addr()) else { return };
    let metrics = feedback.metrics().clone();
    let key = StreamKey::of_names("s", "headset");
    metrics.device(key.device, "Unicorn");
    let latency = metrics.latency::<Window>("raw");
    let graph = Pipeline::from(Headset::new(3, 250, 40)).window(Tumbling::millis(50));
    let graph = graph.branch(|raw| raw.sink(latency));
    let pipeline = graph.sink(session.signal("raw", 4)).build().unwrap();
    let store = Checkpointing::new(Arc::new(MemoryStore::default()));
    let running = pipeline.checkpoints(store).unwrap().spawn(Workers::new(1)).unwrap();
    session.watch(running.watch());
    metrics.lag("ingest", || vec![Lag { topic: "eeg".into(), partition: 0, records: 7 }]);
    metrics.connection_failed(key.device, "refused");
    drop(metrics.connected(key.device));
    let files = Scratch::new().unwrap();
    let table = Callback::new(|_: &Features| ());
    let outbox = Outbox::new(table, files.file("outbox"), OutboxConfig::default()).unwrap();
    metrics.outbox("table", outbox.watch());
    let mut quality = metrics.quality().open(&SinkContext::default()).unwrap();
    quality.write(&mut vec![scored()]).unwrap();

    let start = Instant::now();
    let expect = |query: &str, expected: f64| {
        while prometheus.value(query) != Some(expected) {
            let found = prometheus.value(query);
            assert!(start.elapsed() < 2 * PATIENCE, "{query}: expected {expected}, found {found:?}");
            std::thread::park_timeout(Duration::from_millis(20));
        }
    };
    expect("up", 1.0);
    // 40 windows of 50 ms at 250 Hz: 500 samples.
    expect("neuraflow_samples_total{place=\"windowed\"}", 500.0);
    expect("neuraflow_windows_total{status=\"complete\"}", 40.0);
    expect("neuraflow_session_state{state=\"live\"}", 1.0);
    assert!(prometheus.value("neuraflow_latency_seconds{part=\"total\",quantile=\"0.99\"}").unwrap() < 60.0);
    expect("neural_processing_latency_seconds_count{device_model=\"Unicorn\"}", 40.0);
    expect("active_bci_sessions", 1.0);
    expect("neuraflow_stream_info{device_model=\"Unicorn\"}", 1.0);
    expect("neural_signal_quality_score{channel=\"Cz\"}", 0.25);
    expect("kafka_consumer_lag_records", 7.0);
    expect("device_connection_errors_total", 1.0);
    expect("device_connection_duration_seconds_count", 1.0);
    expect("neuraflow_breaker_state{state=\"closed\"}", 1.0);
    expect("neural_processing_errors_total{error_type=\"sink_skipped\"}", 0.0);
    assert!(prometheus.value("neuraflow_checkpoint_age_seconds").is_some());
    assert_eq!(prometheus.types(), promised());
    running.stop();
    running.join().unwrap();
    session.ended();
    expect("neuraflow_session_state{state=\"ended\"}", 1.0);
}
