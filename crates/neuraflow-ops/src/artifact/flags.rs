//! Artifact flags of raw windows.

use std::sync::Arc;

use ndarray::ArrayView2;
use neuraflow_core::checkpoint::{RestoreError, SnapshotReader, SnapshotWriter};
use neuraflow_core::model::{FeatureSpec, Features, SamplingRate, Span, Window};
use neuraflow_core::operator::{Latency, Operator, OperatorError, WindowSpec};

use super::detector::{Detector, Flags, Limits};
use crate::kernel::Value;
use crate::shape::{Rows, as_array, same_channels, same_length};

/// Flags artifacts in raw windows, channel by channel: four columns, each 1 where the window has the artifact, else 0.
///
/// | column | 1 when, in this window | default |
/// |---|---|---|
/// | `amplitude` | some `\|x − baseline\|` exceeds the limit | 150 µV |
/// | `gradient` | some step `\|x[n] − x[n−1]\| · rate` exceeds the limit | 50 µV/ms |
/// | `flat` | all values lie within the limit of each other | 0.5 µV peak to peak |
/// | `rail` | the signal rests at an end of its range for so many samples | 5 samples |
///
/// The **baseline** is the median of the medians of the windows in the last second, this one included. Raw EEG stands
/// on offsets of many millivolts and drifts; a window's own mean would follow a blink, which lasts longer than 50 ms;
/// the median over a second follows the offset and not the blink. After a lasting jump the flag holds for half a
/// second, until the baseline has caught up.
///
/// The **gradient** is taken across the border of windows, and not across missing values. **Flat** needs two values;
/// a window with one is flat when that equals the sample before it, so signals with a coarse step at a rate below
/// 40 Hz are flagged by chance. **Rail**: with [`rails`](Self::rails) given, so many consecutive samples at or beyond
/// one; without, so many *identical* consecutive values that are the greatest or least of the last second, as long as
/// the signal has moved in that second (if not, it is flat).
///
/// Input: raw windows of any number of samples, before any filter, in µV; amplitude and gradient stay 0 for channels in
/// another unit. Output: one row for each channel that is not a trigger. Causal. A missing value flags nothing
/// and is no part of anything; a window without valid values has no flag. State: for each channel the last value, the
/// length of the current run, and three numbers for each window of the last second.
///
/// Sources: the criteria of raw data inspection (maximal gradient of 50 µV/ms, low activity of 0.5 µV) as in BrainVision
/// Analyzer 2; ±150 µV is at the wide end of what A. Delorme, T. Sejnowski and S. Makeig (2007), NeuroImage
/// 34:1443–1449, compare.
///
/// # Errors
/// `prepare`: a limit that is negative or not a number; rails that do not increase; only trigger channels.
/// `process`: another number of channels than prepared.
///
/// ```
/// use neuraflow_core::model::SamplingRate;
/// use neuraflow_ops::artifact::ArtifactFlags;
/// // One window of 4 samples of two channels, without a pipeline: the second channel is dead.
/// let window = [3.0_f32, 0.0, 9.0, 0.0, -4.0, 0.0, 1.0, 0.0];
/// let flags = ArtifactFlags::new().of_samples(&window, 2, SamplingRate::hz(160)?)?;
/// assert!(!flags[0].any());
/// assert!(flags[1].flat && !flags[1].amplitude);
/// // In a pipeline: .feature(|| ArtifactFlags::new().amplitude(100.0).rails(-8092.0, 8092.0))
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct ArtifactFlags {
    amplitude: f64,
    gradient: f64,
    flat: f64,
    rails: Option<(f64, f64)>,
    rail_samples: u32,
    rows: Arc<Rows>,
    limits: Vec<Limits>,
    detectors: Vec<Detector>,
    samples: Vec<f64>,
    scratch: Vec<f64>,
}

/// How far back the baseline reaches.
const BASELINE: Span = Span::secs(1);

impl Default for ArtifactFlags {
    fn default() -> Self {
        Self {
            amplitude: 150.0,
            gradient: 50.0,
            flat: 0.5,
            rails: None,
            rail_samples: 5,
            rows: Arc::default(),
            limits: Vec::new(),
            detectors: Vec::new(),
            samples: Vec::new(),
            scratch: Vec::new(),
        }
    }
}

impl ArtifactFlags {
    /// The default limits.
    pub fn new() -> Self {
        Self::default()
    }

    /// Another limit for the distance from the baseline, in µV.
    #[must_use]
    pub fn amplitude(mut self, microvolts: f64) -> Self {
        self.amplitude = microvolts;
        self
    }

    /// Another limit for the slope between consecutive samples, in µV per millisecond.
    #[must_use]
    pub fn gradient(mut self, microvolts_per_ms: f64) -> Self {
        self.gradient = microvolts_per_ms;
        self
    }

    /// Another limit for the peak-to-peak of a flat window, in µV. Stay below one step of the converter.
    #[must_use]
    pub fn flat(mut self, microvolts: f64) -> Self {
        self.flat = microvolts;
        self
    }

    /// The ends of the amplifier's range, in µV, as its header or data sheet gives them.
    #[must_use]
    pub fn rails(mut self, low: f64, high: f64) -> Self {
        self.rails = Some((low, high));
        self
    }

