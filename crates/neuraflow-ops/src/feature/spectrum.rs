//! Power spectral density, window by window.

use std::sync::Arc;

use ndarray::{Array2, ArrayView2};
use neuraflow_core::checkpoint::{RestoreError, SnapshotReader, SnapshotWriter};
use neuraflow_core::model::{FeatureSpec, Features, SamplingRate, Window};
use neuraflow_core::operator::{Latency, Operator, OperatorError, WindowSpec};

use super::welch::{Segments, Welch, refused};
use crate::kernel::{Band, Precision, Value};
use crate::shape::as_array;

/// Power spectral density of each channel, in µV²/Hz, over a look-back that ends with the window.
///
/// The density is a periodogram of the whole look-back, or, with [`segment_millis`](Self::segment_millis), Welch's
/// average over segments that overlap by half. Each segment has its mean taken off and a periodic Hann taper; the same
/// numbers as `scipy.signal.welch(x, fs, nperseg=…)`, and those that [`BandPower`](super::BandPower) integrates.
///
/// Input: windows of any number of samples; the look-back is kept across them. Output: one row for each channel that is
/// not a trigger, one column for each frequency from 0 Hz to half the sampling rate, or up to
/// [`up_to_hz`](Self::up_to_hz), named `10 Hz` and, where they fall between, to a millionth: `3.003003 Hz`. Columns are
/// `1000 / millis` hertz apart, where `millis` is the segment, or the look-back. NaN until the look-back has been
/// filled once; missing values as in `BandPower`. State: the samples of the look-back.
///
/// Default: a look-back of one second, one segment, all frequencies. Source: P. D. Welch (1967), IEEE Trans. Audio
/// Electroacoust. 15(2):70–73.
///
/// # Errors
/// `prepare`: a segment longer than the look-back or shorter than a sample; a highest frequency below 0 Hz; more
/// than 2¹⁷ frequencies; only trigger channels. `process`: another number of channels than prepared.
///
/// ```
/// use neuraflow_core::model::SamplingRate;
/// use neuraflow_ops::feature::Spectrum;
/// let spectrum = Spectrum::new().up_to_hz(45.0);
/// // Without a pipeline: one second of a 10 Hz sine of 20 µV. A Hann taper spreads its 200 µV² over three bins.
/// let sine: Vec<f64> =
///     (0..250).map(|n| 20.0 * (std::f64::consts::TAU * 10.0 * f64::from(n) / 250.0).sin()).collect();
/// let density = spectrum.of_samples(&sine, 1, SamplingRate::hz(250)?)?;
/// assert_eq!(density.len(), 46);
/// assert!((density[9..=11].iter().sum::<f64>() - 200.0).abs() < 1e-9);
/// // In a pipeline: .feature(|| Spectrum::new().over_millis(2_000).segment_millis(1_000).up_to_hz(45.0))
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct Spectrum {
    welch: Welch,
    highest: Option<f64>,
    /// How many of the density's bins are put out, once prepared.
    bins: usize,
}

impl Spectrum {
    /// Over one second, all frequencies.
    pub fn new() -> Self {
        Self::default()
    }

    /// Computes over a look-back of this many milliseconds.
    #[must_use]
    pub fn over_millis(mut self, millis: i64) -> Self {
        self.welch.over_millis(millis);
        self
    }

    /// Averages over segments of this many milliseconds that overlap by half, instead of one over the look-back.
    /// Less noise, and less resolution: columns are `1000 / millis` hertz apart.
    #[must_use]
    pub fn segment_millis(mut self, millis: i64) -> Self {
        self.welch.segment_millis(millis);
        self
    }

    /// Leaves out all frequencies above this one. Beyond half the sampling rate it has no effect, so that one limit
    /// serves streams of different rates.
    #[must_use]
    pub fn up_to_hz(mut self, hz: f64) -> Self {
        self.highest = Some(hz);
        self
    }

    /// Computes in this precision; [`Precision::Double`] without it. [`Precision::Single`] transforms in `f32`, eight channels
    /// side by side where there are many. Mean and taper are taken in `f64` before anything is rounded, so that an offset
    /// costs no digits; bins are off by 2e-6 of the greatest at most. A state goes back to the precision it was written in.
    ///
    /// ```
    /// use neuraflow_ops::kernel::Precision;
    /// use neuraflow_ops::feature::Spectrum;
    /// let spectrum = || Spectrum::new().up_to_hz(45.0).precision(Precision::Single);
    /// // In a pipeline: .feature(spectrum)
    /// # let _ = spectrum;
    /// ```
    #[must_use]
    pub fn precision(mut self, precision: Precision) -> Self {
        self.welch.precision(precision);
        self
    }

