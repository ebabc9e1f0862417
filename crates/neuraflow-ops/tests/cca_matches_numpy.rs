//! Canonical correlation against NumPy's QR and SVD, and where there is no decision.

#![cfg(feature = "linalg")]
#![allow(clippy::unwrap_used, clippy::panic)] // helpers outside #[test]

mod support;

use std::sync::Arc;

use neuraflow_core::model::{
    Channel, Chunk, Decision, NoDecision, SamplingRate, Span, StreamHeader, StreamKey, Window, WindowInfo,
    WindowStatus,
};
use neuraflow_core::operator::{Missing, Operator, OperatorError, SignalSpec, WindowItem, WindowSpec};
use neuraflow_ops::decode::{Cca, Fbcca};
use neuraflow_ops::kernel::KernelError;
use neuraflow_ops::kernel::cca::Basis;
use serde_json::Value as Json;
use support::{index, json, list, number, numbers};

fn quarters(golden: &Json) -> Vec<f64> {
    numbers(&golden["quarters"]).iter().map(|quarters| quarters / 4.0).collect()
}

/// Classes named by their place.
fn classes(golden: &Json) -> Vec<(String, f64)> {
    numbers(&golden["frequencies"]).into_iter().enumerate().map(|(n, hz)| (n.to_string(), hz)).collect()
}

fn spec(channels: usize, rate: f64) -> WindowSpec {
    let channels: Vec<Channel> = (1..=channels).map(|n| Channel::new(format!("EEG {n}"))).collect();
    let rate = SamplingRate::from_hz(rate).unwrap();
    let signal = SignalSpec { channels: channels.into(), rate, missing: Missing::Restart };
    WindowSpec { signal, hop: Span::millis(50) }
}

/// Windows of 50 ms from the epoch on.
fn windows(spec: &WindowSpec, values: &[f64]) -> Vec<Window> {
    let (rate, channels) = (spec.signal.rate, spec.signal.channels.len());
    let stream = StreamHeader::new(StreamKey::default(), "test", rate, spec.signal.channels.to_vec());
    let stream = Arc::new(stream);
    let samples = (values.len() / channels) as u64;
    let mut out = Vec::new();
    for index in 0.. {
        let at = |n: i64| Span::millis(50 * n);
        let (from, to) = (rate.first_at_or_after(at(index)), rate.first_at_or_after(at(index + 1)));
        if to > samples {
            return out;
        }
        let mut chunk = Chunk::new(from, channels);
        let part = &values[from as usize * channels..to as usize * channels];
        chunk.extend(&part.iter().map(|value| *value as f32).collect::<Vec<f32>>());
        out.push(Window {
            info: WindowInfo {
                stream: Arc::clone(&stream),
                index,
                start: stream.t0 + at(index),
                end: stream.t0 + at(index + 1),
                expected: (to - from) as u32,
                received: (to - from) as u32,
                imputed: 0,
                status: WindowStatus::Complete,
                warm_up: false,
                arrival: 0,
                marker: None,
            },
            samples: chunk,
        });
    }
    out
}

type Outcome = Result<(String, f64), NoDecision>;

/// What an operator makes of every window.
fn decisions<O>(operator: &mut O, spec: &WindowSpec, windows: &[Window]) -> Vec<Outcome>
where
    O: Operator<In = Window, Out = Decision<String>>,
{
    let names = operator.prepare(spec).unwrap();
    let decide = |window: &Window| {
        let mut out = Decision::blank(window.info.clone(), &names);
        operator.process(window, &mut out).unwrap();
        out.outcome
    };
    windows.iter().map(decide).collect()
}

#[test]
fn correlations_are_numpys() {
    let goldens = json("cca.json");
    let mut worst = 0.0_f64;
    for golden in list(&goldens, "plain") {
        let (channels, rate) = (index(&golden["channels"]), number(&golden["rate"]));
        let harmonics = index(&golden["harmonics"]);
        let all = quarters(golden);
        let without: Vec<usize> = list(golden, "without").iter().map(index).collect();
        let kept: Vec<usize> = (0..all.len() / channels).filter(|sample| !without.contains(sample)).collect();
        let values: Vec<f64> = kept
            .iter()
            .flat_map(|sample| &all[sample * channels..(sample + 1) * channels])
            .copied()
            .collect();
        let signals = Basis::of(&values, channels).unwrap();
        assert_eq!(signals.dimensions(), channels);
        for ((_, hz), expected) in classes(golden).into_iter().zip(numbers(&golden["rho"])) {
            let reference = Basis::of_sinusoids(hz, harmonics, rate, &kept).unwrap();
            let found = signals.correlation(&reference).unwrap().unwrap();
            worst = worst.max((found - expected).abs());
        }
        // The operator's plain form finds the same, with the missing samples in place.
        let mut gappy = all;
        without.iter().for_each(|sample| gappy[sample * channels] = f64::NAN);
        let cca = Cca::new(classes(golden)).harmonics(harmonics);
        let found = cca.of_samples(&gappy, channels, SamplingRate::from_hz(rate).unwrap());
        if kept.len() >= 2 * (channels + 2 * harmonics) {
            let found = found.unwrap();
            let pairs = found.iter().zip(numbers(&golden["rho"]));
            pairs.for_each(|(found, expected)| worst = worst.max((found - expected).abs()));
        } else {
            assert!(found.unwrap_err().to_string().contains("Degenerate"));
        }
    }
    println!("greatest difference {worst:e}");
    assert!(worst < 1e-10, "{worst:e}");
}

