//! The example `p300` on a real session, from outside: what it decides is what the reference decoders decide, however the signals
//! come in.

#![cfg(all(feature = "linalg", feature = "report"))]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use neuraflow::ops::decode::Model;
use neuraflow::ops::filter::Butterworth;
use neuraflow::sources::recording::{Block, Recording};
use neuraflow::testing::data::recording;
use serde_json::Value;

#[path = "support/example.rs"]
mod example;
use example::Example;

const P300: Example = Example("p300");

/// What pyRiemann and scikit-learn decide, from `scripts/goldens/p300.py`.
const REFERENCE: &str = include_str!("../crates/neuraflow-ops/tests/goldens/p300.json");
const FILES: [&str; 3] = ["15_45_13", "15_47_49", "15_51_07"];

fn file(number: usize) -> Option<PathBuf> {
    recording(&format!("muse/P300_subject1_session1/data_2017-02-04-{}.csv", FILES[number]))
}

/// The directory of the session.
fn session() -> Option<String> {
    Some(file(0)?.parent()?.to_str()?.to_owned())
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

/// The reference's labels, its probabilities to four digits (its signals are not rounded to the `f32` that samples travel in),
/// its folds' areas under the curve.
#[test]
fn decisions_are_the_references() {
    let Some(session) = session() else { return };
    let reference: Value = serde_json::from_str(REFERENCE).unwrap();
    for decoder in ["tangent", "lda"] {
        let (text, json) = P300.outcome(&["--test", &session, "--decoder", decoder]);
        let golden = &reference[decoder];
        let trials = json["truth"].as_array().unwrap().iter().zip(json["labels"].as_array().unwrap());
        let trials = trials.zip(json["probabilities"].as_array().unwrap());
        let decided: Vec<_> = trials.filter(|(_, probability)| !probability.is_null()).collect();
        assert_eq!(decided.len(), reference["truth"].as_array().unwrap().len());
        let expected =
            golden["labels"].as_array().unwrap().iter().zip(reference["truth"].as_array().unwrap());
        let name = |class: &Value| ["other", "target"][class.as_u64().unwrap() as usize];
        for ((((truth, label), found), (expected, class)), probability) in
            decided.into_iter().zip(expected).zip(numbers(&golden["probabilities"]))
        {
            assert_eq!(
                (truth.as_str().unwrap(), label.as_str().unwrap()),
                (name(class), name(expected)),
                "{decoder}"
            );
            let found = found.as_f64().unwrap();
            assert!((found - probability).abs() < 1e-4, "{decoder}: {found} {probability}");
        }
        for (found, expected) in numbers(&json["auc_of_folds"]).iter().zip(numbers(&golden["auc_of_folds"])) {
            assert!((found - expected).abs() < 1e-3, "{decoder}: {found} {expected}");
        }
        let (auc, interval) = (json["auc"].as_f64().unwrap(), numbers(&json["auc_ci95"]));
        println!("{decoder}: {auc:.4}, 95 % interval {interval:.3?}");
        assert!(auc >= 0.74 && interval[0] > 0.65 && interval[1] < 0.9, "{json}");
        assert!(text.contains("(559 trials: 92 target, 467 other, mean of 5 folds)"), "{text}");
        let [n, correct] = ["n", "correct"].map(|field| json[field].as_u64().unwrap());
        assert_eq!((n, json["accuracy"].as_f64().unwrap()), (580, correct as f64 / 580.0));
        let reasons =
            |reason: &str| json["labels"].as_array().unwrap().iter().filter(|l| **l == reason).count();
        assert_eq!((reasons("warmup"), reasons("artifact")), (13, 8));
    }
}

#[test]
fn packets_workers_and_a_saved_model_change_nothing() {
    let (Some(session), Some(first), Some(second)) = (session(), file(0), file(1)) else { return };
    let fields = ["labels", "truth", "probabilities", "auc", "auc_ci95", "auc_of_folds", "ci95"];
    let same = |a: &Value, b: &Value, how: &str| {
        fields.iter().for_each(|field| assert_eq!(a[field], b[field], "{how}"))
    };
    let (_, once) = P300.outcome(&["--test", &session]);
    for (packet, workers) in [("1", "3"), ("13", "2"), ("30000", "1")] {
        let (_, again) = P300.outcome(&["--test", &session, "--packet", packet, "--workers", workers]);
        same(&once, &again, &format!("{packet} samples a packet, {workers} workers"));
    }
    let model = Path::new(env!("CARGO_TARGET_TMPDIR")).join("p300.model");
    let model = model.to_str().unwrap();
    let (train, test) = (first.to_str().unwrap(), second.to_str().unwrap());
    for decoder in ["tangent", "lda"] {
        let fit = ["--train", train, "--test", test, "--decoder", decoder, "--save", model];
        let (_, fitted) = P300.outcome(&fit);
        same(&fitted, &P300.outcome(&["--model", model, "--test", test, "--packet", "7"]).1, decoder);
        assert_eq!(fitted["auc_of_folds"].as_array().unwrap().len(), 1);
    }
    // Trained on what is decoded: that would be no test, so it is done in folds.
    same(&once, &P300.outcome(&["--train", &session, "--test", &session]).1, "trained on itself");
}

/// Without a pipeline: the whole recording filtered as an array, epochs cut out of it, decided by the model from its file. The same
/// probabilities, to the bit.
#[test]
fn offline_equals_live() {
    let (Some(first), Some(second)) = (file(0), file(1)) else { return };
    let mut recording = Recording::open(&second).unwrap();
    let (mut block, mut values) = (Block::default(), Vec::new());
    while recording.next_block(&mut block).unwrap() {
        values.extend_from_slice(block.chunks()[0].values());
    }
    let stream = &recording.streams()[0];
    let width = stream.channels.len();
    let signal = ndarray::Array2::from_shape_vec((values.len() / width, width), values).unwrap();
    let eeg = signal.slice(ndarray::s![.., 0..4]).to_owned();
    let filtered = Butterworth::bandpass(4, 1.0..30.0).filter(&eeg, 256.0).unwrap();
    for decoder in ["tangent", "lda"] {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("p300-offline-{decoder}.model"));
        let files = ["--train", first.to_str().unwrap(), "--test", second.to_str().unwrap()];
        let (_, live) =
            P300.outcome(&[&files[..], &["--decoder", decoder, "--save", path.to_str().unwrap()]].concat());
        let model = Model::load(&path).unwrap();
        assert_eq!((model.montage().join(" "), model.limit()), ("TP9 AF7 AF8 TP10".to_owned(), Some(150.0)));
        let mut decided = 0;
        let live = live["probabilities"].as_array().unwrap();
        assert_eq!(live.len(), recording.markers().len());
        for (marker, live) in recording.markers().iter().zip(live) {
            let Some(live) = live.as_f64() else { continue };
            let before = neuraflow::model::Span::millis(-100);
            let begin = stream.rate.nearest(marker.time + before - stream.t0) as usize;
            let mut epoch = Vec::new();
            for channel in 0..4 {
                let row: Vec<f64> = (begin..begin + 230).map(|n| f64::from(filtered[[n, channel]])).collect();
                let baseline = row[..26].iter().sum::<f64>() / 26.0;
                epoch.extend(row.iter().map(|value| value - baseline));
            }
            let (class, confidence) = model.decide(&epoch).unwrap();
            let probability = if class == "target" { confidence } else { 1.0 - confidence };
            assert_eq!(probability, live, "{decoder}, {marker:?}");
            decided += 1;
        }
        println!("{decoder}: {decided} of {} trials equal to the bit", recording.markers().len());
        assert!(decided > 180);
    }
}

