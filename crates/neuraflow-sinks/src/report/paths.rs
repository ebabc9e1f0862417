//! Paths over each other: what was decoded, and what was true.

use super::axis::{range_ticks, time_ticks};
use super::html::{Html, digits};
use super::plot::{Frame, key, line, path};

/// Values in a panel, and panels, at most.
const PANEL: usize = 600;
const PANELS: usize = 12;
/// Classes of the lines.
const LINES: [&str; 4] = ["line mean", "line a", "line b", "line c"];

/// Some lines of equal steps.
#[derive(Debug)]
pub(super) struct Paths {
    pub(super) title: String,
    pub(super) note: String,
    pub(super) unit: String,
    /// Seconds from one value to the next.
    pub(super) step: f64,
    pub(super) lines: Vec<(String, Vec<f64>)>,
}

pub(super) fn sections(html: &mut Html, paths: &[Paths]) {
    for shown in paths {
        html.open("section", &[]);
        html.leaf("h2", &[], &shown.title);
        html.leaf("p", &[("class", "note")], &shown.note);
        section(html, shown);
        html.close("section");
    }
}

fn section(html: &mut Html, shown: &Paths) {
    let all = shown.lines.iter().flat_map(|(_, values)| values).filter(|value| value.is_finite());
    let (low, high) = all
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(*value), high.max(*value)));
    if high <= low || !(high - low).is_finite() {
        html.leaf("p", &[("class", "note")], "Nothing to draw.");
        return;
    }
    let length = shown.lines.iter().map(|(_, values)| values.len()).max().unwrap_or(0);
    let panels = length.div_ceil(PANEL);
    if panels > PANELS {
        let text = format!("The first {PANELS} of {panels} panels are drawn.");
        html.leaf("p", &[("class", "note")], &text);
    }
    let ticks = range_ticks(low, high, 5);
    for first in (0..length).step_by(PANEL).take(PANELS) {
        let count = PANEL.min(length - first);
        let seconds = |values: usize| digits(values as f64 * shown.step);
        let names: Vec<&str> = shown.lines.iter().map(|(name, _)| name.as_str()).collect();
        let label = format!(
            "{} in {}: from {} to {} s, between {} and {}",
            names.join(" and "),
            shown.unit,
            seconds(first),
            seconds(first + count),
            digits(low),
            digits(high)
        );
        html.open("figure", &[]);
        let caption = format!("{} to {} s, {}", seconds(first), seconds(first + count), shown.unit);
        html.leaf("figcaption", &[], &caption);
        let x = time_ticks(PANEL.min(length) as f64 * shown.step);
        Frame { label: &label, class: "frame low", pixels: None, x: &x, y: &ticks }.draw(html, |html| {
            for ((_, values), class) in shown.lines.iter().zip(LINES) {
                let points = values.iter().skip(first).take(count).enumerate().map(|(at, value)| {
                    let x = (at as f64 + 0.5) / PANEL.min(length) as f64;
                    (x, (value - low) / (high - low))
                });
                path(html, class, &line(points));
            }
        });
        html.close("figure");
    }
    html.open("p", &[("class", "legend")]);
    for ((name, _), class) in shown.lines.iter().zip(LINES) {
        key(html, class, name, None);
    }
    html.close("p");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(lines: Vec<(String, Vec<f64>)>) -> String {
        let mut html = Html::default();
        let (title, note) = ("Path".to_owned(), "while it runs".to_owned());
        sections(&mut html, &[Paths { title, note, unit: "px".to_owned(), step: 0.05, lines }]);
        html.into_string()
    }

    #[test]
    fn long_paths_are_cut_and_holes_stay_holes() {
        let values: Vec<f64> = (0..700).map(|n| if n == 5 { f64::NAN } else { f64::from(n) }).collect();
        let html = drawn(vec![("true".to_owned(), values.clone()), ("decoded".to_owned(), values)]);
        assert_eq!(html.matches("<svg").count(), 2);
        assert!(html.contains(">0 to 30.0 s, px") && html.contains(">30.0 to 35.0 s, px"), "{html}");
        assert!(html.contains("true and decoded in px"));
        let curve = html.split("line mean\" d=\"").nth(1).unwrap().split('"').next().unwrap();
        assert_eq!(curve.matches('M').count(), 2, "{curve}");
    }

    #[test]
    fn nothing_is_no_plot() {
        for values in [vec![], vec![3.0; 4], vec![f64::NAN; 4]] {
            assert!(drawn(vec![("a".to_owned(), values)]).contains("Nothing to draw."));
        }
    }
}
