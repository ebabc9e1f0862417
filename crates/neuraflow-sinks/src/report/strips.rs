//! What is seen best as a strip over time: quality and artifacts of every channel, and the windows themselves.

use super::axis::Tick;
use super::bands::part;
use super::gather::Series;
use super::html::{Html, digits, grouped};
use super::plot::{Frame, HEIGHT, Spread, WIDTH, cells, greatest, key, path};
use super::stream::Stage;

/// Columns of a strip at most.
const COLUMNS: usize = 480;

/// Shades of a strip: a value belongs to the first whose limit is above it.
struct Shade {
    below: f64,
    class: &'static str,
    text: &'static str,
}

const fn shade(below: f64, class: &'static str, text: &'static str) -> Shade {
    Shade { below, class, text }
}

/// The worse, the stronger: a clean recording is a quiet strip.
const QUALITY: [Shade; 5] = [
    shade(0.2, "cell s4", "below 0.2"),
    shade(0.4, "cell s3", "0.2 to 0.4"),
    shade(0.6, "cell s2", "0.4 to 0.6"),
    shade(0.8, "cell s1", "0.6 to 0.8"),
    shade(f64::INFINITY, "cell good", "0.8 and more"),
];
const FLAGGED: [Shade; 5] = [
    shade(f64::MIN_POSITIVE, "cell good", "none"),
    shade(0.1, "cell s1", "below 10 %"),
    shade(0.3, "cell s2", "10 to 30 %"),
    shade(0.6, "cell s3", "30 to 60 %"),
    shade(f64::INFINITY, "cell s4", "60 % and more"),
];

/// A row for each channel, a shade for each part of time.
fn heat(html: &mut Html, stage: &Stage<'_>, series: &Series, shades: &[Shade], label: &str) {
    let rows = series.spec.rows.len();
    let means: Vec<Vec<f64>> = (0..rows).map(|row| series.timeline.means(row, COLUMNS)).collect();
    let columns = means.first().map_or(0, Vec::len);
    // Rows as high as their labels, as long as that is not endless; then only some are labelled.
    let pixels = (13 * rows).clamp(26, 2_000);
    let every = rows.div_ceil(pixels / 11).max(1);
    let labels: Vec<Tick> = (series.spec.rows.iter().enumerate().step_by(every))
        .map(|(row, name)| Tick { at: 1.0 - (row as f64 + 0.5) / rows as f64, label: name.clone() })
        .collect();
    let mut runs: Vec<Vec<(usize, usize, usize)>> = vec![Vec::new(); shades.len()];
    for (row, values) in means.iter().enumerate() {
        let mut column = 0;
        while column < columns {
            let of = |value: f64| shades.iter().position(|shade| value < shade.below);
            let found = of(values[column]);
            let long = values[column..].iter().take_while(|value| of(**value) == found).count().max(1);
            if let Some(shade) = found {
                runs[shade].push((column, row, long));
            }
            column += long;
        }
    }
    html.open("figure", &[]);
    Frame { label, class: "frame rows", pixels: Some(pixels), x: &stage.ticks, y: &labels }.draw(
        html,
        |html| {
            // The strip covers its own part of the stage.
            let first = (stage.place(series, 0.0) - stage.place(series, -0.5)) * WIDTH;
            let left = stage.place(series, 0.0) * WIDTH - first;
            let together = series.timeline.together(COLUMNS);
            let width = 2.0 * first * (columns * together) as f64 / WIDTH;
            html.open("g", &[("transform", &format!("translate({left:.2} 0) scale({width:.5} 1)"))]);
            for (runs, shade) in runs.into_iter().zip(shades) {
                path(html, shade.class, &cells(runs, columns, rows));
            }
            html.close("g");
        },
    );
    html.open("p", &[("class", "legend")]);
    shades.iter().for_each(|shade| key(html, shade.class, shade.text, None));
    html.close("p");
    html.close("figure");
}

pub(super) fn quality(html: &mut Html, stage: &Stage<'_>, quality: &Series) {
    html.leaf("h3", &[], "Quality of every channel over time");
    let rows = quality.spec.rows.len();
    let totals: Vec<f64> = (0..rows).map(|row| quality.total(row, 0)).collect();
    let mean = Spread::of(totals.iter().copied()).mean;
    let worst = greatest(&totals, rows).pop();
    let worst = worst.map_or(String::new(), |row| {
        format!("; lowest {} at {}", digits(totals[row]), quality.spec.rows[row])
    });
    let label = format!("Signal quality of {rows} channels over time: mean {}{worst}", digits(mean));
    let note = format!("Score from 0 to 1, mean over {}. {label}.", part(quality, COLUMNS));
    html.leaf("p", &[("class", "note")], &note);
    heat(html, stage, quality, &QUALITY, &label);
    html.open("details", &[]);
    html.leaf("summary", &[], "Quality in numbers");
    html.open("div", &[("class", "scroll"), ("tabindex", "0")]);
    html.raw("<table class=\"quality\"><thead><tr><th scope=\"col\">Channel</th><th scope=\"col\">Mean score</th></tr></thead><tbody>");
    for (name, total) in quality.spec.rows.iter().zip(&totals) {
        html.raw("<tr>");
        html.leaf("th", &[("scope", "row")], name);
        html.raw("<td>");
        html.number(*total);
        html.raw("</td></tr>");
    }
    html.raw("</tbody></table>");
    html.close("div");
    html.close("details");
}

