//! Features against the committed SciPy goldens, on plain slices and window by window.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test's helpers fail by panicking"
)]

mod support;

use std::sync::Arc;

use neuraflow_core::model::{
    Channel, Chunk, FeatureSpec, Features, SamplingRate, Span, StreamHeader, StreamKey, Window, WindowInfo,
    WindowStatus,
};
use neuraflow_core::operator::{Missing, Operator, SignalSpec, WindowItem, WindowSpec};
use neuraflow_ops::feature::{BandPower, Periodogram, Spectrum};
use serde_json::Value as Json;
use support::{json, list, number, numbers};

fn operator(golden: &Json) -> BandPower {
    let bands = list(golden, "bands").iter();
    let bands = bands.map(|b| (b[0].as_str().unwrap(), number(&b[1])..number(&b[2])));
    let power = BandPower::bands(bands).over_millis(golden["over_ms"].as_i64().unwrap());
    match golden["segment_ms"].as_i64() {
        Some(millis) => power.segment_millis(millis),
        None => power,
    }
}

fn spectrum(golden: &Json) -> Spectrum {
    let spectrum = Spectrum::new().over_millis(golden["over_ms"].as_i64().unwrap());
    match golden["segment_ms"].as_i64() {
        Some(millis) => spectrum.segment_millis(millis),
        None => spectrum,
    }
}

fn rate(golden: &Json) -> SamplingRate {
    SamplingRate::ratio(golden["num"].as_u64().unwrap(), golden["den"].as_u64().unwrap()).unwrap()
}

/// Greatest relative difference of any power from its reference.
fn relative_error(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    found.iter().zip(expected).fold(0.0, |worst, (f, e)| {
        assert!(f.is_finite());
        f64::max(worst, (f - e).abs() / e)
    })
}

/// A window of some samples; its times do not matter to a feature.
fn window(samples: Chunk, signal: &SignalSpec) -> Window {
    let header = StreamHeader::new(StreamKey::default(), "golden", signal.rate, signal.channels.to_vec());
    let info = WindowInfo {
        start: header.t0,
        end: header.t0,
        stream: Arc::new(header),
        index: 0,
        expected: samples.len() as u32,
        received: samples.len() as u32,
        imputed: 0,
        status: WindowStatus::Complete,
        warm_up: false,
        arrival: 0,
        marker: None,
    };
    Window { info, samples }
}

/// The layout, and the last features, of two channels cut into windows of 0 to 6 samples: a spectrum must not depend on
/// how the signal is cut.
fn by_windows<O>(mut feature: O, values: &[f64], rate: SamplingRate) -> (Arc<FeatureSpec>, Vec<f64>)
where
    O: Operator<In = Window, Out = Features>,
{
    let channels: Vec<Channel> = ["C3", "C4"].map(Channel::new).to_vec();
    let signal = SignalSpec { channels: channels.into(), rate, missing: Missing::Restart };
    let layout = feature.prepare(&WindowSpec { signal: signal.clone(), hop: Span::millis(50) }).unwrap();
    let mut last = Vec::new();
    let (mut rest, mut turn) = (values, 0);
    while !rest.is_empty() {
        let (head, tail) = rest.split_at((turn * 5 % 7 * 2).min(rest.len()));
        let mut samples = Chunk::new(0, 2);
        samples.extend(&head.iter().map(|value| *value as f32).collect::<Vec<_>>());
        let input = window(samples, &signal);
        let values = vec![f64::NAN; layout.len()];
        let mut out = Features { info: input.info.clone(), spec: layout.clone(), values };
        feature.process(&input, &mut out).unwrap();
        (rest, turn, last) = (tail, turn + 1, out.values);
    }
    (layout, last)
}

