//! What the host found out with the run: results in words and numbers, evoked responses, maps of the head, and paths.

use super::html::Html;
use super::paths::{self, Paths};
use super::responses::{self, Responses};
use super::topography::{self, Topographies};

/// What the host says came of the run.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) results: Vec<(String, String)>,
    pub(super) responses: Vec<Responses>,
    pub(super) topographies: Vec<Topographies>,
    pub(super) paths: Vec<Paths>,
}

impl Findings {
    pub(super) fn has_pictures(&self) -> bool {
        !(self.responses.is_empty() && self.topographies.is_empty() && self.paths.is_empty())
    }
}

pub(super) fn sections(html: &mut Html, findings: &Findings) {
    if !findings.results.is_empty() {
        html.raw("<section id=\"results\"><h2>Results</h2>");
        html.open("div", &[("class", "scroll"), ("tabindex", "0")]);
        html.raw("<table class=\"settings results\"><thead><tr><th scope=\"col\">What</th><th scope=\"col\">Result</th></tr></thead><tbody>");
        for (name, value) in &findings.results {
            html.raw("<tr>");
            html.leaf("th", &[("scope", "row")], name);
            html.leaf("td", &[("class", "words")], value);
            html.raw("</tr>");
        }
        html.raw("</tbody></table>");
        html.close("div");
        html.close("section");
    }
    responses::sections(html, &findings.responses);
    paths::sections(html, &findings.paths);
    topography::sections(html, &findings.topographies);
}
