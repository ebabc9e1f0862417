//! Motor imagery: a decoder is fitted to one recording and decodes another as a live stream, trial by trial.
//!
//! Run it with `cargo run --release --example motor_imagery -- --train S001R06.edf --test S001R10.edf --json`: both fists against both
//! feet, from PhysioNet's EEGMMIDB (its runs 6, 10 and 14). The last line is one object of JSON.
//! `--save FILE` keeps the fitted model; `--model FILE` decodes with it and needs no `--train`.

mod options;
mod outcome;
mod page;
mod paradigm;
mod settings;
#[path = "../shared/mod.rs"]
mod shared;

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use neuraflow::sinks::report::HtmlReport;

use options::Options;
use outcome::Outcome;
use shared::{check_model, end, load_model};

fn main() -> ExitCode {
    end(run(&Options::parse()))
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let mut out = std::io::stdout().lock();
    let model = match &options.model {
        Some(file) => load_model(file)?,
        None => paradigm::fit(options)?,
    };
    check_model(&model, &options.classes, &options.bandpass)?;
    if let Some(file) = &options.save {
        model.save(file)?;
    }
    let settings = settings::settings(options, &model);
    for (name, value) in &settings {
        writeln!(out, "{name:<12}{value}")?;
    }
    let page = options.report.as_ref().map(HtmlReport::create).transpose()?;
    let decoded = paradigm::decode(options, &model, page.as_ref())?;
    let outcome = Outcome::new(options, &model, &decoded);
    if let Some(page) = page {
        let page = page.titled("Motor imagery");
        page.settings(settings);
        page.command_line(std::env::args());
        page.input_file(&options.test)?;
        page::fill(&page, &outcome, &model);
        page.write(&decoded.report)?;
    }
    writeln!(out, "{}", outcome.to_text())?;
    if options.json {
        writeln!(out, "{}", outcome.to_json())?;
    }
    Ok(())
}
