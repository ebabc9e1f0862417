//! The pipeline that trains and decodes: the same one up to the covariance of a trial.

use std::error::Error;
use std::path::Path;

use neuraflow::dataflow::{Complete, Flow};
use neuraflow::ops::decode::{Csp, FilterBankCsp, Mdm, Model, TangentLogistic, Trials};
use neuraflow::ops::kernel::linalg::Estimator;
use neuraflow::prelude::*;
use neuraflow::sinks::report::HtmlReport;

use super::options::{Method, Options};
use super::shared::{complain, none_found};

/// Trials in flight between the pipeline and whoever collects them.
const CAPACITY: usize = 64;

/// How trials' covariances are estimated: spatial filters need no shrinkage, distances do.
pub fn estimator(options: &Options, model: Option<&Model>) -> Estimator {
    let csp = model.map_or(options.decoder == Method::Csp, |model| model.csp().is_some());
    if csp || in_bands(options, model) { Estimator::Sample } else { Estimator::Oas }
}

/// Whether there is a filter bank in the place of the filter.
fn in_bands(options: &Options, model: Option<&Model>) -> bool {
    model.map_or(options.decoder == Method::FilterBank, |model| model.filter_bank().is_some())
}

/// Filter, epochs around the markers, covariances.
fn trials(
    source: Replay,
    options: &Options,
    model: Option<&Model>,
    page: Option<&HtmlReport>,
) -> Flow<Features, Complete> {
    let seconds = |seconds: f64| Span::nanos((seconds * 1e9).round() as i64);
    // From half a second after a marker: minus half a second before it.
    let epochs = EpochConfig::new(seconds(-options.epoch.start), seconds(options.epoch.end))
        .with_labels(options.classes.iter().map(|(label, _)| label));
    let band = options.bandpass.clone();
    let mut signal = Pipeline::from(source);
    if let Some(page) = page {
        let spectrum = || Spectrum::new().over_millis(2_000).segment_millis(1_000).up_to_hz(45.0);
        signal = signal
            .markers(page.markers())
            .branch(|raw| raw.window(Tumbling::millis(50)).feature(spectrum).sink(page.spectrum()));
    }
    let (estimator, bands) = (estimator(options, model), options.bands.clone());
    if in_bands(options, model) {
        return signal
            .stage(move || FilterBank::new(4, bands.clone()))
            .epochs(epochs)
            .feature(move || Covariance::new(estimator).by_band());
    }
    signal
        .stage(move || Butterworth::bandpass(4, band.clone()))
        .epochs(epochs)
        .feature(move || Covariance::new(estimator))
}

/// Opens a recording, and says what was wrong with it.
fn open(file: &Path) -> Result<Replay, Box<dyn Error>> {
    let replay = Replay::open(file)?;
    replay.warnings().iter().for_each(|warning| complain(format!("{}: {warning}", file.display())));
    Ok(replay)
}

/// Fits the decoder to the training recording.
pub fn fit(options: &Options) -> Result<Model, Box<dyn Error>> {
    let file = options.train.as_ref().ok_or("expected a recording to train with")?;
    let (sink, covariances) = bounded(CAPACITY, Overflow::Block);
    let pipeline = trials(open(file)?, options, None, None).sink(sink).build()?;
    let running = pipeline.spawn(Workers::new(1))?;
    let covariances: Vec<Features> = covariances.iter().collect();
    running.join()?;
    if covariances.is_empty() {
        return Err(none_found(&options.classes, file));
    }
    let trials = Trials::of(&covariances, options.classes.iter().cloned())?.band(options.bandpass.clone());
    Ok(match options.decoder {
        Method::Csp => Csp::new(options.filters).fit(&trials)?,
        Method::Mdm => Mdm::new().fit(&trials)?,
        Method::Tangent => TangentLogistic::new().fit(&trials)?,
        Method::FilterBank => FilterBankCsp::new(options.filters).fit(&trials)?,
    })
}

/// What a run decided, and what it and its latency were like.
pub struct Decoded {
    pub decisions: Vec<Decision<String>>,
    pub report: Report,
    pub contract: Latency,
}

/// Decodes the test recording as it comes in.
pub fn decode(
    options: &Options,
    model: &Model,
    page: Option<&HtmlReport>,
) -> Result<Decoded, Box<dyn Error>> {
    let source = open(&options.test)?.speed(options.speed).packet(options.packet as usize);
    let (sink, decisions) = bounded(CAPACITY, Overflow::Block);
    let decoder = model.clone();
    let pipeline = trials(source, options, Some(model), page)
        .decode(move || decoder.decoder())
        .sink(sink.named("decisions"))
        .build()?;
    let contract = pipeline.latencies().last().map(|path| path.latency).unwrap_or_default();
    let running = pipeline.spawn(Workers::new(usize::from(options.workers)))?;
    let decisions: Vec<_> = decisions.iter().collect();
    let report = running.join()?;
    if decisions.is_empty() {
        return Err(none_found(&options.classes, &options.test));
    }
    Ok(Decoded { decisions, report, contract })
}