#[test]
fn band_powers_equal_welch_and_trapezoid() {
    let goldens = json("band_powers.json");
    let mut worst = (0.0, 0.0);
    for golden in list(&goldens, "band_powers") {
        let label = format!("{} over {} ms in {}", rate(golden), golden["over_ms"], golden["segment_ms"]);
        let values: Vec<f64> = numbers(&golden["quarters"]).iter().map(|quarter| quarter / 4.0).collect();
        let expected = numbers(&golden["powers"]);

        let plain = operator(golden).of_samples(&values, 2, rate(golden)).unwrap();
        let error = relative_error(&plain, &expected);
        assert!(error <= 1e-12, "{label}: {error:e}");
        worst.0 = f64::max(worst.0, error);

        let (_, last) = by_windows(operator(golden), &values, rate(golden));
        assert_eq!(last, plain, "{label}: windows and plain slices must give the same bits");
        worst.1 = f64::max(worst.1, relative_error(&last, &expected));
    }
    println!("band power: worst relative error {:.1e} on slices, {:.1e} by windows", worst.0, worst.1);
}

#[test]
fn a_band_that_cannot_be_is_refused_with_a_way_out() {
    let rate = SamplingRate::hz(250).unwrap();
    let refused = |power: BandPower| power.of_samples(&[0.0; 1000], 1, rate).unwrap_err().to_string();
    let narrow = refused(BandPower::bands([("mu", 9.1..9.4)]).over_millis(1_000));
    for part in ["mu of 9.1 to 9.4 Hz", "1 Hz apart", "3334 ms"] {
        assert!(narrow.contains(part), "{narrow}");
    }
    assert!(refused(BandPower::bands([("high", 100.0..126.0)])).contains("125 Hz"));
    assert!(refused(BandPower::bands([("turned", 13.0..8.0)])).contains("low < high"));
    assert!(refused(BandPower::bands([("nan", f64::NAN..8.0)])).contains("low < high"));
    assert!(refused(BandPower::bands::<&str>([])).contains("at least one"));
    assert!(refused(BandPower::bands([("a", 8.0..13.0), (" ", 13.0..30.0)])).contains("a name for each"));
    assert!(refused(BandPower::bands([("a", 8.0..13.0)]).segment_millis(1_100)).contains("look-back"));
    assert!(refused(BandPower::bands([("a", 8.0..13.0)]).over_millis(5_000)).contains("1250"));
}

/// The mean is taken off, so that 0 Hz is rounding alone; compared on the scale of the spectrum's largest value.
fn scaled_error(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let scale = expected.iter().copied().fold(0.0, f64::max);
    found.iter().zip(expected).fold(0.0, |worst, (f, e)| f64::max(worst, (f - e).abs() / scale))
}

#[test]
fn spectra_equal_welch() {
    let goldens = json("band_powers.json");
    let mut worst = 0.0;
    for golden in list(&goldens, "band_powers") {
        let label = format!("{} over {} ms in {}", rate(golden), golden["over_ms"], golden["segment_ms"]);
        let values: Vec<f64> = numbers(&golden["quarters"]).iter().map(|quarter| quarter / 4.0).collect();
        let (frequencies, expected) = (numbers(&golden["frequencies"]), numbers(&golden["densities"]));

        let plain = spectrum(golden).of_samples(&values, 2, rate(golden)).unwrap();
        let error = scaled_error(&plain, &expected);
        assert!(error <= 1e-12, "{label}: {error:e}");
        worst = f64::max(worst, error);

        let (layout, last) = by_windows(spectrum(golden), &values, rate(golden));
        assert_eq!(last, plain, "{label}: windows and plain slices must give the same bits");
        assert_eq!(layout.columns.len(), frequencies.len());
        for (column, frequency) in layout.columns.iter().zip(&frequencies) {
            let named: f64 = column.strip_suffix(" Hz").unwrap().parse().unwrap();
            assert!((named - frequency).abs() <= 5e-7, "{label}: {column} is {frequency} Hz");
        }

        // A limit cuts columns off and changes no other.
        let limit = frequencies[frequencies.len() / 2];
        let (cut, last) = by_windows(spectrum(golden).up_to_hz(limit), &values, rate(golden));
        let kept = frequencies.len() / 2 + 1;
        assert_eq!(*cut.columns, layout.columns[..kept]);
        assert_eq!(last[..kept], plain[..kept]);
        assert_eq!(last[kept..], plain[frequencies.len()..frequencies.len() + kept]);
    }
    println!("spectrum: worst error {worst:.1e} of the largest value");
}

