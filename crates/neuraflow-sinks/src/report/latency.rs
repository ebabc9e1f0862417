//! How long results took: a histogram and its quantiles for every sink, and for each part of the way.

use neuraflow_core::dataflow::{LatencyHistogram, Report};

use super::axis::Tick;
use super::html::{Html, digits, grouped};
use super::plot::{Frame, HEIGHT, WIDTH, path};

/// Edges of the bars in each decade.
const EDGES: [f64; 6] = [1.0, 1.5, 2.0, 3.0, 5.0, 7.0];
const SHARES: [(f64, &str); 4] = [(0.5, "p50"), (0.9, "p90"), (0.99, "p99"), (0.999, "p99.9")];

pub(super) fn section(html: &mut Html, report: &Report) {
    html.raw("<section id=\"latency\"><h2>Latency</h2>");
    html.leaf(
        "p",
        &[("class", "note")],
        "From arrival of the packet that closed a window to the sink having taken what was computed from it. \
         Wall time on the machine of this run; replayed at full speed it measures waiting in queues too.",
    );
    let sinks = report.sinks.iter().filter(|sink| sink.latency.count() > 0);
    html.open("div", &[("class", "multiples")]);
    sinks.for_each(|sink| histogram(html, &sink.name, &sink.latency));
    html.close("div");
    html.open("div", &[("class", "scroll"), ("tabindex", "0")]);
    html.raw("<table class=\"latency\"><caption>Milliseconds</caption><thead><tr><th scope=\"col\">Of</th>");
    SHARES.iter().for_each(|(_, name)| html.leaf("th", &[("scope", "col")], name));
    for name in ["max", "recorded", "written", "dropped", "skipped"] {
        html.leaf("th", &[("scope", "col")], name);
    }
    html.raw("</tr></thead><tbody>");
    row(html, "waiting for a worker", &report.wait, None);
    row(html, "computing", &report.compute, None);
    for sink in &report.sinks {
        let counts = [sink.written, sink.dropped, sink.skipped];
        row(html, &format!("{}, all the way", sink.name), &sink.latency, Some(counts));
        row(html, &format!("{}, output alone", sink.name), &sink.output, None);
    }
    html.raw("</tbody></table></div></section>");
}

fn row(html: &mut Html, name: &str, latency: &LatencyHistogram, counts: Option<[u64; 3]>) {
    html.raw("<tr>");
    html.leaf("th", &[("scope", "row")], name);
    let millis = |nanos: Option<u64>| nanos.map_or(f64::NAN, |nanos| nanos as f64 / 1e6);
    let quantiles = SHARES.iter().map(|(share, _)| latency.quantile(*share)).chain([latency.max()]);
    for nanos in quantiles {
        html.raw("<td>");
        html.number(millis(nanos));
        html.raw("</td>");
    }
    html.raw("<td>");
    html.count(latency.count());
    html.raw("</td>");
    for place in 0..3 {
        html.raw("<td>");
        counts.iter().for_each(|counts| html.count(counts[place]));
        html.raw("</td>");
    }
    html.raw("</tr>");
}

/// How many latencies are at most `nanos`, found through the quantiles: the histogram tells no more.
fn at_most(latency: &LatencyHistogram, nanos: u64) -> u64 {
    let (mut low, mut high) = (0, latency.count());
    while low < high {
        let rank = low + (high - low).div_ceil(2);
        match latency.quantile(rank as f64 / latency.count() as f64) {
            Some(found) if found <= nanos => low = rank,
            _ => high = rank - 1,
        }
    }
    low
}

/// Bars `(from, to, count)` between edges that grow by decades, in nanoseconds.
fn bars(latency: &LatencyHistogram) -> Vec<(f64, f64, u64)> {
    let (Some(least), Some(most)) = (latency.quantile(0.0), latency.max()) else { return Vec::new() };
    let edges = (0..19).flat_map(|decade| EDGES.map(|edge| edge * libm::pow(10.0, f64::from(decade))));
    let edges: Vec<f64> = edges.collect();
    let mut bars = Vec::new();
    let mut below = 0;
    for pair in edges.windows(2) {
        if pair[1] < least as f64 {
            continue;
        }
        let upto = at_most(latency, pair[1] as u64);
        bars.push((pair[0], pair[1], upto - below));
        below = upto;
        if pair[1] >= most as f64 {
            break;
        }
    }
    bars
}

