//! Writes up what came out: as text and as JSON.

use std::fmt::Write;

use serde_json::{Value, json};

use super::outcome::Outcome;
use super::roc::Auc;

/// How well targets are told from others, in words.
pub fn auc(outcome: &Outcome) -> String {
    let (targets, others) = (outcome.decided(1), outcome.decided(0));
    match outcome.auc() {
        Some(auc) => {
            let [low, high] = auc.interval();
            let of = format!(
                "{} trials: {targets} {}, {others} {}",
                targets + others,
                outcome.classes[1],
                outcome.classes[0]
            );
            let folds = if outcome.folds.len() > 1 {
                format!(", mean of {} folds", outcome.folds.len())
            } else {
                String::new()
            };
            format!("{:.3}, 95 % interval {low:.3} to {high:.3} ({of}{folds})", auc.area)
        }
        None => "none: expected decisions about both classes".to_owned(),
    }
}

/// For people.
pub fn page(outcome: &Outcome) -> String {
    let (n, correct, [low, high]) = (outcome.trials.len(), outcome.correct(), outcome.interval());
    let mut text = format!("\narea under the curve {}", auc(outcome));
    let _ = write!(text, "\n{correct} of {n} right, 95 % interval {low:.2} to {high:.2}");
    let frequent = outcome.trials.iter().filter(|trial| trial.truth == 0).count();
    let _ = write!(text, "; always {}: {frequent}", outcome.classes[0]);
    let _ = write!(text, "\n\n{}", outcome.confusion().table("shown \\ decided"));
    let _ = write!(text, "\n\n{}", outcome.budget.of_trial());
    text
}

/// For programs.
pub fn json(outcome: &Outcome) -> Value {
    let n = outcome.trials.len();
    json!({
        "auc": outcome.auc().map(|auc| auc.area),
        "auc_ci95": outcome.auc().map(Auc::interval),
        "auc_n": outcome.decided(0) + outcome.decided(1),
        "auc_of_folds": outcome.folds.iter().map(|auc| auc.area).collect::<Vec<_>>(),
        "accuracy": if n == 0 { Value::Null } else { json!(outcome.correct() as f64 / n as f64) },
        "correct": outcome.correct(),
        "n": n,
        "ci95": outcome.interval(),
        "labels": outcome.trials.iter().map(|trial| outcome.label(trial)).collect::<Vec<_>>(),
        "truth": outcome.trials.iter().map(|trial| &outcome.classes[trial.truth]).collect::<Vec<_>>(),
        "probabilities": outcome.trials.iter().map(|trial| trial.decided.as_ref().ok().map(|(_, p)| *p)).collect::<Vec<_>>(),
        "confusion": outcome.confusion().to_json(),
        "latency_budget_ms": outcome.budget.to_json(),
    })
}
