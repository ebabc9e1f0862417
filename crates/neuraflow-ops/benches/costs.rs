//! What each operator costs for each channel-sample, in nanoseconds of processor time: 32 channels at 250 Hz, those of spikes at 24 kHz, in
//! packets, or windows, of 50 ms. The column in docs/reference/operators.md.
//!
//! `cargo bench -p neuraflow-ops --bench costs --features linalg`
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a bench prints, and fails by panicking")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use cpu_time::ProcessTime;
use ndarray::Array2;
#[cfg(feature = "linalg")]
use neuraflow_core::model::Features;
use neuraflow_core::model::{
    Channel, Chunk, SamplingRate, Span, StreamHeader, StreamKey, Window, WindowInfo, WindowStatus,
};
use neuraflow_core::operator::{Missing, Operator, SignalSpec, WindowItem, WindowSpec};
use neuraflow_ops::artifact::{ArtifactFlags, Blinks, EogRegression, EogWeights, Kurtosis};
#[cfg(feature = "linalg")]
use neuraflow_ops::decode::{
    Cca, Centre, Csp, Fbcca, FilterBankCsp, Kalman, Mdm, PoissonBayes, Recentre, TangentLogistic, Trajectory,
    Trials, Wiener, Xdawn, XdawnLda, XdawnTangent,
};
use neuraflow_ops::feature::{
    Aperiodic, BandPower, Coherence, EnvelopePower, Hjorth, LineLength, LogVariance, Morlet, Multitaper,
    Periodogram, PhaseLocking, Rms, Spectrum, SpikeCounts, SpikingBandPower,
};
#[cfg(feature = "linalg")]
use neuraflow_ops::feature::{Covariance, Samples, Tangent};
#[cfg(feature = "linalg")]
use neuraflow_ops::filter::FilterBank;
use neuraflow_ops::filter::{
    Butterworth, Chebyshev1, Chebyshev2, Comb, DcRemoval, Detrend, Elliptic, Envelope, Fir, Notch, Resample,
    ZScore,
};
use neuraflow_ops::kernel::Precision;
#[cfg(feature = "linalg")]
use neuraflow_ops::kernel::linalg::{TangentSpace, riemann_mean};
use neuraflow_ops::quality::{LineNoise, Railed, SignalQuality};
use neuraflow_ops::spatial::{BadChannels, Bipolar, CommonAverage, Laplacian, Montage, SpatialFilter};
use neuraflow_ops::spike::SpikeDetector;

const NAMES: &str = "Fp1 Fpz Fp2 F7 F3 Fz F4 F8 FC5 FC1 FC2 FC6 T7 C3 Cz C4 T8 CP5 CP1 CP2 CP6 P7 P3 Pz P4 P8 PO3 O1 Oz O2 \
                     EOG1 EOG2";

/// Seconds of signal that a run is of, and those ahead that fill look-backs.
const SECONDS: i64 = 20;
const AHEAD: i64 = 5;

fn signal() -> SignalSpec {
    signal_at(250)
}

fn signal_at(hz: u64) -> SignalSpec {
    let channels: Arc<[Channel]> = NAMES.split(' ').map(Channel::new).collect();
    SignalSpec { channels, rate: SamplingRate::hz(hz).unwrap(), missing: Missing::Restart }
}

/// The samples of each 50 ms.
fn pieces(spec: &SignalSpec) -> Vec<Chunk> {
    let (width, mut state) = (spec.channels.len(), 1_u32);
    let mut walk = vec![0.0_f32; width];
    let edge = |index: i64| spec.rate.first_at_or_after(Span::millis(50 * index));
    let piece = |index: i64| {
        let mut chunk = Chunk::new(edge(index), width);
        for _ in edge(index)..edge(index + 1) {
            for value in &mut walk {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                *value = 0.98 * *value + (state >> 16) as f32 / 6_000.0 - 5.0;
            }
            chunk.extend(&walk);
        }
        chunk
    };
    (0..20 * (SECONDS + AHEAD)).map(piece).collect()
}

/// The median of five runs, each of a fresh instance; `run` takes in one piece.
fn measure<O>(
    name: &str,
    pieces: &[Chunk],
    mut fresh: impl FnMut() -> O,
    mut run: impl FnMut(&mut O, &Chunk),
) {
    let (ahead, timed) = pieces.split_at((20 * AHEAD) as usize);
    let values: usize = timed.iter().map(|chunk| chunk.values().len()).sum();
    let mut times: Vec<Duration> = (0..5)
        .map(|_| {
            let mut operator = fresh();
            ahead.iter().for_each(|piece| run(&mut operator, piece));
            let start = ProcessTime::now();
            timed.iter().for_each(|piece| run(&mut operator, black_box(piece)));
            start.elapsed()
        })
        .collect();
    times.sort();
    println!("{name:>28} {:8.2} ns", times[2].as_nanos() as f64 / values as f64);
}

