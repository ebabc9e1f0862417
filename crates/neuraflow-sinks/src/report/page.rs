//! The page: an overview, the streams, the books, the latencies, the settings.

use neuraflow_core::dataflow::Report;

use super::accounts;
use super::findings::{self, Findings};
use super::gather::Gathered;
use super::html::{Html, grouped};
use super::latency;
use super::settings::Repeat;
use super::stream;

const BEGIN: &str = concat!(
    "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">",
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">",
    "<meta name=\"color-scheme\" content=\"light dark\">",
    // Nothing is fetched and no script runs, whatever a name in a recording may try.
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
    "<style>\n",
    include_str!("style.css"),
    "</style>"
);

pub(super) fn page(
    title: &str,
    gathered: &Gathered,
    findings: &Findings,
    settings: &Repeat,
    report: &Report,
) -> String {
    let mut html = Html::default();
    html.raw(BEGIN);
    html.leaf("title", &[], title);
    html.raw("</head><body><header>");
    html.leaf("h1", &[], title);
    overview(&mut html, settings, report);
    let streams = gathered.streams();
    html.raw("<nav aria-label=\"Contents\">");
    for (number, header) in streams.iter().enumerate() {
        html.leaf("a", &[("href", &format!("#stream-{number}"))], &header.name);
    }
    html.raw("<a href=\"#accounting\">Samples</a><a href=\"#latency\">Latency</a><a href=\"#settings\">Settings</a></nav></header><main>");
    findings::sections(&mut html, findings);
    if streams.is_empty() && !findings.has_pictures() {
        html.raw("<p class=\"note\">No window reached the report: there is nothing to plot.</p>");
    }
    for (number, header) in streams.iter().enumerate() {
        stream::section(&mut html, gathered, header, number);
    }
    let hidden = report.streams.len().saturating_sub(streams.len());
    if hidden > 0 && !streams.is_empty() {
        let text = format!(
            "Plotted are the first {} streams by name; {} more are in the tables only.",
            streams.len(),
            grouped(hidden as u64)
        );
        html.leaf("p", &[("class", "note")], &text);
    }
    accounts::section(&mut html, report);
    latency::section(&mut html, report);
    accounts::repeat(&mut html, settings);
    html.raw("</main></body></html>\n");
    html.into_string()
}

/// What one wants to know first.
fn overview(html: &mut Html, settings: &Repeat, report: &Report) {
    let (sum, windows) = (report.accounting(), report.windows());
    let mut line: Vec<String> = settings.inputs.iter().map(|input| input.name.clone()).collect();
    line.extend(settings.command.clone().filter(|_| line.is_empty()));
    if !line.is_empty() {
        html.leaf("p", &[("class", "facts")], &line.join(", "));
    }
    html.raw("<dl class=\"overview\">");
    let mut tile = |name: &str, value: String, more: String, class: &str| {
        html.open("div", &[("class", class)]);
        html.leaf("dt", &[], name);
        html.open("dd", &[]);
        html.leaf("b", &[], &value);
        html.leaf("small", &[], &more);
        html.close("dd");
        html.close("div");
    };
    let channels = report.widest().map_or(0, |stream| stream.header.channels.len());
    tile("Streams", grouped(report.streams.len() as u64), format!("{channels} channels in the widest"), "");
    let more = match windows.total() {
        0 => "epochs and the windows of branches are not counted here".to_owned(),
        _ => format!(
            "{} complete, {} gap, {} partial",
            grouped(windows.complete),
            grouped(windows.gap),
            grouped(windows.partial)
        ),
    };
    tile("Windows", grouped(windows.total()), more, if windows.gap > 0 { "warn" } else { "" });
    let more = if report.balances() { "every one accounted for" } else { "does not add up" };
    tile("Samples", grouped(sum.samples_in), more.into(), if report.balances() { "" } else { "bad" });
    let lost = format!("{} late, {} filled in", grouped(sum.late), grouped(sum.imputed));
    tile("Never came", grouped(sum.lost), lost, if sum.lost > 0 { "warn" } else { "" });
    tile(
        "Markers",
        grouped(report.streams.iter().map(|stream| stream.markers).sum()),
        "experiment events".into(),
        "",
    );
    html.raw("</dl>");
}
