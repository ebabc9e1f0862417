//! Evidence over the windows of a trial, on a real recording: how fast and how right it decides, against looking for a fixed time.
//!
//! `cargo test --test evidence -- --nocapture` prints the table of `docs/tutorials/ssvep.md`.

#![cfg(feature = "linalg")]

use std::sync::{Arc, Mutex};

use neuraflow::model::Decision;
use neuraflow::ops::decode::{Cca, Evidence};
use neuraflow::prelude::*;
use neuraflow::testing::data::recording;

const EXOSKELETON: &str = "gdf/ssvep_subject03_2012.07.11-15.25.23.gdf";
const CLASSES: [(&str, f64); 3] = [("33025", 13.0), ("33026", 21.0), ("33027", 17.0)];
/// From a trial's marker to its flicker.
const FLICKER: i64 = 500;
/// When evidence is counted from: the response needs half a second to build up, and a look-back must lie behind it.
const BUILT_UP: i64 = 1_000;
/// When a trial must be decided: four seconds of the response.
const DEADLINE: i64 = 5_000;
const WEIGHT: f64 = 0.2;
/// The last stands for none: it decides at the deadline.
const THRESHOLDS: [f64; 7] = [0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 0.999_999];

/// What was decided of a trial: whether rightly, and how many ms after the flicker began.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Trial {
    right: bool,
    millis: f64,
}

/// Each threshold's trials, in order.
type Outcome = Vec<Vec<Trial>>;

fn run(look_back: i64, packet: usize, workers: usize) -> Option<Outcome> {
    let file = recording(EXOSKELETON)?;
    let outcome: Arc<Mutex<Outcome>> = Arc::new(Mutex::new(vec![Vec::new(); THRESHOLDS.len()]));
    let mut decisions = Pipeline::from(Replay::open(&file).unwrap().speed(Speed::Max).packet(packet))
        .stage(|| Butterworth::bandpass(4, 5.0..45.0))
        .window(Tumbling::millis(50))
        .feature(move || Cca::new(CLASSES).harmonics(2).over_millis(look_back));
    for (number, threshold) in THRESHOLDS.into_iter().enumerate() {
        let evidence = Evidence::new(threshold, Span::millis(DEADLINE))
            .after(Span::millis(BUILT_UP + look_back))
            .weight(WEIGHT)
            .at(CLASSES.map(|(code, _)| code));
        let kept = Arc::clone(&outcome);
        decisions = decisions.branch(|decisions| {
            let sink = Callback::new(move |decision: &Decision<String>| {
                let (Some(marker), Ok((class, _))) = (&decision.info.marker, &decision.outcome) else {
                    return;
                };
                let millis = (decision.info.end - marker.time).as_millis_f64() - FLICKER as f64;
                kept.lock().unwrap()[number].push(Trial { right: *class == marker.label, millis });
            });
            decisions.decide(move || evidence.clone()).sink(sink.named(format!("threshold {threshold}")))
        });
    }
    let rest = Callback::new(|_: &Decision<String>| {}).named("every window");
    decisions.sink(rest).build().unwrap().spawn(Workers::new(workers)).unwrap().join().unwrap();
    let found = outcome.lock().unwrap().clone();
    Some(found)
}

/// Wilson's interval of 95 %, in percent.
fn interval(right: usize, n: usize) -> [f64; 2] {
    let (z, n) = (1.959_963_984_540_054_f64, n as f64);
    let p = right as f64 / n;
    let middle = (p + z * z / (2.0 * n)) / (1.0 + z * z / n);
    let half = z / (1.0 + z * z / n) * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    [100.0 * (middle - half), 100.0 * (middle + half)]
}

fn mean(trials: &[Trial]) -> f64 {
    trials.iter().map(|trial| trial.millis).sum::<f64>() / trials.len() as f64
}

/// Half the 95 % interval of the mean time: 1.96 standard errors.
fn spread(trials: &[Trial]) -> f64 {
    let (middle, n) = (mean(trials), trials.len() as f64);
    let squares = trials.iter().map(|trial| (trial.millis - middle).powi(2)).sum::<f64>();
    1.96 * (squares / (n - 1.0) / n).sqrt()
}

#[test]
fn it_trades_time_for_accuracy() {
    for look_back in [1_000, 2_000] {
        let Some(outcome) = run(look_back, 13, 1) else { return };
        println!("look-back {look_back} ms, weight {WEIGHT}");
        for (threshold, trials) in THRESHOLDS.iter().zip(&outcome) {
            let right = trials.iter().filter(|trial| trial.right).count();
            let [low, high] = interval(right, trials.len());
            println!(
                "{threshold:<8} {right} of {} ({:.1} %, {low:.1} to {high:.1} %) after {:.2} ± {:.2} s",
                trials.len(),
                100.0 * right as f64 / trials.len() as f64,
                mean(trials) / 1e3,
                spread(trials) / 1e3,
            );
            assert_eq!(trials.len(), 24, "one decision a trial");
            assert!(right >= 20, "{threshold}: {right}");
            let earliest = (BUILT_UP - FLICKER + look_back) as f64;
            let latest = (DEADLINE - FLICKER + 50) as f64;
            assert!(trials.iter().all(|trial| (earliest..=latest).contains(&trial.millis)), "{trials:?}");
        }
        // It saves time, and more than it varies.
        assert!(mean(&outcome[0]) + spread(&outcome[0]) < mean(&outcome[6]) - 1_000.0);
        // Asked for more, no trial is decided sooner.
        for pair in outcome.windows(2) {
            assert!(pair[0].iter().zip(&pair[1]).all(|(less, more)| less.millis <= more.millis));
        }
    }
}

#[test]
fn packets_and_workers_change_nothing() {
    let Some(expected) = run(1_000, 13, 1) else { return };
    for (packet, workers) in [(1, 2), (256, 3)] {
        assert_eq!(run(1_000, packet, workers).unwrap(), expected, "{packet} samples, {workers} workers");
    }
}
