//! What `motor_imagery` can be told on its command line.

use std::ops::Range;
use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use neuraflow::prelude::Speed;

use super::shared::{class, range};

/// Fits a decoder of motor imagery to one recording, and decodes another as a live stream.
#[derive(Parser)]
#[command(
    version,
    override_usage = "cargo run --release --example motor_imagery -- --train FILE --test FILE [OPTIONS]"
)]
pub struct Options {
    /// Recording to fit the decoder to.
    #[arg(long, value_name = "FILE", required_unless_present = "model")]
    pub train: Option<PathBuf>,
    /// Recording to decode.
    #[arg(long, value_name = "FILE")]
    pub test: PathBuf,
    /// Spatial filters, distance to mean, tangent space, or spatial filters in several bands.
    #[arg(long, value_enum, default_value_t = Method::Csp)]
    pub decoder: Method,
    /// Markers to cut trials at, and the names of what is imagined after them.
    #[arg(long, value_name = "LABEL=NAME,...", value_delimiter = ',', value_parser = class, default_value = "T1=T1,T2=T2")]
    pub classes: Vec<(String, String)>,
    /// Pass band in Hz: a causal Butterworth filter of order 4.
    #[arg(long, value_name = "LO-HI", default_value = "8-30", value_parser = range)]
    pub bandpass: Range<f64>,
    /// Pass bands in Hz of the filter bank, which takes the place of the pass band.
    #[arg(long, value_name = "LO-HI,...", value_delimiter = ',', value_parser = range, default_value = "4-8,8-12,12-16,16-20,20-24,24-28,28-32,32-36,36-40")]
    pub bands: Vec<Range<f64>>,
    /// Where a trial begins and ends, in seconds after its marker.
    #[arg(long, value_name = "LO-HI", default_value = "0.5-3.5", value_parser = range)]
    pub epoch: Range<f64>,
    /// Spatial filters of CSP, in a filter bank of every band.
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub filters: usize,
    /// Keep the fitted model there.
    #[arg(long, value_name = "FILE", conflicts_with = "model")]
    pub save: Option<PathBuf>,
    /// Decode with this model.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["train", "decoder", "filters"])]
    pub model: Option<PathBuf>,
    /// How fast the test recording comes in: real, max, x2, x20 ...
    #[arg(long, value_name = "SPEED", default_value = "max")]
    pub speed: Speed,
    /// Samples in a packet.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub packet: u32,
    /// Worker threads.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub workers: u16,
    /// Write a report there, with patterns on a head, spectra and all settings: one HTML page.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// End with one line of JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Method {
    Csp,
    Mdm,
    Tangent,
    FilterBank,
}