fn stage<O: Operator<In = Chunk, Out = Chunk>>(name: &str, pieces: &[Chunk], make: impl Fn() -> O) {
    let fresh = || {
        let mut operator = make();
        let announced = operator.prepare(&signal()).unwrap();
        (operator, Chunk::default(), announced.channels.len())
    };
    measure(name, pieces, fresh, |(operator, out, channels), piece| {
        out.restart(piece.first(), *channels);
        operator.process(piece, out).unwrap();
        black_box(out.values());
    });
}

/// A window of 50 ms, but for its samples.
fn info(signal: &SignalSpec) -> WindowInfo {
    let header = StreamHeader::new(StreamKey::default(), "bench", signal.rate, signal.channels.to_vec());
    WindowInfo {
        start: header.t0,
        end: header.t0 + Span::millis(50),
        stream: Arc::new(header),
        index: 0,
        expected: 13,
        received: 13,
        imputed: 0,
        status: WindowStatus::Complete,
        warm_up: false,
        arrival: 0,
        marker: None,
    }
}

fn feature<O: Operator<In = Window, Out: WindowItem>>(name: &str, pieces: &[Chunk], make: impl Fn() -> O) {
    feature_of(&signal(), name, pieces, make);
}

/// The same, of another signal.
fn feature_of<O: Operator<In = Window, Out: WindowItem>>(
    signal: &SignalSpec,
    name: &str,
    pieces: &[Chunk],
    make: impl Fn() -> O,
) {
    let info = info(signal);
    let fresh = || {
        let mut operator = make();
        let spec = operator.prepare(&WindowSpec { signal: signal.clone(), hop: Span::millis(50) }).unwrap();
        (
            operator,
            O::Out::blank(info.clone(), &spec),
            Window { info: info.clone(), samples: Chunk::default() },
        )
    };
    measure(name, pieces, fresh, |(operator, out, window), piece| {
        window.samples.clone_from(piece);
        out.begin(&info);
        operator.process(window, out).unwrap();
        black_box(&*out);
    });
}

fn main() {
    let pieces = pieces(&signal());
    let p = &pieces[..];
    stage("Butterworth", p, || Butterworth::bandpass(4, 1.0..40.0));
    stage("Chebyshev1", p, || Chebyshev1::bandpass(4, 0.5, 1.0..40.0));
    stage("Chebyshev2", p, || Chebyshev2::bandpass(4, 40.0, 0.5..45.0));
    stage("Elliptic", p, || Elliptic::bandpass(3, 0.5, 40.0, 1.0..40.0));
    stage("Notch", p, || Notch::new(50.0, 30.0));
    stage("Comb", p, || Comb::notch(50.0, 30.0));
    stage("DcRemoval", p, || DcRemoval::over_millis(1_000));
    stage("Fir, 101 taps", p, || Fir::bandpass(101, 1.0..40.0));
    stage("Detrend, 1 s", p, || Detrend::linear(1_000));
    stage("Envelope, 8 Hz", p, || Envelope::down_to(8.0));
    stage("ZScore", p, || ZScore::running(1_000));
    stage("Resample, to 125 Hz", p, || Resample::decimate(2));
    stage("Resample, to 256 Hz", p, || Resample::to(SamplingRate::hz(256).unwrap()));

    stage("BadChannels", p, || BadChannels::of(["T7", "P8"]));
    stage("Montage", p, || Montage::of(NAMES.split(' ')).referenced_to(["T7", "T8"]));
    stage("CommonAverage", p, CommonAverage::new);
    stage("Laplacian", p, Laplacian::new);
    stage("Bipolar", p, || Bipolar::pairs(NAMES.split(' ').zip(NAMES.split(' ').skip(1))));
    let weights = Array2::from_shape_fn((32, 32), |(o, c)| 1.0 / (1.0 + (o + c) as f64));
    stage("SpatialFilter, 32 x 32", p, || {
        SpatialFilter::new(NAMES.split(' '), NAMES.split(' '), weights.clone())
    });
    let channels = &signal().channels;
    let recording =
        Array2::from_shape_fn((500, 32), |(n, c)| f64::from(pieces[n / 12].values()[n % 12 * 32 + c]));
    let eyes = EogWeights::fit(recording.view(), channels).unwrap();
    stage("EogRegression", p, || EogRegression::new(eyes.clone()));

    feature("ArtifactFlags", p, ArtifactFlags::new);
    feature("Kurtosis, 1 s", p, Kurtosis::new);
    feature("Blinks", p, Blinks::new);
    feature("SignalQuality, 1 s", p, SignalQuality::new);
    feature("Railed, 1 s", p, || Railed::at(-1e5, 1e5));
    feature("LineNoise, 1 s", p, || LineNoise::at(50.0));

    let bands = || [("alpha", 8.0..13.0), ("beta", 13.0..30.0)];
    feature("BandPower, 1 s", p, || BandPower::bands(bands()));
    feature("BandPower, 1 s, f32", p, || BandPower::bands(bands()).precision(Precision::Single));
    feature("EnvelopePower, 2 bands", p, || EnvelopePower::bands(bands()));
    feature("Morlet, 10 and 20 Hz", p, || Morlet::at([10.0, 20.0]));
    feature("Spectrum, 1 s", p, || Spectrum::new().up_to_hz(45.0));
    let single = || Spectrum::new().up_to_hz(45.0).precision(Precision::Single);
    feature("Spectrum, 1 s, f32", p, single);
    feature("Multitaper, 1 s", p, || Multitaper::new().up_to_hz(45.0));
    feature("Periodogram", p, Periodogram::new);
    feature("Periodogram, f32", p, || Periodogram::new().precision(Precision::Single));
    feature("Aperiodic, 4 s", p, || Aperiodic::between(2.0..40.0));
    let pairs = || NAMES.split(' ').zip(NAMES.split(' ').skip(1)).take(16);
    feature("Coherence, 16 pairs, 4 s", p, || Coherence::of(pairs(), bands()));
    feature("PhaseLocking, 16 pairs, 1 s", p, || PhaseLocking::of(pairs(), bands()));
    feature("Hjorth, 1 s", p, Hjorth::new);
    feature("LineLength, 1 s", p, LineLength::new);
    feature("Rms", p, Rms::new);
    feature("LogVariance", p, LogVariance::new);
    spikes();
    #[cfg(feature = "linalg")]
    {
        decoders(p);
        evoked(p);
        filter_bank(p);
        trajectories(p);
    }
}

