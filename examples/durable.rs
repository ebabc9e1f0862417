//! A program that may be killed at any moment: started again with the same folder, it goes on where its newest checkpoint is,
//! and its files end up as if nothing had happened.
//!
//! Run it with `cargo run --release --example durable -- --folder results`, stop it with `kill -9`, start it again, and look
//! at `results/rms/*.csv`: every window is there, once. docs/concepts/guarantees.md says what that rests on.

#[path = "shared/program.rs"]
mod program;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use neuraflow::checkpoint::Config;
use neuraflow::dataflow::Checkpointing;
use neuraflow::prelude::*;
use neuraflow::sinks::local::Csv;

use program::end;

/// Root mean squares of synthetic headsets, to CSV files that survive `kill -9`.
#[derive(Parser)]
#[command(version, override_usage = "cargo run --release --example durable -- --folder FOLDER [OPTIONS]")]
struct Options {
    /// Where checkpoints and results are kept.
    #[arg(long, value_name = "FOLDER")]
    folder: PathBuf,
    /// Headsets.
    #[arg(long, value_name = "N", default_value_t = 8)]
    streams: usize,
    /// Channels of each.
    #[arg(long, value_name = "N", default_value_t = 32)]
    channels: usize,
    /// Sampling rate in Hz.
    #[arg(long, value_name = "HZ", default_value_t = 1_000)]
    rate: u64,
    /// Seed of the signal.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Seconds of event time until the input ends.
    #[arg(long, value_name = "S", default_value_t = 60.0)]
    seconds: f64,
    /// real, max, x2, x20 ...
    #[arg(long, value_name = "SPEED", default_value = "real")]
    speed: Speed,
    /// How far the second feature looks back; its state is 4 bytes for each sample and channel.
    #[arg(long, value_name = "MS", default_value_t = 25_000)]
    look_back_ms: i64,
    /// Time between two checkpoints.
    #[arg(long, value_name = "MS", default_value_t = 5_000)]
    checkpoint_ms: u64,
    /// Worker threads; may be others than before.
    #[arg(long, value_name = "N", default_value_t = 1)]
    workers: usize,
}

fn main() -> ExitCode {
    end(run())
}

fn run() -> Result<(), Box<dyn Error>> {
    let (started, options) = (Instant::now(), Options::parse());
    let source = Synthetic::new(options.channels, SamplingRate::hz(options.rate)?)
        .streams(options.streams)
        .seed(options.seed)
        .seconds(options.seconds)
        .speed(options.speed);
    let (short, long) =
        (Csv::create(options.folder.join("rms"))?, Csv::create(options.folder.join("rms-long"))?);
    let look_back = options.look_back_ms;
    let every = Config::every(Duration::from_millis(options.checkpoint_ms))?;
    let checkpoints = Checkpointing::in_folder(options.folder.join("checkpoints"))?.with_config(every);

    let pipeline = Pipeline::from(source)
        .stage(|| Butterworth::bandpass(4, 1.0..40.0))
        .window(Tumbling::millis(50))
        .branch(|windows| windows.feature(move || Rms::new().over_millis(look_back)).sink(long))
        .feature(Rms::new)
        .sink(short)
        .build()?
        .checkpoints(checkpoints)?;

    let running = pipeline.spawn(Workers::new(options.workers))?;
    while running.progress().windows == 0 && !running.is_finished() {
        thread::sleep(Duration::from_millis(1));
    }
    eprintln!("first window after {} ms", started.elapsed().as_millis());
    let report = running.join()?;
    let checkpoints = &report.checkpoints;
    println!(
        "{} windows since {}; {} checkpoints made",
        report.windows().total(),
        checkpoints.restored.map_or("the beginning".to_owned(), |number| format!("checkpoint {number}")),
        checkpoints.committed,
    );
    Ok(())
}
