//! Writes up what came of it: as text, as JSON, and on a page.

use std::fmt::Write;

use neuraflow::sinks::report::HtmlReport;
use serde_json::{Map, Value, json};

use super::graph::Fitted;
use super::options::{Kind, Options};
use super::outcome::{Outcome, quantile};

/// Every setting that the result depends on.
fn settings(options: &Options, fitted: &Fitted) -> Vec<(String, String)> {
    let split = match options.halves() {
        true => "the first half of the running trains, the second half tests".to_owned(),
        false => format!("all running of {} tests", name(options.tested())),
    };
    let model = &fitted.model;
    let windows = format!("{} of {} ms", fitted.windows, options.hop_ms);
    let decoder = match options.decoder {
        Kind::Bayes => format!(
            "{}: {} bins, smoothed by {} bins, rates of at least {} spikes/s, all places as probable beforehand",
            model.method(),
            options.bins,
            options.smoothing,
            options.floor
        ),
        Kind::Wiener => format!("{}: {} windows, ridge {}", model.method(), model.windows(), options.ridge),
        Kind::Kalman => format!("{} of position and velocity", model.method()),
    };
    let look_back = model.windows() as i64 * options.hop_ms;
    [
        ("decoder", decoder),
        ("look-back", format!("{look_back} ms, stepped by {} ms", options.hop_ms)),
        ("fitted to", format!("{}: {} units, {windows}", name(&options.train), model.units().len())),
        ("split", split),
        ("running", format!("faster than {} px/s over half a second", options.speed_above)),
        (
            "track",
            format!("first principal component of the running in training, {:.0} px", fitted.line.length),
        ),
        ("packets", format!("{} ms, {} workers, speed {:?}", options.packet, options.workers, options.speed)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

fn name(path: &std::path::Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// What came out, line by line.
fn results(outcome: &Outcome) -> Vec<(String, String)> {
    let n = outcome.tested.len();
    let of = |px: f64| format!("{px:.1} px ({:.1} % of the track)", 100.0 * px / outcome.length);
    let with_interval = |sorted: &[f64]| {
        let [low, high] = outcome.median_interval(sorted);
        format!("{}, 95 % interval {low:.1} to {high:.1} px, n = {n}", of(quantile(sorted, 0.5)))
    };
    let errors = outcome.errors();
    let [low, high] = outcome.interval().map(|edge| 100.0 * edge);
    let none = outcome.tested.iter().filter(|tested| tested.decided.is_none()).count();
    [
        ("median error", with_interval(&errors)),
        ("90 % are within", of(quantile(&errors, 0.9))),
        ("median error, against where it is by then", with_interval(&outcome.errors_now())),
        ("if the middle were always said", of(outcome.constant)),
        ("correlation", format!("{:.2}, n = {}", outcome.correlation(), n - none)),
        (
            "right part of the track",
            format!(
                "{} of {n} ({:.1} %, 95 % interval {low:.1} to {high:.1} %)",
                outcome.correct(),
                100.0 * outcome.accuracy()
            ),
        ),
        (
            "intervals are for",
            format!("{} windows: of those that look at the same spikes one counts", outcome.independent()),
        ),
        ("no decision", format!("{none} of {n}")),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

/// How often which part was decided for which; no decision comes last.
fn confusion(outcome: &Outcome) -> Vec<Vec<usize>> {
    let mut counts = vec![vec![0; outcome.parts + 1]; outcome.parts];
    for tested in &outcome.tested {
        let decided = tested.decided.map_or(outcome.parts, |(place, _)| outcome.part(place));
        counts[outcome.part(tested.truth)][decided] += 1;
    }
    counts
}

fn part(outcome: &Outcome, part: usize) -> String {
    let edge = |part: usize| 100 * part / outcome.parts;
    format!("{}-{} %", edge(part), edge(part + 1))
}

/// For people.
pub fn page(options: &Options, fitted: &Fitted, outcome: &Outcome) -> String {
    let mut text = String::new();
    for (name, value) in settings(options, fitted) {
        let _ = writeln!(text, "{name:<11}{value}");
    }
    let _ = write!(text, "\n{:<16}", "was \\ decided");
    for column in (0..outcome.parts).map(|at| part(outcome, at)).chain(["none".to_owned()]) {
        let _ = write!(text, "{column:>10}");
    }
    for (at, row) in confusion(outcome).iter().enumerate() {
        let _ = write!(text, "\n{:<16}", part(outcome, at));
        row.iter().for_each(|count| _ = write!(text, "{count:>10}"));
    }
    let _ = writeln!(text, "\n");
    for (name, value) in results(outcome) {
        let _ = writeln!(text, "{name:<42} {value}");
    }
    let parts =
        outcome.budget.iter().map(|(part, millis)| format!("{millis:.2} ms {}", part.replace('_', " ")));
    let parts: Vec<String> = parts.collect();
    let _ = write!(text, "{:<42} {} = {:.0} ms", "latency budget", parts.join(" + "), outcome.total());
    text
}

/// For programs.
pub fn json(options: &Options, fitted: &Fitted, outcome: &Outcome) -> Value {
    let (errors, now) = (outcome.errors(), outcome.errors_now());
    let label = |place: Option<f64>| place.map(|place| part(outcome, outcome.part(place)));
    let mut budget: Map<String, Value> =
        outcome.budget.iter().map(|(part, millis)| ((*part).to_owned(), json!(millis))).collect();
    budget.insert("total".to_owned(), json!(outcome.total()));
    let tested = &outcome.tested;
    json!({
        "accuracy": outcome.accuracy(), "correct": outcome.correct(), "n": tested.len(),
        "ci95": outcome.interval(), "n_independent": outcome.independent(),
        "labels": tested.iter().map(|t| label(t.decided.map(|(place, _)| place))).collect::<Vec<_>>(),
        "truth": tested.iter().map(|t| label(Some(t.truth))).collect::<Vec<_>>(),
        "median_error": quantile(&errors, 0.5), "median_error_ci95": outcome.median_interval(&errors),
        "median_error_share": quantile(&errors, 0.5) / outcome.length,
        "median_error_now": quantile(&now, 0.5), "median_error_now_share": quantile(&now, 0.5) / outcome.length,
        "median_error_of_constant": outcome.constant,
        "unit": "px", "track": outcome.length, "correlation": outcome.correlation(),
        "latency_budget_ms": budget,
        "confusion": confusion(outcome),
        "windows": outcome.windows, "digest": format!("{:032x}", outcome.digest),
        "positions": tested.iter().map(|t| t.decided.map(|(place, _)| place)).collect::<Vec<_>>(),
        "confidences": tested.iter().map(|t| t.decided.map(|(_, confidence)| confidence)).collect::<Vec<_>>(),
        "tested": tested.iter().map(|t| t.window).collect::<Vec<_>>(),
        "settings": settings(options, fitted).into_iter().collect::<std::collections::BTreeMap<_, _>>(),
    })
}

/// Puts settings, results and the path on the page.
pub fn fill(page: &HtmlReport, options: &Options, fitted: &Fitted, outcome: &Outcome) {
    page.settings(settings(options, fitted));
    page.results(results(outcome));
    for (at, row) in confusion(outcome).iter().enumerate() {
        let names = (0..outcome.parts).map(|at| part(outcome, at)).chain(["nothing".to_owned()]);
        let each: Vec<String> = names.zip(row).map(|(name, count)| format!("{name}: {count}")).collect();
        page.results([(format!("{} of the track, decided as", part(outcome, at)), each.join(", "))]);
    }
    page.results(outcome.budget.iter().map(|(part, ms)| (part.replace('_', " "), format!("{ms:.2} ms"))));
    let (mut truth, mut decided) = (Vec::new(), Vec::new());
    let mut last = None;
    for tested in &outcome.tested {
        if last.is_some_and(|last: i64| last + 1 != tested.window) {
            truth.push(f64::NAN);
            decided.push(f64::NAN);
        }
        last = Some(tested.window);
        truth.push(tested.truth);
        decided.push(tested.decided.map_or(f64::NAN, |(place, _)| place));
    }
    let note = "Windows that test, one after another; lines are broken where the rat stood still in between. The truth is that of \
                the time that decisions speak of: the middle of the look-back for Bayes, of the newest window for the others.";
    let lines = [("true".to_owned(), truth), ("decoded".to_owned(), decided)];
    page.paths(
        "Where it was, and where it was decoded",
        note,
        "px along the track",
        options.hop_ms as f64 / 1e3,
        lines,
    );
}
