//! The example `motor_imagery` on real recordings, from outside: what it decides is what the reference decoders decide, label
//! for label, however the signal comes in.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use neuraflow::model::SamplingRate;
use neuraflow::ops::decode::Model;
use neuraflow::ops::filter::Butterworth;
use neuraflow::ops::kernel::linalg::{Estimator, covariance};
use neuraflow::sources::recording::{Block, Recording};
use neuraflow::testing::data::recording;
use serde_json::Value;

#[path = "support/example.rs"]
mod example;
use example::Example;

const MOTOR: Example = Example("motor_imagery");

/// What pyRiemann and scikit-learn decide, from `scripts/goldens/motor_imagery.py`.
const REFERENCE: &str = include_str!("../crates/neuraflow-ops/tests/goldens/motor_imagery.json");

const DECODERS: [&str; 4] = ["csp", "mdm", "tangent", "filter-bank"];

fn file(name: &str) -> Option<PathBuf> {
    recording(&format!("edf/{name}.edf"))
}

/// Every pair of recordings and every decoder: the reference's labels, and its confidences to four digits (its signals are
/// not rounded to the `f32` that samples travel in).
#[test]
fn labels_are_the_references() {
    let reference: Value = serde_json::from_str(REFERENCE).unwrap();
    for pair in reference["motor_imagery"].as_array().unwrap() {
        let (train, test) = (pair["train"].as_str().unwrap(), pair["test"].as_str().unwrap());
        let (Some(train_file), Some(test_file)) = (file(train), file(test)) else { return };
        for decoder in DECODERS {
            let files = ["--train", train_file.to_str().unwrap(), "--test", test_file.to_str().unwrap()];
            let (text, json) = MOTOR.outcome(&[&files[..], &["--decoder", decoder]].concat());
            let case = format!("{decoder}, {train} to {test}: {json}");
            assert_eq!(json["truth"], pair["truth"], "{case}");
            assert_eq!(json["labels"], pair[decoder]["labels"], "{case}");
            let numbers = |value: &Value| -> Vec<f64> {
                value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
            };
            let expected = numbers(&pair[decoder]["confidences"]);
            for (found, expected) in numbers(&json["confidences"]).iter().zip(expected) {
                assert!((found - expected).abs() < 1e-4, "{found} {expected} {case}");
            }
            let (n, correct) = (json["n"].as_u64().unwrap(), json["correct"].as_u64().unwrap());
            let interval = numbers(&json["ci95"]);
            assert_eq!((n, json["accuracy"].as_f64().unwrap()), (15, correct as f64 / 15.0), "{case}");
            assert!(interval[0] < correct as f64 / 15.0 && interval[1] <= 1.0, "{case}");
            // Fists against feet can be told apart, left against right cannot, on this subject.
            // Nine bands of 64 channels are too much for 15 trials: a filter bank is only what its reference is.
            if decoder == "filter-bank" {
                println!("{decoder}, {train} to {test}: {correct} of {n}");
            } else if train == "S001R06" || train == "S001R10" {
                assert!(correct >= 14 && interval[0] > 0.6, "{case}");
            } else {
                assert!(correct <= 11 && text.contains("not told apart from chance"), "{case}\n{text}");
            }
        }
    }
}

#[test]
fn packets_workers_and_a_saved_model_change_nothing() {
    let (Some(train), Some(test)) = (file("S001R06"), file("S001R10")) else { return };
    let (train, test) = (train.to_str().unwrap(), test.to_str().unwrap());
    for decoder in DECODERS {
        let model = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("motor-{decoder}.model"));
        let model = model.to_str().unwrap();
        let ours = ["--train", train, "--test", test, "--decoder", decoder];
        let (_, first) = MOTOR.outcome(&[&ours[..], &["--save", model]].concat());
        let same = |(_, json): (String, Value), how: &str| {
            for field in ["labels", "confidences", "truth", "ci95"] {
                assert_eq!(json[field], first[field], "{decoder}, {how}");
            }
        };
        for (packet, workers) in [("1", "2"), ("7", "3"), ("480", "1")] {
            let how = format!("{packet} samples a packet, {workers} workers");
            same(MOTOR.outcome(&[&ours[..], &["--packet", packet, "--workers", workers]].concat()), &how);
        }
        same(MOTOR.outcome(&["--model", model, "--test", test]), "from its file");
    }
}

