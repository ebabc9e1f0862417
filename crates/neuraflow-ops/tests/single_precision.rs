//! How far spectra of single precision are off: against the committed SciPy goldens, and on input that is made to hurt.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test's helpers fail by panicking"
)]

mod support;

use std::sync::Arc;

use neuraflow_core::checkpoint::{RestoreError, SnapshotReader, SnapshotWriter};
use neuraflow_core::model::{
    Channel, Chunk, Features, SamplingRate, Span, StreamHeader, StreamKey, Window, WindowInfo, WindowStatus,
};
use neuraflow_core::operator::{Missing, Operator, SignalSpec, WindowItem, WindowSpec};
use neuraflow_ops::feature::{BandPower, Periodogram, Spectrum};
use neuraflow_ops::kernel::{DftPower, Precision};
use support::{json, list, number, numbers};

/// Greatest difference of any bin, in parts of the greatest expected one behind the first, where an offset has its power; that of
/// the first in parts of the greatest of all.
fn error(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    // Of a constant f64 leaves a rounding error there, and f32 nothing.
    let most = expected[1..].iter().copied().fold(1e-20 * expected[0], f64::max);
    let off = |bin: usize, scale: f64| {
        let difference = (found[bin] - expected[bin]).abs();
        assert!(difference.is_finite(), "bin {bin}: {} for {}", found[bin], expected[bin]);
        if difference == 0.0 { 0.0 } else { difference / scale }
    };
    (1..found.len()).map(|bin| off(bin, most)).fold(off(0, most.max(expected[0])), f64::max)
}

fn periodogram(values: &[f32], channels: usize, precision: Precision) -> Vec<f64> {
    let mut dft = DftPower::with_precision(values.len() / channels, precision).unwrap();
    let mut powers = vec![0.0; channels * dft.bins()];
    dft.process(values, channels, &mut powers).unwrap();
    powers
}

#[test]
fn periodograms_are_scipys_to_six_digits_of_the_greatest_bin() {
    let goldens = json("periodograms.json");
    let mut worst = 0.0;
    for golden in list(&goldens, "periodograms") {
        let values: Vec<f32> =
            numbers(&golden["quarters"]).iter().map(|quarter| (quarter / 4.0) as f32).collect();
        let expected = numbers(&golden["powers"]);
        let bins = expected.len() / 3;
        let found = periodogram(&values, 3, Precision::Single);
        for (found, expected) in found.chunks(bins).zip(expected.chunks(bins)) {
            let error = error(found, expected);
            assert!(error <= 1e-6, "{} samples: {error:e}", values.len() / 3);
            worst = f64::max(worst, error);
        }
    }
    println!("periodogram: worst error {worst:.1e} of the greatest value");
}

#[test]
fn spectra_and_band_powers_are_scipys_to_six_digits_of_the_greatest_bin() {
    let goldens = json("band_powers.json");
    let mut worst = (0.0, 0.0);
    for golden in list(&goldens, "band_powers") {
        let rate =
            SamplingRate::ratio(golden["num"].as_u64().unwrap(), golden["den"].as_u64().unwrap()).unwrap();
        let values: Vec<f64> = numbers(&golden["quarters"]).iter().map(|quarter| quarter / 4.0).collect();
        let (millis, segment) = (golden["over_ms"].as_i64().unwrap(), golden["segment_ms"].as_i64());
        let spectrum = Spectrum::new().over_millis(millis).precision(Precision::Single);
        let spectrum = match segment {
            Some(segment) => spectrum.segment_millis(segment),
            None => spectrum,
        };
        let (found, expected) =
            (spectrum.of_samples(&values, 2, rate).unwrap(), numbers(&golden["densities"]));
        let bins = found.len() / 2;
        for (found, expected) in found.chunks(bins).zip(expected.chunks(bins)) {
            let error = error(found, expected);
            assert!(error <= 1e-6, "{rate}: {error:e}");
            worst.0 = f64::max(worst.0, error);
        }

        let bands = list(golden, "bands").iter();
        let bands = bands.map(|b| (b[0].as_str().unwrap(), number(&b[1])..number(&b[2])));
        let powers = BandPower::bands(bands).over_millis(millis).precision(Precision::Single);
        let powers = match segment {
            Some(segment) => powers.segment_millis(segment),
            None => powers,
        };
        let (found, expected) = (powers.of_samples(&values, 2, rate).unwrap(), numbers(&golden["powers"]));
        for (found, expected) in found.iter().zip(&expected) {
            let error = (found - expected).abs() / expected;
            assert!(error <= 1e-5, "{rate}: {found} for {expected}");
            worst.1 = f64::max(worst.1, error);
        }
    }
    println!(
        "spectrum: worst error {:.1e} of the greatest value; band power: {:.1e} of any",
        worst.0, worst.1
    );
}