    /// The density of the last look-back in plain sample-major values `[sample][channel]`, as `[channel][frequency]`.
    ///
    /// # Errors
    /// As `prepare`; the number of values is not a multiple of the number of channels; fewer samples than the look-back.
    pub fn of_samples<T: Value>(
        &self,
        values: &[T],
        channels: usize,
        rate: SamplingRate,
    ) -> Result<Vec<f64>, OperatorError> {
        let densities = self.of_array(as_array(values, channels)?, rate)?;
        Ok(densities.into_raw_vec_and_offset().0)
    }

    /// The density of the last look-back in an array `[sample][channel]` of any memory layout, as
    /// `[channel][frequency]`.
    ///
    /// # Errors
    /// As `prepare`; fewer samples than the look-back.
    pub fn of_array<T: Value>(
        &self,
        values: ArrayView2<'_, T>,
        rate: SamplingRate,
    ) -> Result<Array2<f64>, OperatorError> {
        let segments = self.welch.segments(rate)?;
        let bins = self.bins_of(segments, rate)?;
        let mut densities = Array2::from_elem((values.ncols(), bins), f64::NAN);
        self.welch.of_array(values, rate, segments, |row, density| {
            densities.row_mut(row).iter_mut().zip(density).for_each(|(value, bin)| *value = *bin);
        })?;
        Ok(densities)
    }

    /// How many bins lie at or below the highest frequency.
    fn bins_of(&self, segments: Segments, rate: SamplingRate) -> Result<usize, OperatorError> {
        match self.highest {
            None => Ok(segments.bins()),
            Some(hz) if hz >= 0.0 && hz.is_finite() => {
                let band = Band::new(0.0, hz, segments.length, rate.as_hz()).map_err(|e| refused(&e))?;
                Ok(band.bins().end)
            }
            Some(hz) => Err(OperatorError::Spec {
                what: "highest frequency of the spectrum",
                expected: "0 Hz or more".to_owned(),
                found: format!("{hz} Hz"),
            }),
        }
    }
}

/// Eight seconds at 30 kHz. Each is a name in memory before the first sample has come, and a header can claim any rate.
const MOST_COLUMNS: usize = 1 << 17;

/// `10 Hz`, `0.5 Hz`, `3.003003 Hz`.
pub(super) fn column(hz: f64) -> String {
    let text = format!("{hz:.6}");
    format!("{} Hz", text.trim_end_matches('0').trim_end_matches('.'))
}

impl Operator for Spectrum {
    type In = Window;
    type Out = Features;

    fn prepare(&mut self, spec: &WindowSpec) -> Result<Arc<FeatureSpec>, OperatorError> {
        let segments = self.welch.prepare(spec)?;
        self.bins = self.bins_of(segments, spec.signal.rate)?;
        if self.bins > MOST_COLUMNS {
            return Err(OperatorError::Spec {
                what: "frequencies of the spectrum",
                expected: format!("at most {MOST_COLUMNS}; set a highest one or a shorter segment"),
                found: self.bins.to_string(),
            });
        }
        Ok(Arc::new(FeatureSpec {
            rows: self.welch.rows().names.clone(),
            columns: (0..self.bins).map(|bin| column(segments.frequency(bin))).collect(),
            unit: "µV²/Hz".to_owned(),
        }))
    }

    fn process(&mut self, input: &Window, out: &mut Features) -> Result<(), OperatorError> {
        let bins = self.bins;
        self.welch.process(input, |row, density| {
            let values = out.values.iter_mut().skip(row * bins);
            values.zip(&density[..bins]).for_each(|(value, bin)| *value = *bin);
        })
    }

    fn reset(&mut self) {
        self.welch.reset();
    }

    fn latency(&self) -> Latency {
        self.welch.latency()
    }

    fn snapshot(&self, writer: &mut SnapshotWriter) {
        self.welch.snapshot(writer);
    }

    fn restore(&mut self, reader: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        self.welch.restore(reader)
    }
}
