//! The pipeline that trains and decodes: the same one up to the spikes of a window.

use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

use neuraflow::dataflow::{Complete, Flow};
use neuraflow::model::WindowInfo;
use neuraflow::ops::decode::{Kalman, PoissonBayes, Trajectory, TrajectoryModel, Wiener};
use neuraflow::prelude::*;

use super::options::{Kind, Options, POSITION, SPIKES, file};
use super::shared::complain;
use super::track::{Frames, Line};

/// Windows in flight between the pipeline and whoever collects them.
const CAPACITY: usize = 256;

/// What was fitted, and to what.
pub struct Fitted {
    pub model: TrajectoryModel,
    pub line: Line,
    /// The last window that trained.
    pub last: i64,
    /// Windows that trained, and units.
    pub windows: usize,
    pub median: f64,
}

/// Counts the spikes of each unit in windows.
fn counts(recording: &Path, options: &Options) -> Result<Flow<Features, Complete>, Box<dyn Error>> {
    let spikes = Replay::open(file(recording, SPIKES))?.packet(options.packet as usize).speed(options.speed);
    for warning in spikes.warnings() {
        complain(format!("{}: {warning}", recording.display()));
    }
    Ok(Pipeline::from(spikes).window(Tumbling::millis(options.hop_ms)).feature(SpikeCounts::new))
}

/// The middle of a window in seconds.
pub fn middle(info: &WindowInfo) -> f64 {
    (info.start.as_secs_f64() + info.end.as_secs_f64()) / 2.0
}

/// Fits the decoder to the running in the recording that trains, or to the first half of it.
pub fn fit(options: &Options) -> Result<Fitted, Box<dyn Error>> {
    let frames = Frames::read(&file(&options.train, POSITION))?;
    let (sink, features) = bounded(CAPACITY, Overflow::Block);
    let running = counts(&options.train, options)?.sink(sink).build()?.spawn(Workers::new(1))?;
    let features: Vec<Features> = features.iter().collect();
    running.join()?;
    let runs =
        |info: &WindowInfo| frames.speed(middle(info)).is_some_and(|speed| speed > options.speed_above);
    let all: Vec<&WindowInfo> =
        features.iter().map(|window| &window.info).filter(|info| runs(info)).collect();
    let trains = if options.halves() { &all[..all.len() / 2] } else { &all[..] };
    let Some(last) = trains.last().map(|info| info.index) else {
        let above = options.speed_above;
        return Err(format!("expected running faster than {above} px/s to train with, found none").into());
    };
    let places: Vec<[f64; 2]> = trains.iter().filter_map(|info| frames.at(middle(info))).collect();
    let line = Line::through(&places)?;
    // Movement is what a Kalman filter knows of it.
    let moves = options.decoder == Kind::Kalman;
    let known = |info: &WindowInfo| {
        let trains = info.index <= last && runs(info);
        let velocity = || frames.velocity(middle(info)).map(|velocity| line.along(velocity));
        let place = trains.then(|| frames.at(middle(info))).flatten()?;
        let position = line.place(place);
        Some(if moves { vec![position, velocity()?] } else { vec![position] })
    };
    let names = if moves { &["position", "velocity"][..] } else { &["position"] };
    let trajectory = Trajectory::of(&features, names.iter().copied(), known)?;
    let model = match options.decoder {
        Kind::Bayes => PoissonBayes::new()
            .bins(options.bins)
            .smoothing(options.smoothing)
            .floor(options.floor)
            .over_millis(options.look_back())
            .fit(&trajectory)?,
        Kind::Wiener => Wiener::new(windows(options)?).ridge(options.ridge).fit(&trajectory)?,
        Kind::Kalman => Kalman::new().fit(&trajectory)?,
    };
    let mut along: Vec<f64> = places.iter().map(|place| line.place(*place)).collect();
    along.sort_by(f64::total_cmp);
    let median = along.get(along.len() / 2).copied().unwrap_or(0.0);
    Ok(Fitted { model, line, last, windows: trajectory.known(), median })
}

/// Windows of the look-back.
fn windows(options: &Options) -> Result<usize, Box<dyn Error>> {
    match (options.look_back() / options.hop_ms, options.look_back() % options.hop_ms) {
        (windows, 0) => Ok(usize::try_from(windows)?),
        _ => Err(format!("--look-back-ms: expected a multiple of the window, {} ms", options.hop_ms).into()),
    }
}

/// What a run decided, and what it and its latency were like.
pub struct Decoded {
    pub decisions: Vec<Decision<Vec<f64>>>,
    pub report: Report,
    pub contract: Latency,
    pub elapsed: Duration,
}

/// Decodes the recording as it comes in.
pub fn decode(options: &Options, fitted: &Fitted) -> Result<Decoded, Box<dyn Error>> {
    let (sink, decisions) = bounded(CAPACITY, Overflow::Block);
    let model = fitted.model.clone();
    let pipeline = counts(options.tested(), options)?
        .decode(move || model.decoder())
        .sink(sink.named("decisions"))
        .build()?;
    let contract = pipeline.latencies().last().map(|path| path.latency).unwrap_or_default();
    let began = Instant::now();
    let running = pipeline.spawn(Workers::new(usize::from(options.workers)))?;
    let decisions = decisions.iter().collect();
    Ok(Decoded { decisions, report: running.join()?, contract, elapsed: began.elapsed() })
}
