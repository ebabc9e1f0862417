//! The main job: a recording or a synthetic headset in, exact windows of features out, and a report that adds up.
//!
//! `options.rs` is the command line, `graph.rs` the pipeline, `results.rs` gathers what comes out, `summary.rs` writes it up.

mod graph;
mod options;
mod results;
mod summary;

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use neuraflow::prelude::*;

use options::Options;

fn main() -> ExitCode {
    match live(&Options::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!(
                "live: the accounting does not add up; this is a bug, please report it with the line above"
            );
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("live: {error}");
            ExitCode::FAILURE
        }
    }
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
    println!("{}", if options.json { summary.to_json() } else { summary.to_text() });
    Ok(summary.adds_up)
}
