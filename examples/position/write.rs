//! Writes up what came of it as JSON, and on a page.

use neuraflow::sinks::report::HtmlReport;
use serde_json::{Value, json};

use super::graph::Fitted;
use super::options::Options;
use super::outcome::Outcome;
use super::score::quantile;
use super::settings::settings;
use super::text::{confusion, part, results};

/// For programs.
pub fn json(options: &Options, fitted: &Fitted, outcome: &Outcome) -> Value {
    let (errors, now) = (outcome.errors(), outcome.errors_now());
    let label = |place: Option<f64>| place.map(|place| part(outcome, outcome.part(place)));
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
        "latency_budget_ms": outcome.budget.to_json(),
        "confusion": confusion(outcome).counts(),
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
    page.results(confusion(outcome).results());
    page.results(outcome.budget.results());
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
