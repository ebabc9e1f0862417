//! The main job: a recording or a synthetic headset in, exact windows of features out, and a report that adds up.
//!
//! `options.rs` is the command line, `graph.rs` the pipeline, `results.rs` gathers what comes out, `summary.rs` writes it up.

mod graph;
mod options;
mod results;
mod summary;

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use neuraflow::prelude::*;

use options::Options;

fn main() -> ExitCode {
    let outcome = match Options::try_parse() {
        Ok(options) => live(&options),
        Err(wrong) if wrong.use_stderr() => Err(in_one_line(&wrong.to_string()).into()),
        Err(help) => help.print().map(|()| true).map_err(Into::into),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            complain("the accounting does not add up; this is a bug, please report it with the line above");
            ExitCode::FAILURE
        }
        Err(error) => {
            complain(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

/// One line on stderr. Where even that is closed there is nobody left to tell.
fn complain(about: &str) {
    let _ = writeln!(std::io::stderr(), "live: {about}");
}

/// What clap says is wrong: its first paragraph, without the usage that follows it.
fn in_one_line(text: &str) -> String {
    let said: Vec<&str> = text.lines().take_while(|line| !line.is_empty()).map(str::trim).collect();
    format!("{}; see --help", said.join(" ").trim_start_matches("error: "))
}

fn live(options: &Options) -> Result<bool, Box<dyn Error>> {
    let (pipeline, results) = graph::graph(options)?;
    let contract =
        pipeline.latencies().iter().find(|path| &*path.sink == results::BAND_POWER).map(|path| path.latency);

    // The pipeline runs on threads of its own; this one only watches. Ctrl-C drains instead of killing.
    let running = pipeline.spawn(Workers::new(options.workers.into()))?;
    let stopper = running.stopper();
    ctrlc::set_handler(move || stopper.stop())?;
    let bar =
        ProgressBar::new_spinner().with_style(ProgressStyle::with_template("{spinner} {elapsed} {msg}")?);
    while !running.is_finished() {
        let progress = running.progress();
        bar.set_message(format!(
            "{} samples, {} windows; {}",
            progress.samples_in,
            progress.windows,
            results.glance()
        ));
        std::thread::sleep(Duration::from_millis(20));
    }
    bar.finish_and_clear();
    let summary = results.summary(&running.join()?, contract.unwrap_or_default(), bar.elapsed());
    let text = if options.json { summary.to_json() } else { summary.to_text() };
    // The reader of a pipe may be gone by now (`live | head -1`), or the disk behind it full.
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{text}")
        .and_then(|()| stdout.flush())
        .map_err(|error| format!("cannot print the summary: {error}"))?;
    Ok(summary.adds_up)
}
