//! The main job: a recording or a synthetic headset in, exact windows of features out, and a report that adds up.
//!
//! `options.rs` is the command line, `results.rs` gathers what comes out, `summary.rs` writes it up.

mod options;
mod results;
mod summary;

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use neuraflow::prelude::*;
use neuraflow::sinks::local::Csv;

use options::{Line, Options, Reference};
use results::Results;

fn main() -> ExitCode {
    match live(&Options::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!(
                "live: the accounting does not add up; this is a bug, please report it with the line above"
            );
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("live: {error}");
            ExitCode::FAILURE
        }
    }
}

fn live(options: &Options) -> Result<bool, Box<dyn Error>> {
    let pipeline = graph(options)?;
    let (source, results) = (pipeline.0, pipeline.1);
    let contract =
        source.latencies().iter().find(|path| &*path.sink == results::BAND_POWER).map(|path| path.latency);

    // The pipeline runs on threads of its own; this one only watches. Ctrl-C drains instead of killing.
    let running = source.spawn(Workers::new(options.workers.into()))?;
    let stopper = running.stopper();
    ctrlc::set_handler(move || stopper.stop())?;
    let bar =
        ProgressBar::new_spinner().with_style(ProgressStyle::with_template("{spinner} {elapsed} {msg}")?);
    while !running.is_finished() {
        let progress = running.progress();
        bar.set_message(format!(
            "{} samples, {} windows; {}",
            progress.samples_in,
            progress.windows,
            results.glance()
        ));
        std::thread::sleep(Duration::from_millis(20));
    }
    bar.finish_and_clear();
    let summary = results.summary(&running.join()?, contract.unwrap_or_default(), bar.elapsed());
    println!("{}", if options.json { summary.to_json() } else { summary.to_text() });
    Ok(summary.adds_up)
}

/// The graph of DESIGN: raw signal → flags and quality; then filter, reference, windows, band power.
fn graph(options: &Options) -> Result<(Pipeline, Results), Box<dyn Error>> {
    let hop = Tumbling::millis(options.window_ms);
    let results = Results::default();
    let csv = |name| options.out.as_ref().map(|dir| Csv::<Features>::create(dir.join(name))).transpose();
    let flow = Pipeline::from(source(options)?).markers(results.markers());

    // Artifacts and quality look at the raw signal: a flat or railed electrode is no longer seen once filtered.
    let (flags_csv, quality_csv, power_csv) = (csv("flags")?, csv("quality")?, csv("band_power")?);
    let flow = flow.branch(|raw| {
        let windows = raw.window(hop).branch(|windows| {
            let quality = windows.feature(SignalQuality::new);
            let quality = match quality_csv {
                Some(csv) => quality.branch(|q| q.sink(csv)),
                None => quality,
            };
            quality.sink(results.quality())
        });
        let flags = windows.feature(ArtifactFlags::new);
        let flags = match flags_csv {
            Some(csv) => flags.branch(|f| f.sink(csv)),
            None => flags,
        };
        flags.sink(results.flags())
    });

    let band = options.bandpass.clone();
    let flow = flow.stage(move || Butterworth::bandpass(4, band.clone()));
    let flow = match options.notch {
        Line::Off => flow,
        Line::Hz50 => flow.stage(|| Notch::new(50.0, 30.0)),
        Line::Hz60 => flow.stage(|| Notch::new(60.0, 30.0)),
    };
    let flow = match options.reference {
        Reference::None => flow,
        Reference::Average => flow.stage(CommonAverage::new),
    };
    let bands = options.bands.clone();
    let power = flow.window(hop).feature(move || BandPower::bands(bands.clone()).over_millis(1_000));
    let power = match power_csv {
        Some(csv) => power.branch(|p| p.sink(csv)),
        None => power,
    };
    Ok((power.sink(results.band_power()).build()?, results))
}

fn source(options: &Options) -> Result<Box<dyn Source>, Box<dyn Error>> {
    let until = options.seconds.and_then(Span::from_secs_f64);
    let fast = options.recording.is_some() || until.is_some();
    let speed = options.speed.unwrap_or(if fast { Speed::Max } else { Speed::RealTime });
    if let Some(path) = &options.recording {
        let mut replay = Replay::open(path)?.speed(speed);
        for warning in replay.warnings() {
            eprintln!("live: {}: {warning}", path.display());
        }
        if let Some(samples) = options.packet {
            replay = replay.packet(samples as usize);
        }
        return Ok(Box::new(if let Some(span) = until { replay.until(span) } else { replay }));
    }
    let headset = &options.synthetic;
    let rate = SamplingRate::from_hz(headset.rate)?;
    let mut synthetic =
        Synthetic::new(headset.channels, rate).streams(headset.streams).seed(options.seed).speed(speed);
    synthetic = synthetic.faults(options.faults.parse()?);
    if let Some(samples) = options.packet {
        synthetic = synthetic.packet(samples as usize);
    }
    Ok(Box::new(if let Some(span) = until { synthetic.until(span) } else { synthetic }))
}