pub(super) fn flags(html: &mut Html, stage: &Stage<'_>, flags: &Series) {
    html.leaf("h3", &[], "Artifacts over time");
    let note = format!("Share of windows with any artifact, over {}, of each channel.", part(flags, COLUMNS));
    html.leaf("p", &[("class", "note")], &note);
    let rows = flags.spec.rows.len();
    heat(
        html,
        stage,
        flags,
        &FLAGGED,
        &format!("Artifacts of {rows} channels over time; the table counts them"),
    );
    html.open("div", &[("class", "scroll"), ("tabindex", "0")]);
    html.raw(
        "<table class=\"flags\"><thead><tr><th scope=\"col\">Artifact</th><th scope=\"col\">Windows with it in any channel</th>\
         <th scope=\"col\">Channel with most</th><th scope=\"col\">Share of its windows, %</th></tr></thead><tbody>",
    );
    for (column, (name, raised)) in flags.spec.columns.iter().zip(&flags.raised).enumerate() {
        let shares: Vec<f64> = (0..rows).map(|row| flags.total(row, column)).collect();
        let most = greatest(&shares, 1).first().copied().filter(|row| shares[*row] > 0.0);
        html.raw("<tr>");
        html.leaf("th", &[("scope", "row")], name);
        html.raw("<td>");
        html.count(*raised);
        html.raw("</td>");
        html.leaf("td", &[("class", "words")], most.map_or("–", |row| &flags.spec.rows[row]));
        html.raw("<td>");
        html.number(most.map_or(0.0, |row| 100.0 * shares[row]));
        html.raw("</td></tr>");
    }
    html.raw("</tbody></table>");
    html.close("div");
}

/// Complete windows as a quiet ground, and on it every part of time with others: their share, never less than can be seen.
pub(super) fn statuses(html: &mut Html, stage: &Stage<'_>, series: &Series) {
    html.leaf("h3", &[], "Windows over time");
    let slots = series.timeline.statuses();
    let sum =
        |of: fn(&super::timeline::Statuses) -> u32| slots.iter().map(|slot| u64::from(of(slot))).sum::<u64>();
    let (complete, gap, partial) = (sum(|s| s.complete), sum(|s| s.gap), sum(|s| s.partial));
    let label = format!(
        "{} windows over time: {} complete, {} with a gap, {} partial",
        grouped(complete + gap + partial),
        grouped(complete),
        grouped(gap),
        grouped(partial)
    );
    html.open("figure", &[]);
    Frame { label: &label, class: "frame rows", pixels: Some(44), x: &stage.ticks, y: &[] }.draw(
        html,
        |html| {
            let half = stage.place(series, 0.5) - stage.place(series, 0.0);
            let left = |slot: usize| (stage.place(series, slot as f64) - half) * WIDTH;
            // One shape for each run, so that no seams show between its slots.
            let mut ground = String::new();
            let mut slot = 0;
            while slot < slots.len() {
                let there = slots[slot].total() > 0;
                let run = slots[slot..].iter().take_while(|counts| (counts.total() > 0) == there).count();
                if there {
                    ground += &format!("M{:.1} 0H{:.1}V100H{:.1}z", left(slot), left(slot + run), left(slot));
                }
                slot += run;
            }
            let width = (2.0 * half * WIDTH).max(1.5) + 0.2;
            let (mut below, mut above) = (String::new(), String::new());
            for (slot, counts) in slots.iter().enumerate() {
                let height =
                    |count: u32| (HEIGHT * f64::from(count) / f64::from(counts.total())).max(HEIGHT / 4.0);
                if counts.gap > 0 {
                    below += &format!("M{:.1} 100v-{:.1}h{width:.2}V100z", left(slot), height(counts.gap));
                }
                if counts.partial > 0 {
                    above += &format!("M{:.1} 0v{:.1}h{width:.2}V0z", left(slot), height(counts.partial));
                }
            }
            for (shape, class) in [(ground, "cell good"), (below, "cell gap"), (above, "cell partial")] {
                path(html, class, &shape);
            }
        },
    );
    html.open("p", &[("class", "legend")]);
    key(html, "cell good", &format!("complete {}", grouped(complete)), None);
    key(html, "cell gap", &format!("gap {} (from below, by share)", grouped(gap)), None);
    key(html, "cell partial", &format!("partial {} (from above)", grouped(partial)), None);
    html.close("p");
    html.close("figure");
}
