//! The pipeline that trains and decodes: the same one up to the samples of a trial.

use std::error::Error;
use std::path::PathBuf;

use neuraflow::dataflow::{Complete, Flow};
use neuraflow::prelude::*;
use neuraflow::sinks::report::HtmlReport;

use super::folds::Plan;
use super::gathered::{Gathered, keys};
use super::options::Options;
use super::shared::none_found;
use super::trial::{Place, place};

/// Trials in flight between the pipeline and whoever collects them.
pub const CAPACITY: usize = 4_096;

/// Recordings side by side, filter, epochs around the markers, their samples.
pub fn trials(
    options: &Options,
    files: &[PathBuf],
    page: Option<&HtmlReport>,
) -> Result<Flow<Features, Complete>, Box<dyn Error>> {
    let open = |file: &PathBuf| -> Result<Replay, Box<dyn Error>> {
        Ok(Replay::open(file)?.speed(options.speed).packet(options.packet as usize))
    };
    let (first, others) = files.split_first().ok_or("expected a recording")?;
    let mut signal = Pipeline::from(open(first)?);
    for file in others {
        signal = signal.merge(open(file)?);
    }
    let epochs = EpochConfig::new(Span::millis(options.before_ms), Span::millis(options.after_ms))
        .with_labels(options.classes.iter().map(|(label, _)| label));
    let (band, channels, baseline) = (options.bandpass.clone(), options.channels.clone(), options.before_ms);
    if let Some(page) = page {
        let spectrum = || Spectrum::new().over_millis(2_000).segment_millis(1_000).up_to_hz(45.0);
        signal = signal
            .markers(page.markers())
            .branch(|raw| raw.window(Tumbling::millis(50)).feature(spectrum).sink(page.spectrum()));
    }
    Ok(signal
        .stage(move || Montage::of(channels.clone()))
        .stage(move || Butterworth::bandpass(4, band.clone()))
        .epochs(epochs)
        .feature(
            move || if baseline > 0 { Samples::new().baseline_millis(baseline) } else { Samples::new() },
        ))
}

/// What a run decided about each trial, and what it and its latency were like.
pub struct Decoded {
    pub decisions: Vec<(Place, Decision<String>)>,
    /// What was decided about, if there is to be a page.
    pub trials: Gathered,
    pub report: Report,
    pub contract: Latency,
}

/// Decodes recordings as they come in, each trial by the decoder that was not fitted to it.
pub fn decode(
    options: &Options,
    plan: &Plan,
    files: &[PathBuf],
    page: Option<&HtmlReport>,
) -> Result<Decoded, Box<dyn Error>> {
    let keys = keys(files)?;
    let first = files.first().ok_or("expected a recording")?;
    let mut flow = trials(options, files, page)?;
    let (sink, samples) = bounded(CAPACITY, Overflow::Block);
    if page.is_some() {
        flow = flow.branch(|trials| trials.sink(sink.named("trials")));
    } else {
        drop(sink);
    }
    let (last, others) = plan.models().split_last().ok_or("expected a decoder")?;
    let mut outputs = Vec::new();
    let named = |fold: usize| format!("decisions of fold {}", fold + 1);
    for (fold, model) in others.iter().enumerate() {
        let (sink, decisions) = bounded(CAPACITY, Overflow::Block);
        let sink = sink.named(named(fold));
        let decoder = model.clone();
        flow = flow.branch(|trials| trials.decode(move || decoder.decoder()).sink(sink));
        outputs.push(decisions);
    }
    let (sink, decisions) = bounded(CAPACITY, Overflow::Block);
    let decoder = last.clone();
    let sink = sink.named(named(others.len()));
    let pipeline = flow.decode(move || decoder.decoder()).sink(sink).build()?;
    outputs.push(decisions);
    let contract = pipeline.latencies().last().map(|path| path.latency).unwrap_or_default();
    let running = pipeline.spawn(Workers::new(usize::from(options.workers)))?;
    // Every output has a thread that empties it: one that is full would hold up the others.
    let (decisions, samples) = std::thread::scope(|scope| {
        let samples = scope.spawn(|| samples.iter().collect::<Vec<Features>>());
        let emptied: Vec<_> = outputs
            .iter()
            .map(|output| scope.spawn(|| output.iter().collect::<Vec<Decision<String>>>()))
            .collect();
        let decisions: Result<Vec<_>, _> = emptied.into_iter().map(|thread| thread.join()).collect();
        (decisions, samples.join())
    });
    let report = running.join()?;
    let failed = |_| "a thread that gathers decisions panicked";
    let (decisions, samples) = (decisions.map_err(failed)?, samples.map_err(failed)?);
    let mut chosen = Vec::new();
    for (fold, decisions) in decisions.into_iter().enumerate() {
        let of = |decision: &Decision<String>| {
            place(&decision.info, &keys).filter(|place| plan.fold(*place) == fold)
        };
        chosen.extend(decisions.into_iter().filter_map(|decision| Some((of(&decision)?, decision))));
    }
    if chosen.is_empty() {
        return Err(none_found(&options.classes, first));
    }
    chosen.sort_by_key(|(place, _)| *place);
    Ok(Decoded { decisions: chosen, trials: Gathered::new(samples, &keys), report, contract })
}
