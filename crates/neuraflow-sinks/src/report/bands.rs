//! Band power over time: a plot for each band, and a row for each channel.

use super::axis::Log;
use super::gather::Series;
use super::html::{Html, digits, grouped};
use super::plot::{Frame, Spread, area, greatest, key, line, path};
use super::stream::Stage;

/// Channels drawn beside the mean.
const SHOWN: usize = 3;
/// Classes of their lines, and of the mean over the channels.
const LINES: [&str; SHOWN] = ["line a", "line b", "line c"];
/// Parts of the small curves in the table.
const PARTS: usize = 100;

pub(super) fn figures(html: &mut Html, stage: &Stage<'_>, power: &Series) {
    html.leaf("h3", &[], "Band power over time");
    let settled = power.windows - power.warm_up;
    let note = format!(
        "{} in {} windows; {} more in warm-up are left out. Each point is a mean over {}. Vertical lines are markers.",
        power.spec.unit,
        grouped(settled),
        grouped(power.warm_up),
        slot(power)
    );
    html.leaf("p", &[("class", "note")], &note);
    html.open("div", &[("class", "multiples")]);
    for band in 0..power.spec.columns.len() {
        figure(html, stage, power, band);
    }
    html.close("div");
    table(html, power);
}

/// How long the slots of a timeline are.
pub(super) fn slot(series: &Series) -> String {
    match series.timeline.slot_seconds() {
        seconds if seconds < 1.0 => format!("{} ms", digits(seconds * 1e3)),
        seconds => format!("{} s", digits(seconds)),
    }
}

fn figure(html: &mut Html, stage: &Stage<'_>, power: &Series, band: usize) {
    let (rows, columns) = (power.spec.rows.len(), power.spec.columns.len());
    let name = &power.spec.columns[band];
    let at = |slot: usize, row: usize| power.timeline.mean(slot, row * columns + band);
    let spreads: Vec<Spread> =
        (0..power.timeline.len()).map(|slot| Spread::of((0..rows).map(|row| at(slot, row)))).collect();
    let totals: Vec<f64> = (0..rows).map(|row| power.total(row, band)).collect();
    let several = rows > 1;
    let shown = if several { greatest(&totals, SHOWN) } else { Vec::new() };
    let curves = shown.iter().flat_map(|row| (0..spreads.len()).map(move |slot| (slot, *row)));
    let values = curves.map(|(slot, row)| at(slot, row));
    let axis = Log::of(values.chain(spreads.iter().flat_map(|s| [s.mean, s.low, s.high])));
    let mean = Spread::of(totals.iter().copied()).mean;

    html.open("figure", &[]);
    html.open("figcaption", &[]);
    html.leaf("b", &[], name);
    html.text(&format!(", {}", power.spec.unit));
    html.close("figcaption");
    let Some(axis) = axis else {
        html.leaf("p", &[("class", "note")], "No power above 0 to draw.");
        html.close("figure");
        return;
    };
    let place = |slot: usize, value: f64| {
        (stage.place(power, slot as f64), if value.is_nan() { value } else { axis.place(value) })
    };
    let label = format!("{name} power over time, mean over channels {} {}", digits(mean), power.spec.unit);
    Frame { label: &label, class: "frame tall", pixels: None, x: &stage.ticks, y: &axis.ticks() }.draw(
        html,
        |html| {
            stage.markers(html);
            if rows > 3 {
                let middle = spreads.iter().enumerate();
                let middle = middle
                    .map(|(slot, s)| (place(slot, s.mean).0, place(slot, s.low).1, place(slot, s.high).1));
                path(html, "area", &area(&middle.collect::<Vec<_>>()));
            }
            for (row, class) in shown.iter().zip(LINES) {
                path(html, class, &line((0..spreads.len()).map(|slot| place(slot, at(slot, *row)))));
            }
            path(html, "line mean", &line(spreads.iter().enumerate().map(|(slot, s)| place(slot, s.mean))));
        },
    );
    html.open("p", &[("class", "legend")]);
    let text = if several { format!("mean of {rows} channels") } else { power.spec.rows[0].clone() };
    key(html, "line mean", &text, Some(mean));
    if rows > 3 {
        key(html, "area", "middle half of them", None);
    }
    for (row, class) in shown.iter().zip(LINES) {
        key(html, class, &power.spec.rows[*row], Some(totals[*row]));
    }
    html.close("p");
    html.close("figure");
}

/// Every channel: its mean in each band and a small curve of it over time, all curves of a band on one axis.
fn table(html: &mut Html, power: &Series) {
    let (rows, columns) = (power.spec.rows.len(), power.spec.columns.len());
    let curves: Vec<Vec<f64>> = (0..rows * columns).map(|n| power.timeline.means(n, PARTS)).collect();
    let axis = |band: usize| Log::of((0..rows).flat_map(|row| curves[row * columns + band].iter().copied()));
    let axes: Vec<Option<Log>> = (0..columns).map(axis).collect();
    html.open("details", if rows <= 16 { &[("open", "")] } else { &[] });
    html.leaf("summary", &[], &format!("Band power of every channel: {rows} in numbers and curves"));
    html.open("div", &[("class", "scroll"), ("tabindex", "0")]);
    html.open("table", &[("class", "power")]);
    html.leaf(
        "caption",
        &[],
        &format!("Mean over the run in {}. Curves of a band share one logarithmic axis.", power.spec.unit),
    );
    html.raw("<thead><tr><th scope=\"col\">Channel</th>");
    for band in power.spec.columns.iter() {
        html.leaf("th", &[("scope", "col")], band);
    }
    html.raw("</tr></thead><tbody>");
    for (row, name) in power.spec.rows.iter().enumerate() {
        html.raw("<tr>");
        html.leaf("th", &[("scope", "row")], name);
        for (band, axis) in axes.iter().enumerate() {
            html.raw("<td>");
            html.number(power.total(row, band));
            if let Some(axis) = axis {
                let curve = &curves[row * columns + band];
                let last = curve.len().saturating_sub(1).max(1) as f64;
                let points = curve.iter().enumerate();
                let points =
                    points.map(|(n, v)| (n as f64 / last, if v.is_nan() { *v } else { axis.place(*v) }));
                html.raw("<svg class=\"spark\" viewBox=\"0 0 1000 100\" preserveAspectRatio=\"none\" aria-hidden=\"true\">");
                path(html, "line mean", &line(points));
                html.close("svg");
            }
            html.raw("</td>");
        }
        html.raw("</tr>");
    }
    html.raw("</tbody></table>");
    html.close("div");
    html.close("details");
}