/// Without a pipeline: the whole recording filtered as an array, epochs cut out of it, decided by the model from its file. The same
/// confidences, to the bit.
#[test]
fn offline_equals_live() {
    let (Some(train), Some(test)) = (file("S001R06"), file("S001R10")) else { return };
    let mut recording = Recording::open(&test).unwrap();
    let (mut block, mut values) = (Block::default(), Vec::new());
    while recording.next_block(&mut block).unwrap() {
        values.extend_from_slice(block.chunks()[0].values());
    }
    let signal = ndarray::Array2::from_shape_vec((values.len() / 64, 64), values).unwrap();
    let filtered = Butterworth::bandpass(4, 8.0..30.0).filter(&signal, 160.0).unwrap();
    for (decoder, estimator) in
        [("csp", Estimator::Sample), ("mdm", Estimator::Oas), ("tangent", Estimator::Oas)]
    {
        let model = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("motor-offline-{decoder}.model"));
        let files = ["--train", train.to_str().unwrap(), "--test", test.to_str().unwrap()];
        let more = ["--decoder", decoder, "--save", model.to_str().unwrap()];
        let (_, live) = MOTOR.outcome(&[&files[..], &more[..]].concat());
        let model = Model::load(model).unwrap();
        assert_eq!((model.rate(), model.band()), (SamplingRate::hz(160).unwrap(), Some(8.0..30.0)));
        let stream = &recording.streams()[0];
        let cues = recording.markers().iter().filter(|marker| marker.label != "T0");
        let decided: Vec<(String, f64)> = cues
            .map(|cue| {
                let begin =
                    stream.rate.nearest(cue.time - stream.t0 + neuraflow::model::Span::millis(500)) as usize;
                let epoch = filtered.slice(ndarray::s![begin..begin + 480, ..]).mapv(f64::from);
                let covariance = covariance(epoch.as_standard_layout().as_slice().unwrap(), 64, estimator);
                let (class, confidence) = model.decide(&covariance.unwrap()).unwrap();
                (class.to_owned(), confidence)
            })
            .collect();
        let (labels, confidences): (Vec<String>, Vec<f64>) = decided.into_iter().unzip();
        assert_eq!(serde_json::json!(labels), live["labels"], "{decoder}");
        assert_eq!(serde_json::json!(confidences), live["confidences"], "{decoder}");
    }
}

#[test]
fn every_setting_and_the_latency_budget_are_printed() {
    let (Some(train), Some(test)) = (file("S001R06"), file("S001R10")) else { return };
    let page = Path::new(env!("CARGO_TARGET_TMPDIR")).join("motor.html");
    let files = ["--train", train.to_str().unwrap(), "--test", test.to_str().unwrap()];
    let (text, json) = MOTOR.outcome(&[&files[..], &["--report", page.to_str().unwrap()]].concat());
    let html = std::fs::read_to_string(page).unwrap();
    assert_eq!(html.matches("<svg viewBox=\"-1.15").count(), 4, "a head for each pattern");
    assert_eq!(html.matches("class=\"site\"").count(), 4 * 64);
    for said in ["14 of 15, 95 % interval 0.70 to 0.99", "T1: 1, T2: 7, no decision: 0", "order 4, 8-30 Hz"] {
        assert!(html.contains(said), "{said}");
    }
    for said in [
        "order 4, 8-30 Hz; no re-reference",
        "0.5 to 3.5 s",
        "64 channels at 160 Hz",
        "S001R06.edf",
        "Sample",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    let rows: Vec<Vec<&str>> = text
        .lines()
        .skip_while(|line| !line.starts_with("imagined"))
        .skip(1)
        .take(2)
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(rows, [["T1", "7", "0", "0"], ["T2", "1", "7", "0"]], "{text}");
    let budget: BTreeMap<String, f64> = serde_json::from_value(json["latency_budget_ms"].clone()).unwrap();
    assert_eq!((budget["wait"], budget["look_back"]), (12.5, 3_000.0));
    // The filter's delay at the middle of its band, √(8 · 30) Hz.
    assert!(budget["group_delay"] > 20.0 && budget["group_delay"] < 80.0, "{budget:?}");
    let sum = budget["wait"] + budget["group_delay"] + budget["compute"];
    assert!((budget["after_last_sample"] - sum).abs() < 1e-9, "{budget:?}");
}

#[test]
fn what_does_not_fit_is_refused_with_what_to_do() {
    let (Some(train), Some(test)) = (file("S001R06"), file("S001R10")) else { return };
    let (train, test) = (train.to_str().unwrap(), test.to_str().unwrap());
    let with = |more: &[&'static str]| [&["--train", train, "--test", test][..], more].concat();
    MOTOR.refuses(&with(&["--classes", "T1=fists"]), "at least two to decide between");
    MOTOR.refuses(&with(&["--classes", "T1=fists,T7=feet"]), "trials of feet, found 0");
    MOTOR.refuses(&with(&["--filters", "65"]), "from 1 to 64");
    MOTOR.refuses(&with(&["--bandpass", "8-90"]), "Nyquist");
    MOTOR.refuses(&["--model", train, "--test", test], "model marker");
    let model = Path::new(env!("CARGO_TARGET_TMPDIR")).join("motor-other.model");
    let model = model.to_str().unwrap();
    MOTOR.outcome(&with(&[]).iter().copied().chain(["--save", model]).collect::<Vec<_>>());
    if let Some(other) = recording("edf/mne_test_512Hz_139ch.edf") {
        MOTOR.refuses(&["--model", model, "--test", other.to_str().unwrap()], "as the model was fitted");
    }
}
