//! The outcome on a page: what was right, how late it was, and what targets evoke.

use neuraflow::prelude::Features;
use neuraflow::sinks::report::{HtmlReport, Response};

use super::folds::Plan;
use super::options::Options;
use super::outcome::Outcome;
use super::paradigm::Decoded;
use super::text;
use super::trial::truth;

/// Puts results, evoked responses and the patterns of the filters on the page.
pub fn fill(page: &HtmlReport, options: &Options, outcome: &Outcome, plan: &Plan, decoded: &Decoded) {
    let [low, high] = outcome.interval();
    let right =
        format!("{} of {}, 95 % interval {low:.2} to {high:.2}", outcome.correct(), outcome.trials.len());
    page.results([("area under the curve", text::auc(outcome)), ("right", right)]);
    page.results(outcome.confusion().results());
    page.results(outcome.budget.results());
    responses(page, options, outcome, plan, decoded);
    if let Some(xdawn) = plan.whole().xdawn() {
        let each = xdawn.patterns().len() / outcome.classes.len();
        let caption =
            |at: usize| format!("{}, filter {}", outcome.classes[at / each.max(1)], at % each.max(1) + 1);
        let maps = xdawn.patterns().iter().enumerate().map(|(at, pattern)| (caption(at), pattern.clone()));
        let note = "What a source seen through each filter looks like at the electrodes, in µV; signs are arbitrary. \
                    Fitted to all trials.";
        page.topographies("xDAWN patterns", note, plan.whole().montage().iter(), maps);
    }
}

fn responses(page: &HtmlReport, options: &Options, outcome: &Outcome, plan: &Plan, decoded: &Decoded) {
    let limit = plan.whole().limit();
    let trials: Vec<&Features> = decoded.trials.usable(options, limit).map(|(_, trial)| trial).collect();
    let Some(first) = trials.first() else { return };
    let time = |name: &String| name.strip_suffix(" ms").and_then(|ms| ms.parse::<f64>().ok());
    // From the marker on, and not from the trial's first sample on.
    let times = first.spec.columns.iter().filter_map(time).map(|ms| ms - options.before_ms as f64);
    let width = first.spec.columns.len();
    let plot = |(row, channel): (usize, &String)| {
        let response = |(class, name): (usize, &String)| {
            let of: Vec<&[f64]> = trials
                .iter()
                .filter(|trial| truth(&trial.info, options) == Some(class))
                .map(|trial| &trial.values[row * width..(row + 1) * width])
                .collect();
            mean(name, &of, width)
        };
        (channel.clone(), outcome.classes.iter().enumerate().map(response).collect())
    };
    let note = format!(
        "Means of the trials that are no artifacts, over milliseconds from the marker, in µV; around each its 95 % interval, \
         ± 1.96 standard errors, sample by sample. The causal filter makes all of it later by about {:.0} ms.",
        decoded.contract.group_delay.as_millis_f64()
    );
    page.responses("Evoked responses", note, times, first.spec.rows.iter().enumerate().map(plot));
}

/// The mean of trials, and 1.96 standard errors around it.
fn mean(name: &str, trials: &[&[f64]], width: usize) -> Response {
    let n = trials.len() as f64;
    let mut response = Response { name: format!("{name} ({n} trials)"), ..Response::default() };
    for at in 0..width {
        let mean = trials.iter().map(|trial| trial[at]).sum::<f64>() / n;
        let squares = trials.iter().map(|trial| (trial[at] - mean) * (trial[at] - mean)).sum::<f64>();
        let half = 1.96 * (squares / (n - 1.0) / n).sqrt();
        response.mean.push(mean);
        response.low.push(mean - half);
        response.high.push(mean + half);
    }
    response
}
