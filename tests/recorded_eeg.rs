//! Artifacts, quality and a chain of operators on a real recording whose faults are known.

use neuraflow::ops::artifact::{Blinks, Kurtosis};
use neuraflow::ops::feature::{EnvelopePower, Hjorth};
use neuraflow::ops::filter::{DcRemoval, Resample};
use neuraflow::ops::quality::{LineNoise, Railed};
use neuraflow::ops::spatial::{BadChannels, Laplacian};
use neuraflow::prelude::*;
use neuraflow::sinks::bounded;
use neuraflow::testing::data::recording;

/// What an operator says of each 50 ms window of S001R04.edf (8 samples at 160 Hz).
fn features<O>(make: impl Fn() -> O + Send + Sync + 'static) -> Option<Vec<Features>>
where
    O: Operator<In = Window, Out = Features>,
{
    let replay = Replay::open(recording("edf/S001R04.edf")?).unwrap();
    let (sink, features) = bounded(4_096, Overflow::Block);
    Pipeline::from(replay)
        .window(Tumbling::millis(50))
        .feature(make)
        .sink(sink)
        .build()
        .unwrap()
        .run()
        .unwrap();
    let features: Vec<_> = features.iter().collect();
    assert_eq!(features.len(), 2_500);
    Some(features)
}

#[test]
fn the_zeros_at_the_end_are_flat_and_nothing_else_is() {
    let Some(windows) = features(ArtifactFlags::new) else { return };
    let first = windows[0].info.index;
    let flagged = |flag: &str| {
        let column = windows[0].spec.columns.iter().position(|name| name == flag).unwrap();
        let any = |w: &&Features| w.rows().any(|(_, flags)| flags[column] == 1.0);
        windows.iter().filter(any).map(|w| w.info.index - first).collect::<Vec<_>>()
    };
    assert_eq!(flagged("flat"), (2_490..2_500).collect::<Vec<_>>());
    // Blinks exceed 150 µV, most of all at the forehead: NumPy counts the same windows. No step exceeds 50 µV/ms.
    assert_eq!(flagged("amplitude").len(), 519);
    let blinks = |channel: &str| windows.iter().filter(|w| w.get(channel, "amplitude") == Some(1.0)).count();
    assert_eq!((blinks("Fp1"), blinks("AF7")), (237, 227));
    assert!(flagged("gradient").is_empty() && flagged("rail").is_empty());
}

#[test]
fn clean_eeg_scores_high_and_the_dead_end_scores_zero() {
    let Some(windows) = features(SignalQuality::new) else { return };
    let mut scores: Vec<f64> = windows[20..2_490].iter().flat_map(|w| w.values.iter().copied()).collect();
    scores.sort_unstable_by(f64::total_cmp);
    let at = |percent: usize| scores[scores.len() * percent / 100];
    println!("quality: 1 % {:.3}, 10 % {:.3}, median {:.3}", at(1), at(10), at(50));
    assert!(at(50) > 0.95 && at(10) > 0.8, "{} {}", at(50), at(10));
    assert!(windows[2_492..].iter().flat_map(|w| &w.values).all(|score| *score == 0.0));
}

/// Greatest difference of a bin in parts of its row's greatest behind the first, over all windows.
fn greatest_difference(found: &[Features], expected: &[Features]) -> f64 {
    let rows = found.iter().flat_map(Features::rows).zip(expected.iter().flat_map(Features::rows));
    rows.fold(0.0, |worst, ((_, found), (_, expected))| {
        let most = expected[1..].iter().copied().fold(0.0, f64::max);
        found[1..].iter().zip(&expected[1..]).fold(worst, |worst, (found, expected)| {
            assert_eq!(found.is_nan(), expected.is_nan());
            if found == expected || found.is_nan() {
                worst
            } else {
                f64::max(worst, (found - expected).abs() / most)
            }
        })
    })
}

/// Raw EEG has offsets and drifts of a hundred times what is looked for.
#[test]
fn spectra_of_single_precision_are_those_of_double_to_six_digits() {
    use Precision::{Double, Single};
    let periodogram = |precision| features(move || Periodogram::new().precision(precision));
    let spectrum = |precision| features(move || Spectrum::new().up_to_hz(60.0).precision(precision));
    let (Some(single), Some(double)) = (periodogram(Single), periodogram(Double)) else { return };
    let of_windows = greatest_difference(&single, &double);
    let (Some(single), Some(double)) = (spectrum(Single), spectrum(Double)) else { return };
    let of_seconds = greatest_difference(&single, &double);
    println!("single precision: periodogram {of_windows:.1e} of the greatest bin, spectrum {of_seconds:.1e}");
    assert!(of_windows > 0.0 && of_windows <= 1e-6 && of_seconds > 0.0 && of_seconds <= 1e-6);
}

/// What SciPy's filter and a loop over its output count; see scripts/goldens/measures.py for the loop.
#[test]
fn blinks_are_as_many_as_scipy_finds() {
    let Some(windows) = features(Blinks::new) else { return };
    let count =
        |channel: &str, column: &str| windows.iter().filter_map(|w| w.get(channel, column)).sum::<f64>();
    for (channel, onsets, blinking) in [
        ("Fp1", 39.0, 105.0),
        ("Fpz", 30.0, 77.0),
        ("Fp2", 35.0, 93.0),
        ("AF7", 40.0, 101.0),
        ("AF8", 34.0, 89.0),
    ] {
        assert_eq!((count(channel, "onsets"), count(channel, "blink")), (onsets, blinking), "{channel}");
    }
}

#[test]
fn the_dead_end_is_neither_railed_nor_noisy_but_has_no_kurtosis() {
    let Some(windows) = features(Kurtosis::new) else { return };
    assert!(windows[20..2_488].iter().flat_map(|w| &w.values).all(|kurtosis| kurtosis.is_finite()));
    // The last half second is zeros.
    let Some(windows) = features(|| Kurtosis::new().over_millis(400)) else { return };
    assert!(windows[2_499].values.iter().all(|kurtosis| kurtosis.is_nan()));
    let Some(windows) = features(|| Railed::at(-8_092.0, 8_092.0)) else { return };
    assert!(windows[20..].iter().flat_map(|w| &w.values).all(|percent| *percent == 0.0));
    let Some(windows) = features(|| LineNoise::at(60.0)) else { return };
    let mut ratios: Vec<f64> = windows[20..2_488].iter().flat_map(|w| w.values.iter().copied()).collect();
    ratios.sort_unstable_by(f64::total_cmp);
    assert!(ratios.iter().all(|ratio| (0.0..=1.0).contains(ratio)) && ratios[ratios.len() / 2] < 0.1);
}

/// Windows behind filters, a mask, a Laplacian and another sampling rate are complete, and have the same bits for any packet
/// size and number of workers.
#[test]
fn a_chain_at_another_rate_gives_the_same_bits_however_it_is_run() {
    let Some(path) = recording("edf/S001R04.edf") else { return };
    let run = |packet, workers| {
        let (sink, features) = bounded(4_096, Overflow::Block);
        let pipeline = Pipeline::from(Replay::open(&path).unwrap().packet(packet).until(Span::secs(20)))
            .stage(|| DcRemoval::over_millis(1_000))
            .stage(|| BadChannels::of(["T9", "Iz"]))
            .stage(Laplacian::new)
            .stage(|| Resample::to(SamplingRate::hz(128).unwrap()))
            .window(Tumbling::millis(50))
            .feature(|| EnvelopePower::bands([("mu", 8.0..13.0), ("beta", 13.0..30.0)]))
            .sink(sink)
            .build()
            .unwrap();
        let report = pipeline.spawn(Workers::new(workers)).unwrap().join().unwrap();
        assert!(report.balances());
        assert_eq!((report.windows().complete, report.windows().total()), (400, 400));
        features.iter().map(|w| (w.info.index, w.info.expected, w.values)).collect::<Vec<_>>()
    };
    let first = run(13, 1);
    let (masked, other): (Vec<_>, Vec<_>) = {
        let Some((_, _, last)) = first.last() else { panic!("no window") };
        last.chunks(2).partition(|powers| powers[0].is_nan())
    };
    assert_eq!((masked.len(), other.len()), (2, 62));
    assert!(other.iter().all(|powers| powers.iter().all(|power| *power > 0.0)));
    assert_eq!(first.iter().take(5).map(|(_, expected, _)| expected).sum::<u32>(), 32);
    for (packet, workers) in [(1, 1), (7, 2), (64, 3)] {
        assert_eq!(format!("{:?}", run(packet, workers)), format!("{first:?}"), "packets of {packet}");
    }
}

#[test]
fn a_blink_is_slower_than_what_is_around_it() {
    let Some(windows) = features(|| Hjorth::new().over_millis(250)) else { return };
    let Some(flags) = features(Blinks::new) else { return };
    let mobility = |blinking: f64| {
        let pairs = windows.iter().zip(&flags).take(2_480);
        let there = pairs.filter(|(_, flag)| flag.get("Fp1", "blink") == Some(blinking));
        let mut found: Vec<f64> =
            there.filter_map(|(w, _)| w.get("Fp1", "mobility")).filter(|m| !m.is_nan()).collect();
        found.sort_unstable_by(f64::total_cmp);
        found[found.len() / 2]
    };
    assert!(mobility(1.0) < 0.7 * mobility(0.0), "{} {}", mobility(1.0), mobility(0.0));
}
