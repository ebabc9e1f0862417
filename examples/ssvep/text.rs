//! Writes up what came out of `ssvep`: as text, as JSON, and for the report's tables.

use std::fmt::Write;

use serde_json::{Value, json};

use super::accuracy::Accuracy;
use super::graph::Outcome;
use super::options::{Options, Settings};
use super::result::{Trial, name};
use super::shared::Confusion;

/// Accuracy for each look-back in ms, and the trials behind it.
pub type Curve = [(i64, Accuracy, Vec<Trial>)];

/// Every setting that the result depends on.
pub fn settings(settings: &Settings, options: &Options) -> Vec<(String, String)> {
    let classes = settings.classes.iter().map(|(code, hz)| format!("marker {code} is {}", name(*hz)));
    let channels =
        if settings.channels.is_empty() { "all EEG".to_owned() } else { settings.channels.join(", ") };
    let packet = options.packet.map_or("10 ms".to_owned(), |samples| format!("{samples} samples"));
    let band = &settings.bandpass;
    [
        ("decoder", "canonical correlation (QR and SVD) with sines and cosines".to_owned()),
        ("classes", classes.collect::<Vec<_>>().join("; ")),
        ("channels", channels),
        ("filter", format!("causal Butterworth of order 4, {} to {} Hz, no reference", band.start, band.end)),
        (
            "look-back",
            format!("{} ms, from {} ms after the marker", settings.look_back_ms, settings.start_ms),
        ),
        ("harmonics", settings.harmonics.to_string()),
        ("packets, workers", format!("{packet}, {}", options.workers)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

/// What came out, line by line.
pub fn results(outcome: &Outcome, curve: &Curve) -> Vec<(String, String)> {
    let mut lines = vec![("correct".to_owned(), Accuracy::of(&outcome.trials).to_string())];
    for (look_back, accuracy, trials) in curve {
        let none = trials.iter().filter(|trial| !trial.label.ends_with(" Hz")).count();
        let none = if none > 0 { format!(", {none} without a decision") } else { String::new() };
        lines.push((format!("correct at {look_back} ms"), format!("{accuracy}{none}")));
    }
    let running = &outcome.running;
    let every = format!(
        "{} in {} windows of 50 ms, digest {:032x}",
        running.decided, running.windows, running.digest
    );
    lines.push(("running decisions".to_owned(), every));
    lines
}

/// For people.
pub fn page(used: &Settings, options: &Options, outcome: &Outcome, curve: &Curve) -> String {
    let mut text = String::new();
    let mut line = |words: String| writeln!(text, "{words}").unwrap_or(()); // a string takes everything
    settings(used, options).into_iter().for_each(|(name, value)| line(format!("{name:<18} {value}")));
    line(String::new());
    line(confusion(used, outcome).table("shown \\ decided"));
    line(String::new());
    results(outcome, curve).into_iter().for_each(|(name, value)| line(format!("{name:<18} {value}")));
    line(format!("{:<18} {}", "latency budget", outcome.budget));
    text
}

/// How often which flicker was decided for which, or why none.
pub fn confusion(settings: &Settings, outcome: &Outcome) -> Confusion {
    let classes: Vec<String> = settings.classes.iter().map(|(_, hz)| name(*hz)).collect();
    let place = |truth: &String| classes.iter().position(|class| class == truth);
    let trials = outcome.trials.iter().filter_map(|trial| Some((place(&trial.truth)?, trial.label.clone())));
    Confusion::of(&classes, &[], trials)
}

/// For programs.
pub fn json(settings: &Settings, outcome: &Outcome, curve: &Curve) -> Value {
    let accuracy = Accuracy::of(&outcome.trials);
    let of = |pick: fn(&Trial) -> &String| outcome.trials.iter().map(pick).collect::<Vec<_>>();
    let at = |(look_back, accuracy, _): &(i64, Accuracy, Vec<Trial>)| json!({ "look_back_ms": look_back, "correct": accuracy.correct, "n": accuracy.n, "ci95": accuracy.ci95() });
    json!({
        "accuracy": accuracy.share(), "correct": accuracy.correct, "n": accuracy.n, "ci95": accuracy.ci95(),
        "labels": of(|trial| &trial.label), "truth": of(|trial| &trial.truth),
        "latency_budget_ms": outcome.budget.to_json(),
        "confusion": confusion(settings, outcome).to_json(),
        "curve": curve.iter().map(at).collect::<Vec<_>>(),
        "running": {
            "windows": outcome.running.windows, "decided": outcome.running.decided,
            "digest": format!("{:032x}", outcome.running.digest),
        },
        "settings": {
            "decoder": "cca", "classes": settings.classes, "channels": settings.channels,
            "bandpass_hz": [settings.bandpass.start, settings.bandpass.end], "filter": "causal Butterworth, order 4",
            "start_ms": settings.start_ms, "look_back_ms": settings.look_back_ms, "harmonics": settings.harmonics,
        },
    })
}
