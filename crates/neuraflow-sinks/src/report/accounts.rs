//! Where every sample and every window went, and how to repeat the run.

use neuraflow_core::dataflow::{Report, StreamReport};

use super::html::{Html, grouped};
use super::settings::Repeat;

/// Streams listed one by one.
const LISTED: usize = 500;

pub(super) fn section(html: &mut Html, report: &Report) {
    html.raw("<section id=\"accounting\"><h2>Where every sample went</h2>");
    let sum = report.accounting();
    let n = grouped;
    let places = format!(
        "{} samples came in = {} windowed + {} late + {} duplicate + {} rejected + {} dropped. {} never came; {} were filled in.",
        n(sum.samples_in),
        n(sum.windowed),
        n(sum.late),
        n(sum.duplicate),
        n(sum.rejected),
        n(sum.dropped),
        n(sum.lost),
        n(sum.imputed)
    );
    html.leaf("p", &[], &places);
    if !report.balances() || report.orphan_values > 0 {
        let text = format!(
            "This does not add up, or {} values came for streams that were never opened. That is a bug in a source or in NeuraFlow; please report it.",
            n(report.orphan_values)
        );
        html.leaf("p", &[("class", "alarm"), ("role", "alert")], &text);
    }
    html.open("div", &[("class", "scroll"), ("tabindex", "0")]);
    html.raw("<table class=\"accounting\"><caption>Samples (all channels at one instant count once), and windows of the main window</caption><thead><tr>");
    for name in [
        "Stream",
        "Channels",
        "Rate",
        "Came in",
        "Windowed",
        "Late",
        "Duplicate",
        "Rejected",
        "Dropped",
        "Lost",
        "Filled in",
        "Values missing",
        "Windows",
        "Complete",
        "Gap",
        "Partial",
        "Markers",
        "Inputs refused",
    ] {
        html.leaf("th", &[("scope", "col")], name);
    }
    html.raw("</tr></thead><tbody>");
    report.streams.iter().take(LISTED).for_each(|stream| row(html, stream));
    html.raw("</tbody></table></div>");
    if report.streams.len() > LISTED {
        let text =
            format!("{} more streams are in the sum above.", n((report.streams.len() - LISTED) as u64));
        html.leaf("p", &[("class", "note")], &text);
    }
    for stream in report.streams.iter().take(LISTED) {
        if let Some(reason) = &stream.refused {
            let text = format!("{} was not processed: {reason}", stream.header.name);
            html.leaf("p", &[("class", "alarm")], &text);
        }
    }
    html.raw("</section>");
}

fn row(html: &mut Html, stream: &StreamReport) {
    let (sum, windows, header) = (&stream.accounting, &stream.windows, &stream.header);
    html.raw("<tr>");
    html.leaf("th", &[("scope", "row")], &header.name);
    html.raw("<td>");
    html.count(header.channels.len() as u64);
    html.raw("</td>");
    html.leaf("td", &[("class", "words")], &header.rate.to_string());
    for count in [
        sum.samples_in,
        sum.windowed,
        sum.late,
        sum.duplicate,
        sum.rejected,
        sum.dropped,
        sum.lost,
        sum.imputed,
        sum.values_missing,
        windows.total(),
        windows.complete,
        windows.gap,
        windows.partial,
        stream.markers,
        stream.refused_inputs,
    ] {
        html.raw("<td>");
        html.count(count);
        html.raw("</td>");
    }
    html.raw("</tr>");
}

pub(super) fn repeat(html: &mut Html, repeat: &Repeat) {
    html.raw("<section id=\"settings\"><h2>How to repeat this run</h2>");
    if let Some(command) = &repeat.command {
        html.open("pre", &[("tabindex", "0")]);
        html.leaf("code", &[], command);
        html.close("pre");
    }
    html.open("div", &[("class", "scroll"), ("tabindex", "0")]);
    html.raw("<table class=\"settings\"><caption>Every setting used, those left at their defaults too</caption><thead><tr><th scope=\"col\">Setting</th><th scope=\"col\">Value</th></tr></thead><tbody>");
    let mut row = |name: &str, value: &str| {
        html.raw("<tr>");
        html.leaf("th", &[("scope", "row")], name);
        html.leaf("td", &[("class", "words")], value);
        html.raw("</tr>");
    };
    row("NeuraFlow", env!("CARGO_PKG_VERSION"));
    for input in &repeat.inputs {
        row("input file", &input.name);
        row("input size", &format!("{} bytes", input.bytes));
        row("input SHA-256", &input.sha256);
    }
    repeat.settings.iter().for_each(|(name, value)| row(name, value));
    html.raw("</tbody></table></div></section>");
}
