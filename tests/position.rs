//! The example `position` on a real rat, from outside: how far off it is, and that it does not matter how the spikes come in.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use neuraflow::ops::decode::TrajectoryModel;
use neuraflow::sources::recording::{Block, Recording};
use neuraflow::testing::data::recording;
use serde_json::Value;

#[path = "support/example.rs"]
mod example;
use example::Example;

const POSITION: Example = Example("position");

const DECODERS: [&str; 3] = ["bayes", "wiener", "kalman"];
const HOP: i64 = 50;

/// The recording as the converter makes it, once for all tests.
fn track() -> Option<&'static Path> {
    static TRACK: OnceLock<Option<PathBuf>> = OnceLock::new();
    let made = TRACK.get_or_init(|| {
        let source = recording("spikes/nelpy_linear-track")?;
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("linear-track");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/convert/linear_track.py");
        let output = Command::new("python3").arg(script).args([&source, &folder]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Some(folder)
    });
    // Each test says for itself that it could not run.
    recording("spikes/nelpy_linear-track").and(made.as_deref())
}

/// Text and JSON of a run on the track that must succeed.
fn outcome(track: &Path, arguments: &[&str]) -> (String, Value) {
    POSITION.outcome(&[&["--train", track.to_str().unwrap()], arguments].concat())
}

fn number(json: &Value, field: &str) -> f64 {
    json[field].as_f64().unwrap_or_else(|| panic!("{field}: {json}"))
}

fn list<T: serde::de::DeserializeOwned>(json: &Value, field: &str) -> Vec<T> {
    serde_json::from_value(json[field].clone()).unwrap()
}

#[test]
fn the_anchor_holds_and_says_how_sure_it_is() {
    let Some(track) = track() else { return };
    let (text, json) = outcome(track, &[]);
    let share = number(&json, "median_error_share");
    println!("median error {:.1} px, {:.2} % of the track", number(&json, "median_error"), 100.0 * share);
    assert!(share <= 0.07, "{share}");
    // Against where it is by the time of the decision too, and a third of what a constant is off.
    assert!(number(&json, "median_error_now_share") <= 0.07);
    assert!(3.0 * number(&json, "median_error") < number(&json, "median_error_of_constant"));
    let [low, high] = [0, 1].map(|edge| json["median_error_ci95"][edge].as_f64().unwrap());
    assert!(low < number(&json, "median_error") && number(&json, "median_error") < high);
    let (correct, n) = (number(&json, "correct"), number(&json, "n"));
    let accuracy = number(&json, "accuracy");
    assert!((accuracy - correct / n).abs() < 1e-12 && accuracy > 0.5, "{accuracy}");
    assert_eq!(number(&json, "n_independent"), (n / 5.0).floor());
    let [low, high] = [0, 1].map(|edge| json["ci95"][edge].as_f64().unwrap());
    assert!(low < accuracy && accuracy < high && high - low > 0.05, "{low} to {high}");
    let (labels, truth): (Vec<String>, Vec<String>) = (list(&json, "labels"), list(&json, "truth"));
    let right = labels.iter().zip(&truth).filter(|(label, truth)| label == truth).count();
    assert_eq!((labels.len() as f64, right as f64), (n, correct));
    for said in [
        "40 bins, smoothed by 1.5 bins, rates of at least 0.0001",
        "250 ms, stepped by 50 ms",
        "faster than 40 px/s",
        "31 units",
        "95 % interval",
        "was \\ decided",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    let budget = |part: &str| json["latency_budget_ms"][part].as_f64().unwrap();
    assert_eq!([budget("wait"), budget("group_delay"), budget("look_back")], [50.0, 0.0, 250.0]);
    assert!((budget("total") - 300.0 - budget("compute")).abs() < 1e-9);
}

#[test]
fn packets_and_workers_change_no_bit_of_any_decision() {
    let Some(track) = track() else { return };
    for decoder in DECODERS {
        let first = outcome(track, &["--decoder", decoder]).1;
        for (packet, workers) in [("1", "2"), ("7", "3"), ("5000", "1")] {
            let other = outcome(track, &["--decoder", decoder, "--packet", packet, "--workers", workers]).1;
            for field in ["digest", "labels", "positions", "confidences", "median_error", "ci95"] {
                assert_eq!(
                    other[field], first[field],
                    "{decoder}, {packet} ms a packet, {workers} workers: {field}"
                );
            }
        }
    }
}

/// Spikes of each unit in windows, straight from the file; the first window that is whole, and the counts `[window][unit]`.
fn counted(track: &Path) -> (i64, Vec<f64>, usize) {
    let mut recording = Recording::open(track.join("spikes.npy")).unwrap();
    let (t0, units) =
        (recording.streams()[0].t0.as_nanos() / 1_000_000, recording.streams()[0].channels.len());
    let first = t0.div_euclid(HOP) + 1;
    let (mut block, mut counts) = (Block::default(), Vec::new());
    while recording.next_block(&mut block).unwrap() {
        let chunk = &block.chunks()[0];
        for (sample, values) in (chunk.first()..).zip(chunk.samples()) {
            let Ok(window) = usize::try_from((t0 + sample as i64).div_euclid(HOP) - first) else { continue };
            counts.resize(counts.len().max((window + 1) * units), 0.0);
            for (count, value) in counts[window * units..].iter_mut().zip(values) {
                *count += f64::from(*value);
            }
        }
    }
    (first, counts, units)
}

/// Without a pipeline: windows counted from the file, decided by the model from its file. The same positions and confidences,
/// to the bit.
#[test]
fn offline_equals_live() {
    let Some(track) = track() else { return };
    let (first, counts, units) = counted(track);
    for decoder in DECODERS {
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("position-{decoder}.model"));
        let (_, live) = outcome(track, &["--decoder", decoder, "--save", file.to_str().unwrap()]);
        let model = TrajectoryModel::load(file).unwrap();
        assert_eq!((model.units().len(), model.hop().as_millis_f64()), (units, 50.0));
        let decided = model.decode(&counts).unwrap();
        let tested: Vec<i64> = list(&live, "tested");
        let offline = |window: &i64| decided[(window - first) as usize].clone().unwrap();
        let (positions, confidences): (Vec<f64>, Vec<f64>) =
            tested.iter().map(offline).map(|(values, confidence)| (values[0], confidence)).unzip();
        assert_eq!(list::<f64>(&live, "positions"), positions, "{decoder}");
        assert_eq!(list::<f64>(&live, "confidences"), confidences, "{decoder}");
        assert!(tested.len() > 2_500);
    }
}

