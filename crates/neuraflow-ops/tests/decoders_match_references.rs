//! Fitted decoders against pyRiemann and scikit-learn, from `scripts/goldens/decoders.py`.
#![cfg(feature = "linalg")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test's helpers fail by panicking"
)]

use neuraflow_core::model::SamplingRate;
use neuraflow_ops::decode::{Csp, Mdm, Model, TangentLogistic, Trials};
use serde_json::Value as Json;

mod support;
use support::{error, index, json, list, numbers};

fn trials(golden: &Json) -> Trials {
    let channels = (0..index(&golden["channels"])).map(|n| format!("EEG {n}"));
    let classes = (0..index(&golden["classes"])).map(|n| format!("class {n}"));
    let mut trials = Trials::new(channels, SamplingRate::hz(160).unwrap(), classes).unwrap();
    for (covariance, label) in list(golden, "train").iter().zip(list(golden, "labels")) {
        trials.push(index(label), &numbers(covariance)).unwrap();
    }
    trials
}

/// Scores of the test trials; their labels are the reference's.
fn scores(model: &Model, golden: &Json, reference: &Json) -> Vec<Vec<f64>> {
    // What is decided with is what was written down.
    let model = Model::from_bytes(&model.to_bytes().unwrap()).unwrap();
    let labels: Vec<String> = list(reference, "labels").iter().map(|n| format!("class {n}")).collect();
    let mut scores = Vec::new();
    for (covariance, label) in list(golden, "test").iter().zip(&labels) {
        let covariance = numbers(covariance);
        assert_eq!(model.decide(&covariance).unwrap().0, label);
        scores.push(model.scores(&covariance).unwrap());
    }
    scores
}

/// The second class's score less the first's: scikit-learn's decision function.
fn decision(scores: &[Vec<f64>]) -> Vec<f64> {
    scores.iter().map(|scores| scores[1] - scores[0]).collect()
}

#[test]
fn minimum_distance_to_mean() {
    for golden in list(&json("decoders.json"), "decoders") {
        let model = Mdm::new().fit(&trials(golden)).unwrap();
        let found = scores(&model, golden, &golden["mdm"]).into_iter().flat_map(|scores| {
            let exponentials: Vec<f64> = scores.iter().map(|score| score.exp()).collect();
            let sum: f64 = exponentials.iter().sum();
            exponentials.into_iter().map(move |e| e / sum)
        });
        let off = error(&found.collect::<Vec<_>>(), &numbers(&golden["mdm"]["probabilities"]));
        println!("MDM of {} classes: {off:e}", golden["classes"]);
        assert!(off < 1e-8);
    }
}

#[test]
fn common_spatial_patterns_and_discriminants() {
    for golden in list(&json("decoders.json"), "decoders").iter().filter(|golden| golden["csp"].is_object()) {
        let trials = trials(golden);
        for (fit, name) in [(Csp::new(4), "lda"), (Csp::new(4).shrunk(), "shrunk")] {
            let model = fit.fit(&trials).unwrap();
            let csp = model.csp().unwrap();
            let features: Vec<f64> =
                list(golden, "test").iter().flat_map(|test| csp.features(&numbers(test))).collect();
            let features_off = error(&features, &numbers(&golden["csp"]["features"]));
            let found = decision(&scores(&model, golden, &golden[name]));
            let off = error(&found, &numbers(&golden[name]["scores"]));
            println!("CSP features: {features_off:e}; {name}: {off:e}");
            assert!(features_off < 1e-10 && off < 1e-8);
            // Patterns are equal but for their signs; ours are positive where they are strongest.
            let expected = numbers(&golden["csp"]["patterns"]);
            for (found, expected) in csp.patterns().iter().zip(expected.chunks_exact(trials_width(golden))) {
                let strongest = expected.iter().copied().max_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap();
                let expected: Vec<f64> = expected.iter().map(|value| value * strongest.signum()).collect();
                assert!(error(found, &expected) < 1e-10);
            }
        }
    }
}

fn trials_width(golden: &Json) -> usize {
    index(&golden["channels"])
}

#[test]
fn logistic_regression_in_the_tangent_space() {
    for golden in list(&json("decoders.json"), "decoders").iter().filter(|golden| golden["csp"].is_object()) {
        let model = TangentLogistic::new().fit(&trials(golden)).unwrap();
        let found = decision(&scores(&model, golden, &golden["tangent"]));
        let off = error(&found, &numbers(&golden["tangent"]["scores"]));
        println!("tangent space and logistic regression: {off:e}");
        assert!(off < 1e-8);
    }
}
