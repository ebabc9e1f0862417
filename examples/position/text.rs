//! Writes up what came of it for people.

use std::fmt::Write;

use super::graph::Fitted;
use super::options::Options;
use super::outcome::Outcome;
use super::score::quantile;
use super::settings::settings;
use super::shared::Confusion;

/// What came out, line by line.
pub fn results(outcome: &Outcome) -> Vec<(String, String)> {
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

/// How often which part was decided for which.
pub fn confusion(outcome: &Outcome) -> Confusion {
    const NONE: &str = "no decision";
    let parts: Vec<String> = (0..outcome.parts).map(|at| part(outcome, at)).collect();
    let cells = outcome.tested.iter().map(|tested| {
        let decided = tested.decided.map(|(place, _)| parts[outcome.part(place)].clone());
        (outcome.part(tested.truth), decided.unwrap_or_else(|| NONE.to_owned()))
    });
    Confusion::of(&parts, &[NONE], cells)
}

pub fn part(outcome: &Outcome, part: usize) -> String {
    let edge = |part: usize| 100 * part / outcome.parts;
    format!("{}-{} %", edge(part), edge(part + 1))
}

/// For people.
pub fn page(options: &Options, fitted: &Fitted, outcome: &Outcome) -> String {
    let mut text = String::new();
    for (name, value) in settings(options, fitted) {
        let _ = writeln!(text, "{name:<11}{value}");
    }
    let _ = writeln!(text, "\n{}\n", confusion(outcome).table("was \\ decided"));
    for (name, value) in results(outcome) {
        let _ = writeln!(text, "{name:<42} {value}");
    }
    let _ = write!(text, "{:<42} {}", "latency budget", outcome.budget);
    text
}
