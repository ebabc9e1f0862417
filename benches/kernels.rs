//! The kernels alone, in channel-samples per second: a cascade of four sections, periodograms of short and long windows and
//! spectra of 1500 points in both precisions, and RMS of a 50 ms window.
//!
//! `cargo bench --bench kernels`

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use neuraflow::model::{WindowInfo, WindowStatus};
use neuraflow::operator::{self, SignalSpec, WindowItem, WindowSpec};
use neuraflow::ops::kernel::{DftPower, Missing, Response, SosFilter, butterworth, stats};
use neuraflow::prelude::*;

/// Values of `[sample][channel]` in ±500 µV, no two neighbours alike.
fn values(samples: usize, channels: usize) -> Vec<f32> {
    (0..samples * channels).map(|n| (n * 7919 % 1000) as f32 - 500.0).collect()
}

/// Channels and samples of a packet or window: a headset, a cap, and a probe in packets of 1 ms.
const SHAPES: [(usize, usize); 3] = [(8, 13), (64, 13), (1024, 30)];

fn cascade(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("cascade of 4 sections");
    let sos = butterworth(4, Response::Bandpass(1.0, 40.0), 250.0).unwrap();
    for (name, precision) in PRECISIONS {
        for (channels, samples) in SHAPES {
            let x = values(samples, channels);
            let mut y = x.clone();
            let mut filter = SosFilter::with_precision(&sos, channels, Missing::Restart, precision).unwrap();
            group.throughput(Throughput::Elements(x.len() as u64));
            group.bench_function(BenchmarkId::new(name, channels), |bench| {
                bench.iter(|| filter.process(black_box(&x), black_box(&mut y)).unwrap());
            });
        }
    }
    group.finish();
}

/// Both precisions.
const PRECISIONS: [(&str, Precision); 2] = [("f64", Precision::Double), ("f32", Precision::Single)];

fn periodogram(criterion: &mut Criterion) {
    for (samples, channels) in [(13, 8), (1500, 16)] {
        let mut group = criterion.benchmark_group(format!("periodogram of {samples} samples"));
        for (name, precision) in PRECISIONS {
            let mut dft = DftPower::with_precision(samples, precision).unwrap();
            let (x, mut powers) = (values(samples, channels), vec![0.0; channels * dft.bins()]);
            group.throughput(Throughput::Elements(x.len() as u64));
            group.bench_function(BenchmarkId::new(name, channels), |bench| {
                bench.iter(|| dft.process(black_box(&x), channels, black_box(&mut powers)).unwrap());
            });
        }
        group.finish();
    }
}

fn rms(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("rms");
    for (channels, samples) in SHAPES {
        let (x, mut out) = (values(samples, channels), vec![0.0; channels]);
        group.throughput(Throughput::Elements(x.len() as u64));
        group.bench_function(BenchmarkId::from_parameter(channels), |bench| {
            bench.iter(|| stats::rms_of_channels(black_box(&x), black_box(&mut out)).unwrap());
        });
    }
    group.finish();
}

/// The operator on windows of 50 ms at 30 kHz, with what it keeps and copies: from 16 channels on several are
/// transformed side by side.
fn spectrum(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("spectrum of 1500 points");
    let rate = SamplingRate::hz(30_000).unwrap();
    let every = [15, 16, 1024].map(|channels| PRECISIONS.map(|precision| (channels, precision)));
    for (channels, (name, precision)) in every.into_iter().flatten() {
        let layout: Vec<Channel> = (0..channels).map(|channel| Channel::new(format!("{channel}"))).collect();
        let header = StreamHeader::new(StreamKey::default(), "probe", rate, layout.clone());
        let signal = SignalSpec { channels: layout.into(), rate, missing: operator::Missing::Restart };
        let mut spectrum = Spectrum::new().over_millis(50).precision(precision);
        let spec = spectrum.prepare(&WindowSpec { signal, hop: Span::millis(50) }).unwrap();
        let info = WindowInfo {
            start: header.t0,
            end: header.t0 + Span::millis(50),
            stream: Arc::new(header),
            index: 0,
            expected: 1500,
            received: 1500,
            imputed: 0,
            status: WindowStatus::Complete,
            warm_up: false,
            arrival: 0,
            marker: None,
        };
        let mut samples = Chunk::new(0, channels);
        samples.extend(&values(1500, channels));
        let mut out = Features::blank(info.clone(), &spec);
        let window = Window { info, samples };
        group.throughput(Throughput::Elements(1500 * channels as u64));
        group.bench_function(BenchmarkId::new(name, channels), |bench| {
            bench.iter(|| spectrum.process(black_box(&window), black_box(&mut out)).unwrap());
        });
    }
    group.finish();
}

criterion_group!(benches, cascade, periodogram, rms, spectrum);
criterion_main!(benches);