/// Broadband noise, in which few values cross a threshold.
fn spikes() {
    let signal = signal_at(24_000);
    let pieces = pieces(&signal);
    let detector = || SpikeDetector::new().threshold(4.5);
    feature_of(&signal, "SpikeDetector", &pieces, detector);
    feature_of(&signal, "ThresholdCrossings", &pieces, || detector().counts());
    feature_of(&signal, "SpikingBandPower", &pieces, SpikingBandPower::new);
    feature_of(&signal, "SpikeCounts", &pieces, SpikeCounts::new);
}

/// What a feature makes of every piece.
#[cfg(feature = "linalg")]
fn features_of<O: Operator<In = Window, Out = Features>>(
    signal: &SignalSpec,
    pieces: &[Chunk],
    mut operator: O,
) -> Vec<Features> {
    let info = info(signal);
    let spec = operator.prepare(&WindowSpec { signal: signal.clone(), hop: Span::millis(50) }).unwrap();
    let of = |piece: &Chunk| {
        let mut out = Features::blank(info.clone(), &spec);
        operator.process(&Window { info: info.clone(), samples: piece.clone() }, &mut out).unwrap();
        out
    };
    pieces.iter().map(of).collect()
}

/// Two classes of trials in turn, some of what was computed once look-backs are filled.
#[cfg(feature = "linalg")]
fn fill(mut trials: Trials, features: &[Features]) -> Trials {
    for (n, trial) in features[20..].iter().step_by(12).enumerate() {
        trials.push(n % 2, &trial.values).unwrap();
    }
    trials
}

/// Epochs of a second, and what decides on them.
#[cfg(feature = "linalg")]
fn evoked(p: &[Chunk]) {
    let (signal, samples) = (signal(), || Samples::new().over_millis(1_000));
    feature("Samples, 1 s", p, samples);
    let epochs = features_of(&signal, p, samples());
    let rows = epochs[0].spec.rows.iter().cloned();
    let trials = Trials::epochs(rows, epochs[0].spec.columns.len(), signal.rate, ["a", "b"]).unwrap();
    let trials = fill(trials, &epochs);
    let (lda, tangent) = (XdawnLda::new(Xdawn::oas(2)), XdawnTangent::new(Xdawn::oas(2)));
    let models =
        [("XdawnLda", lda.shrunk().fit(&trials).unwrap()), ("XdawnTangent", tangent.fit(&trials).unwrap())];
    for (name, model) in &models {
        behind(name, p, &epochs, || model.decoder());
    }
}