#[test]
fn every_setting_and_the_latency_budget_are_printed() {
    let Some(session) = session() else { return };
    let page = Path::new(env!("CARGO_TARGET_TMPDIR")).join("p300.html");
    let (text, json) = P300.outcome(&["--test", &session, "--report", page.to_str().unwrap()]);
    let html = std::fs::read_to_string(page).unwrap();
    // A plot for each channel with both classes' intervals, and a head for each filter.
    assert_eq!((html.matches("class=\"area a\"").count(), html.matches("class=\"area b\"").count()), (4, 4));
    assert_eq!(html.matches("<svg viewBox=\"-1.15").count(), 4, "a head for each pattern");
    for said in
        ["Evoked responses", "target (92 trials)", "other (467 trials)", "order 4, 1-30 Hz", "95 % interval"]
    {
        assert!(html.contains(said), "{said}");
    }
    for said in [
        "order 4, 1-30 Hz; no re-reference",
        "-100 to 800 ms",
        "the first 100 ms their baseline",
        "150 µV peak to peak",
        "5 folds of the trials",
        "TP9, AF7, AF8, TP10",
        "12 samples a packet",
        "2 for each class, covariances shrunk (OAS)",
        "C = 1",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    let counts = &json["confusion"]["counts"];
    let row = |class: usize| numbers(&counts[class]).iter().sum::<f64>();
    assert_eq!((row(0), row(1)), (482.0, 98.0), "{counts}");
    let budget: BTreeMap<String, f64> = serde_json::from_value(json["latency_budget_ms"].clone()).unwrap();
    assert_eq!((budget["wait"], budget["look_back"]), (46.875, 900.0));
    assert!(budget["group_delay"] > 10.0 && budget["group_delay"] < 80.0, "{budget:?}");
    let sum = budget["wait"] + budget["group_delay"] + budget["compute"];
    assert!((budget["after_last_sample"] - sum).abs() < 1e-9, "{budget:?}");
}

#[test]
fn what_does_not_fit_is_refused_with_what_to_do() {
    let (Some(session), Some(first)) = (session(), file(0)) else { return };
    let refused = |more: &[&str], what: &str| P300.refuses(&[&["--test", &session][..], more].concat(), what);
    refused(
        &["--classes", "1=other,7=target"],
        "at least 5 trials of target (marker 7), one for each fold, found 0",
    );
    refused(&["--classes", "1=other"], "at least two to decide between");
    refused(&["--filters", "5"], "from 1 to 4");
    refused(&["--channels", "TP9,Cz"], "Cz");
    refused(&["--bandpass", "1-130"], "Nyquist");
    refused(&["--reject-uv=-3"], "above 0");
    refused(&["--reject-uv", "20"], "one for each fold");
    refused(&["--decoder", "lda", "--means-of", "231"], "from 1 to 230");
    refused(&["--model", first.to_str().unwrap()], "model marker");
    let empty = Path::new(env!("CARGO_TARGET_TMPDIR")).join("p300-empty");
    std::fs::create_dir_all(&empty).unwrap();
    refused(&["--train", empty.to_str().unwrap()], "expected recordings in it, found none");
    // Epochs of another length than the model's.
    let model = Path::new(env!("CARGO_TARGET_TMPDIR")).join("p300-other.model");
    let model = model.to_str().unwrap();
    P300.outcome(&["--train", first.to_str().unwrap(), "--test", first.to_str().unwrap(), "--save", model]);
    refused(&["--model", model, "--after-ms", "900"], "expected an epoch of 230 samples");
}
