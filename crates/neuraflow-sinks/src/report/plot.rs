//! The frame of a plot: the curves are SVG that stretches to any width, the labels around it are text that does not.

use std::fmt::Write;

use super::axis::Tick;
use super::html::Html;

/// Width and height of a plot in its own units, however wide it is drawn.
pub(super) const WIDTH: f64 = 1_000.0;
pub(super) const HEIGHT: f64 = 100.0;

/// A plot's axes and what it says to those who cannot see it.
pub(super) struct Frame<'a> {
    /// What it shows, as a sentence.
    pub(super) label: &'a str,
    /// `frame` and a size: `tall`, `low`, `tile`.
    pub(super) class: &'a str,
    /// Height where the class has none.
    pub(super) pixels: Option<usize>,
    pub(super) x: &'a [Tick],
    pub(super) y: &'a [Tick],
}

impl Frame<'_> {
    /// Draws grid and labels, and the curves by `inside`.
    pub(super) fn draw(&self, html: &mut Html, inside: impl FnOnce(&mut Html)) {
        let height = self.pixels.map_or(String::new(), |pixels| format!("height:{pixels}px"));
        html.open("div", &[("class", self.class)]);
        html.open("div", &[("class", "y"), ("aria-hidden", "true"), ("style", &height)]);
        for tick in self.y {
            html.leaf("span", &[("style", &format!("bottom:{:.2}%", tick.at * 100.0))], &tick.label);
        }
        html.close("div");
        html.open(
            "svg",
            &[
                ("viewBox", "0 0 1000 100"),
                ("preserveAspectRatio", "none"),
                ("role", "img"),
                ("aria-label", self.label),
                ("style", &height),
            ],
        );
        let mut grid = String::new();
        for tick in self.x {
            let _ = write!(grid, "M{:.1} 0V100", tick.at * WIDTH);
        }
        if !self.class.contains("rows") {
            for tick in self.y {
                let _ = write!(grid, "M0 {:.1}H1000", (1.0 - tick.at) * HEIGHT);
            }
        }
        path(html, "grid", &grid);
        inside(html);
        html.close("svg");
        html.open("div", &[("class", "x"), ("aria-hidden", "true")]);
        for tick in self.x {
            // Labels at the ends stay inside.
            let side = if tick.at < 0.02 {
                "first"
            } else if tick.at > 0.96 {
                "last"
            } else {
                ""
            };
            html.leaf(
                "span",
                &[("class", side), ("style", &format!("left:{:.2}%", tick.at * 100.0))],
                &tick.label,
            );
        }
        html.close("div");
        html.close("div");
    }
}

/// A path of a class; none where there is nothing to draw.
pub(super) fn path(html: &mut Html, class: &str, shape: &str) {
    if !shape.is_empty() {
        html.empty("path", &[("class", class), ("d", shape)]);
    }
}

/// A line through points from 0 to 1, both ways; broken where a value is NaN. A point alone is a dot.
pub(super) fn line(points: impl IntoIterator<Item = (f64, f64)>) -> String {
    let (mut shape, mut length) = (String::new(), 0);
    for (x, y) in points {
        if !(x.is_finite() && y.is_finite()) {
            if length == 1 {
                shape.push_str("h0");
            }
            length = 0;
            continue;
        }
        let command = if length == 0 { 'M' } else { 'L' };
        let _ = write!(shape, "{command}{:.1} {:.1}", x * WIDTH, (1.0 - y) * HEIGHT);
        length += 1;
    }
    if length == 1 {
        shape.push_str("h0");
    }
    shape
}

/// The area between two lines over the same places, from 0 to 1; broken where a value is NaN.
pub(super) fn area(points: &[(f64, f64, f64)]) -> String {
    let mut shape = String::new();
    for run in points.split(|(x, low, high)| !(x.is_finite() && low.is_finite() && high.is_finite())) {
        if run.len() < 2 {
            continue;
        }
        shape += &line(run.iter().map(|(x, _, high)| (*x, *high)));
        shape += &line(run.iter().rev().map(|(x, low, _)| (*x, *low))).replacen('M', "L", 1);
        shape.push('Z');
    }
    shape
}

/// Cells `(column, row, columns)` of a grid, as one shape.
pub(super) fn cells(
    cells: impl IntoIterator<Item = (usize, usize, usize)>,
    columns: usize,
    rows: usize,
) -> String {
    let (width, height) = (WIDTH / columns.max(1) as f64, HEIGHT / rows.max(1) as f64);
    let mut shape = String::new();
    for (column, row, long) in cells {
        let (x, y, long) = (column as f64 * width, row as f64 * height, long as f64 * width);
        let _ = write!(shape, "M{x:.1} {y:.2}h{long:.1}v{height:.2}h-{long:.1}z");
    }
    shape
}

/// One entry of a legend: a mark of a class, and what it stands for.
pub(super) fn key(html: &mut Html, class: &str, text: &str, number: Option<f64>) {
    html.open("span", &[("class", "key")]);
    html.leaf("i", &[("class", class)], "");
    html.text(text);
    if let Some(number) = number {
        html.raw(" ");
        html.number(number);
    }
    html.close("span");
}

/// The value below which a share of sorted values lies, interpolated; NaN if there are none.
pub(super) fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * sorted.len().saturating_sub(1) as f64;
    let (low, part) = (place as usize, place - libm::floor(place));
    match (sorted.get(low), sorted.get(low + 1)) {
        (Some(a), Some(b)) => a + (b - a) * part,
        (Some(a), None) => *a,
        _ => f64::NAN,
    }
}

/// Of many channels at one place: the mean, and where their middle half lies.
#[derive(Clone, Copy)]
pub(super) struct Spread {
    pub(super) mean: f64,
    pub(super) low: f64,
    pub(super) high: f64,
}

impl Spread {
    pub(super) fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = values.filter(|value| value.is_finite()).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let mean = sorted.iter().sum::<f64>() / sorted.len() as f64;
        Self { mean, low: quantile(&sorted, 0.25), high: quantile(&sorted, 0.75) }
    }
}

/// The rows with the greatest numbers, greatest first.
pub(super) fn greatest(numbers: &[f64], most: usize) -> Vec<usize> {
    let mut rows: Vec<usize> = (0..numbers.len()).filter(|row| numbers[*row].is_finite()).collect();
    rows.sort_by(|a, b| numbers[*b].total_cmp(&numbers[*a]));
    rows.truncate(most);
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_value_breaks_a_line_and_an_area() {
        let nan = f64::NAN;
        assert_eq!(
            line([(0.0, 0.0), (0.5, 1.0), (0.6, nan), (1.0, 0.5)]),
            "M0.0 100.0L500.0 0.0M1000.0 50.0h0"
        );
        let points = [(0.0, 0.1, 0.2), (0.5, 0.1, 0.2), (0.6, nan, nan), (0.7, 0.0, 1.0)];
        assert_eq!(area(&points), "M0.0 80.0L500.0 80.0L500.0 90.0L0.0 90.0Z");
        assert_eq!(quantile(&[1.0, 2.0, 3.0], 0.75), 2.5);
        assert!(quantile(&[], 0.5).is_nan() && quantile(&[7.0], 0.25) == 7.0);
        assert_eq!(greatest(&[1.0, nan, 3.0, 3.0], 2), [2, 3]);
    }
}