    /// Another number of consecutive samples at an end of the range that make a rail; 0 counts as 1.
    #[must_use]
    pub fn rail_samples(mut self, samples: u32) -> Self {
        self.rail_samples = samples;
        self
    }

    /// The flags of each channel in one window of plain sample-major µV values `[sample][channel]`, with no past.
    ///
    /// # Errors
    /// A limit that makes no sense; a number of values that is not a multiple of the number of channels.
    pub fn of_samples<T: Value>(
        &self,
        values: &[T],
        channels: usize,
        rate: SamplingRate,
    ) -> Result<Vec<Flags>, OperatorError> {
        self.of_array(as_array(values, channels)?, rate)
    }

    /// The flags of each channel in one window `[sample][channel]` of any memory layout, in µV, with no past.
    ///
    /// # Errors
    /// A limit that makes no sense.
    pub fn of_array<T: Value>(
        &self,
        values: ArrayView2<'_, T>,
        rate: SamplingRate,
    ) -> Result<Vec<Flags>, OperatorError> {
        let (limits, mut scratch) = (self.limits(rate, true)?, Vec::new());
        let columns = values.columns().into_iter();
        let flags = columns.map(|column| {
            let samples: Vec<f64> = column.iter().map(|value| value.to_f64()).collect();
            Detector::new(1).judge(&samples, &limits, &mut scratch)
        });
        Ok(flags.collect())
    }

    fn limits(&self, rate: SamplingRate, microvolts: bool) -> Result<Limits, OperatorError> {
        let limits = [("amplitude", self.amplitude), ("gradient", self.gradient), ("flat", self.flat)];
        for (what, limit) in limits {
            if limit.is_nan() || limit < 0.0 {
                return Err(OperatorError::Spec {
                    what,
                    expected: "a limit of 0 or more; infinity switches amplitude and gradient off".to_owned(),
                    found: limit.to_string(),
                });
            }
        }
        if let Some((low, high)) =
            self.rails.filter(|(low, high)| low.is_nan() || high.is_nan() || low >= high)
        {
            return Err(OperatorError::Spec {
                what: "rails",
                expected: "a low end below the high end, in µV".to_owned(),
                found: format!("{low} and {high}"),
            });
        }
        let in_microvolts = |limit: f64| if microvolts { limit } else { f64::INFINITY };
        Ok(Limits {
            amplitude: in_microvolts(self.amplitude),
            step: in_microvolts(self.gradient * 1000.0 / rate.as_hz()),
            flat: self.flat,
            rails: self.rails.filter(|_| microvolts),
            rail_samples: self.rail_samples.max(1),
        })
    }
}

impl Operator for ArtifactFlags {
    type In = Window;
    type Out = Features;

    fn prepare(&mut self, spec: &WindowSpec) -> Result<Arc<FeatureSpec>, OperatorError> {
        self.rows = Rows::of(&spec.signal.channels)?;
        let limits = self.rows.microvolts.iter().map(|unit| self.limits(spec.signal.rate, *unit));
        self.limits = limits.collect::<Result<_, _>>()?;
        let hop = spec.hop.as_nanos().max(1);
        let windows = ((BASELINE.as_nanos() + hop / 2) / hop).max(1) as usize;
        self.detectors = vec![Detector::new(windows); self.rows.len()];
        let longest = spec.signal.rate.samples_in(spec.hop) as usize + 1;
        self.samples = Vec::with_capacity(longest);
        self.scratch = Vec::with_capacity(longest.max(windows));
        Ok(Arc::new(FeatureSpec {
            rows: self.rows.names.clone(),
            columns: Flags::NAMES.map(str::to_owned).into(),
            unit: String::new(),
        }))
    }

    fn process(&mut self, input: &Window, out: &mut Features) -> Result<(), OperatorError> {
        same_channels(self.rows.width, input.samples.channels())?;
        let rows = self.rows.channels.iter().zip(&self.limits).zip(&mut self.detectors);
        for (((channel, limits), detector), values) in rows.zip(out.values.chunks_exact_mut(4)) {
            self.samples.clear();
            self.samples.extend(input.samples.samples().map(|sample| f64::from(sample[*channel])));
            let flags = detector.judge(&self.samples, limits, &mut self.scratch);
            for (value, flag) in values.iter_mut().zip(flags.as_array()) {
                *value = f64::from(u8::from(flag));
            }
        }
        Ok(())
    }

    fn reset(&mut self) {
        self.detectors.iter_mut().for_each(Detector::reset);
    }

    fn latency(&self) -> Latency {
        Latency { look_back: BASELINE, ..Latency::default() }
    }

    fn snapshot(&self, writer: &mut SnapshotWriter) {
        writer.put(&self.detectors);
    }

    fn restore(&mut self, reader: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        let detectors: Vec<Detector> = reader.take()?;
        same_length("artifact detectors", self.detectors.len(), detectors.len())?;
        for (own, restored) in self.detectors.iter().zip(&detectors) {
            let (expected, found) = (own.windows().unwrap_or(0), restored.windows().unwrap_or(0));
            same_length("windows of an artifact detector", expected, found)?;
        }
        self.detectors = detectors;
        Ok(())
    }
}