/// Noise in ±1 µV from a fixed seed.
fn noise(samples: usize) -> impl Iterator<Item = f64> {
    let mut state = 12_345_u32;
    (0..samples).map(move |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(state >> 8) / f64::from(1 << 23) - 1.0
    })
}

/// Signals by name, each of so many samples.
fn hostile(samples: usize) -> Vec<(&'static str, Vec<f32>)> {
    let of = |value: &dyn Fn(f64, f64) -> f64| -> Vec<f32> {
        noise(samples).enumerate().map(|(n, noise)| value(n as f64 / samples as f64, noise) as f32).collect()
    };
    let sine = |turns: f64, t: f64| (std::f64::consts::TAU * turns * t).sin();
    let mut found = vec![
        ("1 µV on an offset of 100 mV", of(&|_, noise| 1e5 + noise)),
        ("a sine of 1 µV on an offset of −100 mV", of(&|t, _| sine(2.0, t) - 1e5)),
        ("1 µV on a drift of 100 mV", of(&|t, noise| 1e5 * t + noise)),
        ("1 nV", of(&|_, noise| 1e-3 * noise)),
        ("1 V of mains over 1 µV", of(&|t, noise| 1e6 * sine(samples as f64 / 5.0, t) + noise)),
        ("volts", of(&|_, noise| 1e-6 * noise)),
        ("zeros", of(&|_, _| 0.0)),
        ("a constant", of(&|_, _| 123.456)),
    ];
    for (name, at) in [
        ("an impulse of 100 mV first", 0),
        ("an impulse of 100 mV midway", samples / 2),
        ("an impulse of 100 mV last", samples - 1),
    ] {
        let mut impulse = of(&|_, noise| noise);
        impulse[at] = 1e5;
        found.push((name, impulse));
    }
    found
}

#[test]
fn offsets_drifts_and_impulses_cost_no_digits() {
    let mut worst = (0.0, 0.0);
    for samples in (2..=64).chain([65, 97, 250, 1009, 1500, 30_000]) {
        for (name, values) in hostile(samples) {
            let found = periodogram(&values, 1, Precision::Single);
            let error = error(&found, &periodogram(&values, 1, Precision::Double));
            assert!(error <= 2e-6, "{name}, {samples} samples: {error:e}");
            worst.0 = f64::max(worst.0, error);
        }
    }
    for rate in [128, 250, 1009, 30_000] {
        let (samples, rate) = (rate, SamplingRate::hz(rate as u64).unwrap());
        for (name, values) in hostile(samples) {
            for segment in [1_000, 250] {
                let spectrum = |precision| {
                    let spectrum = Spectrum::new().segment_millis(segment).precision(precision);
                    spectrum.of_samples(&values, 1, rate).unwrap()
                };
                let error = error(&spectrum(Precision::Single), &spectrum(Precision::Double));
                assert!(error <= 2e-6, "{name}, {rate}, segments of {segment} ms: {error:e}");
                worst.1 = f64::max(worst.1, error);
            }
        }
    }
    println!("periodogram: {:.1e} of the greatest value, spectrum: {:.1e}", worst.0, worst.1);
}

