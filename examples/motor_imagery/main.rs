//! Motor imagery: a decoder is fitted to one recording and decodes another as a live stream, trial by trial.
//!
//! Run it with `cargo run --release --example motor_imagery -- --train S001R06.edf --test S001R10.edf --json`: both fists against both
//! feet, from PhysioNet's EEGMMIDB (its runs 6, 10 and 14). The last line is one object of JSON.
//! `--save FILE` keeps the fitted model; `--model FILE` decodes with it and needs no `--train`.

mod outcome;
mod paradigm;

use std::error::Error;
use std::io::Write;
use std::ops::Range;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use neuraflow::ops::decode::Model;
use neuraflow::prelude::*;

use outcome::Outcome;

/// Fits a decoder of motor imagery to one recording, and decodes another as a live stream.
#[derive(Parser)]
#[command(
    version,
    override_usage = "cargo run --release --example motor_imagery -- --train FILE --test FILE [OPTIONS]"
)]
struct Options {
    /// Recording to fit the decoder to.
    #[arg(long, value_name = "FILE", required_unless_present = "model")]
    train: Option<PathBuf>,
    /// Recording to decode.
    #[arg(long, value_name = "FILE")]
    test: PathBuf,
    /// Spatial filters, distance to mean, or tangent space.
    #[arg(long, value_enum, default_value_t = Method::Csp)]
    decoder: Method,
    /// Markers to cut trials at, and the names of what is imagined after them.
    #[arg(long, value_name = "LABEL=NAME,...", value_delimiter = ',', value_parser = class, default_value = "T1=T1,T2=T2")]
    classes: Vec<(String, String)>,
    /// Pass band in Hz: a causal Butterworth filter of order 4.
    #[arg(long, value_name = "LO-HI", default_value = "8-30", value_parser = range)]
    bandpass: Range<f64>,
    /// Where a trial begins and ends, in seconds after its marker.
    #[arg(long, value_name = "LO-HI", default_value = "0.5-3.5", value_parser = range)]
    epoch: Range<f64>,
    /// Spatial filters of CSP.
    #[arg(long, value_name = "N", default_value_t = 4)]
    filters: usize,
    /// Keep the fitted model there.
    #[arg(long, value_name = "FILE", conflicts_with = "model")]
    save: Option<PathBuf>,
    /// Decode with this model.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["train", "decoder", "filters"])]
    model: Option<PathBuf>,
    /// How fast the test recording comes in: real, max, x2, x20 ...
    #[arg(long, value_name = "SPEED", default_value = "max")]
    speed: Speed,
    /// Samples in a packet.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    packet: u32,
    /// Worker threads.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    workers: u16,
    /// End with one line of JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Method {
    Csp,
    Mdm,
    Tangent,
}

fn class(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').ok_or("expected LABEL=NAME, for example T1=fists")?;
    Ok((pair.0.to_owned(), pair.1.to_owned()))
}

fn range(text: &str) -> Result<Range<f64>, String> {
    let (low, high) = text.split_once('-').ok_or("expected LO-HI, for example 8-30")?;
    let number = |text: &str| text.parse::<f64>().map_err(|error| format!("{text}: {error}"));
    Ok(number(low)?..number(high)?)
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("motor_imagery: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let mut out = std::io::stdout().lock();
    let model = match &options.model {
        Some(file) => Model::load(file)?,
        None => paradigm::fit(options)?,
    };
    if let Some(file) = &options.save {
        model.save(file)?;
    }
    paradigm::print_settings(options, &model, &mut out)?;
    let outcome = Outcome::new(options, &model, &paradigm::decode(options, &model)?);
    writeln!(out, "{}", outcome.to_text())?;
    if options.json {
        writeln!(out, "{}", outcome.to_json())?;
    }
    Ok(())
}
