//! Power in frequency bands.

use std::ops::Range;
use std::sync::Arc;

use ndarray::{Array2, ArrayView2};
use neuraflow_core::checkpoint::{RestoreError, SnapshotReader, SnapshotWriter};
use neuraflow_core::model::{FeatureSpec, Features, SamplingRate, Window};
use neuraflow_core::operator::{Latency, Operator, OperatorError, WindowSpec};

use super::welch::{Segments, Welch, refused};
use crate::kernel::{Band, Precision, Value};
use crate::shape::as_array;

/// Power of each channel in frequency bands, in µV², from the power spectral density of a look-back that ends with
/// the window.
///
/// ```text
/// P(low, high) = ∫ PSD(f) df from low to high, by the trapezoidal rule over the bins with low ≤ f ≤ high
/// ```
///
/// The density is a periodogram of the whole look-back, or, with [`segment_millis`](Self::segment_millis), Welch's
/// average over segments that overlap by half. Each segment has its mean taken off and a periodic Hann taper; the same
/// numbers as `scipy.signal.welch(x, fs, nperseg=…)` with `numpy.trapezoid` over the mask. A band with one bin
/// alone counts that bin with its width. Both edges of a band belong to it.
///
/// Input: windows of any number of samples; the look-back is kept across them, so a 50 ms window can have an alpha
/// power at all. Output: one row for each channel that is not a trigger, one column for each band. NaN until the
/// look-back has been filled once. A segment with a missing value in it is left out; NaN if none is left, so a
/// gap blanks a periodogram for one look-back and Welch's average hardly. State: the samples of the look-back.
///
/// Default: a look-back of one second, one segment. Source: P. D. Welch (1967), IEEE Trans. Audio Electroacoust.
/// 15(2):70–73.
///
/// # Errors
/// `prepare`: no band; one without a name; two of one name; edges that are no band or lie above the Nyquist frequency; a band without a bin at this rate and
/// segment length (the error says what length would do); a segment longer than the look-back or shorter than a sample;
/// only trigger channels. `process`: another number of channels than prepared.
///
/// ```
/// use neuraflow_core::model::SamplingRate;
/// use neuraflow_ops::feature::BandPower;
/// let bands = BandPower::bands([("alpha", 8.0..13.0), ("beta", 13.0..30.0)]).over_millis(1_000);
/// // Without a pipeline: one second of a 10 Hz sine of 20 µV, whose power is 20²/2 = 200 µV².
/// let sine: Vec<f64> =
///     (0..250).map(|n| 20.0 * (std::f64::consts::TAU * 10.0 * f64::from(n) / 250.0).sin()).collect();
/// let power = bands.of_samples(&sine, 1, SamplingRate::hz(250)?)?;
/// assert!((power[0] - 200.0).abs() < 1e-9 && power[1] < 1e-9);
///
/// let narrow = BandPower::bands([("alpha", 8.0..13.0)]).over_millis(50);
/// let error = narrow.of_samples(&sine, 1, SamplingRate::hz(250)?).unwrap_err();
/// assert!(error.to_string().contains("200 ms"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct BandPower {
    bands: Vec<(String, Range<f64>)>,
    welch: Welch,
    /// Where each band lies in the density, once prepared.
    bins: Vec<Band>,
}

impl BandPower {
    /// Bands by name, with their edges in hertz.
    pub fn bands<N: Into<String>>(bands: impl IntoIterator<Item = (N, Range<f64>)>) -> Self {
        Self {
            bands: bands.into_iter().map(|(name, edges)| (name.into(), edges)).collect(),
            welch: Welch::default(),
            bins: Vec::new(),
        }
    }

    /// Computes over a look-back of this many milliseconds.
    #[must_use]
    pub fn over_millis(mut self, millis: i64) -> Self {
        self.welch.over_millis(millis);
        self
    }

    /// Averages over segments of this many milliseconds that overlap by half, instead of one over the look-back.
    /// Less noise, and less resolution: bins are `1000 / millis` hertz apart.
    #[must_use]
    pub fn segment_millis(mut self, millis: i64) -> Self {
        self.welch.segment_millis(millis);
        self
    }

    /// Computes in this precision; [`Precision::Double`] without it. [`Precision::Single`] transforms in `f32`, eight channels
    /// side by side where there are many. Mean and taper are taken in `f64` before anything is rounded, so that an offset
    /// costs no digits; bins are off by 2e-6 of the greatest at most. A state goes back to the precision it was written in.
    ///
    /// ```
    /// use neuraflow_ops::kernel::Precision;
    /// use neuraflow_ops::feature::BandPower;
    /// let alpha = || BandPower::bands([("alpha", 8.0..13.0)]).precision(Precision::Single);
    /// // In a pipeline: .feature(alpha)
    /// # let _ = alpha;
    /// ```
    #[must_use]
    pub fn precision(mut self, precision: Precision) -> Self {
        self.welch.precision(precision);
        self
    }