#[test]
fn an_average_reference_takes_a_dimension_and_changes_nothing_else() {
    let golden = &json("cca.json")["dependent"];
    let channels = index(&golden["channels"]);
    let referenced = quarters(golden);
    let referenced = referenced.chunks_exact(channels).flat_map(|sample| {
        let mean = sample.iter().sum::<f64>() / channels as f64;
        sample.iter().map(move |value| f64::from((value - mean) as f32))
    });
    let signals = Basis::of(&referenced.collect::<Vec<f64>>(), channels).unwrap();
    assert_eq!(signals.dimensions(), channels - 1);
    for (hz, expected) in [10.0, 12.0].into_iter().zip(numbers(&golden["rho"])) {
        let samples: Vec<usize> = (0..300).collect();
        let reference = Basis::of_sinusoids(hz, 2, 250.0, &samples).unwrap();
        let found = signals.correlation(&reference).unwrap().unwrap();
        // To the rounding of samples that travel as f32: which channel is left out is not the same.
        assert!((found - expected).abs() < 1e-6, "{found} {expected}");
    }
}

#[test]
fn a_filter_bank_scores_as_scipy_does() {
    let golden = &json("cca.json")["filter_bank"];
    let spec = spec(index(&golden["channels"]), number(&golden["rate"]));
    let bands: Vec<_> = list(golden, "bands").iter().map(numbers).map(|edges| edges[0]..edges[1]).collect();
    let mut decoder =
        Fbcca::new(classes(golden), bands).harmonics(index(&golden["harmonics"])).over_millis(1_000);
    let found = decisions(&mut decoder, &spec, &windows(&spec, &quarters(golden)));
    assert_eq!((found.len(), &found[20]), (60, &Err(NoDecision::WarmUp)));
    let scores = numbers(&golden["scores"]);
    let (class, share) = found[59].clone().unwrap();
    let expected = scores[1] / scores.iter().sum::<f64>();
    assert!(class == "1" && (share - expected).abs() < 1e-6, "{class} {share} {expected}");
    assert!(decoder.latency().group_delay > Span::ZERO);
}

#[test]
fn there_is_no_decision_before_the_look_back_is_full_nor_across_a_gap_nor_on_too_little() {
    let goldens = json("cca.json");
    let golden = &list(&goldens, "plain")[1];
    let (spec, values) = (spec(8, 256.0), quarters(golden));
    let all = windows(&spec, &values);
    let cca = || Cca::new([("13", 13.0), ("21", 21.0), ("17", 17.0)]);
    // A second is 256 samples, which 20 windows hold.
    let found = decisions(&mut cca().over_millis(1_000), &spec, &all);
    assert!(found[..19].iter().all(|outcome| *outcome == Err(NoDecision::WarmUp)));
    assert!(
        found[19..]
            .iter()
            .all(|outcome| matches!(outcome, Ok((class, share)) if class == "13" && *share > 0.5))
    );
    // 50 ms: in 12 or 13 samples, 8 channels and 4 references follow each other whatever was looked at.
    for short in [cca(), cca().over_millis(50)] {
        let found = decisions(&mut short.clone(), &spec, &all);
        assert!(found.iter().all(|outcome| *outcome == Err(NoDecision::Degenerate)), "{found:?}");
    }
    let twelve = Basis::of(&values[..12 * 8], 8).unwrap();
    let reference = Basis::of_sinusoids(17.0, 2, 256.0, &(0..12).collect::<Vec<_>>()).unwrap();
    assert!(
        twelve.correlation(&reference).unwrap().unwrap() > 1.0 - 1e-12,
        "a class that is not in there at all"
    );
    // One channel gone for a tenth of the look-back and more; then less.
    let mut gappy = values.clone();
    (512..512 + 40).for_each(|sample| gappy[sample * 8 + 3] = f64::NAN);
    let found = decisions(&mut cca().over_millis(1_000), &spec, &windows(&spec, &gappy));
    assert!(found[19..41].iter().all(Result::is_ok));
    let gap = found.iter().filter(|outcome| **outcome == Err(NoDecision::Gap)).count();
    assert_eq!((gap, found[41].clone()), (20, Err(NoDecision::Gap)), "{found:?}");
    assert!(found[61..].iter().all(Result::is_ok));
    // What a gap policy has made up looks like any other value. 26 samples of 256 are more than a tenth.
    let mut held = all.clone();
    held[40..43].iter_mut().for_each(|window| window.info.imputed = window.samples.len() as u32);
    let found = decisions(&mut cca().over_millis(1_000), &spec, &held);
    let gaps: Vec<usize> = (0..80).filter(|at| found[*at] == Err(NoDecision::Gap)).collect();
    assert_eq!(gaps, (41..61).collect::<Vec<_>>());
    // Filters that have not settled, and channels that are dead.
    let mut unsettled = all.clone();
    unsettled[30].info.warm_up = true;
    let names = cca().prepare(&spec).unwrap();
    let mut decoder = cca().over_millis(1_000);
    decoder.prepare(&spec).unwrap();
    for window in &unsettled {
        let mut out = Decision::blank(window.info.clone(), &names);
        decoder.process(window, &mut out).unwrap();
        assert_eq!(out.outcome == Err(NoDecision::WarmUp), window.info.index < 19 || window.info.index == 30);
    }
    let dead = windows(&spec, &vec![7.0; values.len()]);
    assert_eq!(decisions(&mut cca().over_millis(500), &spec, &dead)[40], Err(NoDecision::Degenerate));
}