/// Four bands, their covariances, and what decides on them.
#[cfg(feature = "linalg")]
fn filter_bank(p: &[Chunk]) {
    let edges = [8.0..12.0, 12.0..16.0, 16.0..20.0, 20.0..24.0];
    let bank = || FilterBank::new(4, edges.clone());
    stage("FilterBank, 4 bands", p, bank);
    let mut stage = bank();
    let banked = stage.prepare(&signal()).unwrap();
    let filtered: Vec<Chunk> = p
        .iter()
        .map(|piece| {
            let mut out = Chunk::new(piece.first(), banked.channels.len());
            stage.process(piece, &mut out).unwrap();
            out
        })
        .collect();
    let by_band = || Covariance::oas().over_millis(1_000).by_band();
    feature_of(&banked, "Covariance by_band, 1 s", &filtered, by_band);
    let covariances = features_of(&banked, &filtered, by_band());
    let trials = Trials::bands(NAMES.split(' '), edges.clone(), banked.rate, ["a", "b"]).unwrap();
    let model = FilterBankCsp::new(4).fit(&fill(trials, &covariances)).unwrap();
    behind("FilterBankCsp", &filtered, &covariances, || model.decoder());
}

/// Counts of 32 units, and what says from them where it is.
#[cfg(feature = "linalg")]
fn trajectories(p: &[Chunk]) {
    let counts = features_of(&signal(), p, SpikeCounts::new());
    let units = counts[0].spec.rows.iter().cloned();
    let mut trajectory = Trajectory::new(units, Span::millis(50), ["position"]).unwrap();
    let mut inputs = counts.clone();
    for (n, input) in inputs.iter_mut().enumerate() {
        input.values.iter_mut().for_each(|value| *value = f64::from(*value as i32 & 3));
        // They follow each other, as a look-back wants them.
        let at = Span::millis(50 * n as i64);
        (input.info.index, input.info.start, input.info.end) =
            (n as i64, input.info.start + at, input.info.end + at);
        trajectory.push(n as i64, &input.values, Some(&[(n % 100) as f64])).unwrap();
    }
    let models = [
        ("PoissonBayes, 250 ms", PoissonBayes::new().fit(&trajectory).unwrap()),
        ("Wiener, 5 windows", Wiener::new(5).ridge(1.0).fit(&trajectory).unwrap()),
        ("Kalman", Kalman::new().fit(&trajectory).unwrap()),
    ];
    for (name, model) in &models {
        behind(name, p, &inputs, || model.decoder());
    }
}

/// What decides, and what is decided by. Behind a covariance only its own cost is counted.
#[cfg(feature = "linalg")]
fn decoders(p: &[Chunk]) {
    let classes = || [("a", 9.0), ("b", 11.0), ("c", 13.0), ("d", 15.0)];
    feature("Cca, 1 s", p, || Cca::new(classes()).over_millis(1_000));
    feature("Fbcca, 1 s", p, || Fbcca::new(classes(), [8.0..60.0, 16.0..60.0]).over_millis(1_000));
    feature("Covariance, 1 s", p, || Covariance::oas().over_millis(1_000));

    let (signal, covariance) = (signal(), || Covariance::oas().over_millis(1_000));
    let covariances = features_of(&signal, p, covariance());
    let rows = covariances[0].spec.rows.iter().cloned();
    let trials = fill(Trials::new(rows, signal.rate, ["a", "b"]).unwrap(), &covariances);
    let some: Vec<Vec<f64>> = covariances[20..].iter().step_by(12).map(|c| c.values.clone()).collect();
    let mean = riemann_mean(&some).unwrap();
    let space = TangentSpace::at(&mean).unwrap();
    feature("Tangent, 1 s", p, || Tangent::new(space.clone(), covariance()));
    let models = [
        ("Csp", Csp::new(4).fit(&trials).unwrap()),
        ("Mdm", Mdm::new().fit(&trials).unwrap()),
        ("TangentLogistic", TangentLogistic::new().fit(&trials).unwrap()),
    ];
    for (name, model) in &models {
        behind(name, p, &covariances, || model.decoder());
    }
    behind("Recentre", p, &covariances, || Recentre::around(Centre::Riemann));
    behind("Recentre, frozen", p, &covariances, || Recentre::around(Centre::Riemann).frozen_after(20));
}

/// An operator on features that were computed before.
#[cfg(feature = "linalg")]
fn behind<O: Operator<In = Features, Out: WindowItem>>(
    name: &str,
    pieces: &[Chunk],
    inputs: &[Features],
    make: impl Fn() -> O,
) {
    let fresh = || {
        let mut operator = make();
        let spec = operator.prepare(&inputs[0].spec).unwrap();
        (operator, O::Out::blank(inputs[0].info.clone(), &spec), inputs.iter())
    };
    measure(name, pieces, fresh, |(operator, out, inputs), _| {
        let input = inputs.next().unwrap();
        out.begin(&input.info);
        operator.process(input, out).unwrap();
        black_box(&*out);
    });
}
