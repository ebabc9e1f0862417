//! The graph of `ssvep`: band-pass, then a decision for each trial, and one every 50 ms.

use std::error::Error;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use neuraflow::model::stable_hash;
use neuraflow::prelude::*;
use neuraflow::sinks::report::HtmlReport;

use super::options::Settings;
use super::result::{Running, Trial};
use super::shared::Budget;

/// How often there is a decision when nobody says when a trial begins.
const HOP_MS: i64 = 50;
const RUNNING: &str = "running decisions";

/// Everything that came out.
pub struct Outcome {
    pub trials: Vec<Trial>,
    pub running: Running,
    pub budget: Budget,
    pub report: Report,
}

/// Decodes the recording as a stream. `page` gathers for the HTML report.
pub fn decode(
    recording: &Path,
    settings: &Settings,
    packet: Option<u32>,
    workers: u16,
    page: Option<&HtmlReport>,
) -> Result<Outcome, Box<dyn Error>> {
    let mut replay = Replay::open(recording)?.speed(Speed::Max);
    if let Some(samples) = packet {
        replay = replay.packet(samples as usize);
    }
    let decoder = decoder(settings);
    let (band, look_back) = (settings.bandpass.clone(), settings.look_back_ms);
    let (start, codes) = (settings.start_ms, settings.classes.iter().map(|(code, _)| code));
    let epochs = EpochConfig::new(Span::millis(-start), Span::millis(start + look_back)).with_labels(codes);
    let trials: Arc<Mutex<Vec<Trial>>> = Arc::default();
    let running: Arc<Mutex<Vec<u8>>> = Arc::default();
    let (all, every) = (Arc::clone(&trials), Arc::clone(&running));
    let classes = settings.classes.clone();

    let flow = Pipeline::from(replay);
    let flow = if let Some(page) = page { flow.markers(page.markers()) } else { flow };
    let flow = flow.stage(move || Butterworth::bandpass(4, band.clone()));
    let flow = flow.branch(|signal| {
        let decoder = decoder.clone();
        let keep = move |decision: &Decision<String>| {
            let trial = Trial::of(decision, &classes);
            all.lock().unwrap_or_else(PoisonError::into_inner).extend(trial);
        };
        signal.epochs(epochs).feature(move || decoder.clone()).sink(Callback::new(keep).named("trials"))
    });
    let windows = flow.window(Tumbling::millis(HOP_MS));
    let windows = match page {
        Some(page) => windows.branch(|w| {
            w.feature(|| Spectrum::new().over_millis(4_000).up_to_hz(60.0)).sink(page.spectrum())
        }),
        None => windows,
    };
    let pipeline = windows
        .feature(move || decoder.clone().over_millis(look_back))
        .sink(Callback::new(move |decision: &Decision<String>| note(&every, decision)).named(RUNNING))
        .build()?;

    let contract = pipeline.latencies().iter().find(|path| &*path.sink == RUNNING);
    let contract = contract.map(|path| path.latency).unwrap_or_default();
    let began = Instant::now();
    let (report, result) = pipeline.spawn(Workers::new(workers.into()))?.outcome();
    result?;
    let elapsed = began.elapsed();
    let trials = std::mem::take(&mut *trials.lock().unwrap_or_else(PoisonError::into_inner));
    let text = running.lock().unwrap_or_else(PoisonError::into_inner);
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let decided = lines.clone().filter(|line| line.ends_with(b" Hz")).count();
    // The run's time for each decision, everything included: at full speed windows are computed many at once, and the time that one
    // takes is not seen alone.
    let compute = 1e3 * elapsed.as_secs_f64() / lines.clone().count().max(1) as f64;
    let budget = Budget::new(HOP_MS as f64, contract, compute);
    let running = Running { windows: lines.count(), decided, digest: stable_hash(&text) };
    Ok(Outcome { trials, running, budget, report })
}

/// The decoder of these settings, for epochs; for windows it needs a look-back.
fn decoder(settings: &Settings) -> Cca {
    let classes = settings.classes.iter().map(|(_, hz)| (super::result::name(*hz), *hz));
    let decoder = Cca::new(classes).harmonics(settings.harmonics);
    if settings.channels.is_empty() { decoder } else { decoder.channels(settings.channels.clone()) }
}

/// Window and label, a line each: what must be the same however the recording comes in.
fn note(lines: &Mutex<Vec<u8>>, decision: &Decision<String>) {
    let label = match &decision.outcome {
        Ok((class, _)) => class.clone(),
        Err(reason) => format!("{reason:?}"),
    };
    let line = format!("{} {label}\n", decision.info.index);
    lines.lock().unwrap_or_else(PoisonError::into_inner).extend(line.bytes());
}
