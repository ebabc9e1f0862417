//! Decoders of evoked responses against pyRiemann and scikit-learn, from `scripts/goldens/evoked.py`.
#![cfg(feature = "linalg")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test's helpers fail by panicking"
)]

use neuraflow_core::model::SamplingRate;
use neuraflow_ops::decode::{Model, Trials, Xdawn, XdawnLda, XdawnTangent};
use neuraflow_ops::kernel::linalg::{Estimator, Spectrum};
use serde_json::Value as Json;

mod support;
use support::{error, index, json, list, numbers};

fn epoch(quarters: &Json) -> Vec<f64> {
    numbers(quarters).iter().map(|value| value / 4.0).collect()
}

fn trials(golden: &Json) -> Trials {
    let channels = (0..index(&golden["channels"])).map(|n| format!("EEG {n}"));
    let classes = (0..index(&golden["classes"])).map(|n| format!("class {n}"));
    let rate = SamplingRate::hz(128).unwrap();
    let mut trials = Trials::epochs(channels, index(&golden["samples"]), rate, classes).unwrap();
    for (samples, label) in list(golden, "train").iter().zip(list(golden, "labels")) {
        trials.push(index(label), &epoch(samples)).unwrap();
    }
    trials
}

fn estimator(golden: &Json) -> Estimator {
    match golden["estimator"].as_str().unwrap() {
        "sample" => Estimator::Sample,
        "ledoit_wolf" => Estimator::LedoitWolf,
        "oas" => Estimator::Oas,
        other => panic!("unknown estimator {other}"),
    }
}

fn xdawn(golden: &Json) -> Xdawn {
    Xdawn::new(index(&golden["filters"]), estimator(golden))
}

/// Scores of the test epochs: of each class, or of two classes the second's less the first's. Their labels are the reference's.
fn scores(model: &Model, golden: &Json, reference: &Json) -> Vec<f64> {
    // What is decided with is what was written down.
    let model = Model::from_bytes(&model.to_bytes().unwrap()).unwrap();
    let labels: Vec<String> = list(reference, "labels").iter().map(|n| format!("class {n}")).collect();
    let mut found = Vec::new();
    for (samples, label) in list(golden, "test").iter().zip(&labels) {
        let samples = epoch(samples);
        assert_eq!(model.decide(&samples).unwrap().0, label);
        let scores = model.scores(&samples).unwrap();
        match scores[..] {
            [first, second] => found.push(second - first),
            _ => found.extend(scores),
        }
    }
    found
}

#[test]
fn filters_patterns_and_responses() {
    for golden in list(&json("evoked.json"), "evoked") {
        let found = xdawn(golden).fit(&trials(golden)).unwrap();
        let (channels, samples) = (index(&golden["channels"]), index(&golden["samples"]));
        let [filters, patterns, evoked] =
            ["spatial", "patterns", "evoked"].map(|name| numbers(&golden[name]));
        let mut worst = [0.0_f64; 3];
        for n in 0..filters.len() / channels {
            let row = |of: &[f64], width: usize| of[n * width..(n + 1) * width].to_vec();
            // Equal but for the sign; ours is positive where a pattern is strongest.
            let pattern = row(&patterns, channels);
            let strongest = pattern.iter().copied().max_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap();
            let signed = |row: Vec<f64>| row.iter().map(|v| v * strongest.signum()).collect::<Vec<f64>>();
            worst[0] = worst[0].max(error(&found.filters()[n], &signed(row(&filters, channels))));
            worst[1] = worst[1].max(error(&found.patterns()[n], &signed(pattern)));
            worst[2] = worst[2].max(error(&found.evoked()[n], &signed(row(&evoked, samples))));
        }
        println!("xDAWN of {} classes: filters, patterns, responses {worst:?}", golden["classes"]);
        assert!(worst.iter().all(|off| *off < 1e-10), "{worst:?}");
    }
}

#[test]
fn discriminants_behind_the_filters() {
    for golden in list(&json("evoked.json"), "evoked") {
        let plain = XdawnLda::new(xdawn(golden)).means_of(index(&golden["means_of"]));
        for (fit, name) in [(plain, "lda"), (plain.shrunk(), "shrunk")] {
            if golden[name].is_null() {
                assert!(
                    fit.fit(&trials(golden)).is_err(),
                    "filters that repeat each other have no plain discriminant"
                );
                continue;
            }
            let found = scores(&fit.fit(&trials(golden)).unwrap(), golden, &golden[name]);
            let mut expected = numbers(&golden[name]["scores"]);
            let mut found = found;
            let classes = index(&golden["classes"]);
            if classes > 2 {
                // Of several classes scores are known but for what all share.
                for scores in [&mut found, &mut expected] {
                    for row in scores.chunks_exact_mut(classes) {
                        let mean = row.iter().sum::<f64>() / classes as f64;
                        row.iter_mut().for_each(|score| *score -= mean);
                    }
                }
            }
            let off = error(&found, &expected);
            println!("{classes} classes, {name}: {off:e}");
            assert!(off < 1e-8);
        }
    }
}

#[test]
fn logistic_regression_on_their_covariances() {
    for golden in list(&json("evoked.json"), "evoked").iter().filter(|golden| golden["tangent"].is_object()) {
        let fit = XdawnTangent::new(xdawn(golden)).estimator(estimator(golden));
        let model = fit.fit(&trials(golden)).unwrap();
        let filters = model.xdawn().unwrap();
        let logarithm = |samples: &Json| -> f64 {
            let covariance = filters.covariance(&epoch(samples), estimator(golden)).unwrap();
            Spectrum::of(&covariance).unwrap().values.iter().map(|value| value.ln()).sum()
        };
        let determinants: Vec<f64> = list(golden, "test").iter().map(logarithm).collect();
        let covariances_off = error(&determinants, &numbers(&golden["tangent"]["logarithms"]));
        let off = error(&scores(&model, golden, &golden["tangent"]), &numbers(&golden["tangent"]["scores"]));
        println!("{}: determinants {covariances_off:e}, scores {off:e}", golden["estimator"]);
        assert!(covariances_off < 1e-9 && off < 1e-8);
    }
}
