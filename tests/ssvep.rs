//! The example `ssvep` on the real recordings, and its decisions window by window against the same on plain arrays.

#![cfg(all(feature = "linalg", feature = "report"))]

use std::path::Path;

use ndarray::{Array2, s};
use neuraflow::model::{ChannelKind, Decision};
use neuraflow::ops::decode::{Cca, Fbcca};
use neuraflow::prelude::*;
use neuraflow::sinks::bounded;
use neuraflow::sources::recording::{Block, Recording};
use neuraflow::testing::data::recording;
use serde_json::Value;

#[path = "support/example.rs"]
mod example;
use example::Example;

const SSVEP: Example = Example("ssvep");

const EXOSKELETON: &str = "gdf/ssvep_subject03_2012.07.11-15.25.23.gdf";
const MUSE: &str = "muse/SSVEP_subject1_session1/data_2017-09-14-21.20.04.csv";
const CLASSES: [(&str, f64); 3] = [("33025", 13.0), ("33026", 21.0), ("33027", 17.0)];

/// What the example prints on a recording: its text, and the JSON in its last line.
fn run(file: &Path, arguments: &[&str]) -> (String, Value) {
    let file = ["--recording", file.to_str().unwrap()];
    let (stdout, json) = SSVEP.outcome(&[&file[..], arguments].concat());
    let [correct, n] = ["correct", "n"].map(|field| json[field].as_u64().unwrap());
    assert!((json["accuracy"].as_f64().unwrap() - correct as f64 / n as f64).abs() < 1e-12);
    let [low, high] = [0, 1].map(|edge| json["ci95"][edge].as_f64().unwrap());
    assert!(low <= correct as f64 / n as f64 && correct as f64 / n as f64 <= high, "{json}");
    let budget = |part: &str| json["latency_budget_ms"][part].as_f64().unwrap();
    let sum = ["wait", "group_delay", "look_back", "compute"].map(budget).iter().sum::<f64>();
    assert!((budget("total") - sum).abs() < 1e-9 && budget("wait") == 50.0 && budget("group_delay") > 10.0);
    (stdout, json)
}

fn correct(json: &Value) -> [u64; 2] {
    ["correct", "n"].map(|field| json[field].as_u64().unwrap())
}

#[test]
fn the_anchors_of_subject_3_hold_and_50_ms_decide_nothing() {
    let Some(file) = recording(EXOSKELETON) else { return };
    for (look_back, least) in [("1000", 16), ("2000", 19), ("3000", 22), ("4000", 23)] {
        let (text, json) = run(&file, &["--look-back-ms", look_back]);
        println!("{look_back} ms: {:?} of subject 3", correct(&json));
        assert_eq!(json["n"], 24);
        assert!(correct(&json)[0] >= least, "{look_back} ms: {json}");
        assert!(
            text.contains("95 % interval") && text.contains("causal Butterworth of order 4, 5 to 45 Hz"),
            "{text}"
        );
    }
    let (text, json) = run(&file, &["--look-back-ms", "50"]);
    let labels = json["labels"].as_array().unwrap();
    assert!(correct(&json) == [0, 24] && labels.iter().all(|label| label == "degenerate"), "{json}");
    assert!(text.contains("degenerate"), "{text}");
}

#[test]
fn the_anchor_of_the_muse_holds() {
    let Some(file) = recording(MUSE) else { return };
    let (text, json) = run(&file, &[]);
    println!("{:?} of the Muse, 1 s of Right AUX", correct(&json));
    assert!(correct(&json)[0] >= 31 && json["n"] == 32 && text.contains("Right AUX"), "{json}");
}

#[test]
fn packets_and_workers_change_no_label_of_no_window() {
    let Some(file) = recording(EXOSKELETON) else { return };
    let decided = |arguments: &[&str]| {
        let (_, json) = run(&file, &[arguments, &["--look-back-ms", "1000"]].concat());
        assert_eq!(json["running"]["windows"], 4_613, "{json}");
        (json["labels"].clone(), json["running"].clone())
    };
    let first = decided(&[]);
    for other in [["--packet", "1"], ["--packet", "13"], ["--packet", "6400"], ["--workers", "3"]] {
        assert_eq!(decided(&other), first, "{other:?}");
    }
}

/// The recording on plain arrays: filtered from its first sample on, `[sample][channel]`.
fn filtered(file: &Path) -> (Recording, Array2<f32>) {
    let mut recording = Recording::open(file).unwrap();
    let channels = recording.streams()[0].channels.len();
    let (mut block, mut values) = (Block::default(), Vec::new());
    while recording.next_block(&mut block).unwrap() {
        values.extend_from_slice(block.chunks()[0].values());
    }
    let raw = Array2::from_shape_vec((values.len() / channels, channels), values).unwrap();
    let rate = recording.streams()[0].rate.as_hz();
    let filtered = Butterworth::bandpass(4, 5.0..45.0).filter(&raw, rate).unwrap();
    (recording, filtered)
}

