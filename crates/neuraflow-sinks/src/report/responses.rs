//! Evoked responses: what a class's epochs have in common, and how sure that is.

use super::axis::{Tick, range_ticks};
use super::html::{Html, digits};
use super::plot::{Frame, area, greatest, key, line, path};

/// Rows of the table of numbers.
const ROWS: usize = 64;
const LINES: [(&str, &str); 3] = [("line a", "area a"), ("line b", "area b"), ("line c", "area c")];

/// The mean of a class's epochs at one channel, and an interval around it, sample by sample.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Response {
    /// The class, and of how many epochs.
    pub name: String,
    /// The mean at each time, in µV.
    pub mean: Vec<f64>,
    /// Where its interval begins.
    pub low: Vec<f64>,
    /// Where its interval ends.
    pub high: Vec<f64>,
}

/// Responses at some channels, on the same axes.
#[derive(Debug)]
pub(super) struct Responses {
    pub(super) title: String,
    pub(super) note: String,
    /// Milliseconds from the marker.
    pub(super) times: Vec<f64>,
    /// A plot for each channel.
    pub(super) plots: Vec<(String, Vec<Response>)>,
}

pub(super) fn sections(html: &mut Html, responses: &[Responses]) {
    for shown in responses {
        html.open("section", &[]);
        html.leaf("h2", &[], &shown.title);
        html.leaf("p", &[("class", "note")], &shown.note);
        let all = || shown.plots.iter().flat_map(|(_, responses)| responses);
        let ends = all().flat_map(|response| response.low.iter().chain(&response.high).chain(&response.mean));
        let (low, high) =
            ends.filter(|v| v.is_finite()).fold((0.0_f64, 0.0_f64), |(l, h), v| (l.min(*v), h.max(*v)));
        let (first, last) = (shown.times.first().copied(), shown.times.last().copied());
        match (first, last) {
            (Some(first), Some(last)) if last > first && high > low => {
                let axes = Axes { first, last, low, high };
                shown
                    .plots
                    .iter()
                    .for_each(|(channel, responses)| plot(html, &axes, shown, channel, responses));
                table(html, shown);
            }
            _ => html.leaf("p", &[("class", "note")], "No response to draw: there was no epoch."),
        }
        html.close("section");
    }
}

struct Axes {
    first: f64,
    last: f64,
    low: f64,
    high: f64,
}

impl Axes {
    fn place(&self, time: f64, value: f64) -> (f64, f64) {
        ((time - self.first) / (self.last - self.first), (value - self.low) / (self.high - self.low))
    }

    fn ticks(&self) -> (Vec<Tick>, Vec<Tick>) {
        (range_ticks(self.first, self.last, 10), range_ticks(self.low, self.high, 6))
    }
}

fn plot(html: &mut Html, axes: &Axes, shown: &Responses, channel: &str, responses: &[Response]) {
    html.open("figure", &[]);
    html.leaf("figcaption", &[], channel);
    let words: Vec<String> = responses.iter().map(|response| strongest(&shown.times, response)).collect();
    let label = format!("{channel}: {}", words.join("; "));
    let (x, y) = axes.ticks();
    Frame { label: &label, class: "frame tall", pixels: None, x: &x, y: &y }.draw(html, |html| {
        // The marker's moment.
        if axes.first < 0.0 && axes.last > 0.0 {
            let (at, _) = axes.place(0.0, 0.0);
            path(html, "marker", &line([(at, 0.0), (at, 1.0)]));
        }
        for (response, (_, band)) in responses.iter().zip(LINES.iter().cycle()) {
            let both = shown.times.iter().zip(response.low.iter().zip(&response.high));
            let points: Vec<(f64, f64, f64)> = both
                .map(|(time, (low, high))| {
                    let (x, low) = axes.place(*time, *low);
                    (x, low, axes.place(*time, *high).1)
                })
                .collect();
            path(html, band, &area(&points));
        }
        for (response, (class, _)) in responses.iter().zip(LINES.iter().cycle()) {
            let points = shown.times.iter().zip(&response.mean);
            path(html, class, &line(points.map(|(time, value)| axes.place(*time, *value))));
        }
    });
    html.open("p", &[("class", "legend")]);
    for (response, (class, _)) in responses.iter().zip(LINES.iter().cycle()) {
        key(html, class, &response.name, None);
    }
    html.close("p");
    html.close("figure");
}

/// When a response is furthest from zero, in words.
fn strongest(times: &[f64], response: &Response) -> String {
    let sizes: Vec<f64> = response.mean.iter().map(|value| value.abs()).collect();
    match greatest(&sizes, 1).first().and_then(|at| Some((times.get(*at)?, response.mean[*at]))) {
        Some((time, value)) => {
            format!("{} strongest after {} ms, {} µV", response.name, digits(*time), digits(value))
        }
        None => format!("{}: no number", response.name),
    }
}

fn table(html: &mut Html, shown: &Responses) {
    let step = shown.times.len().div_ceil(ROWS).max(1);
    html.open("details", &[]);
    html.leaf("summary", &[], &format!("{} in numbers", shown.title));
    html.open("div", &[("class", "scroll"), ("tabindex", "0")]);
    html.open("table", &[("class", "responses")]);
    let every = if step == 1 { String::new() } else { format!("; one of {step} samples is listed") };
    html.leaf("caption", &[], &format!("Mean and the ends of its interval in µV{every}"));
    html.raw("<thead><tr><th scope=\"col\">ms</th>");
    let columns = || shown.plots.iter().flat_map(|(channel, all)| all.iter().map(move |one| (channel, one)));
    for (channel, response) in columns() {
        html.leaf("th", &[("scope", "col")], &format!("{channel}, {}", response.name));
        html.leaf("th", &[("scope", "col")], "from");
        html.leaf("th", &[("scope", "col")], "to");
    }
    html.raw("</tr></thead><tbody>");
    for (at, time) in shown.times.iter().enumerate().step_by(step) {
        html.raw("<tr>");
        html.leaf("th", &[("scope", "row")], &digits(*time));
        for (_, Response { mean, low, high, .. }) in columns() {
            for numbers in [mean, low, high] {
                html.raw("<td>");
                html.number(numbers.get(at).copied().unwrap_or(f64::NAN));
                html.raw("</td>");
            }
        }
        html.raw("</tr>");
    }
    html.raw("</tbody></table>");
    html.close("div");
    html.close("details");
}