/// A time in the unit in which it reads best.
fn time(nanos: f64, number: impl Fn(f64) -> String) -> String {
    match nanos {
        1e9.. => format!("{} s", number(nanos / 1e9)),
        1e6.. => format!("{} ms", number(nanos / 1e6)),
        1e3.. => format!("{} µs", number(nanos / 1e3)),
        _ => format!("{} ns", number(nanos)),
    }
}

fn histogram(html: &mut Html, name: &str, latency: &LatencyHistogram) {
    let bars = bars(latency);
    let (Some(first), Some(last)) = (bars.first(), bars.last()) else { return };
    let (from, to) = (first.0, last.1);
    let ratio = libm::log10(to / from);
    let place = |nanos: f64| libm::log10(nanos / from) / ratio;
    let highest = bars.iter().map(|bar| bar.2).max().unwrap_or(1).max(1) as f64;
    let share = |count: f64| 100.0 * count / latency.count() as f64;
    let top = share(highest);
    let y =
        [0.0, 0.5, 1.0].map(|at| Tick { at, label: format!("{:.*} %", usize::from(top < 10.0), at * top) });
    let steps: &[f64] = if ratio < 2.0 { &[1.0, 2.0, 5.0] } else { &[1.0] };
    let candidates =
        (0..19).flat_map(|decade| steps.iter().map(move |step| step * libm::pow(10.0, f64::from(decade))));
    let x: Vec<Tick> = (candidates.filter(|nanos| (from..=to).contains(nanos)))
        .map(|nanos| Tick { at: place(nanos), label: time(nanos, |n| n.to_string()) })
        .collect();
    let shown = |nanos: Option<u64>| time(nanos.unwrap_or(0) as f64, digits);
    let (p50, p99) = (shown(latency.quantile(0.5)), shown(latency.quantile(0.99)));
    let label = format!(
        "Histogram of {} latencies of {name}: half within {p50}, 99 % within {p99}, longest {}",
        grouped(latency.count()),
        shown(latency.max())
    );
    html.open("figure", &[]);
    html.open("figcaption", &[]);
    html.leaf("b", &[], name);
    html.text(&format!(", {} items", grouped(latency.count())));
    html.close("figcaption");
    Frame { label: &label, class: "frame low", pixels: None, x: &x, y: &y }.draw(html, |html| {
        let mut shape = String::new();
        for (low, high, count) in bars.iter().filter(|bar| bar.2 > 0) {
            let (x, width) = (place(*low) * WIDTH, (place(*high) - place(*low)) * WIDTH);
            // A single one is seen too.
            let height = (*count as f64 / highest * HEIGHT).max(1.0);
            shape += &format!("M{x:.1} 100v-{height:.2}h{width:.1}V100z");
        }
        path(html, "bar", &shape);
        for (share, class) in [(0.5, "quantile"), (0.99, "quantile dashed")] {
            if let Some(nanos) = latency.quantile(share) {
                path(html, class, &format!("M{:.1} 0V100", place(nanos as f64).clamp(0.0, 1.0) * WIDTH));
            }
        }
    });
    let text = format!("Lines: p50 {p50}, p99 {p99}");
    html.leaf("p", &[("class", "legend")], &text);
    html.close("figure");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_latency_is_in_one_bar() {
        let mut latency = LatencyHistogram::default();
        assert!(bars(&latency).is_empty());
        for nanos in [900, 1_200, 1_250, 4_000, 4_100, 4_200, 9_999_999] {
            latency.record(nanos);
        }
        let bars = bars(&latency);
        let filled: Vec<_> = bars.iter().filter(|bar| bar.2 > 0).copied().collect();
        assert_eq!(filled.iter().map(|bar| bar.2).collect::<Vec<_>>(), [1, 2, 3, 1]);
        assert_eq!((filled[1].0, filled[1].1), (1_000.0, 1_500.0));
        let mut one = LatencyHistogram::default();
        one.record(5_000);
        assert_eq!(super::bars(&one).iter().map(|bar| bar.2).sum::<u64>(), 1);
    }
}
