//! The main job: a recording or a synthetic headset in, exact windows of features out, and a report that adds up.
//!
//! `options.rs` and `values.rs` are the command line, `graph.rs` the pipeline, `interrupt.rs` is Ctrl-C, `results.rs` gathers what comes out, `summary.rs` and `text.rs` write it up.

mod feedback;
mod graph;
mod interrupt;
mod options;
mod results;
#[path = "../shared/mod.rs"]
mod shared;
mod summary;
mod text;
mod values;

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory, FromArgMatches};
use indicatif::{ProgressBar, ProgressStyle};
use neuraflow::dataflow::Progress;
use neuraflow::prelude::*;
use neuraflow::sinks::report::HtmlReport;

use interrupt::Interrupt;
use options::Options;
use shared::complain;
use values::in_one_line;

fn main() -> ExitCode {
    let matches = Options::command().try_get_matches();
    let parsed = matches.and_then(|matches| Ok((Options::from_arg_matches(&matches)?, matches)));
    let outcome = match parsed {
        Ok((options, matches)) => live(&options, &matches),
        Err(wrong) if wrong.use_stderr() => Err(in_one_line(&wrong.to_string()).into()),
        Err(help) => help.print().map(|()| true).map_err(Into::into),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            complain("the accounting does not add up: a bug; please report it with the line above");
            ExitCode::FAILURE
        }
        Err(error) => {
            complain(error);
            ExitCode::FAILURE
        }
    }
}

fn live(options: &Options, matches: &ArgMatches) -> Result<bool, Box<dyn Error>> {
    let interrupt = Interrupt::listen()?;
    // Everything that may refuse is opened before anything runs.
    let page = options.report.as_ref().map(HtmlReport::create).transpose()?;
    let session = feedback::session(options)?;
    let shown = session.as_ref().map(|(_, session)| session);
    let (pipeline, results) = graph::graph(options, page.as_ref(), shown)?;
    let contract = pipeline.latencies().iter().find(|path| &*path.sink == results::BAND_POWER);
    let contract = contract.map(|path| path.latency).unwrap_or_default();
    let server = match &session {
        Some((hub, _)) => {
            let asked = matches.value_source("listen") == Some(ValueSource::CommandLine);
            feedback::serve(hub, options, asked)?
        }
        None => None,
    };

    // The pipeline runs on threads of its own; this one only watches.
    let running = pipeline.spawn(Workers::new(options.workers.into()))?;
    if let Some(session) = shown {
        feedback::follow(session, &running, contract);
    }
    interrupt.stops(&running);
    let bar =
        ProgressBar::new_spinner().with_style(ProgressStyle::with_template("{spinner} {elapsed} {msg}")?);
    while !running.is_finished() {
        let Progress { samples_in, windows, .. } = running.progress();
        bar.set_message(format!("{samples_in} samples, {windows} windows; {}", results.glance()));
        std::thread::sleep(Duration::from_millis(20));
    }
    bar.finish_and_clear();
    let (report, result) = running.outcome();
    if let Err(error) = result {
        if let Some(session) = shown {
            session.failed(error.to_string());
        }
        let (came, windows) = (report.accounting().samples_in, report.windows().total());
        return Err(format!("{error}; until then {came} samples came in and {windows} windows closed").into());
    }
    if let Some(session) = shown {
        session.ended();
    }
    let summary = results.summary(&report, contract, bar.elapsed());
    if let Some(page) = page {
        page.command_line(std::env::args());
        page.settings(options::settings(matches));
        if let Some(file) = &options.recording {
            page.input_file(file)?;
        }
        page.write(&report)?;
    }
    let text = if options.json { summary.to_json() } else { summary.to_text() };
    // The reader of a pipe may be gone by now (`live | head -1`), or the disk behind it full.
    let mut stdout = std::io::stdout().lock();
    let printed = writeln!(stdout, "{text}").and_then(|()| stdout.flush());
    printed.map_err(|error| format!("cannot print the summary: {error}"))?;
    if options.stay && server.is_some() {
        complain("the live page stays open; end with Ctrl-C");
        interrupt.wait();
    }
    Ok(summary.adds_up)
}
