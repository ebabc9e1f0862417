//! What `position` can be told on its command line.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::{Parser, ValueEnum};
use neuraflow::prelude::Speed;

/// Fits a decoder of position to spikes, and decodes as a live stream.
#[derive(Parser)]
#[command(version, override_usage = "cargo run --release --example position -- --train FOLDER [OPTIONS]")]
pub struct Options {
    /// Recording to fit the decoder to: a folder with spikes.npy and position.npy, or its spikes.npy.
    #[arg(long, value_name = "FOLDER")]
    pub train: PathBuf,
    /// Recording to decode [default: the second half of the running of the one to train with].
    #[arg(long, value_name = "FOLDER")]
    pub test: Option<PathBuf>,
    /// Decoder.
    #[arg(long, value_enum, default_value_t = Kind::Bayes)]
    pub decoder: Kind,
    /// Speed in pixels a second above which the rat is running; nothing else trains or tests.
    #[arg(long, value_name = "PX/S", default_value_t = 40.0)]
    pub speed_above: f64,
    /// How often there is a decision.
    #[arg(long, value_name = "MS", default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=10_000))]
    pub hop_ms: i64,
    /// How far back a decision looks; a Kalman filter remembers by itself [default: 250 for Bayes, 1000 for Wiener].
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(i64).range(1..=60_000))]
    pub look_back_ms: Option<i64>,
    /// Bins of the track, for the Bayesian decoder.
    #[arg(long, value_name = "N", default_value_t = 40)]
    pub bins: usize,
    /// Smoothing of rates over bins, for the Bayesian decoder.
    #[arg(long, value_name = "BINS", default_value_t = 1.5)]
    pub smoothing: f64,
    /// Least rate of a unit anywhere, in spikes a second, for the Bayesian decoder.
    #[arg(long, value_name = "RATE", default_value_t = 1e-4)]
    pub floor: f64,
    /// Ridge of the Wiener filter, in spikes².
    #[arg(long, value_name = "ALPHA", default_value_t = 100.0)]
    pub ridge: f64,
    /// Equal parts of the track that accuracy is counted over.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(2..=100))]
    pub parts: u16,
    /// Keep the fitted model there.
    #[arg(long, value_name = "FILE")]
    pub save: Option<PathBuf>,
    /// How fast the recording comes in: real, max, x2, x20 ...
    #[arg(long, value_name = "SPEED", default_value = "max")]
    pub speed: Speed,
    /// Samples of 1 ms in a packet.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub packet: u32,
    /// Worker threads.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub workers: u16,
    /// Write a report there, with the decoded path against the true one and all settings: one HTML page.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// End with one line of JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Likelihood of the spikes at each place, without memory.
    Bayes,
    /// Weighted sum of the last windows.
    Wiener,
    /// Movement, and the spikes that it would cause.
    Kalman,
}

impl Options {
    /// The recording to decode.
    pub fn tested(&self) -> &Path {
        self.test.as_ref().unwrap_or(&self.train)
    }

    /// Whether one recording both trains and tests.
    pub fn halves(&self) -> bool {
        self.test.as_ref().is_none_or(|test| file(test, SPIKES) == file(&self.train, SPIKES))
    }

    /// Every file that is read.
    pub fn files(&self) -> BTreeSet<PathBuf> {
        let recordings = [self.train.as_path(), self.tested()];
        recordings.iter().flat_map(|recording| [file(recording, SPIKES), file(recording, POSITION)]).collect()
    }

    pub fn look_back(&self) -> i64 {
        self.look_back_ms.unwrap_or(if self.decoder == Kind::Wiener { 1_000 } else { 250 })
    }
}

pub const SPIKES: &str = "spikes.npy";
pub const POSITION: &str = "position.npy";

/// A file of a recording that is told as its folder, or as its spikes.
pub fn file(recording: &Path, name: &str) -> PathBuf {
    match recording.extension() {
        Some(_) if name == SPIKES => recording.to_owned(),
        Some(_) => recording.with_file_name(name),
        None => recording.join(name),
    }
}
