//! Every figure of docs/reference/performance.md, one JSON object a line.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use crate::load::{Flood, Load, Stopwatch};
use crate::plain;
use crate::work::Work;

/// Runs of each kind; they alternate, and the medians are compared, so that what slows the machine down slows both.
const RUNS: usize = 3;

pub fn run() {
    for devices in [1_000, 10_000] {
        overhead(devices);
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn overhead(devices: usize) {
    let warm_up = 20;
    let packets = warm_up + (1_000_000 / devices as u64).max(60);
    let load = Load::new(devices, 8, 250, 20, packets);
    let measured = (load.windows() - devices as u64 * warm_up) as f64;
    let per_window = |cpu: Duration| cpu.as_nanos() as f64 / measured;
    let mut plain = Vec::new();
    let mut piped = [Vec::new(), Vec::new()];
    for _ in 0..RUNS {
        plain.push(per_window(plain::run(&load, Work::Double, warm_up).1));
        for (workers, piped) in (1..).zip(&mut piped) {
            let flood = Flood { load: load.clone(), warm_up, stopwatch: Arc::new(Stopwatch::default()) };
            piped.push(per_window(Work::Double.run(&flood, workers).1));
        }
    }
    let plain = median(plain);
    for (workers, piped) in (1..).zip(piped) {
        let value = median(piped);
        print(
            "overhead",
            &format!("{devices} devices, {workers} workers, f64"),
            value,
            "CPU ns/window",
            plain,
        );
    }
}

fn print(name: &str, case: &str, value: f64, unit: &str, baseline: f64) {
    let round = |value: f64| (value * 1e3).round() / 1e3;
    println!(
        "{}",
        json!({ "name": name, "case": case, "value": round(value), "unit": unit, "baseline": round(baseline), "ratio": round(value / baseline) })
    );
}
