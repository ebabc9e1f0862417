//! The mean spectrum of every channel.

use super::axis::{Log, linear_ticks};
use super::gather::Series;
use super::html::{Html, digits, grouped};
use super::plot::{Frame, Spread, area, greatest, key, line, path};

/// Points of a curve, columns of the table, and channels with a plot of their own, at most.
const POINTS: usize = 250;
const COLUMNS: usize = 128;
const TILES: usize = 512;
/// Channels drawn beside the mean.
const LINES: [&str; 3] = ["line a", "line b", "line c"];

/// Densities by frequency, neighbours joined where there are more than fit.
struct Curves {
    hertz: Vec<f64>,
    /// `[row][frequency]`.
    rows: Vec<Vec<f64>>,
}

impl Curves {
    fn of(spectrum: &Series) -> Self {
        // At 0 Hz there is nothing to see: the mean has been taken off.
        let all = spectrum.spec.columns.iter().enumerate();
        let all =
            all.filter_map(|(column, name)| Some((column, name.strip_suffix(" Hz")?.parse::<f64>().ok()?)));
        let all: Vec<(usize, f64)> = all.filter(|(_, hz)| hz.is_finite() && *hz > 0.0).collect();
        let groups: Vec<&[(usize, f64)]> = all.chunks(all.len().div_ceil(POINTS).max(1)).collect();
        let mean = |values: &mut dyn Iterator<Item = f64>, count: usize| values.sum::<f64>() / count as f64;
        let hertz =
            groups.iter().map(|group| mean(&mut group.iter().map(|(_, hz)| *hz), group.len())).collect();
        let row = |row: usize| {
            let of = |group: &&[(usize, f64)]| {
                mean(&mut group.iter().map(|(column, _)| spectrum.total(row, *column)), group.len())
            };
            groups.iter().map(of).collect()
        };
        Self { hertz, rows: (0..spectrum.spec.rows.len()).map(row).collect() }
    }
}

pub(super) fn figures(html: &mut Html, spectrum: &Series) {
    let unit = &spectrum.spec.unit;
    html.leaf("h3", &[], "Spectrum");
    let curves = Curves::of(spectrum);
    let Some(axis) = Log::of(curves.rows.iter().flatten().copied()) else {
        html.leaf(
            "p",
            &[("class", "note")],
            "No power above 0 to draw: no window was settled, or all were silent.",
        );
        return;
    };
    let settled = grouped(spectrum.windows - spectrum.warm_up);
    let note =
        format!("Mean power spectral density of {settled} settled windows in {unit}, over frequency in Hz.");
    html.leaf("p", &[("class", "note")], &note);
    let highest = curves.hertz.last().copied().unwrap_or(0.0);
    let (x, y) = (linear_ticks(highest, 9), axis.ticks());
    let place = |n: usize, value: f64| {
        (curves.hertz[n] / highest, if value.is_nan() { value } else { axis.place(value) })
    };
    let curve = |values: &[f64]| line(values.iter().enumerate().map(|(n, value)| place(n, *value)));

    let rows = spectrum.spec.rows.len();
    let spreads: Vec<Spread> =
        (0..curves.hertz.len()).map(|n| Spread::of(curves.rows.iter().map(|row| row[n]))).collect();
    let mean: Vec<f64> = spreads.iter().map(|spread| spread.mean).collect();
    let sums: Vec<f64> = curves.rows.iter().map(|row| row.iter().sum()).collect();
    let shown = if rows > 1 { greatest(&sums, LINES.len()) } else { Vec::new() };
    let name = |row: usize| spectrum.spec.rows[row].as_str();

    html.open("figure", &[]);
    let label = format!("Mean spectrum over {rows} channels: {}", peak(&curves.hertz, &mean, unit));
    Frame { label: &label, class: "frame tall", pixels: None, x: &x, y: &y }.draw(html, |html| {
        if rows > 3 {
            let middle = spreads.iter().enumerate();
            let middle = middle.map(|(n, s)| (place(n, s.mean).0, place(n, s.low).1, place(n, s.high).1));
            path(html, "area", &area(&middle.collect::<Vec<_>>()));
        }
        for (row, class) in shown.iter().zip(LINES) {
            path(html, class, &curve(&curves.rows[*row]));
        }
        path(html, "line mean", &curve(&mean));
    });
    html.open("p", &[("class", "legend")]);
    let all = if rows == 1 { name(0).to_owned() } else { format!("mean of {rows} channels") };
    key(html, "line mean", &all, None);
    if rows > 3 {
        key(html, "area", "middle half of them", None);
    }
    for (row, class) in shown.iter().zip(LINES) {
        key(html, class, &format!("{} (among the strongest)", name(*row)), None);
    }
    html.close("p");
    html.close("figure");

    if rows > 1 {
        html.leaf(
            "p",
            &[("class", "note")],
            "Every channel on the same axes; the mean of all in the background.",
        );
        html.open("div", &[("class", "tiles")]);
        let background = curve(&mean);
        for (row, values) in curves.rows.iter().enumerate().take(TILES) {
            html.open("figure", &[]);
            html.leaf("figcaption", &[], name(row));
            let label = format!("{}: {}", name(row), peak(&curves.hertz, values, unit));
            Frame { label: &label, class: "frame tile", pixels: None, x: &[], y: &[] }.draw(html, |html| {
                path(html, "line back", &background);
                path(html, "line a", &curve(values));
            });
            html.close("figure");
        }
        html.close("div");
    }
    table(html, spectrum);
}

/// Where a spectrum is greatest, in words.
fn peak(hertz: &[f64], values: &[f64], unit: &str) -> String {
    match greatest(values, 1).first() {
        Some(n) => format!("greatest at {} Hz with {} {unit}", digits(hertz[*n]), digits(values[*n])),
        None => "nothing was measured".into(),
    }
}

fn table(html: &mut Html, spectrum: &Series) {
    let step = spectrum.spec.columns.len().div_ceil(COLUMNS).max(1);
    let columns = || spectrum.spec.columns.iter().enumerate().step_by(step);
    html.open("details", &[]);
    html.leaf("summary", &[], "Spectrum in numbers");
    html.open("div", &[("class", "scroll"), ("tabindex", "0")]);
    html.open("table", &[("class", "spectrum")]);
    let every = if step == 1 { String::new() } else { format!("; one of {step} frequencies is listed") };
    html.leaf("caption", &[], &format!("Mean power spectral density in {}{every}", spectrum.spec.unit));
    html.raw("<thead><tr><th scope=\"col\">Channel</th>");
    columns().for_each(|(_, name)| html.leaf("th", &[("scope", "col")], name));
    html.raw("</tr></thead><tbody>");
    for (row, name) in spectrum.spec.rows.iter().enumerate() {
        html.raw("<tr>");
        html.leaf("th", &[("scope", "row")], name);
        for (column, _) in columns() {
            html.raw("<td>");
            html.number(spectrum.total(row, column));
            html.raw("</td>");
        }
        html.raw("</tr>");
    }
    html.raw("</tbody></table>");
    html.close("div");
    html.close("details");
}
