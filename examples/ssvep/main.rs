//! Which flicker somebody looked at, trial by trial, decoded as a stream; nothing is trained.
//!
//! `options.rs` is the command line, `graph.rs` the pipeline, `result.rs` and `accuracy.rs` what comes out, `text.rs` writes it up.

mod accuracy;
mod graph;
mod options;
mod result;
#[path = "../shared/mod.rs"]
mod shared;
mod text;

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use neuraflow::sinks::report::HtmlReport;
use neuraflow::sources::recording::Recording;

use accuracy::Accuracy;
use graph::{Outcome, decode};
use options::{Options, Settings};
use shared::{complain, end, none_found};

/// Look-backs of the curve, in ms.
const CURVE: [i64; 9] = [50, 100, 250, 500, 1_000, 1_500, 2_000, 3_000, 4_000];

fn main() -> ExitCode {
    end(ssvep(&Options::parse()))
}

fn ssvep(options: &Options) -> Result<(), Box<dyn Error>> {
    let file = &options.recording;
    let recording = Recording::open(file)?;
    for warning in recording.warnings() {
        complain(format!("{}: {warning}", file.display()));
    }
    if options.train.is_some() {
        complain("--train is not used: correlation with sines has nothing to train");
    }
    let settings = Settings::of(options, &recording);
    if settings.classes.is_empty() {
        return Err("--classes: expected the markers of the classes and their frequencies, such as \
                    left=13,right=17, as this recording is not one that is known"
            .into());
    }
    let page = options.report.as_ref().map(HtmlReport::create).transpose()?;
    let run = |settings: &Settings, page| decode(file, settings, options.packet, options.workers, page);
    let outcome = run(&settings, page.as_ref())?;
    if outcome.trials.is_empty() {
        return Err(none_found(&settings.classes, file));
    }
    let mut curve = Vec::new();
    if options.curve {
        for look_back_ms in CURVE {
            let settings = Settings { look_back_ms, ..settings.clone() };
            let trials = run(&settings, None)?.trials;
            curve.push((look_back_ms, Accuracy::of(&trials), trials));
        }
    }
    if let Some(page) = page {
        let page = page.titled("SSVEP by canonical correlation");
        page.command_line(std::env::args());
        page.settings(text::settings(&settings, options));
        page.results(text::results(&outcome, &curve));
        page.results(text::confusion(&settings, &outcome).results());
        page.results(outcome.budget.results());
        page.input_file(file)?;
        page.write(&outcome.report)?;
    }
    print(&settings, options, &outcome, &curve)
}

fn print(
    settings: &Settings,
    options: &Options,
    outcome: &Outcome,
    curve: &text::Curve,
) -> Result<(), Box<dyn Error>> {
    let mut out = std::io::stdout().lock();
    // The reader of a pipe may be gone by now, or the disk behind it full.
    let failed = |error| format!("cannot print the result: {error}");
    writeln!(out, "{}", text::page(settings, options, outcome, curve)).map_err(failed)?;
    if options.json {
        writeln!(out, "{}", text::json(settings, outcome, curve)).map_err(failed)?;
    }
    out.flush().map_err(failed)?;
    Ok(())
}
