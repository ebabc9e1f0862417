//! More than one process, in both ways, by a parent that starts two and starts again what dies.
//!
//! `--mode partitions`, the way to scale: each process has streams of its own, a folder and checkpoints of its own, and knows
//! nothing of the other. One that dies is started again and goes on from its checkpoint; the other does not notice.
//!
//! `--mode cluster`, for work that needs it: both run one pipeline together. When one dies the other fails as well, and both go on
//! from the checkpoint that process 0 keeps. Streams are computed where their key groups map to, wherever they come in.
//!
//! Run it with `cargo run --release --example processes -- --mode partitions --folder results`, end a process with
//! `kill -9`, and look at `results/process-*/rms/*.csv`. docs/concepts/scaling.md says when which is right.

mod parent;
#[path = "../shared/program.rs"]
mod program;
mod share;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use neuraflow::checkpoint::Config;
use neuraflow::dataflow::{Checkpointing, Cluster, Complete, Flow};
use neuraflow::prelude::*;
use neuraflow::sinks::local::Csv;

use program::end;

/// How many there are.
const PROCESSES: usize = 2;

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Mode {
    Partitions,
    Cluster,
}

/// Root mean squares of synthetic headsets, in two processes.
#[derive(Parser)]
#[command(
    version,
    override_usage = "cargo run --release --example processes -- --mode MODE --folder FOLDER [OPTIONS]"
)]
struct Options {
    /// Each process for itself, or both together.
    #[arg(long, value_enum)]
    mode: Mode,
    /// Where checkpoints and results are kept.
    #[arg(long, value_name = "FOLDER")]
    folder: PathBuf,
    /// Headsets.
    #[arg(long, value_name = "N", default_value_t = 12)]
    streams: usize,
    /// Seconds of event time until the input ends.
    #[arg(long, value_name = "S", default_value_t = 30.0)]
    seconds: f64,
    /// real, max, x2, x20 ...
    #[arg(long, value_name = "SPEED", default_value = "real")]
    speed: Speed,
    /// Which of the processes this is; the parent says it.
    #[arg(long, hide = true)]
    process: Option<usize>,
    /// Where the processes of a cluster find each other; the parent says it.
    #[arg(long, hide = true, value_delimiter = ',')]
    addresses: Vec<String>,
}

fn main() -> ExitCode {
    end(start())
}

fn start() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    match options.process {
        Some(process) => run(process, &options),
        None => parent::supervise(options.mode == Mode::Cluster),
    }
}

/// One of the processes.
fn run(process: usize, options: &Options) -> Result<(), Box<dyn Error>> {
    let folder = options.folder.join(format!("process-{process}"));
    let source = Synthetic::new(8, SamplingRate::hz(250)?)
        .streams(options.streams)
        .seconds(options.seconds)
        .speed(options.speed);
    let sink = Csv::create(folder.join("rms"))?; // each process writes files of its own
    let checkpoints = || -> Result<Checkpointing, Box<dyn Error>> {
        let every = Config::every(Duration::from_millis(500))?;
        Ok(Checkpointing::in_folder(folder.join("checkpoints"))?.with_config(every))
    };
    let report = match options.mode {
        Mode::Partitions => {
            let pipeline = graph(Pipeline::from(share::Share { source, process })).sink(sink).build()?;
            pipeline.checkpoints(checkpoints()?)?.run()?
        }
        Mode::Cluster => {
            // Each worker of each process is asked for its part of the source: nobody need share it out.
            let mut pipeline = graph(Pipeline::from(source)).sink(sink).build()?;
            if process == 0 {
                pipeline = pipeline.checkpoints(checkpoints()?)?; // those of both
            }
            pipeline.spawn_cluster(&Cluster::new(process, options.addresses.clone()))?.join()?
        }
    };
    let restored = report.checkpoints.restored;
    println!(
        "process {process}: {} windows of {} streams since {}",
        report.windows().total(),
        report.streams.len(),
        restored.map_or("the beginning".to_owned(), |number| format!("checkpoint {number}")),
    );
    Ok(())
}

fn graph(source: Flow<Chunk, Complete>) -> Flow<Features, Complete> {
    source.stage(|| Butterworth::bandpass(4, 1.0..40.0)).window(Tumbling::millis(50)).feature(Rms::new)
}
