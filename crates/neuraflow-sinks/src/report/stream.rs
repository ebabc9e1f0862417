//! The plots of one stream, all over the same time.

use std::sync::Arc;

use neuraflow_core::model::{StreamHeader, Timestamp};

use super::axis::{Tick, date, duration, time_ticks};
use super::gather::{Gathered, MARKERS, Marks, Series};
use super::html::{Html, grouped};
use super::plot::{Frame, HEIGHT, WIDTH, path};
use super::{bands, spectra, strips};

/// Kinds of markers that get a row of their own.
const KINDS: usize = 8;

/// The time that all plots of a stream cover, and its markers.
pub(super) struct Stage<'a> {
    pub(super) start: Timestamp,
    pub(super) seconds: f64,
    pub(super) ticks: Vec<Tick>,
    marks: Option<&'a Marks>,
}

impl<'a> Stage<'a> {
    fn of(series: &[&Series], marks: Option<&'a Marks>) -> Option<Self> {
        let start = series.iter().map(|s| s.timeline.start()).min()?;
        let end = |s: &&Series| {
            (s.timeline.start() - start).as_secs_f64() + s.timeline.len() as f64 * s.timeline.slot_seconds()
        };
        let seconds = series.iter().map(end).fold(0.0, f64::max);
        Some(Self { start, seconds, ticks: time_ticks(seconds), marks })
    }

    /// Where the middle of a slot lies, from 0 to 1.
    pub(super) fn place(&self, series: &Series, slot: f64) -> f64 {
        let from = (series.timeline.start() - self.start).as_secs_f64();
        (from + (slot + 0.5) * series.timeline.slot_seconds()) / self.seconds
    }

    /// Where an instant lies, if it is on the stage.
    fn instant(&self, time: Timestamp) -> Option<f64> {
        let at = (time - self.start).as_secs_f64() / self.seconds;
        (0.0..=1.0).contains(&at).then_some(at)
    }

    /// Markers as lines; where there are many, as ticks at the top.
    pub(super) fn markers(&self, html: &mut Html) {
        let marks = self.marks.map_or([].as_slice(), |marks| &marks.first);
        let depth = if marks.len() > 60 { 6.0 } else { HEIGHT };
        let places = marks.iter().filter_map(|marker| self.instant(marker.time));
        let lines: String = places.map(|at| format!("M{:.1} 0v{depth}", at * WIDTH)).collect();
        path(html, "marker", &lines);
    }
}

/// The section of a stream.
pub(super) fn section(html: &mut Html, gathered: &Gathered, header: &Arc<StreamHeader>, number: usize) {
    let key = &header.key;
    let (power, spectrum) = (gathered.band_power.get(key), gathered.spectrum.get(key));
    let (quality, flags) = (gathered.quality.get(key), gathered.flags.get(key));
    let all: Vec<&Series> = [flags, quality, power, spectrum].into_iter().flatten().collect();
    let marks = gathered.markers.get(key);

    html.open("section", &[("class", "stream"), ("id", &format!("stream-{number}"))]);
    html.leaf("h2", &[], &header.name);
    let Some(stage) = Stage::of(&all, marks) else {
        html.leaf("p", &[], "No window of this stream reached the report.");
        html.close("section");
        return;
    };
    let channels = header.channels.len();
    let plural = if channels == 1 { "" } else { "s" };
    let length = duration(stage.seconds, if stage.seconds < 60.0 { 0.1 } else { 1.0 });
    let from = date(stage.start.as_nanos());
    html.leaf(
        "p",
        &[("class", "facts")],
        &format!("{channels} channel{plural} at {}, {length} from {from} (event time)", header.rate),
    );
    if let Some(marks) = marks {
        marker_rows(html, &stage, marks);
    }
    if let Some(power) = power {
        bands::figures(html, &stage, power);
    }
    if let Some(spectrum) = spectrum {
        spectra::figures(html, spectrum);
    }
    if let Some(quality) = quality {
        strips::quality(html, &stage, quality);
    }
    if let Some(flags) = flags {
        strips::flags(html, &stage, flags);
    }
    if let Some(first) = all.first() {
        strips::statuses(html, &stage, first);
    }
    html.close("section");
}

/// Markers over time, a row for each text; then how often each came.
fn marker_rows(html: &mut Html, stage: &Stage<'_>, marks: &Marks) {
    let mut kinds: Vec<(&String, u64)> = marks.labels.iter().map(|(label, count)| (label, *count)).collect();
    kinds.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    let others = kinds.len() > KINDS;
    let rows = kinds.len().min(KINDS) + usize::from(others);
    html.leaf("h3", &[], "Markers");
    html.open("figure", &[]);
    let height = 1.0 / rows as f64;
    let names = kinds.iter().take(KINDS).map(|(label, _)| label.as_str()).chain(others.then_some("others"));
    let names: Vec<Tick> = names
        .enumerate()
        .map(|(row, name)| {
            let name = if name.trim().is_empty() { "(no text)" } else { name };
            Tick { at: 1.0 - (row as f64 + 0.5) * height, label: name.to_owned() }
        })
        .collect();
    let label =
        format!("{} markers of {} kinds over time; the table below counts them", marks.total, kinds.len());
    let pixels = Some(18 * rows);
    Frame { label: &label, class: "frame rows", pixels, x: &stage.ticks, y: &names }.draw(html, |html| {
        let mut bars = String::new();
        for marker in &marks.first {
            let row =
                kinds.iter().take(KINDS).position(|(label, _)| **label == marker.label).unwrap_or(KINDS);
            let Some(at) = stage.instant(marker.time) else { continue };
            let long = (marker.duration.as_secs_f64() / stage.seconds).clamp(0.0, 1.0 - at);
            let (x, y, h) = (at * WIDTH, (row as f64 + 0.2) * height * HEIGHT, height * HEIGHT * 0.6);
            bars += &format!("M{x:.1} {y:.1}h{:.1}v{h:.1}H{x:.1}z", (long * WIDTH).max(1.5) - 0.5);
        }
        path(html, "mark", &bars);
    });
    html.close("figure");
    if marks.total > MARKERS as u64 {
        let note = format!(
            "The plots show the first {} of {} markers.",
            grouped(MARKERS as u64),
            grouped(marks.total)
        );
        html.leaf("p", &[("class", "note")], &note);
    }
    html.open("details", &[]);
    html.leaf("summary", &[], "Markers in numbers");
    html.open("div", &[("class", "scroll"), ("tabindex", "0")]);
    html.raw("<table class=\"markers\"><thead><tr><th scope=\"col\">Marker</th><th scope=\"col\">How often</th></tr></thead><tbody>");
    for (label, count) in &kinds {
        html.raw("<tr>");
        html.leaf("th", &[("scope", "row")], label);
        html.raw("<td>");
        html.count(*count);
        html.raw("</td></tr>");
    }
    html.raw("</tbody></table>");
    html.close("div");
    html.close("details");
}
