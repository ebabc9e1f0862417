//! What `live` can be told on its command line.

use std::ops::Range;
use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Exact 50 ms windows of a recording or a synthetic headset: artifacts, quality, filter, reference, band power.
#[derive(Parser)]
#[command(
    version,
    after_help = "Examples:\n  live --synthetic 8@250x4 --seconds 10\n  live --recording S001R04.edf --speed x20 --out results\n  live --synthetic 8@250x16 --faults gap,duplicate,dropout,wrap --seed 7 --seconds 60 --json"
)]
pub struct Options {
    /// Recording to replay (EDF, EDF+, BDF, BDF+).
    #[arg(long, value_name = "FILE", conflicts_with = "synthetic")]
    pub recording: Option<PathBuf>,
    /// Synthetic headset: channels @ sampling rate x streams.
    #[arg(long, value_name = "CH@RATE[xSTREAMS]", default_value = "8@250", value_parser = headset)]
    pub synthetic: Headset,
    /// Seed of the synthetic headset and its faults.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Faults to inject: gap, duplicate, reorder, jitter, dropout, wrap, nan.
    #[arg(long, value_name = "LIST", default_value = "", conflicts_with = "recording")]
    pub faults: String,
    /// real, max, or x2, x20 ... times real time [default: max for recordings and --seconds, else real].
    #[arg(long, value_parser = speed)]
    pub speed: Option<neuraflow::sources::pace::Speed>,
    /// Worker threads.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub workers: u16,
    /// Samples in a packet [default: about 10 ms].
    #[arg(long, value_name = "SAMPLES", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub packet: Option<u32>,
    /// Length of a window.
    #[arg(long, value_name = "MS", default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=60_000))]
    pub window_ms: i64,
    /// Pass band in Hz.
    #[arg(long, value_name = "LO-HI", default_value = "1-40", value_parser = range)]
    pub bandpass: Range<f64>,
    /// Line noise to remove.
    #[arg(long, value_enum, default_value_t = Line::Off)]
    pub notch: Line,
    /// Spatial reference [default: average, none where there is only one EEG channel].
    #[arg(long, value_enum)]
    pub reference: Option<Reference>,
    /// Frequency bands in Hz.
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = band,
          default_value = "delta=1-4,theta=4-8,alpha=8-13,beta=13-30")]
    pub bands: Vec<(String, Range<f64>)>,
    /// Stop after so many seconds of event time.
    #[arg(long, value_name = "S", value_parser = seconds)]
    pub seconds: Option<f64>,
    /// Write features, flags and quality as CSV into this directory.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// End with one line of JSON on stdout.
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Copy)]
pub struct Headset {
    pub channels: usize,
    pub rate: f64,
    pub streams: usize,
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

fn headset(text: &str) -> Result<Headset, String> {
    let expected =
        || format!("expected CHANNELS@RATE or CHANNELS@RATExSTREAMS such as 8@250x16, found {text}");
    let (channels, rest) = text.split_once('@').ok_or_else(expected)?;
    let (rate, streams) = rest.split_once('x').unwrap_or((rest, "1"));
    let headset = Headset {
        channels: channels.parse().map_err(|_| expected())?,
        rate: rate.parse().map_err(|_| expected())?,
        streams: streams.parse().map_err(|_| expected())?,
    };
    let sane = (1..=4_096).contains(&headset.channels) && (1..=100_000).contains(&headset.streams);
    if sane { Ok(headset) } else { Err("expected 1 to 4096 channels and 1 to 100000 streams".into()) }
}

fn range(text: &str) -> Result<Range<f64>, String> {
    let parsed = text.split_once('-').and_then(|(lo, hi)| Some(lo.parse::<f64>().ok()?..hi.parse().ok()?));
    match parsed {
        Some(range) if range.start > 0.0 && range.end > range.start && range.end.is_finite() => Ok(range),
        _ => Err(format!("expected LO-HI in Hz with 0 < LO < HI such as 8-13, found {text}")),
    }
}

fn band(text: &str) -> Result<(String, Range<f64>), String> {
    let (name, edges) =
        text.split_once('=').ok_or(format!("expected NAME=LO-HI such as alpha=8-13, found {text}"))?;
    Ok((name.to_owned(), range(edges)?))
}

fn speed(text: &str) -> Result<neuraflow::sources::pace::Speed, String> {
    text.parse().map_err(|error| format!("{error}"))
}

fn seconds(text: &str) -> Result<f64, String> {
    let valid = text.parse().ok().filter(|s: &f64| s.is_finite() && *s > 0.0 && *s <= 1e9);
    valid.ok_or(format!("expected a number of seconds above 0 and at most 1e9, found {text}"))
}
