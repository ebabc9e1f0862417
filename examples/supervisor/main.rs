//! A program that outlives its own bugs. A panic is survived in the process: the pipeline goes on from its newest checkpoint. A
//! worker that hangs is not: a thread cannot be killed. So the program runs as two processes: the child runs the pipeline, and
//! leaves when its watchdog reports a hung worker; the parent starts it again, which goes on from the newest checkpoint too.
//!
//! Run it with `cargo run --release --example supervisor -- --folder results --hang-at 3 --panic-at 5`: the pipeline hangs once, panics
//! once, and `results/rms/*.csv` has every window, once.

mod mishap;
#[path = "../shared/program.rs"]
mod program;

use std::env;
use std::error::Error;
use std::path::PathBuf;
use std::process::{Command, ExitCode, exit};
use std::thread;
use std::time::Duration;

use clap::Parser;
use neuraflow::checkpoint::Config;
use neuraflow::dataflow::{Checkpointing, PipelineError, Restarts};
use neuraflow::prelude::*;
use neuraflow::sinks::local::Csv;

use mishap::{Kind, Mishap};

/// How the child says that a worker hangs.
const HUNG: u8 = 70;
/// How often the parent starts a child again.
const LIMIT: u32 = 5;

/// Root mean squares of a synthetic headset, to CSV files that survive operators that panic and hang.
#[derive(Parser)]
#[command(version, override_usage = "cargo run --release --example supervisor -- --folder FOLDER [OPTIONS]")]
struct Options {
    /// Where checkpoints and results are kept.
    #[arg(long, value_name = "FOLDER")]
    folder: PathBuf,
    /// Seconds of event time until the input ends.
    #[arg(long, value_name = "S", default_value_t = 10.0)]
    seconds: f64,
    /// real, max, x2, x20 ...
    #[arg(long, value_name = "SPEED", default_value = "real")]
    speed: Speed,
    /// An operator hangs once, so many seconds into the signal.
    #[arg(long, value_name = "S")]
    hang_at: Option<f64>,
    /// An operator panics once, so many seconds into the signal.
    #[arg(long, value_name = "S")]
    panic_at: Option<f64>,
    /// How long a worker may be at one thing before it counts as hung.
    #[arg(long, value_name = "MS", default_value_t = 1_000)]
    watchdog_ms: u64,
    /// Runs the pipeline in this process: what the parent starts.
    #[arg(long, hide = true)]
    child: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let outcome = if options.child { child(&options) } else { parent() };
    outcome.unwrap_or_else(|error| program::end(Err(error)))
}

/// Starts this program as its own child until that has come to an end.
fn parent() -> Result<ExitCode, Box<dyn Error>> {
    let (this, mut restarts, mut wait) = (env::current_exe()?, 0, Duration::from_millis(100));
    loop {
        let status = Command::new(&this).args(env::args_os().skip(1)).arg("--child").status()?;
        if status.success() {
            return Ok(ExitCode::SUCCESS);
        }
        if restarts == LIMIT {
            return Err(format!("{status}; that was once too often").into());
        }
        eprintln!("supervisor: {status}; a new process goes on in {} ms", wait.as_millis());
        thread::sleep(wait);
        (restarts, wait) = (restarts + 1, wait * 2);
    }
}

/// Runs the pipeline, under supervision against panics. Where a worker hangs, the process ends without waiting for it.
fn child(options: &Options) -> Result<ExitCode, Box<dyn Error>> {
    let headset = Synthetic::new(8, SamplingRate::hz(250)?).seed(1).seconds(options.seconds);
    let rms = Csv::create(options.folder.join("rms"))?;
    let every = Config::every(Duration::from_millis(500))?;
    let checkpoints = Checkpointing::in_folder(options.folder.join("checkpoints"))?.with_config(every);
    let hangs = Mishap::new(options.hang_at, &options.folder.join("has-hung"), Kind::Hang);
    let panics = Mishap::new(options.panic_at, &options.folder.join("has-panicked"), Kind::Panic);

    let pipeline = Pipeline::from(headset.speed(options.speed))
        .stage(move || hangs.clone())
        .stage(move || panics.clone())
        .stage(|| Butterworth::bandpass(4, 1.0..40.0))
        .window(Tumbling::millis(50))
        .feature(Rms::new)
        .sink(rms)
        .build()?
        .checkpoints(checkpoints)?
        .watchdog(Duration::from_millis(options.watchdog_ms));

    let supervised = pipeline.supervise(Workers::new(1), Restarts::default())?;
    let watch = supervised.watch();
    let (report, result) = supervised.outcome();
    match result {
        Ok(()) => {
            let from = report.checkpoints.restored;
            let since = from.map_or("the beginning".into(), |number| format!("checkpoint {number}"));
            let (windows, restarts) = (report.windows().total(), watch.health().restarts);
            println!("{windows} windows since {since}; restarts in this process: {restarts}");
            Ok(ExitCode::SUCCESS)
        }
        // No destructors: one of them might wait for the worker.
        Err(error @ PipelineError::WorkerHung { .. }) => {
            eprintln!("{error}");
            exit(i32::from(HUNG))
        }
        Err(error) => Err(error.into()),
    }
}
