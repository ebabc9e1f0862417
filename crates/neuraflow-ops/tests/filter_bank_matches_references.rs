//! A filter bank with common spatial patterns against SciPy, pyRiemann and scikit-learn, from `scripts/goldens/filter_bank.py`.
#![cfg(feature = "linalg")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test's helpers fail by panicking"
)]

use std::ops::Range;

use neuraflow_core::model::{Channel, Chunk, Features, SamplingRate, Span};
use neuraflow_core::operator::{Missing, Operator, SignalSpec, WindowItem, WindowSpec};
use neuraflow_core::testing::conformance::{Check, Verdict, signal_operator, window_operator};
use neuraflow_ops::decode::{Csp, FilterBankCsp, FitError, Model, Trials};
use neuraflow_ops::feature::Covariance;
use neuraflow_ops::filter::{Butterworth, FilterBank};
use neuraflow_ops::kernel::linalg::LinalgError;
use serde_json::Value as Json;

mod support;
mod whole;
use support::{error, index, json, list, numbers};
use whole::window;

fn rate() -> SamplingRate {
    SamplingRate::hz(128).unwrap()
}

fn channels(golden: &Json) -> Vec<String> {
    (0..index(&golden["channels"])).map(|n| format!("E{n}")).collect()
}

fn bands(golden: &Json) -> Vec<Range<f64>> {
    list(golden, "bands").iter().map(numbers).map(|edges| edges[0]..edges[1]).collect()
}

fn trials(golden: &Json) -> Trials {
    Trials::bands(channels(golden), bands(golden), rate(), ["class 0", "class 1"]).unwrap()
}

#[test]
fn patterns_of_all_bands_and_their_discriminant() {
    for golden in list(&json("filter_bank.json"), "filter_bank") {
        let (all, labels) = (list(golden, "covariances"), list(golden, "labels"));
        let half = all.len() / 2;
        let mut trials = trials(golden);
        for (covariances, label) in all[..half].iter().zip(labels) {
            trials.push(index(label), &numbers(covariances)).unwrap();
        }
        let model = FilterBankCsp::new(index(&golden["filters"])).fit(&trials).unwrap();
        // What is decided with is what was written down.
        let model = Model::from_bytes(&model.to_bytes().unwrap()).unwrap();
        let mut found = Vec::new();
        for (covariances, label) in all[half..].iter().zip(list(golden, "decided")) {
            let covariances = numbers(covariances);
            assert_eq!(model.decide(&covariances).unwrap().0, format!("class {label}"));
            let scores = model.scores(&covariances).unwrap();
            found.push(scores[1] - scores[0]);
        }
        let off = error(&found, &numbers(&golden["scores"]));
        println!("filter-bank CSP: scores {off:e}");
        assert!(off < 1e-8);
    }
}

/// The operators themselves on the signal, epoch by epoch: what the trials above were made of, but for samples as `f32`.
#[test]
fn covariances_of_every_band_come_out_of_the_operators() {
    for golden in list(&json("filter_bank.json"), "filter_bank") {
        let (names, samples) = (channels(golden), index(&golden["samples"]));
        let mut bank = FilterBank::new(4, bands(golden));
        let signal = SignalSpec {
            channels: names.iter().map(Channel::new).collect(),
            rate: rate(),
            missing: Missing::Restart,
        };
        let filtered = bank.prepare(&signal).unwrap();
        let mut covariance = Covariance::sample().by_band();
        let hop = rate().offset(samples as u64);
        let spec = covariance.prepare(&WindowSpec { signal: filtered.clone(), hop }).unwrap();
        assert_eq!((&*spec.columns, spec.rows.len()), (&names[..], names.len() * bands(golden).len()));
        let values: Vec<f32> =
            numbers(&golden["quarters"]).iter().map(|value| (value / 4.0) as f32).collect();
        let mut worst = 0.0_f64;
        for (n, epoch) in values.chunks_exact(samples * names.len()).enumerate() {
            let first = (n * samples) as u64;
            let (mut input, mut output) =
                (Chunk::new(first, names.len()), Chunk::new(first, spec.rows.len()));
            input.extend(epoch);
            bank.process(&input, &mut output).unwrap();
            let (_, window) = window(&filtered.channels, 128, n as u64, output.values());
            let mut found = Features::blank(window.info.clone(), &spec);
            covariance.process(&window, &mut found).unwrap();
            worst = worst.max(error(&found.values, &numbers(&list(golden, "covariances")[n])));
        }
        println!("filter bank and covariance by band: {worst:e}");
        assert!(worst < 1e-6);
    }
}

