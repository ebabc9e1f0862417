//! Lines as text, and as an SVG picture.

use std::fmt::Write;

/// Values over time.
pub struct Line {
    pub name: String,
    /// Seconds and values, none of them negative.
    pub points: Vec<(f64, f64)>,
}

/// A line in `width` characters, each as high as the mean of its share of the points; empty where there is none.
pub fn sparkline(line: &Line, width: usize) -> String {
    const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let shares: Vec<f64> = (0..width)
        .filter_map(|place| {
            let count = line.points.len();
            let share = &line.points[place * count / width..(place + 1) * count / width];
            (!share.is_empty())
                .then(|| share.iter().map(|(_, value)| value).sum::<f64>() / share.len() as f64)
        })
        .collect();
    let most = shares.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    shares.iter().map(|share| HEIGHTS[((share / most * 7.0).round() as usize).min(7)]).collect()
}

const WIDTH: f64 = 960.0;
const LEFT: f64 = 64.0;
const TOP: f64 = 48.0;
const ROW: f64 = 44.0;

/// All lines below each other over the same seconds, each on a scale of its own.
pub fn svg(title: &str, lines: &[Line]) -> String {
    let times = || lines.iter().flat_map(|line| line.points.iter().map(|(second, _)| *second));
    let (first, last) = (times().fold(f64::MAX, f64::min), times().fold(f64::MIN, f64::max));
    let x = |second: f64| LEFT + (second - first) / (last - first).max(1e-9) * (WIDTH - LEFT - 80.0);
    let height = TOP + ROW * lines.len() as f64 + 32.0;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text x=\"{LEFT}\" y=\"24\" font-size=\"16\">{}</text>\n",
        escaped(title)
    );
    for (number, line) in lines.iter().enumerate() {
        let floor = TOP + ROW * (number as f64 + 1.0) - 6.0;
        let peak = line.points.iter().map(|(_, value)| *value).fold(f64::MIN_POSITIVE, f64::max);
        let points = line.points.iter().fold(String::new(), |mut points, (second, value)| {
            let _ = write!(points, "{:.1},{:.1} ", x(*second), floor - value / peak * (ROW - 12.0));
            points
        });
        let _ = writeln!(
            out,
            "<text x=\"{}\" y=\"{floor}\" text-anchor=\"end\">{}</text>\
             <polyline points=\"{points}\" fill=\"none\" stroke=\"#2b6cb0\"/>\
             <text x=\"{}\" y=\"{floor}\" fill=\"#666\">{peak:.1} µV²</text>",
            LEFT - 8.0,
            escaped(&line.name),
            WIDTH - 72.0,
        );
    }
    if first <= last {
        for (second, anchor) in [(first, "start"), (last, "end")] {
            let (x, y) = (x(second), height - 10.0);
            let _ =
                writeln!(out, "<text x=\"{x:.1}\" y=\"{y}\" text-anchor=\"{anchor}\">{second:.1} s</text>");
        }
    }
    out + "</svg>\n"
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