#[test]
fn channels_are_picked_by_name() {
    let goldens = json("cca.json");
    let golden = &list(&goldens, "plain")[1];
    let (spec, values) = (spec(8, 256.0), quarters(golden));
    let third: Vec<f64> = values.iter().skip(2).step_by(8).copied().collect();
    let rate = spec.signal.rate;
    let cca = || Cca::new([("13", 13.0), ("21", 21.0)]).over_millis(4_000);
    let rho = cca().of_samples(&third, 1, rate).unwrap();
    let found = decisions(&mut cca().channels(["EEG 3"]), &spec, &windows(&spec, &values));
    let (class, share) = found[79].clone().unwrap();
    assert!(class == "13" && (share - rho[0] * rho[0] / (rho[0] * rho[0] + rho[1] * rho[1])).abs() < 1e-12);
}

#[test]
fn settings_that_make_no_sense_are_refused_in_words() {
    let refused = |mut decoder: Cca| match decoder.prepare(&spec(8, 256.0)) {
        Err(OperatorError::Spec { what, expected, found }) => format!("{what}: {expected}; {found}"),
        other => panic!("{other:?}"),
    };
    let two = || Cca::new([("a", 13.0), ("b", 17.0)]);
    for (message, word) in [
        (refused(Cca::new([("a", 13.0)])), "classes: two or more"),
        (refused(Cca::new([("a", 13.0), ("a", 17.0)])), "names of classes: each once"),
        (refused(Cca::new([("a", 13.0), ("", 17.0)])), "not empty; \"\" as class 2"),
        (refused(Cca::new([("a", 13.0), ("b", 13.0)])), "one of its own"),
        (refused(Cca::new([("a", f64::NAN), ("b", 13.0)])), "above 0 Hz; NaN Hz"),
        (refused(Cca::new([("a", -1.0), ("b", 13.0)])), "above 0 Hz; -1 Hz"),
        (refused(two().harmonics(0)), "harmonics: 1 or more"),
        (refused(two().harmonics(8)), "all 8 harmonics below Nyquist 128 Hz"),
        (refused(two().channels(["Oz"])), "one named Oz"),
        (refused(two().over_millis(1)), "look-back: at least one sample"),
    ] {
        assert!(message.contains(word), "{message} does not say {word}");
    }
    let none: [std::ops::Range<f64>; 0] = [];
    let error = Fbcca::new([("a", 13.0), ("b", 17.0)], none).prepare(&spec(8, 256.0)).unwrap_err();
    assert!(error.to_string().contains("sub-bands: expected at least one"), "{error}");
    assert!(matches!(Basis::of(&[1.0, f64::NAN], 2), Err(KernelError::NotFinite { index: 1, .. })));
    assert!(Basis::of(&[1.0; 3], 2).is_err() && Basis::of(&[], 0).is_err());
    let (two, three) = (Basis::of(&[1.0, 2.0], 1).unwrap(), Basis::of(&[1.0, 2.0, 4.0], 1).unwrap());
    assert!(two.correlation(&three).is_err());
    assert_eq!(two.correlation(&Basis::of(&[3.0, 3.0], 1).unwrap()).unwrap(), None);
}
