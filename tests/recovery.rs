//! The example `durable`, killed with `kill -9` again and again under load, against a batch computation that knows nothing of
//! windows, dataflows or checkpoints.
//!
//! `cargo test --release --test recovery -- --ignored --nocapture` kills it 200 times with 50 MiB of state.

#![cfg(target_os = "linux")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ndarray::Array2;
use neuraflow::model::{PacketBody, StableHasher};
use neuraflow::prelude::*;
use neuraflow::testing::{FakeClock, collect_packets};

#[path = "support/example.rs"]
mod example;
use example::Example;

const STREAMS: usize = 8;
const CHANNELS: usize = 32;
const RATE: usize = 1_000;
/// Samples of a window of 50 ms.
const WINDOW: usize = RATE / 20;

struct Plan {
    kills: usize,
    seconds: usize,
    look_back_ms: usize,
    /// How long a process lives, at most.
    longest: Duration,
    seed: u64,
}

#[test]
fn killed_twenty_times_nothing_is_missing() {
    let plan = Plan {
        kills: 20,
        seconds: 40,
        look_back_ms: 2_000,
        longest: Duration::from_millis(1_200),
        seed: seed(),
    };
    killed("recovery-20", &plan).judge(None);
}

#[test]
#[ignore = "takes five minutes"]
fn killed_two_hundred_times_nothing_is_missing() {
    let plan = Plan {
        kills: 200,
        seconds: 240,
        look_back_ms: 50_000, // 51 MB of f32
        longest: Duration::from_millis(2_000),
        seed: seed(),
    };
    killed("recovery-200", &plan).judge(Some(1_000));
}

/// Where the times of the kills come from; printed, so that a run can be repeated as far as the machine allows.
fn seed() -> u64 {
    let given = std::env::var("NEURAFLOW_SEED").ok().and_then(|text| text.parse().ok());
    given.unwrap_or_else(|| u64::from(std::process::id()))
}

fn random(seed: u64, kill: usize) -> u64 {
    StableHasher::default().u64(seed).u64(kill as u64).finish() as u64
}

struct Verdict {
    kills: usize,
    missing: usize,
    extra: usize,
    mismatch: usize,
    duplicates: usize,
    /// Milliseconds from the start of a process to its first window, of every other one that went on from a checkpoint.
    recovery: Vec<u64>,
}

impl Verdict {
    fn judge(mut self, slowest_ms: Option<u64>) {
        self.recovery.sort_unstable();
        let p99 = self.recovery.get((self.recovery.len() * 99).div_ceil(100).saturating_sub(1)).copied();
        let p99 = p99.expect("no process went on from a checkpoint");
        println!(
            "kills={} missing={} extra={} mismatch={} duplicates={} recovery_ms_p99={p99}",
            self.kills, self.missing, self.extra, self.mismatch, self.duplicates
        );
        assert_eq!((self.missing, self.extra, self.mismatch, self.duplicates), (0, 0, 0, 0));
        assert!(slowest_ms.is_none_or(|slowest| p99 < slowest), "{p99} ms");
    }
}

