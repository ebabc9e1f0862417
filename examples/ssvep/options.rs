//! What `ssvep` can be told, and what is meant by a recording that is known.

use std::ops::Range;
use std::path::PathBuf;

use clap::Parser;
use neuraflow::sources::recording::Recording;

use super::shared::range;

/// Which flicker was looked at: causal band-pass, canonical correlation with sines, one decision for each trial.
#[derive(Parser)]
#[command(version, override_usage = "cargo run --release --example ssvep -- --recording FILE [OPTIONS]")]
pub struct Options {
    /// Recording to decode (GDF, Muse CSV, EDF, BDF).
    #[arg(long, value_name = "FILE", alias = "test")]
    pub recording: PathBuf,
    /// Not needed: correlation with sines has nothing to train.
    #[arg(long, value_name = "FILE", hide = true)]
    pub train: Option<PathBuf>,
    /// Markers of the classes and the frequencies of their flickers [default: known from the recording].
    #[arg(long, value_name = "MARKER=HZ,...", value_delimiter = ',', value_parser = class)]
    pub classes: Vec<(String, f64)>,
    /// How long after a class's marker the look-back begins.
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(i64).range(0..=60_000))]
    pub start_ms: Option<i64>,
    /// How much of each trial is looked at.
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(i64).range(1..=60_000))]
    pub look_back_ms: Option<i64>,
    /// Harmonics of each flicker, itself among them.
    #[arg(long, value_name = "N")]
    pub harmonics: Option<usize>,
    /// Channels to look at [default: known from the recording, else all EEG channels].
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    pub channels: Vec<String>,
    /// Pass band in Hz.
    #[arg(long, value_name = "LO-HI", default_value = "5-45", value_parser = range)]
    pub bandpass: Range<f64>,
    /// Samples in a packet [default: about 10 ms].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub packet: Option<u32>,
    /// Worker threads.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub workers: u16,
    /// Print accuracy against look-back too.
    #[arg(long)]
    pub curve: bool,
    /// Write a report with spectra, the result and all settings: one HTML page.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// End with one line of JSON on stdout.
    #[arg(long)]
    pub json: bool,
}

/// Everything that the result depends on.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Marker and frequency.
    pub classes: Vec<(String, f64)>,
    pub start_ms: i64,
    pub look_back_ms: i64,
    pub harmonics: usize,
    /// All EEG channels if empty.
    pub channels: Vec<String>,
    pub bandpass: Range<f64>,
}

impl Settings {
    /// What was said, else what the recording is known by: the exoskeleton data set by its codes, a Muse by its electrodes.
    pub fn of(options: &Options, recording: &Recording) -> Self {
        let marked = |code: &str| recording.markers().iter().any(|marker| marker.label == code);
        let mut channels = recording.streams().iter().flat_map(|stream| stream.channels.iter());
        let list = |known: &[(&str, f64)]| known.iter().map(|(code, hz)| ((*code).to_owned(), *hz)).collect();
        let (classes, start, look_back, harmonics, names): (_, _, _, _, &[&str]) = if marked("33025") {
            // The cue is half a second ahead of the flicker; the response needs another half to build up.
            (list(&[("33025", 13.0), ("33026", 21.0), ("33027", 17.0)]), 1_000, 4_000, 2, &[])
        } else if channels.any(|channel| channel.name() == "Right AUX") {
            (list(&[("1", 30.0), ("2", 20.0)]), 250, 1_000, 1, &["Right AUX"])
        } else {
            (Vec::new(), 500, 2_000, 2, &[])
        };
        let given = |names: &[String]| (!names.is_empty()).then(|| names.to_vec());
        Self {
            classes: if options.classes.is_empty() { classes } else { options.classes.clone() },
            start_ms: options.start_ms.unwrap_or(start),
            look_back_ms: options.look_back_ms.unwrap_or(look_back),
            harmonics: options.harmonics.unwrap_or(harmonics),
            channels: given(&options.channels)
                .unwrap_or_else(|| names.iter().map(|name| (*name).to_owned()).collect()),
            bandpass: options.bandpass.clone(),
        }
    }
}

fn class(text: &str) -> Result<(String, f64), String> {
    let parsed = text.split_once('=').and_then(|(code, hz)| Some((code.to_owned(), hz.parse().ok()?)));
    parsed.ok_or_else(|| format!("expected a marker and a frequency in Hz, such as 33025=13, found {text}"))
}
