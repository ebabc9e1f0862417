//! Decoders of trajectories against NumPy, SciPy, scikit-learn and filterpy, on made-up spikes (`scripts/goldens/trajectories.py`).
#![cfg(feature = "linalg")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test's helpers fail by panicking")]

mod support;

use neuraflow_core::model::Span;
use neuraflow_ops::decode::{Kalman, PoissonBayes, Trajectory, TrajectoryModel, Wiener};
use serde_json::Value;
use support::{error, index, json, list, number, numbers};

/// Training of the first so many values.
fn training(golden: &Value, names: &[&str]) -> Trajectory {
    let units = index(&golden["units"]);
    let (counts, values) = (numbers(&golden["counts"]), numbers(&golden["values"]));
    let channels = (0..units).map(|unit| format!("unit {unit}"));
    let mut trajectory = Trajectory::new(channels, Span::millis(50), names.iter().copied()).unwrap();
    for (window, (counts, values)) in (0..).zip(counts.chunks(units).zip(values.chunks(2))) {
        trajectory.push(window, counts, Some(&values[..names.len()])).unwrap();
    }
    trajectory
}

/// Values and confidences of all windows with a decision.
fn decoded(model: &TrajectoryModel, golden: &Value) -> (Vec<f64>, Vec<f64>) {
    let decided = model.decode(&numbers(&golden["test"])).unwrap();
    let (values, confidences): (Vec<Vec<f64>>, Vec<f64>) = decided.into_iter().flatten().unzip();
    (values.concat(), confidences)
}

#[test]
fn poisson_bayes_is_scipys_arithmetic() {
    let golden = json("trajectories.json");
    let trajectory = training(&golden, &["position"]);
    let decoder = PoissonBayes::new().bins(30).over_millis(200);
    for (name, decoder) in [("bayes", decoder), ("bayes_occupancy", decoder.occupancy_prior())] {
        let (positions, confidences) = decoded(&decoder.fit(&trajectory).unwrap(), &golden);
        let off = error(&positions, &numbers(&golden[name]["positions"]));
        let unsure = error(&confidences, &numbers(&golden[name]["confidences"]));
        println!("{name}: positions {off:.0e}, confidences {unsure:.0e}");
        assert!(off < 1e-12 && unsure < 1e-11, "{name}");
    }
}

#[test]
fn wiener_is_scikit_learns() {
    let golden = json("trajectories.json");
    let trajectory = training(&golden, &["position", "velocity"]);
    for case in list(&golden, "wiener") {
        let (windows, ridge) = (index(&case["windows"]), number(&case["ridge"]));
        let model = Wiener::new(windows).ridge(ridge).fit(&trajectory).unwrap();
        let off = error(&decoded(&model, &golden).0, &numbers(&case["values"]));
        println!("Wiener of {windows} windows, ridge {ridge}: {off:.0e}");
        assert!(off < 1e-10);
    }
}

#[test]
fn kalman_is_filterpys() {
    let golden = json("trajectories.json");
    let model = Kalman::new().fit(&training(&golden, &["position", "velocity"])).unwrap();
    let (values, confidences) = decoded(&model, &golden);
    let off = error(&values, &numbers(&golden["kalman"]["values"]));
    let unsure = error(&confidences, &numbers(&golden["kalman"]["confidences"]));
    println!("Kalman: values {off:.0e}, confidences {unsure:.0e}");
    assert!(off < 1e-9 && unsure < 1e-9);
}
