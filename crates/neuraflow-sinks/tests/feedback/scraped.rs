//! A real Prometheus scrapes `/metrics`, and understands every name that docs/reference/metrics.md promises.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use neuraflow_core::dataflow::{Pipeline, Tumbling, Workers};
use neuraflow_core::testing::Scratch;
use neuraflow_sinks::feedback::{Feedback, FeedbackConfig};
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
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `neuraflow_"));
    rows.map(|row| {
        let mut cells = row.split('|').map(str::trim);
        let name = format!("neuraflow_{}", cells.next().unwrap().trim_end_matches('`'));
        // The types of counters are told without their suffix.
        (name.trim_end_matches("_total").to_owned(), cells.next().unwrap().to_owned())
    })
    .collect()
}

#[test]
fn prometheus_understands_every_number_that_is_promised() {
    let stale_after = Duration::from_secs(3_600);
    let feedback = Feedback::new(FeedbackConfig { stale_after, ..FeedbackConfig::default() }).unwrap();
    let session = feedback.session("s");
    let server = feedback.serve("127.0.0.1:0".parse().unwrap()).unwrap();
    let Some(prometheus) = Prometheus::scraping(server.local_addr()) else { return };
    let graph = Pipeline::from(Headset::new(3, 250, 40)).window(Tumbling::millis(50));
    let pipeline = graph.sink(session.signal("raw", 4)).build().unwrap();
    let running = pipeline.spawn(Workers::new(1)).unwrap();
    session.watch(running.watch());

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
    assert_eq!(prometheus.types(), promised());
    running.stop();
    running.join().unwrap();
    session.ended();
    expect("neuraflow_session_state{state=\"ended\"}", 1.0);
}