#[test]
fn periodograms_equal_scipy() {
    let goldens = json("periodograms.json");
    let mut worst = (0.0, 0.0);
    for golden in list(&goldens, "periodograms") {
        let values: Vec<f64> = numbers(&golden["quarters"]).iter().map(|quarter| quarter / 4.0).collect();
        let expected = numbers(&golden["powers"]);
        let (samples, bins) = (values.len() / 3, expected.len() / 3);
        let plain = Periodogram::of_samples(&values, 3).unwrap();
        assert_eq!(plain.len(), expected.len());
        for (found, expected) in plain.chunks(bins).zip(expected.chunks(bins)) {
            // A channel with an offset has all its digits in bin 0.
            let error = scaled_error(found, expected);
            assert!(error <= 1e-12, "{samples} samples: {error:e}");
            worst.0 = f64::max(worst.0, error);
        }
        for channel in [0, 2] {
            let of = |powers: &[f64]| powers[channel * bins..][..bins].to_vec();
            let error = relative_error(&of(&plain), &of(&expected));
            assert!(error <= 1e-12, "{samples} samples, channel {channel}: {error:e}");
            worst.1 = f64::max(worst.1, error);
        }

        // As a window, in f32, which holds these values: the same bits.
        let rate = SamplingRate::ratio(20 * samples as u64, 1).unwrap();
        let channels: Vec<Channel> = ["C3", "Status", "C4"].map(Channel::new).to_vec();
        let signal = SignalSpec { channels: channels.into(), rate, missing: Missing::Restart };
        let mut feature = Periodogram::new();
        let layout = feature.prepare(&WindowSpec { signal: signal.clone(), hop: Span::millis(50) }).unwrap();
        assert_eq!((layout.rows.len(), layout.columns.len()), (2, bins));
        let mut chunk = Chunk::new(0, 3);
        chunk.extend(&values.iter().map(|value| *value as f32).collect::<Vec<_>>());
        let input = window(chunk, &signal);
        let mut out = Features::blank(input.info.clone(), &layout);
        feature.process(&input, &mut out).unwrap();
        assert_eq!(out.values, [&plain[..bins], &plain[2 * bins..]].concat(), "{samples} samples");
    }
    println!("periodogram: worst error {:.1e} of the largest value, {:.1e} of any", worst.0, worst.1);
}

#[test]
fn a_spectrum_that_cannot_be_is_refused() {
    let rate = SamplingRate::hz(250).unwrap();
    let refused = |spectrum: Spectrum| spectrum.of_samples(&[0.0; 1000], 1, rate).unwrap_err().to_string();
    assert!(refused(Spectrum::new().up_to_hz(-1.0)).contains("0 Hz or more"));
    assert!(refused(Spectrum::new().up_to_hz(f64::NAN)).contains("0 Hz or more"));
    assert!(refused(Spectrum::new().segment_millis(1_100)).contains("look-back"));
    assert!(refused(Spectrum::new().over_millis(5_000)).contains("1250"));
    // Beyond half the sampling rate there is nothing to cut: a limit for one stream fits all.
    assert_eq!(Spectrum::new().up_to_hz(1e9).of_samples(&[0.0; 250], 1, rate).unwrap().len(), 126);
}

#[test]
fn two_bands_of_one_name_are_refused() {
    let twice = BandPower::bands([("a", 8.0..13.0), ("b", 4.0..8.0), ("a", 13.0..30.0)]);
    let error = twice.of_samples(&[0.0; 250], 1, SamplingRate::hz(250).unwrap()).unwrap_err();
    assert!(error.to_string().contains("a a second time, from 13 to 30 Hz"), "{error}");
}
