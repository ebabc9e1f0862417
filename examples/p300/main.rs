//! P300: which stimuli were the rare ones that somebody counted, decoded as a live stream from what they evoke.
//!
//! Run it with `cargo run --release --example p300 -- --test DIRECTORY --json`: all recordings of a session, each fold of their trials decoded
//! by a decoder fitted to the other folds. With `--train FILE` it is fitted to other recordings. The last line is one object of JSON.
//!
//! `options.rs` is the command line, `paradigm.rs` the pipeline, `gathered.rs` what is fitted to, `folds.rs` who is fitted to what, `outcome.rs` and
//! `roc.rs` what comes out, `text.rs` and `page.rs` write it up.

mod folds;
mod gathered;
mod options;
mod outcome;
mod page;
mod paradigm;
mod roc;
mod settings;
#[path = "../shared/mod.rs"]
mod shared;
mod text;
mod trial;

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use neuraflow::sinks::report::HtmlReport;

use folds::Plan;
use options::Options;
use outcome::Outcome;
use shared::{check_model, end, load_model};

fn main() -> ExitCode {
    end(run(&Options::parse()))
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let mut out = std::io::stdout().lock();
    let test = settings::recordings(&options.test)?;
    let train = settings::recordings(&options.train)?;
    let plan = match &options.model {
        Some(file) => Plan::given(load_model(file)?),
        None if train.is_empty() || train == test => Plan::folds(options, gathered::gather(options, &test)?)?,
        None => Plan::fitted(options, gathered::gather(options, &train)?)?,
    };
    check_model(plan.whole(), &options.classes, &options.bandpass)?;
    if let Some(file) = &options.save {
        plan.whole().save(file)?;
    }
    let settings = settings::all(options, &plan, &train, &test);
    for (name, value) in &settings {
        writeln!(out, "{name:<12}{value}")?;
    }
    let page = options.report.as_ref().map(HtmlReport::create).transpose()?;
    let decoded = paradigm::decode(options, &plan, &test, page.as_ref())?;
    let outcome = Outcome::new(options, &plan, &decoded);
    if let Some(page) = page {
        let page = page.titled("P300");
        page.settings(settings);
        page.command_line(std::env::args());
        for file in &test {
            page.input_file(file)?;
        }
        page::fill(&page, options, &outcome, &plan, &decoded);
        page.write(&decoded.report)?;
    }
    writeln!(out, "{}", text::page(&outcome))?;
    if options.json {
        writeln!(out, "{}", text::json(&outcome))?;
    }
    Ok(())
}