#[test]
fn a_bank_is_its_filters_side_by_side_and_says_what_it_refuses() {
    let spec = |labels: &[&str]| SignalSpec {
        channels: labels.iter().copied().map(Channel::new).collect(),
        rate: rate(),
        missing: Missing::Restart,
    };
    let mut bank = FilterBank::new(3, [4.0..8.0, 8.0..12.5]);
    let prepared = bank.prepare(&spec(&["C3", "Status", "Cz"])).unwrap();
    let names: Vec<&str> = prepared.channels.iter().map(Channel::name).collect();
    assert_eq!(names, ["4-8 Hz C3", "4-8 Hz Cz", "8-12.5 Hz C3", "8-12.5 Hz Cz"]);
    let (mut input, mut output) = (Chunk::new(0, 3), Chunk::new(0, 4));
    (0..200).for_each(|n| {
        input.extend(&[(n * n % 31) as f32, 7.0, (n * n % 23) as f32]);
    });
    bank.process(&input, &mut output).unwrap();
    for (band, edges) in [4.0..8.0, 8.0..12.5].into_iter().enumerate() {
        let (mut filter, mut alone) = (Butterworth::bandpass(3, edges), Chunk::new(0, 3));
        filter.prepare(&spec(&["C3", "Status", "Cz"])).unwrap();
        filter.process(&input, &mut alone).unwrap();
        for (found, expected) in output.samples().zip(alone.samples()) {
            assert_eq!(found[2 * band..2 * band + 2], [expected[0], expected[2]]);
        }
    }
    let refused =
        |mut bank: FilterBank, labels: &[&str]| bank.prepare(&spec(labels)).unwrap_err().to_string();
    assert!(refused(FilterBank::new(4, []), &["C3"]).contains("at least one, found none"));
    assert!(refused(FilterBank::new(4, [4.0..8.0, 4.0..8.0]), &["C3"]).contains("4-8 Hz twice"));
    assert!(refused(FilterBank::new(4, [4.0..80.0]), &["C3"]).contains("Nyquist 64 Hz"));
    assert!(refused(FilterBank::new(4, [4.0..8.0]), &["Status"]).contains("not a trigger"));
    let mut covariance = Covariance::oas().by_band();
    let plain =
        covariance.prepare(&WindowSpec { signal: spec(&["C3", "C4"]), hop: Span::secs(1) }).unwrap_err();
    assert!(plain.to_string().contains("the channels of a FilterBank"), "{plain}");
}

#[test]
fn what_cannot_be_fitted_says_why() {
    let says = |error: FitError, what: &str| assert!(error.to_string().contains(what), "{error}");
    let empty = || Trials::bands(["C3", "C4"], [8.0..12.0, 12.0..16.0], rate(), ["a", "b"]).unwrap();
    let mut some = empty();
    says(Trials::bands(["C3"], [], rate(), ["a", "b"]).unwrap_err(), "bands: expected 1 or more");
    says(some.push(0, &[1.0; 4]).unwrap_err(), "expected 4 × 2, found 4");
    says(FilterBankCsp::new(1).fit(&some).unwrap_err(), "at least 2 trials of a, found 0");
    for n in 0..6 {
        let power = 1.0 + f64::from(n);
        some.push(n as usize % 2, &[power, 0.0, 0.0, 1.0, 2.0, 0.0, 0.0, power]).unwrap();
    }
    says(FilterBankCsp::new(3).fit(&some).unwrap_err(), "from 1 to 2, the number of channels");
    says(Csp::new(1).fit(&some).unwrap_err(), "found covariances in 2 bands");
    assert!(FilterBankCsp::new(2).fit(&some).is_ok());
    let mut singular = empty();
    (0..6).for_each(|n| singular.push(n % 2, &[2.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0]).unwrap());
    let error = FilterBankCsp::new(1).fit(&singular).unwrap_err();
    let FitError::Numbers { source, .. } = &error else { panic!("{error}") };
    assert_eq!(*source, LinalgError::Rank { rank: 1, order: 2 });
    says(error, "both classes in 12-16 Hz");
    let plain = Trials::new(["C3", "C4"], rate(), ["a", "b"]).unwrap();
    says(FilterBankCsp::new(1).fit(&plain).unwrap_err(), "trials of a, found 0");
}

#[test]
fn it_conforms() {
    let spec = |hz, labels: &[&str], missing| SignalSpec {
        channels: labels.iter().copied().map(Channel::new).collect(),
        rate: SamplingRate::hz(hz).unwrap(),
        missing,
    };
    let specs = vec![
        spec(160, &["Fp1", "Fp2", "C3", "Status", "Cz", "C4"], Missing::Restart),
        spec(250, &["Cz", "EOG left"], Missing::Freeze),
        spec(1000, &["Fz", "Status", "Cz"], Missing::Restart),
    ];
    let bank = || FilterBank::new(4, [8.0..12.0, 12.0..30.0]);
    // The kit measures one delay, and a bank has as many as bands: with one band all is checked, with two all else.
    let whole = signal_operator(|| FilterBank::new(4, [8.0..30.0])).specs(specs.clone()).run();
    whole.assert_ok();
    assert!(whole.to_string().contains(" 0 skipped"), "{whole}");
    let several = signal_operator(bank).specs(specs).without(Check::Delay, "one for each band").run();
    several.assert_ok();
    let left_out =
        |verdict: &Verdict| matches!(verdict, Verdict::Skipped(why) if why.contains("one for each band"));
    assert!(
        several.outcomes.iter().all(|o| o.verdict == Verdict::Passed || left_out(&o.verdict)),
        "{several}"
    );
    // Channels as a bank names them.
    let mut banked = spec(160, &[], Missing::Restart);
    banked.channels = bank().prepare(&spec(160, &["C3", "Cz"], Missing::Restart)).unwrap().channels;
    let windows = vec![WindowSpec { signal: banked, hop: Span::millis(50) }];
    let report = window_operator(|| Covariance::oas().by_band().over_millis(400)).specs(windows).run();
    report.assert_ok();
    assert!(report.to_string().contains(" 0 skipped"), "{report}");
}
