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
/// Points of the curves, and of the small ones in the table, at most.
const POINTS: usize = 200;
const PARTS: usize = 100;

pub(super) fn figures(html: &mut Html, stage: &Stage<'_>, power: &Series) {
    html.leaf("h3", &[], "Band power over time");
    let settled = power.windows - power.warm_up;
    let note = format!(
        "{} in {} windows; {} more in warm-up are left out. Each point is a mean over {}. Vertical lines are markers.",
        power.spec.unit,
        grouped(settled),
        grouped(power.warm_up),
        part(power, POINTS)
    );
    html.leaf("p", &[("class", "note")], &note);
    html.open("div", &[("class", "multiples")]);
    for band in 0..power.spec.columns.len() {
        figure(html, stage, power, band);
    }
    html.close("div");
    table(html, power);
}

/// How long the parts are when a timeline is shown in at most `most`.
pub(super) fn part(series: &Series, most: usize) -> String {
    match series.timeline.slot_seconds() * series.timeline.together(most) as f64 {
        seconds if seconds < 1.0 => format!("{} ms", plain(seconds * 1e3)),
        seconds => format!("{} s", plain(seconds)),
    }
}

/// A length without needless zeros.
fn plain(number: f64) -> String {
    let text = format!("{number:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn figure(html: &mut Html, stage: &Stage<'_>, power: &Series, band: usize) {
    let (rows, columns) = (power.spec.rows.len(), power.spec.columns.len());
    let name = &power.spec.columns[band];
    let curves: Vec<Vec<f64>> =
        (0..rows).map(|row| power.timeline.means(row * columns + band, POINTS)).collect();
    let together = power.timeline.together(POINTS);
    let points = power.timeline.len().div_ceil(together);
    let spreads: Vec<Spread> = (0..points).map(|n| Spread::of(curves.iter().map(|curve| curve[n]))).collect();
    let totals: Vec<f64> = (0..rows).map(|row| power.total(row, band)).collect();
    let several = rows > 1;
    let shown = if several { greatest(&totals, SHOWN) } else { Vec::new() };
    let values = shown.iter().flat_map(|row| curves[*row].iter().copied());
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
    let place = |point: usize, value: f64| {
        let middle = (point * together) as f64 + (together - 1) as f64 / 2.0;
        (stage.place(power, middle), if value.is_nan() { value } else { axis.place(value) })
    };
    let label = format!("{name} power over time, mean over channels {} {}", digits(mean), power.spec.unit);
    Frame { label: &label, class: "frame tall", pixels: None, x: &stage.ticks, y: &axis.ticks() }.draw(
        html,
        |html| {
            stage.markers(html);
            if rows > 3 {
                let middle = spreads.iter().enumerate();
                let middle = middle.map(|(n, s)| (place(n, s.mean).0, place(n, s.low).1, place(n, s.high).1));
                path(html, "area", &area(&middle.collect::<Vec<_>>()));
            }
            for (row, class) in shown.iter().zip(LINES) {
                let curve = curves[*row].iter().enumerate();
                path(html, class, &line(curve.map(|(n, value)| place(n, *value))));
            }
            path(html, "line mean", &line(spreads.iter().enumerate().map(|(n, s)| place(n, s.mean))));
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
