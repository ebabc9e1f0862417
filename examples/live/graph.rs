//! The graph of `live`: raw signal → flags and quality; then filter, notch, reference, windows, band power.

use std::error::Error;

use neuraflow::dataflow::Flow;
use neuraflow::model::ChannelKind;
use neuraflow::prelude::*;
use neuraflow::sinks::feedback::Session;
use neuraflow::sinks::local::Csv;
use neuraflow::sinks::report::HtmlReport;

use super::options::{Line, Options, Reference};
use super::results::Results;
use super::shared::complain;

/// Builds it. `report` gathers for the HTML report and `page` for the live page, where they were asked for.
pub fn graph(
    options: &Options,
    report: Option<&HtmlReport>,
    page: Option<&Session>,
) -> Result<(Pipeline, Results), Box<dyn Error>> {
    let hop = Tumbling::millis(options.window_ms);
    let results = Results::default();
    let csv = |name| options.out.as_ref().map(|dir| Csv::<Features>::create(dir.join(name))).transpose();
    let source = source(options)?;
    let eeg = |stream: &StreamHeader| stream.channels.iter().filter(|c| c.kind() == ChannelKind::Eeg).count();
    let several = source.streams().iter().any(|stream| eeg(stream) > 1);
    let reference = options.reference.unwrap_or(if several { Reference::Average } else { Reference::None });
    let flow = Pipeline::from(source).set_aside_unfit().markers(results.markers());
    let flow = if let Some(report) = report { flow.markers(report.markers()) } else { flow };
    let flow = if let Some(page) = page { flow.markers(page.markers()) } else { flow };

    // Artifacts and quality look at the raw signal: a flat or railed electrode is no longer seen once filtered.
    let (flags_csv, quality_csv, power_csv) = (csv("flags")?, csv("quality")?, csv("band_power")?);
    let flow = flow.branch(|raw| {
        let windows = raw.window(hop);
        let windows =
            if let Some(page) = page { windows.branch(|w| w.sink(page.signal("raw", 4))) } else { windows };
        let windows = windows.branch(|windows| {
            let quality = also(windows.feature(SignalQuality::new), quality_csv);
            let quality = also(quality, page.map(|page| page.quality("quality")));
            also(quality, report.map(HtmlReport::quality)).sink(results.quality())
        });
        let flags = also(windows.feature(ArtifactFlags::new), flags_csv);
        let flags = also(flags, page.map(|page| page.quality("flags")));
        also(flags, report.map(HtmlReport::flags)).sink(results.flags())
    });

    let band = options.bandpass.clone();
    let flow = flow.stage(move || Butterworth::bandpass(4, band.clone()));
    let flow = match options.notch {
        Line::Off => flow,
        Line::Hz50 => flow.stage(|| Notch::new(50.0, 30.0)),
        Line::Hz60 => flow.stage(|| Notch::new(60.0, 30.0)),
    };
    let flow = match reference {
        Reference::None => flow,
        Reference::Average => flow.stage(CommonAverage::new),
    };
    let windows = flow.window(hop);
    let windows = match report {
        Some(report) => {
            windows.branch(|w| w.feature(|| Spectrum::new().up_to_hz(60.0)).sink(report.spectrum()))
        }
        None => windows,
    };
    let windows =
        if let Some(page) = page { windows.branch(|w| w.sink(page.signal("filtered", 4))) } else { windows };
    let bands = options.bands.clone();
    let power = windows.feature(move || BandPower::bands(bands.clone()).over_millis(1_000));
    let power = also(also(power, power_csv), report.map(HtmlReport::band_power));
    // The page is to be looked at: a recording at full speed may be shown late, and all of it.
    let power = also(power, page.map(|page| page.features("band power").max_age(None)));
    let pipeline = power.sink(results.band_power()).build()?;
    for reason in pipeline.set_aside() {
        complain(format!("a stream is set aside: {reason}"));
    }
    Ok((pipeline, results))
}

/// The same flow, with a second sink at this point if there is one.
fn also<R: 'static>(flow: Flow<Features, R>, sink: Option<impl Sink<Item = Features>>) -> Flow<Features, R> {
    match sink {
        Some(sink) => flow.branch(|here| here.sink(sink)),
        None => flow,
    }
}

fn source(options: &Options) -> Result<Box<dyn Source>, Box<dyn Error>> {
    let until = options.seconds.and_then(Span::from_secs_f64);
    let fast = options.recording.is_some() || until.is_some();
    let speed = options.speed.unwrap_or(if fast { Speed::Max } else { Speed::RealTime });
    if let Some(path) = &options.recording {
        let mut replay = Replay::open(path)?.speed(speed);
        for warning in replay.warnings() {
            complain(format!("{}: {warning}", path.display()));
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