#[test]
fn spikes_and_frames_are_those_that_were_recorded() {
    let Some(track) = track() else { return };
    let facts = recording("FACTS.json").map(|path| std::fs::read_to_string(path).unwrap()).unwrap();
    let facts: Value = serde_json::from_str(&facts).unwrap();
    let spikes = &facts["spikes/nelpy_linear-track/spikes.mat"];
    let mut recording = Recording::open(track.join("spikes.npy")).unwrap();
    let first = list::<f64>(spikes, "time_range_s")[0];
    assert!((recording.streams()[0].t0.as_secs_f64() - first).abs() < 1e-3);
    let (mut block, mut counts) = (Block::default(), vec![0.0; 31]);
    while recording.next_block(&mut block).unwrap() {
        for values in block.chunks()[0].samples() {
            counts.iter_mut().zip(values).for_each(|(count, value)| *count += f64::from(*value));
        }
    }
    assert_eq!(counts, list::<f64>(spikes, "spikes_per_unit"));
    // All frames but the five that follow another within a millisecond.
    let frames =
        facts["spikes/nelpy_linear-track/trajectory.videoPositionTracking"]["frames"].as_u64().unwrap();
    let rows = (std::fs::metadata(track.join("position.npy")).unwrap().len() - 128) / 24;
    assert_eq!(rows, frames - 5);
}

#[test]
fn a_report_shows_the_path() {
    let Some(track) = track() else { return };
    let page = Path::new(env!("CARGO_TARGET_TMPDIR")).join("position.html");
    outcome(track, &["--report", page.to_str().unwrap()]);
    let html = std::fs::read_to_string(page).unwrap();
    for said in
        ["true and decoded in px along the track", "median error", "spikes.npy", "position.npy", "40 bins"]
    {
        assert!(html.contains(said), "{said}");
    }
}

#[test]
fn what_does_not_fit_is_refused_with_what_to_do() {
    let Some(track) = track() else { return };
    let refused = |arguments: &[&str], what: &str| {
        POSITION.refuses(&[&["--train", track.to_str().unwrap()], arguments].concat(), what);
    };
    refused(&["--look-back-ms", "120"], "a multiple of the window, 50 ms");
    refused(&["--bins", "1"], "bins: expected from 2 to 10,000");
    refused(&["--speed-above", "100000"], "expected running faster than 100000 px/s");
    refused(&["--test", "nowhere"], "nowhere");
    let raw = recording("spikes/nelpy_linear-track/spikes.mat").unwrap();
    POSITION.refuses(&["--train", raw.to_str().unwrap()], "scripts/convert/linear_track.py");
}
