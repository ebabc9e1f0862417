//! What the codec saves and costs.
//!
//! `cargo bench --bench codec` for a quick look, `cargo bench --bench codec -- --summary` for its figures of
//! docs/reference/codec.md, one JSON object a line. Other codecs on the same frames: benches/codecs.

#![allow(clippy::unwrap_used)]

mod signals;

use std::hint::black_box;
use std::time::Instant;

use criterion::{BenchmarkId, Criterion, Throughput};
use neuraflow::codec::{Config, Decoder, Encoder, Frame, Layout, Profile, Samples, ValueType, Values};
use neuraflow::prelude::{SamplingRate, StreamKey};
use serde_json::json;
use signals::Signal;

fn main() {
    if std::env::args().any(|argument| argument == "--summary") {
        return summary();
    }
    let probe = signals::probe();
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("codec, probe in frames of 50 ms");
    group.throughput(Throughput::Bytes(2 * probe.counts.len() as u64));
    for (name, profile) in [("fast", Profile::Fast), ("small", Profile::Small)] {
        let frames = encode(&probe, 50, Config::of(profile));
        group.bench_function(BenchmarkId::new(name, "encode"), |bench| {
            bench.iter(|| encode(black_box(&probe), 50, Config::of(profile)));
        });
        group.bench_function(BenchmarkId::new(name, "decode"), |bench| {
            bench.iter(|| decode(black_box(&frames)));
        });
    }
    group.finish();
    criterion.final_summary();
}

fn encoder(signal: &Signal, config: Config) -> Encoder {
    let rate = SamplingRate::hz(signal.hz).unwrap();
    let key = StreamKey::of_names("bench", signal.name);
    Encoder::new(Layout::counts(key, rate, signal.channels, ValueType::I16, 1.0), config).unwrap()
}

fn encode(signal: &Signal, millis: u64, config: Config) -> Vec<Vec<u8>> {
    let mut encoder = encoder(signal, config);
    let frames = signal.counts.chunks(signal.frame(millis)).enumerate();
    let encode = |(n, values)| {
        let mut bytes = Vec::new();
        let first = n as u64 * signal.hz * millis / 1_000;
        let samples = Samples { sequence: first, first, values: Values::I16(values), missing: &[] };
        encoder.encode(samples, &mut bytes).unwrap();
        bytes
    };
    frames.map(encode).collect()
}

fn decode(frames: &[Vec<u8>]) -> u64 {
    let (mut decoder, mut frame) = (Decoder::new(), Frame::default());
    let mut samples = 0;
    for bytes in frames {
        decoder.decode(bytes, &mut frame).unwrap();
        black_box(frame.values());
        samples += frame.len() as u64;
    }
    samples
}

/// Gigabytes of counts per second: the best of several runs, since neighbours on the machine only ever slow it down.
fn speed(bytes: usize, mut run: impl FnMut()) -> f64 {
    let until = Instant::now();
    let mut best = f64::MAX;
    let mut runs = 0;
    while runs < 5 || until.elapsed().as_secs_f64() < 1.5 {
        let start = Instant::now();
        run();
        best = best.min(start.elapsed().as_secs_f64());
        runs += 1;
    }
    bytes as f64 / best / 1e9
}

fn summary() {
    let probe = signals::probe();
    let eeg = signals::eeg();
    for signal in [Some(&probe), eeg.as_ref()].into_iter().flatten() {
        let bytes = 2 * signal.counts.len();
        let mut copy = vec![0i16; signal.counts.len()];
        let chunk = signal.frame(50);
        // Frame by frame into the same place, as the codec reads and writes.
        let memcpy = speed(bytes, || {
            for frame in signal.counts.chunks(chunk) {
                copy[..frame.len()].copy_from_slice(black_box(frame));
                black_box(&mut copy);
            }
        });
        print(&format!("{}: memcpy", signal.name), memcpy, "GB/s", None);
        for millis in [50, 1_000] {
            for (name, profile) in [("fast", Profile::Fast), ("small", Profile::Small)] {
                for error in [0.0, 4.0] {
                    // A key frame a second.
                    let interval = if millis == 50 { 20 } else { 1 };
                    let config = Config::of(profile).with_key_interval(interval).with_max_error(error);
                    let case = |what: &str| {
                        let bound = if error == 0.0 { String::new() } else { format!(", ±{error} counts") };
                        format!("{}: {name}, {millis} ms{bound}: {what}", signal.name)
                    };
                    let frames = encode(signal, millis, config);
                    let size: usize = frames.iter().map(Vec::len).sum();
                    let ratio = bytes as f64 / size as f64;
                    print(&case("compression ratio"), ratio, "bytes before ÷ bytes after", None);
                    let encoded = speed(bytes, || drop(black_box(encode(signal, millis, config))));
                    print(&case("encode"), encoded, "GB/s", Some(memcpy));
                    let decoded = speed(bytes, || {
                        black_box(decode(&frames));
                    });
                    print(&case("decode"), decoded, "GB/s", Some(memcpy));
                }
            }
        }
    }
}

fn print(name: &str, value: f64, unit: &str, baseline: Option<f64>) {
    let round = |value: f64| (value * 1e3).round() / 1e3;
    let ratio = baseline.map(|baseline| round(value / baseline));
    let baseline = baseline.map(round);
    println!(
        "{}",
        json!({ "name": name, "value": round(value), "unit": unit, "baseline": baseline, "ratio": ratio })
    );
}
