//! The report of a run as one HTML page: what was measured, how good it was, and how to do it again.

mod accounts;
mod axis;
mod bands;
mod file;
mod findings;
mod gather;
mod head;
mod html;
mod latency;
mod page;
mod paths;
mod plot;
mod responses;
mod settings;
mod sink;
mod spectra;
mod stream;
mod strips;
mod timeline;
mod topography;

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use neuraflow_core::dataflow::{Report, StreamMarker};
use neuraflow_core::model::Features;
use neuraflow_core::sink::SinkError;

use file::Pending;
use findings::Findings;
use gather::{Gathered, Kind};
use paths::Paths;
pub use responses::Response;
use responses::Responses;
use settings::{Input, Repeat};
pub use sink::{ReportSink, ReportWriter};
use topography::Topographies;

/// Gathers a run while it goes on, and writes it up as one page when it has ended.
///
/// The page needs no other file, no network and no script; it follows the reader's light or dark theme, prints, fits a
/// phone, and says in tables and texts what its plots show. On it, for each stream: markers; band power over time, a plot
/// for each band and a row for each channel; the mean spectrum of every channel; quality and artifacts of every channel
/// over time; complete, gap and partial windows over time. Then where every sample went, the latency of every sink, and
/// the settings with which the run can be repeated. Numbers stand in the tables with all their digits
/// (`<data value="…">`). The same run gives the same bytes, but for the latencies.
///
/// **Memory does not grow with the run.** Over time each stream is kept as the means of at most 960 slots; when they are
/// full, neighbours are joined and a slot becomes twice as long. Windows are never skipped: each is counted in one slot.
/// At 64 channels and five bands that is 5 MB for band power and 1 MB each for quality and flags, for a minute as for
/// eight hours; wider layouts get fewer slots. Plotted are the first 8 streams by name, with the first 2,000 markers
/// of each; all are counted.
///
/// **It is about the run since its latest start.** What it gathers is in memory and in no checkpoint: its sinks answer a barrier
/// at once, and a run that goes on from a checkpoint after a crash is written up from there. Results that must survive belong
/// in files, see [`local`](crate::local).
///
/// Connect each sink to one place of the graph. Sinks may be left out: then so is their part of the page.
///
/// ```
/// use neuraflow_core::dataflow::Report;
/// use neuraflow_sinks::report::HtmlReport;
/// # let directory = std::env::temp_dir().join(format!("report-example-{}", std::process::id()));
/// # std::fs::create_dir_all(&directory)?;
/// let report = HtmlReport::create(directory.join("run.html"))?.titled("Eyes open, eyes closed");
/// report.command_line(std::env::args());
/// report.settings([("bandpass", "1-40 Hz"), ("seed", "7")]);
/// // In the graph: .feature(|| BandPower::bands(…)).sink(report.band_power())
/// //               .feature(|| Spectrum::new().up_to_hz(45.0)).sink(report.spectrum())
/// let sink = report.band_power();
/// # let ended = Report::default();
/// // When the pipeline has ended:
/// report.write(&ended)?;
/// assert!(std::fs::read_to_string(directory.join("run.html"))?.contains("Eyes open, eyes closed"));
/// # drop(sink);
/// # std::fs::remove_dir_all(&directory)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct HtmlReport {
    title: String,
    pending: Mutex<Option<Pending>>,
    repeat: Mutex<Repeat>,
    findings: Mutex<Findings>,
    gathered: Arc<Mutex<Gathered>>,
}

