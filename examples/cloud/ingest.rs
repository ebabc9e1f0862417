//! A recording, or headsets that are made up, into a topic.

use std::error::Error;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use neuraflow::prelude::*;
use neuraflow::sources::kafka::{IngestConfig, KafkaIngest};

use super::Topic;

#[derive(Args)]
pub struct Options {
    /// EDF, BDF, BrainVision, XDF, … Without it: synthetic headsets.
    recording: Option<PathBuf>,
    /// real, max, x2, x20 ...
    #[arg(long, value_name = "SPEED", default_value = "real")]
    speed: Speed,
    /// How many synthetic headsets, of 8 channels at 250 Hz.
    #[arg(long, value_name = "N", default_value_t = 1)]
    headsets: usize,
    /// For how long they are made up.
    #[arg(long, value_name = "S", default_value_t = 60.0)]
    seconds: f64,
    #[command(flatten)]
    topic: Topic,
}

pub fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let source: Box<dyn Source> = match &options.recording {
        Some(file) => Box::new(Replay::open(file)?.speed(options.speed)),
        None => Box::new(
            Synthetic::new(8, SamplingRate::hz(250)?)
                .streams(options.headsets)
                .seconds(options.seconds)
                .speed(options.speed),
        ),
    };
    let ingest = KafkaIngest::start(&options.topic.create()?, IngestConfig::default(), source)?;
    let (watch, bar) = (ingest.watch(), ProgressBar::new_spinner());
    bar.set_style(ProgressStyle::with_template("{spinner} {elapsed} {msg}")?);
    let shown = bar.clone();
    thread::spawn(move || {
        while !shown.is_finished() {
            let stats = watch.stats();
            let trouble = stats.trouble.map_or_else(String::new, |said| format!("; waiting: {said}"));
            shown.set_message(format!("{} samples, {} records{trouble}", stats.samples, stats.delivered));
            thread::sleep(Duration::from_millis(50));
        }
    });
    let done = ingest.join();
    bar.finish_and_clear();
    let stats = done?;
    println!("{} samples in {} records, {} bytes", stats.samples, stats.delivered, stats.bytes);
    Ok(())
}
