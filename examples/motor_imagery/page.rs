//! The outcome on a page: what was right, how late it was, and where on the head it came from.

use neuraflow::ops::decode::{Model, SpatialPatterns};
use neuraflow::sinks::report::HtmlReport;

use super::outcome::Outcome;

/// Puts results, and the spatial patterns if there are any, on the page.
pub fn fill(page: &HtmlReport, outcome: &Outcome, model: &Model) {
    let [low, high] = outcome.interval();
    let right =
        format!("{} of {}, 95 % interval {low:.2} to {high:.2}", outcome.correct(), outcome.trials.len());
    page.results([("right", right), ("chance", format!("{:.2}", 1.0 / outcome.classes.len() as f64))]);
    page.results(outcome.confusion().results());
    page.results(outcome.budget.results());
    if let Some(bank) = model.filter_bank() {
        let channels = model.montage().len() / bank.len().max(1);
        let split = |at: usize| model.montage()[at].split_once(" Hz ").unwrap_or_default();
        let first = |(band, csp): (usize, &SpatialPatterns)| {
            let share = csp.eigenvalues().first()?;
            let caption = format!("{} Hz, λ = {share:.2}", split(band * channels).0);
            Some((caption, csp.patterns().first()?.clone()))
        };
        let note = "The first pattern of each band, in µV; signs are arbitrary. λ is the second class's share in its power.";
        let maps = bank.iter().enumerate().filter_map(first);
        page.topographies(
            "Common spatial patterns in every band",
            note,
            (0..channels).map(|at| split(at).1),
            maps,
        );
    }
    if let Some(csp) = model.csp() {
        let caption = |(at, share): (usize, &f64)| format!("pattern {}, λ = {share:.2}", at + 1);
        let maps = csp.eigenvalues().iter().enumerate().map(caption).zip(csp.patterns().iter().cloned());
        let note = format!(
            "What a source seen through each filter looks like at the electrodes, in µV; signs are arbitrary. λ is the share \
             of {} in its power: above ½ it is stronger while that is imagined.",
            outcome.classes.last().map_or("the second class", String::as_str)
        );
        page.topographies("Common spatial patterns", note, model.montage().iter(), maps);
    }
}
