//! What `live` can be told on its command line.

use std::ops::Range;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{ArgMatches, CommandFactory, Parser, ValueEnum};
use neuraflow::prelude::Speed;

use super::shared::range;
use super::values::{Headset, band, headset, seconds};

/// Exact 50 ms windows of a recording or a synthetic headset: artifacts, quality, filter, reference, band power.
#[derive(Parser)]
#[command(
    version,
    override_usage = "cargo run --release --example live -- [OPTIONS]",
    after_help = "Examples:\n  cargo run --release --example live -- --synthetic 64@160 --faults gap,dropout\n  cargo run --release --example live -- --recording S001R04.edf --speed real --stay\n  cargo run --release --example live -- --recording S001R04.edf --out results --report run.html"
)]
pub struct Options {
    /// Recording to replay (EDF, EDF+, BDF, BDF+, GDF, Muse CSV, spike trains as .npy).
    #[arg(long, value_name = "FILE", conflicts_with = "synthetic")]
    pub recording: Option<PathBuf>,
    /// Synthetic headset: channels @ sampling rate x streams.
    #[arg(long, value_name = "CH@HZ[xN]", default_value = "8@250", value_parser = headset)]
    pub synthetic: Headset,
    /// Seed of the synthetic headset and its faults.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Faults to inject: gap, duplicate, reorder, jitter, dropout, wrap, nan.
    #[arg(
        long,
        value_name = "LIST",
        default_value = "",
        hide_default_value = true,
        conflicts_with = "recording"
    )]
    pub faults: String,
    /// real, max, x2, x20 ... [default: max if the input ends, else real].
    #[arg(long, value_name = "SPEED", value_parser = <Speed as FromStr>::from_str)]
    pub speed: Option<Speed>,
    /// Worker threads.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub workers: u16,
    /// Samples in a packet [default: about 10 ms].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub packet: Option<u32>,
    /// Length of a window.
    #[arg(long, value_name = "MS", default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=60_000))]
    pub window_ms: i64,
    /// Pass band in Hz.
    #[arg(long, value_name = "LO-HI", default_value = "1-40", value_parser = range)]
    pub bandpass: Range<f64>,
    /// Line noise to remove.
    #[arg(long, value_name = "50|60|off", hide_possible_values = true, value_enum, default_value_t = Line::Off)]
    pub notch: Line,
    /// Spatial reference [default: average of two EEG channels or more].
    #[arg(long, value_name = "average|none", hide_possible_values = true, value_enum)]
    pub reference: Option<Reference>,
    /// Frequency bands in Hz [default: delta, theta, alpha and beta].
    #[arg(long, value_name = "NAME=LO-HI,...", value_delimiter = ',', value_parser = band, hide_default_value = true,
          default_value = "delta=1-4,theta=4-8,alpha=8-13,beta=13-30")]
    pub bands: Vec<(String, Range<f64>)>,
    /// Stop after so many seconds of event time.
    #[arg(long, value_name = "S", value_parser = seconds)]
    pub seconds: Option<f64>,
    /// Write features, flags and quality as CSV.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Write a report with plots and all settings: one HTML page.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Serve the live page there.
    #[arg(long, value_name = "ADDR|off", default_value = super::feedback::DEFAULT)]
    pub listen: String,
    /// Keep the live page open after the end, until Ctrl-C.
    #[arg(long)]
    pub stay: bool,
    /// End with one line of JSON on stdout.
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Line {
    #[value(name = "50")]
    Hz50,
    #[value(name = "60")]
    Hz60,
    Off,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Reference {
    Average,
    None,
}

/// Every setting as it was given or is by default, so that the report can be repeated.
pub fn settings(matches: &ArgMatches) -> Vec<(String, String)> {
    let value = |id: &str| {
        let values = matches.get_raw(id).into_iter().flatten();
        values.map(|value| value.to_string_lossy().into_owned()).collect::<Vec<_>>().join(",")
    };
    let ids = Options::command();
    let ids = ids.get_arguments().map(|argument| argument.get_id().as_str().to_owned());
    ids.filter(|id| id != "help" && id != "version").map(|id| (id.clone(), value(&id))).collect()
}