/// The class with the greatest correlation.
fn best(rho: &[f64]) -> usize {
    (1..rho.len()).fold(0, |best, class| if rho[class] > rho[best] { class } else { best })
}

#[test]
fn offline_and_live_give_the_same_labels_window_by_window() {
    let Some(file) = recording(EXOSKELETON) else { return };
    let (offline, signal) = filtered(&file);
    let stream = &offline.streams()[0];
    assert!(stream.channels.iter().all(|channel| channel.kind() == ChannelKind::Eeg));
    let cca = || Cca::new(CLASSES).harmonics(2);
    // Trial by trial.
    let trial = |marker: &Marker| {
        let first = stream.rate.nearest(marker.time + Span::secs(1) - stream.t0) as usize;
        let (_, hz) = CLASSES.iter().find(|(code, _)| *code == marker.label)?;
        let rho = cca().of_array(signal.slice(s![first..first + 256, ..]), stream.rate).unwrap();
        Some((format!("{} Hz", CLASSES[best(&rho)].1), format!("{hz} Hz")))
    };
    let (labels, truth): (Vec<String>, Vec<String>) = offline.markers().iter().filter_map(trial).unzip();
    let (_, json) = run(&file, &["--look-back-ms", "1000"]);
    assert_eq!((&json["labels"], &json["truth"]), (&labels.into(), &truth.into()));
    // Every window: a second that ends with it.
    let (sink, decisions) = bounded(8_192, Overflow::Block);
    Pipeline::from(Replay::open(&file).unwrap())
        .stage(|| Butterworth::bandpass(4, 5.0..45.0))
        .window(Tumbling::millis(50))
        .feature(move || cca().over_millis(1_000))
        .sink(sink)
        .build()
        .unwrap()
        .run()
        .unwrap();
    let live: Vec<Decision<String>> = decisions.iter().collect();
    let decided = live.iter().filter_map(|decision| Some((&decision.info, decision.outcome.as_ref().ok()?)));
    let mut count = 0;
    for (info, (label, share)) in decided {
        // The last window is cut off by the end of the recording.
        let end = (stream.first_at_or_after(info.end) as usize).min(signal.nrows());
        let rho = cca().of_array(signal.slice(s![end - 256..end, ..]), stream.rate).unwrap();
        let squares: Vec<f64> = rho.iter().map(|rho| rho * rho).collect();
        assert_eq!(label, CLASSES[best(&rho)].0, "window {}: {rho:?}", info.index);
        assert!((share - squares[best(&rho)] / squares.iter().sum::<f64>()).abs() < 1e-12);
        count += 1;
    }
    println!("{count} of {} windows decided", live.len());
    assert!(count > 4_500, "{count}");
}

#[test]
fn a_filter_bank_decides_in_a_pipeline() {
    let Some(file) = recording(EXOSKELETON) else { return };
    let (sink, decisions) = bounded(8_192, Overflow::Block);
    Pipeline::from(Replay::open(&file).unwrap())
        .window(Tumbling::millis(50))
        .feature(|| Fbcca::new(CLASSES, [10.0..45.0, 24.0..45.0]).over_millis(4_000))
        .sink(sink)
        .build()
        .unwrap()
        .run()
        .unwrap();
    let live: Vec<Decision<String>> = decisions.iter().collect();
    // The decision on the window that ends when each trial's four seconds are over, or just behind.
    let markers = Recording::open(&file).unwrap().markers().to_vec();
    let trials = markers.iter().filter(|marker| CLASSES.iter().any(|(code, _)| *code == marker.label));
    let right = |marker: &&Marker| {
        let over = marker.time + Span::secs(5);
        let decision = live.iter().find(|decision| decision.info.end >= over).unwrap();
        decision.outcome.as_ref().is_ok_and(|(label, _)| *label == marker.label)
    };
    let (n, correct) = (trials.clone().count(), trials.filter(right).count());
    println!("{correct} of {n} by a filter bank over 4 s");
    assert!(n == 24 && correct >= 20, "{correct} of {n}");
}

#[test]
fn a_report_shows_spectra_and_the_result() {
    let Some(file) = recording(MUSE) else { return };
    let page = std::env::temp_dir().join(format!("ssvep-{}.html", std::process::id()));
    run(&file, &["--report", page.to_str().unwrap()]);
    let html = std::fs::read_to_string(&page).unwrap();
    std::fs::remove_file(&page).unwrap();
    for word in ["<svg", "SSVEP by canonical correlation", "of 32 (", "Right AUX", "marker 1 is 30 Hz"] {
        assert!(html.contains(word), "{word}");
    }
}

#[test]
fn what_is_not_known_must_be_said() {
    let Some(file) = recording("edf/S001R04.edf") else { return };
    let file = file.to_str().unwrap();
    let refused =
        |arguments: &[&str], what| SSVEP.refuses(&[&["--recording", file], arguments].concat(), what);
    refused(&[], "--classes: expected the markers");
    refused(&["--classes", "T7=13,T8=17"], "expected trials at markers T7, T8");
    refused(&["--classes", "T1=13,T2=17", "--harmonics", "9"], "below Nyquist 80 Hz");
}