impl fmt::Debug for HtmlReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HtmlReport").field("title", &self.title).finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl HtmlReport {
    /// A report that will be at `path`. Until then a file `….partial` beside it holds its place, and what is at `path`
    /// stays as it is.
    ///
    /// # Errors
    /// [`SinkError::Io`] where no file can be made there, so that this is known before the run.
    pub fn create(path: impl AsRef<Path>) -> Result<Self, SinkError> {
        Ok(Self {
            title: "NeuraFlow run".into(),
            pending: Mutex::new(Some(Pending::create(path.as_ref())?)),
            repeat: Mutex::default(),
            findings: Mutex::default(),
            gathered: Arc::default(),
        })
    }

    /// What stands at the top.
    #[must_use]
    pub fn titled(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// A sink for band powers: one column for each band.
    pub fn band_power(&self) -> ReportSink<Features> {
        ReportSink::new(Kind::BandPower.name(), &self.gathered, |g, item| g.features(Kind::BandPower, item))
    }

    /// A sink for spectra: one column for each frequency, named as `10 Hz`.
    pub fn spectrum(&self) -> ReportSink<Features> {
        ReportSink::new(Kind::Spectrum.name(), &self.gathered, |g, item| g.features(Kind::Spectrum, item))
    }

    /// A sink for quality: scores from 0 to 1 in the first column.
    pub fn quality(&self) -> ReportSink<Features> {
        ReportSink::new(Kind::Quality.name(), &self.gathered, |g, item| g.features(Kind::Quality, item))
    }

    /// A sink for artifact flags: above 0 where raised.
    pub fn flags(&self) -> ReportSink<Features> {
        ReportSink::new(Kind::Flags.name(), &self.gathered, |g, item| g.features(Kind::Flags, item))
    }

    /// A sink for markers.
    pub fn markers(&self) -> ReportSink<StreamMarker> {
        ReportSink::new("report markers", &self.gathered, |gathered, item| {
            gathered.marker(item);
            Ok(())
        })
    }

    /// Settings of the run, as name and value, in the order in which they will stand. Give those that were left at their
    /// defaults too. May be called again for more.
    pub fn settings<N: Into<String>, V: Into<String>>(&self, settings: impl IntoIterator<Item = (N, V)>) {
        let settings = settings.into_iter().map(|(name, value)| (name.into(), value.into()));
        lock(&self.repeat).settings.extend(settings);
    }

    /// What came of the run, as name and value: an accuracy, a threshold that was found. Stands above everything else. May be called
    /// again for more.
    pub fn results<N: Into<String>, V: Into<String>>(&self, results: impl IntoIterator<Item = (N, V)>) {
        let results = results.into_iter().map(|(name, value)| (name.into(), value.into()));
        lock(&self.findings).results.extend(results);
    }

    /// Maps of the head seen from above, front up, one for each caption and its number for every channel: the patterns of spatial
    /// filters, say. Channels are found by their 10-20 names; between them lies a spherical spline, as far as an electrode is near; colours run from minus the
    /// greatest number of a map to plus that, with white at zero. All numbers stand in a table.
    ///
    /// ```no_run
    /// # let report = neuraflow_sinks::report::HtmlReport::create("run.html")?;
    /// let maps = [("pattern 1".to_owned(), vec![1.0, 0.1, -0.8])];
    /// report.topographies("Spatial patterns", "Signs are arbitrary.", ["C3", "Cz", "C4"], maps);
    /// # Ok::<(), neuraflow_core::sink::SinkError>(())
    /// ```
    pub fn topographies<C: Into<String>>(
        &self,
        title: impl Into<String>,
        note: impl Into<String>,
        channels: impl IntoIterator<Item = C>,
        maps: impl IntoIterator<Item = (String, Vec<f64>)>,
    ) {
        lock(&self.findings).topographies.push(Topographies {
            title: title.into(),
            note: note.into(),
            channels: channels.into_iter().map(Into::into).collect(),
            maps: maps.into_iter().collect(),
        });
    }

    /// Values that follow each other at equal steps of time, over each other in one plot: a path that was decoded and the true one, say.
    /// Each has a name and as many values as the others; NaN leaves a hole. Long ones are cut into panels, of which the first
    /// twelve are drawn.
    ///
    /// ```no_run
    /// # let report = neuraflow_sinks::report::HtmlReport::create("run.html")?;
    /// let lines = [("true".to_owned(), vec![1.0, 2.0, 4.0]), ("decoded".to_owned(), vec![1.5, f64::NAN, 3.5])];
    /// report.paths("Position", "While it runs.", "px", 0.05, lines); // a value every 50 ms
    /// # Ok::<(), neuraflow_core::sink::SinkError>(())
    /// ```
    pub fn paths(
        &self,
        title: impl Into<String>,
        note: impl Into<String>,
        unit: impl Into<String>,
        step_seconds: f64,
        lines: impl IntoIterator<Item = (String, Vec<f64>)>,
    ) {
        lock(&self.findings).paths.push(Paths {
            title: title.into(),
            note: note.into(),
            unit: unit.into(),
            step: step_seconds,
            lines: lines.into_iter().collect(),
        });
    }

    /// Evoked responses over `times` in milliseconds from a marker, a plot for each channel and in it a curve with its interval for each class,
    /// all on the same axes. Some of the numbers stand in a table.
    ///
    /// ```no_run
    /// # let report = neuraflow_sinks::report::HtmlReport::create("run.html")?;
    /// use neuraflow_sinks::report::Response;
    /// let response = Response { name: "target".into(), mean: vec![0.0, 4.0], low: vec![-1.0, 2.5], high: vec![1.0, 5.5] };
    /// report.responses("Evoked responses", "With a 95 % interval.", [0.0, 300.0], [("Pz".to_owned(), vec![response])]);
    /// # Ok::<(), neuraflow_core::sink::SinkError>(())
    /// ```
    pub fn responses(
        &self,
        title: impl Into<String>,
        note: impl Into<String>,
        times: impl IntoIterator<Item = f64>,
        plots: impl IntoIterator<Item = (String, Vec<Response>)>,
    ) {
        lock(&self.findings).responses.push(Responses {
            title: title.into(),
            note: note.into(),
            times: times.into_iter().collect(),
            plots: plots.into_iter().collect(),
        });
    }

    /// The command line, as from [`std::env::args`]; quoted so that a shell takes it back.
    pub fn command_line(&self, arguments: impl IntoIterator<Item = String>) {
        lock(&self.repeat).command = Some(settings::command_line(arguments));
    }

    /// A file that the run reads: its name, size and SHA-256. Reads all of it, a gigabyte in some seconds.
    ///
    /// # Errors
    /// [`SinkError::Io`] where it cannot be read.
    pub fn input_file(&self, path: impl AsRef<Path>) -> Result<(), SinkError> {
        let input = Input::read(path.as_ref())?;
        lock(&self.repeat).inputs.push(input);
        Ok(())
    }

    /// Writes the page, whole or not at all.
    ///
    /// # Errors
    /// [`SinkError::Io`] where it cannot be written; [`SinkError::Layout`] when it was written before.
    pub fn write(&self, report: &Report) -> Result<(), SinkError> {
        let Some(pending) = lock(&self.pending).take() else {
            return Err(SinkError::Layout {
                sink: "report".into(),
                what: "calls of write",
                expected: "one; create another report for another run".into(),
                found: "a second".into(),
            });
        };
        let (gathered, findings, repeat) = (lock(&self.gathered), lock(&self.findings), lock(&self.repeat));
        pending.finish(&page::page(&self.title, &gathered, &findings, &repeat, report))
    }
}

#[cfg(test)]
mod tests;