/// What the operator says of the last of windows of ten samples.
fn last(mut spectrum: Spectrum, values: &[f32], channels: usize, rate: SamplingRate) -> Vec<f64> {
    let layout: Vec<Channel> = (0..channels).map(|n| Channel::new(format!("{n}"))).collect();
    let header = StreamHeader::new(StreamKey::default(), "cap", rate, layout.clone());
    let signal = SignalSpec { channels: layout.into(), rate, missing: Missing::Restart };
    let spec = spectrum.prepare(&WindowSpec { signal, hop: Span::millis(50) }).unwrap();
    let info = WindowInfo {
        start: header.t0,
        end: header.t0,
        stream: Arc::new(header),
        index: 0,
        expected: 10,
        received: 10,
        imputed: 0,
        status: WindowStatus::Complete,
        warm_up: false,
        arrival: 0,
        marker: None,
    };
    let mut out = Features::blank(info.clone(), &spec);
    for values in values.chunks(10 * channels) {
        let mut samples = Chunk::new(0, channels);
        samples.extend(values);
        out.begin(&info);
        spectrum.process(&Window { info: info.clone(), samples }, &mut out).unwrap();
    }
    out.values
}

#[test]
fn many_channels_by_windows_have_the_bits_of_each_alone() {
    let (channels, rate) = (35, SamplingRate::hz(200).unwrap());
    let mut values: Vec<f32> = noise(200 * channels).map(|noise| (100.0 * noise - 3_000.0) as f32).collect();
    for is_missing in [false, true] {
        if is_missing {
            values[150 * channels + 20] = f32::NAN; // in the last segments of one channel of the third eight
        }
        for precision in [Precision::Double, Precision::Single] {
            let spectrum = || Spectrum::new().segment_millis(250).precision(precision);
            let bits = |values: Vec<f64>| values.into_iter().map(f64::to_bits).collect::<Vec<_>>();
            let found = last(spectrum(), &values, channels, rate);
            assert!(found.iter().all(|value| value.is_finite()));
            let alone = spectrum().of_samples(&values, channels, rate).unwrap();
            assert_eq!(bits(found), bits(alone), "{precision:?}, missing: {is_missing}");
        }
    }
}

/// An operator on windows of 50 ms of one channel at 250 Hz.
fn prepared<O: Operator<In = Window>>(mut operator: O) -> O {
    let signal = SignalSpec {
        channels: vec![Channel::new("Cz")].into(),
        rate: SamplingRate::hz(250).unwrap(),
        missing: Missing::Restart,
    };
    operator.prepare(&WindowSpec { signal, hop: Span::millis(50) }).unwrap();
    operator
}

fn restored<O: Operator<In = Window>>(from: O, to: O) -> Result<(), RestoreError> {
    let mut writer = SnapshotWriter::default();
    prepared(from).snapshot(&mut writer);
    let bytes = writer.into_bytes()?;
    let mut reader = SnapshotReader::new(&bytes);
    prepared(to).restore(&mut reader)?;
    reader.finish()
}

#[test]
fn a_checkpoint_goes_back_to_its_own_precision_alone() {
    use Precision::{Double, Single};
    for (from, to) in [(Single, Single), (Double, Double), (Single, Double), (Double, Single)] {
        let bands = |precision| BandPower::bands([("alpha", 8.0..13.0)]).precision(precision);
        let found = [
            restored(Periodogram::new().precision(from), Periodogram::new().precision(to)),
            restored(Spectrum::new().precision(from), Spectrum::new().precision(to)),
            restored(bands(from), bands(to)),
        ];
        for found in found {
            assert_eq!(found.is_ok(), from == to, "{from:?} to {to:?}: {found:?}");
        }
    }
    // What was written before there was a choice is of double precision.
    assert_eq!(restored(Periodogram::new(), Periodogram::new().precision(Double)), Ok(()));
}
