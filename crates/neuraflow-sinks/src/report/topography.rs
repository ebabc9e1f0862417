//! Numbers of electrodes on a head, seen from above.

use super::head::{Spline, flat, position, round};
use super::html::{Html, digits};

/// Cells of a map from ear to ear.
const CELLS: usize = 56;
/// Steps of the colours on each side of zero.
const STEPS: f64 = 12.0;

/// Where the ring through Fpz, T7, T8 and Oz lies, as a share of the head's radius.
const EDGE: f64 = 0.8;

/// Some maps of the same channels.
#[derive(Debug)]
pub(super) struct Topographies {
    pub(super) title: String,
    pub(super) note: String,
    pub(super) channels: Vec<String>,
    /// A caption and a number for each channel.
    pub(super) maps: Vec<(String, Vec<f64>)>,
}

pub(super) fn sections(html: &mut Html, topographies: &[Topographies]) {
    for shown in topographies {
        html.open("section", &[]);
        html.leaf("h2", &[], &shown.title);
        html.leaf("p", &[("class", "note")], &shown.note);
        let without = shown.channels.iter().filter(|name| position(name).is_none()).count();
        if without > 0 {
            let text = format!("{without} channels have no 10-20 name, and are in the table only.");
            html.leaf("p", &[("class", "note")], &text);
        }
        html.open("div", &[("class", "heads")]);
        for (caption, values) in &shown.maps {
            head(html, &shown.channels, caption, values);
        }
        html.close("div");
        table(html, shown);
        html.close("section");
    }
}

fn head(html: &mut Html, channels: &[String], caption: &str, values: &[f64]) {
    let (mut sites, mut known) = (Vec::new(), Vec::new());
    for (name, value) in channels.iter().zip(values).filter(|(_, value)| value.is_finite()) {
        if let Some(site) = position(name) {
            sites.push(site);
            known.push(*value);
        }
    }
    let greatest = known.iter().fold(0.0_f64, |greatest, value| greatest.max(value.abs()));
    html.open("figure", &[]);
    html.leaf("figcaption", &[], caption);
    let strongest = channels.iter().zip(values).filter(|(_, value)| value.is_finite());
    let strongest = strongest.max_by(|(_, a), (_, b)| a.abs().total_cmp(&b.abs()));
    let label = strongest.map_or_else(
        || format!("{caption}: no number"),
        |(name, value)| format!("{caption}: strongest at {name}, {}", digits(*value)),
    );
    // Front is up. The nose and the outline are drawn over the colours.
    html.open("svg", &[("viewBox", "-1.15 -1.25 2.3 2.4"), ("role", "img"), ("aria-label", &label)]);
    if let Some(spline) = Spline::through(&sites, &known).filter(|_| greatest > 0.0) {
        cells(html, &sites.iter().map(|site| flat(*site)).collect::<Vec<_>>(), &spline, greatest);
    }
    html.empty("circle", &[("class", "outline"), ("r", "1")]);
    html.empty("path", &[("class", "outline"), ("d", "M-.12 -.99L0 -1.14L.12 -.99")]);
    for site in &sites {
        let [x, y] = flat(*site);
        let [x, y] = [x, -y].map(|place| format!("{place:.3}"));
        html.empty("circle", &[("class", "site"), ("cx", &x), ("cy", &y), ("r", ".018")]);
    }
    html.close("svg");
    html.close("figure");
}

/// How far from an electrode something may still be said: as far as the loneliest one is from its neighbour.
fn reach(sites: &[[f64; 2]]) -> f64 {
    let apart = |a: &[f64; 2], b: &[f64; 2]| (a[0] - b[0]).hypot(a[1] - b[1]);
    let nearest = |at: usize| {
        let others = sites.iter().enumerate().filter(|(other, _)| *other != at);
        others.map(|(_, other)| apart(other, &sites[at])).fold(f64::INFINITY, f64::min)
    };
    (0..sites.len()).map(nearest).filter(|distance| distance.is_finite()).fold(0.2, f64::max)
}

/// The surface in rows of cells: neighbours of one colour are one rectangle. Where no electrode is near there is no colour.
fn cells(html: &mut Html, sites: &[[f64; 2]], spline: &Spline, greatest: f64) {
    let reach = reach(sites);
    let size = 2.0 / CELLS as f64;
    let place = |cell: usize| (cell as f64 + 0.5) * size - 1.0;
    for row in 0..CELLS {
        let y = place(row);
        let step = |cell: usize| {
            let x = place(cell);
            let near = sites.iter().any(|site| (site[0] - x).hypot(site[1] + y) <= reach);
            // Beyond the ring there are few electrodes, if any, and a spline runs away: there the colours are the ring's.
            let inward = (EDGE / x.hypot(y)).min(1.0);
            let step = || {
                let share = spline.at(round([x * inward, -y * inward])) / greatest;
                (share * STEPS).round().clamp(-STEPS, STEPS) as i32
            };
            (near && x.hypot(y) <= 1.0).then(step)
        };
        let mut steps = (0..CELLS).map(step).chain([None]).enumerate();
        let (mut begun, mut colour) = (0, steps.next().and_then(|(_, first)| first));
        for (cell, next) in steps {
            if next == colour {
                continue;
            }
            if let Some(step) = colour {
                let number = |value: f64| format!("{value:.4}");
                let attributes = [
                    ("x", number(begun as f64 * size - 1.0)),
                    ("y", number(y - size / 2.0)),
                    ("width", number((cell - begun) as f64 * size)),
                    // A hair higher than the row, so that no line shows between two.
                    ("height", number(size * 1.08)),
                    ("fill", fill(f64::from(step) / STEPS)),
                ];
                html.empty("rect", &attributes.each_ref().map(|(name, value)| (*name, value.as_str())));
            }
            (begun, colour) = (cell, next);
        }
    }
}

/// Blue below zero, white at zero, red above: told apart by the colour-blind, and alike in lightness on both sides.
fn fill(value: f64) -> String {
    let to = if value < 0.0 { [33.0, 102.0, 172.0] } else { [178.0, 24.0, 43.0] };
    let [r, g, b] = to.map(|end: f64| (247.0 + (end - 247.0) * value.abs()).round() as u8);
    format!("#{r:02x}{g:02x}{b:02x}")
}

fn table(html: &mut Html, shown: &Topographies) {
    html.open("details", &[]);
    html.leaf("summary", &[], &format!("{}: the numbers of {} channels", shown.title, shown.channels.len()));
    html.open("div", &[("class", "scroll"), ("tabindex", "0")]);
    html.open("table", &[("class", "topography")]);
    html.raw("<thead><tr><th scope=\"col\">Channel</th>");
    for (caption, _) in &shown.maps {
        html.leaf("th", &[("scope", "col")], caption);
    }
    html.raw("</tr></thead><tbody>");
    for (at, name) in shown.channels.iter().enumerate() {
        html.raw("<tr>");
        html.leaf("th", &[("scope", "row")], name);
        for (_, values) in &shown.maps {
            html.raw("<td>");
            html.number(values.get(at).copied().unwrap_or(f64::NAN));
            html.raw("</td>");
        }
        html.raw("</tr>");
    }
    html.raw("</tbody></table>");
    html.close("div");
    html.close("details");
}