fn durable(folder: &Path, plan: &Plan, workers: usize, speed: &str) -> Child {
    Example("durable")
        .command()
        .arg("--folder")
        .arg(folder)
        .args(["--streams", &STREAMS.to_string(), "--channels", &CHANNELS.to_string()])
        .args(["--rate", &RATE.to_string(), "--seconds", &plan.seconds.to_string(), "--speed", speed])
        .args(["--look-back-ms", &plan.look_back_ms.to_string(), "--checkpoint-ms", "500"])
        .args(["--workers", &workers.to_string()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn killed(name: &str, plan: &Plan) -> Verdict {
    println!("seed {}", plan.seed);
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let (mut recovery, mut restored) = (Vec::new(), 0);
    for kill in 0..plan.kills {
        let workers = 1 + kill % 3;
        let has_checkpoint =
            fs::read_dir(folder.join("checkpoints")).is_ok_and(|entries| entries.count() > 2);
        let mut process = durable(&folder, plan, workers, "real");
        restored += usize::from(has_checkpoint);
        // Every other one lives until it has come to a window, so that slow ones are measured too.
        if kill % 2 == 0 {
            let mut lines = BufReader::new(process.stderr.take().unwrap()).lines().map_while(Result::ok);
            let first = lines.find_map(|line| {
                line.strip_prefix("first window after ")?.strip_suffix(" ms")?.parse::<u64>().ok()
            });
            recovery.extend(first.filter(|_| has_checkpoint));
        }
        let lives = Duration::from_millis(50 + random(plan.seed, kill) % plan.longest.as_millis() as u64);
        let deadline = Instant::now() + lives;
        while Instant::now() < deadline {
            assert_eq!(
                process.try_wait().unwrap(),
                None,
                "ended by itself: {}",
                said(&mut process).join("\n")
            );
            std::thread::sleep(Duration::from_millis(1));
        }
        process.kill().unwrap(); // SIGKILL
        process.wait().unwrap();
    }
    println!("{restored} of {} processes found a checkpoint", plan.kills);
    let mut process = durable(&folder, plan, 2, "max");
    let lines = said(&mut process);
    assert!(process.wait().unwrap().success(), "{}", lines.join("\n"));

    let mut verdict =
        Verdict { kills: plan.kills, missing: 0, extra: 0, mismatch: 0, duplicates: 0, recovery };
    let signals = signals(plan);
    verdict.compare(&folder.join("rms"), &signals, WINDOW, plan);
    verdict.compare(&folder.join("rms-long"), &signals, plan.look_back_ms * RATE / 1_000, plan);
    verdict
}

/// What a process said on its standard error.
fn said(process: &mut Child) -> Vec<String> {
    let Some(stderr) = process.stderr.take() else { return Vec::new() };
    BufReader::new(stderr).lines().map_while(Result::ok).collect()
}

/// The filtered signal of each stream, computed in one go.
fn signals(plan: &Plan) -> BTreeMap<String, Vec<f32>> {
    let source = Synthetic::new(CHANNELS, SamplingRate::hz(RATE as u64).unwrap()).streams(STREAMS).seed(1);
    let source = source.seconds(plan.seconds as f64);
    let mut raw: BTreeMap<StreamKey, Vec<f32>> = BTreeMap::new();
    let mut names = BTreeMap::new();
    for (_, packet) in collect_packets(&source, &Arc::new(FakeClock::new())).unwrap() {
        match packet.body {
            PacketBody::Open(header) => {
                names.insert(packet.stream, header.name.clone());
            }
            PacketBody::Samples { values, .. } => raw.entry(packet.stream).or_default().extend(values),
            _ => {}
        }
    }
    let filter = Butterworth::bandpass(4, 1.0..40.0);
    raw.into_iter()
        .map(|(key, values)| {
            let array = Array2::from_shape_vec((values.len() / CHANNELS, CHANNELS), values).unwrap();
            let filtered = filter.filter(&array, RATE as f64).unwrap();
            (names[&key].clone(), filtered.into_raw_vec_and_offset().0)
        })
        .collect()
}

/// The root mean squares of the `samples` samples that end with each window; NaN before there are so many.
fn expected(signal: &[f32], samples: usize) -> Vec<Vec<f64>> {
    let windows = signal.len() / CHANNELS / WINDOW;
    (1..=windows)
        .map(|window| match (window * WINDOW).checked_sub(samples) {
            Some(first) => {
                Rms::of_samples(&signal[first * CHANNELS..window * WINDOW * CHANNELS], CHANNELS).unwrap()
            }
            None => vec![f64::NAN; CHANNELS],
        })
        .collect()
}

impl Verdict {
    /// Reads the files as any reader of them would, and compares every row.
    fn compare(&mut self, folder: &Path, signals: &BTreeMap<String, Vec<f32>>, samples: usize, plan: &Plan) {
        for (name, signal) in signals {
            let file = fs::read_dir(folder)
                .unwrap()
                .map(|entry| entry.unwrap().path())
                .find(|path| path.file_name().unwrap().to_str().unwrap().starts_with(&format!("{name}-")));
            let text = fs::read_to_string(file.unwrap_or_else(|| panic!("no file of {name} in {folder:?}")))
                .unwrap();
            let mut found: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
            for row in text.lines().skip(1) {
                let fields: Vec<&str> = row.split(',').collect();
                let start: f64 = fields[0].parse().unwrap();
                let values = fields[7..].iter().map(|field| field.parse().unwrap()).collect();
                if found.insert((start * 20.0).round() as usize, values).is_some() {
                    self.duplicates += 1;
                }
            }
            let expected = expected(signal, samples);
            assert_eq!(expected.len(), plan.seconds * 20);
            for (window, expected) in expected.iter().enumerate() {
                let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
                match found.remove(&window) {
                    None => self.missing += 1,
                    Some(values) if bits(&values) == bits(expected) => {}
                    Some(_) => self.mismatch += 1,
                }
            }
            self.extra += found.len();
        }
    }
}
