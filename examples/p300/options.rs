//! What `p300` can be told on its command line.

use std::ops::Range;
use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use neuraflow::prelude::Speed;

use super::shared::{class, range};

/// Fits a decoder of evoked responses, and decodes recordings as a live stream.
#[derive(Parser)]
#[command(version, override_usage = "cargo run --release --example p300 -- --test PATH... [OPTIONS]")]
pub struct Options {
    /// Recordings to decode, or directories of them.
    #[arg(long, value_name = "PATH", required = true, num_args = 1..)]
    pub test: Vec<PathBuf>,
    /// Recordings to fit the decoder to [default: those to decode, fold by fold].
    #[arg(long, value_name = "PATH", num_args = 1..)]
    pub train: Vec<PathBuf>,
    /// Folds of the trials: each is decoded by a decoder fitted to the others.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u8).range(2..))]
    pub folds: u8,
    /// Covariances in the tangent space, or a shrunk linear discriminant; both behind xDAWN filters.
    #[arg(long, value_enum, default_value_t = Method::Tangent)]
    pub decoder: Method,
    /// The markers of two classes and their names: what is frequent, then the target.
    #[arg(long, value_name = "LABEL=NAME,LABEL=NAME", value_delimiter = ',', value_parser = class, default_value = "1=other,2=target")]
    pub classes: Vec<(String, String)>,
    /// Channels to look at.
    #[arg(long, value_name = "NAME,...", value_delimiter = ',', default_value = "TP9,AF7,AF8,TP10")]
    pub channels: Vec<String>,
    /// Pass band in Hz: a causal Butterworth filter of order 4.
    #[arg(long, value_name = "LO-HI", default_value = "1-30", value_parser = range)]
    pub bandpass: Range<f64>,
    /// How long before its marker a trial begins; the mean of that is its baseline.
    #[arg(long, value_name = "MS", default_value_t = 100, value_parser = clap::value_parser!(i64).range(0..=10_000))]
    pub before_ms: i64,
    /// How long after its marker a trial ends.
    #[arg(long, value_name = "MS", default_value_t = 800, value_parser = clap::value_parser!(i64).range(1..=10_000))]
    pub after_ms: i64,
    /// Trials with a greater peak-to-peak amplitude in any channel are artifacts; 0 for no limit.
    #[arg(long, value_name = "µV", default_value_t = 150.0, value_parser = limit)]
    pub reject_uv: f64,
    /// xDAWN filters for each class.
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub filters: usize,
    /// Samples in a row of which the discriminant takes the mean.
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub means_of: usize,
    /// Keep a model fitted to all trials there.
    #[arg(long, value_name = "FILE", conflicts_with = "model")]
    pub save: Option<PathBuf>,
    /// Decode with this model.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["train", "decoder", "filters", "folds", "means_of", "reject_uv"])]
    pub model: Option<PathBuf>,
    /// How fast recordings come in: real, max, x2, x20 ...
    #[arg(long, value_name = "SPEED", default_value = "max")]
    pub speed: Speed,
    /// Samples in a packet.
    #[arg(long, value_name = "N", default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub packet: u32,
    /// Worker threads.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub workers: u16,
    /// Write a report there, with evoked responses, patterns on a head and all settings: one HTML page.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// End with one line of JSON.
    #[arg(long)]
    pub json: bool,
}

impl Options {
    /// The peak-to-peak amplitude in µV beyond which a trial is an artifact.
    pub fn limit(&self) -> Option<f64> {
        (self.reject_uv != 0.0).then_some(self.reject_uv)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Method {
    Tangent,
    Lda,
}

fn limit(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().map_err(|error| format!("{text}: {error}"))?;
    if number.is_finite() && number >= 0.0 {
        Ok(number)
    } else {
        Err("expected µV above 0, or 0 for no limit".into())
    }
}