    /// The powers of the last look-back in plain sample-major values `[sample][channel]`, as `[channel][band]`.
    ///
    /// # Errors
    /// As `prepare`; the number of values is not a multiple of the number of channels; fewer samples than the look-back.
    pub fn of_samples<T: Value>(
        &self,
        values: &[T],
        channels: usize,
        rate: SamplingRate,
    ) -> Result<Vec<f64>, OperatorError> {
        let powers = self.of_array(as_array(values, channels)?, rate)?;
        Ok(powers.into_raw_vec_and_offset().0)
    }

    /// The powers of the last look-back in an array `[sample][channel]` of any memory layout, as `[channel][band]`.
    ///
    /// # Errors
    /// As `prepare`; fewer samples than the look-back.
    pub fn of_array<T: Value>(
        &self,
        values: ArrayView2<'_, T>,
        rate: SamplingRate,
    ) -> Result<Array2<f64>, OperatorError> {
        let segments = self.welch.segments(rate)?;
        let bins = bins_of(&self.bands, segments, rate)?;
        let mut powers = Array2::from_elem((values.ncols(), bins.len()), f64::NAN);
        self.welch.of_array(values, rate, segments, |row, density| {
            for (value, band) in powers.row_mut(row).iter_mut().zip(&bins) {
                *value = band.power(density);
            }
        })?;
        Ok(powers)
    }
}

/// Finds the bands in a density.
fn bins_of(
    bands: &[(String, Range<f64>)],
    segments: Segments,
    rate: SamplingRate,
) -> Result<Vec<Band>, OperatorError> {
    check_names(bands)?;
    bands.iter().map(|(name, edges)| band(name, edges, segments.length, rate.as_hz())).collect()
}

/// Each band has a name of its own, and there is one.
pub(super) fn check_names(bands: &[(String, Range<f64>)]) -> Result<(), OperatorError> {
    if bands.is_empty() {
        return Err(OperatorError::Spec {
            what: "bands",
            expected: "at least one, as (\"alpha\", 8.0..13.0)".to_owned(),
            found: "none".to_owned(),
        });
    }
    for (at, (name, edges)) in bands.iter().enumerate() {
        if name.trim().is_empty() {
            return Err(OperatorError::Spec {
                what: "bands",
                expected: "a name for each, as it is a column's".to_owned(),
                found: format!("none for {} to {} Hz", edges.start, edges.end),
            });
        }
        if bands[..at].iter().any(|(other, _)| other == name) {
            return Err(OperatorError::Spec {
                what: "bands",
                expected: "another name for each, as it is a column's".to_owned(),
                found: format!("{name} a second time, from {} to {} Hz", edges.start, edges.end),
            });
        }
    }
    Ok(())
}

/// One band of a spectrum, if it has a bin in it.
pub(super) fn band(name: &str, edges: &Range<f64>, segment: usize, hz: f64) -> Result<Band, OperatorError> {
    let (low, high) = (edges.start, edges.end);
    let wrong = |expected: String, found: String| OperatorError::Spec { what: "band", expected, found };
    let called = format!("{name} of {low} to {high} Hz");
    if !(low.is_finite() && high.is_finite() && 0.0 <= low && low < high) {
        return Err(wrong("edges in hertz with 0 <= low < high".to_owned(), called));
    }
    if high > hz / 2.0 {
        let expected = format!("an upper edge of at most {} Hz, half the sampling rate", hz / 2.0);
        return Err(wrong(expected, called));
    }
    let band = Band::new(low, high, segment, hz).map_err(|e| refused(&e))?;
    if band.bins().is_empty() {
        // Bins 1/T apart: an interval as wide as that has at least one in it.
        let enough = libm::ceil(1000.0 / (high - low));
        return Err(wrong(
            format!("a look-back, or segment, of {enough} ms or more, so that a bin falls into the band"),
            format!("{called}, with bins {} Hz apart in {segment} samples at {hz} Hz", hz / segment as f64),
        ));
    }
    Ok(band)
}

impl Operator for BandPower {
    type In = Window;
    type Out = Features;

    fn prepare(&mut self, spec: &WindowSpec) -> Result<Arc<FeatureSpec>, OperatorError> {
        self.bins = bins_of(&self.bands, self.welch.prepare(spec)?, spec.signal.rate)?;
        Ok(Arc::new(FeatureSpec {
            rows: self.welch.rows().names.clone(),
            columns: self.bands.iter().map(|(name, _)| name.clone()).collect(),
            unit: "µV²".to_owned(),
        }))
    }

    fn process(&mut self, input: &Window, out: &mut Features) -> Result<(), OperatorError> {
        let (bins, width) = (&self.bins, self.bins.len());
        self.welch.process(input, |row, density| {
            for (value, band) in out.values.iter_mut().skip(row * width).zip(bins) {
                *value = band.power(density);
            }
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
