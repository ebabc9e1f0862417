//! Power in frequency bands.

use std::ops::Range;
use std::sync::Arc;

use ndarray::{Array2, ArrayView2};
use neuraflow_core::checkpoint::{RestoreError, SnapshotReader, SnapshotWriter};
use neuraflow_core::model::{FeatureSpec, Features, SamplingRate, Span, Window};
use neuraflow_core::operator::{Latency, Operator, OperatorError, WindowSpec};

use super::LookBack;
use crate::kernel::{Band, Detrend, KernelError, Psd, Value, Window as Taper};
use crate::shape::{Rows, as_array, same_channels};

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
/// `prepare`: no band; two of one name; edges that are no band or lie above the Nyquist frequency; a band without a bin at this rate and
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
    over: Span,
    segment: Option<Span>,
    rows: Rows,
    state: Option<State>,
}

/// What `prepare` allocates.
#[derive(Debug)]
struct State {
    look_back: LookBack,
    spectrum: Spectrum,
    samples: Vec<f64>,
}

/// The density of one channel and the bands in it.
struct Spectrum {
    psd: Psd,
    bands: Vec<Band>,
    density: Vec<f64>,
}

impl std::fmt::Debug for Spectrum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Spectrum").field("bands", &self.bands).finish_non_exhaustive()
    }
}

impl BandPower {
    /// Bands by name, with their edges in hertz.
    pub fn bands<N: Into<String>>(bands: impl IntoIterator<Item = (N, Range<f64>)>) -> Self {
        Self {
            bands: bands.into_iter().map(|(name, edges)| (name.into(), edges)).collect(),
            over: Span::secs(1),
            segment: None,
            rows: Rows::default(),
            state: None,
        }
    }

    /// Computes over a look-back of this many milliseconds.
    #[must_use]
    pub fn over_millis(mut self, millis: i64) -> Self {
        self.over = Span::millis(millis);
        self
    }

    /// Averages over segments of this many milliseconds that overlap by half, instead of one over the look-back.
    /// Less noise, and less resolution: bins are `1000 / millis` hertz apart.
    #[must_use]
    pub fn segment_millis(mut self, millis: i64) -> Self {
        self.segment = Some(Span::millis(millis));
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
        let length = rate.samples_in(self.over) as usize;
        let mut spectrum = self.spectrum(rate, length)?;
        let skip = values.nrows().checked_sub(length).ok_or_else(|| OperatorError::Input {
            what: "samples",
            expected: format!("at least the {length} of the look-back"),
            found: values.nrows().to_string(),
        })?;
        let mut powers = Array2::from_elem((values.ncols(), self.bands.len()), f64::NAN);
        for (column, mut row) in values.columns().into_iter().zip(powers.rows_mut()) {
            let samples: Vec<f64> = column.iter().skip(skip).map(|value| value.to_f64()).collect();
            spectrum.powers(&samples, row.iter_mut())?;
        }
        Ok(powers)
    }

    /// Plans the density of `length` samples, and finds the bands in it.
    fn spectrum(&self, rate: SamplingRate, length: usize) -> Result<Spectrum, OperatorError> {
        let hz = rate.as_hz();
        let segment = match self.segment {
            None => length,
            Some(span) => rate.samples_in(span) as usize,
        };
        if segment == 0 || segment > length {
            return Err(OperatorError::Spec {
                what: "segment of the band power",
                expected: format!("1 to {length} samples, the look-back at {rate}"),
                found: format!("{segment} samples; change the segment or the look-back"),
            });
        }
        if self.bands.is_empty() {
            return Err(OperatorError::Spec {
                what: "bands",
                expected: "at least one, as (\"alpha\", 8.0..13.0)".to_owned(),
                found: "none".to_owned(),
            });
        }
        for (at, (name, edges)) in self.bands.iter().enumerate() {
            if self.bands[..at].iter().any(|(other, _)| other == name) {
                return Err(OperatorError::Spec {
                    what: "bands",
                    expected: "another name for each, as it is a column's".to_owned(),
                    found: format!("{name} a second time, from {} to {} Hz", edges.start, edges.end),
                });
            }
        }
        let bands = self.bands.iter().map(|(name, edges)| band(name, edges, segment, hz));
        let bands = bands.collect::<Result<Vec<_>, _>>()?;
        let overlap = if segment == length { 0 } else { segment / 2 };
        let psd = Psd::new(segment, overlap, Taper::Hann, Detrend::Constant, hz).map_err(|e| refused(&e))?;
        Ok(Spectrum { density: vec![0.0; psd.bins()], psd, bands })
    }
}

/// One band of a spectrum, if it has a bin in it.
fn band(name: &str, edges: &Range<f64>, segment: usize, hz: f64) -> Result<Band, OperatorError> {
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

fn refused(error: &KernelError) -> OperatorError {
    OperatorError::Spec {
        what: "band power",
        expected: "a spectrum that can be computed".to_owned(),
        found: error.to_string(),
    }
}

impl Spectrum {
    fn powers<'a>(
        &mut self,
        samples: &[f64],
        out: impl Iterator<Item = &'a mut f64>,
    ) -> Result<(), OperatorError> {
        self.psd.process(samples, &mut self.density).map_err(|e| refused(&e))?;
        for (value, band) in out.zip(&self.bands) {
            *value = band.power(&self.density);
        }
        Ok(())
    }
}

impl Operator for BandPower {
    type In = Window;
    type Out = Features;

    fn prepare(&mut self, spec: &WindowSpec) -> Result<Arc<FeatureSpec>, OperatorError> {
        self.rows = Rows::of(&spec.signal.channels)?;
        let look_back = LookBack::new(self.over, &self.rows, &spec.signal)?;
        let length = look_back.length();
        let spectrum = self.spectrum(spec.signal.rate, length)?;
        self.state = Some(State { look_back, spectrum, samples: vec![0.0; length] });
        Ok(Arc::new(FeatureSpec {
            rows: self.rows.names.clone(),
            columns: self.bands.iter().map(|(name, _)| name.clone()).collect(),
            unit: "µV²".to_owned(),
        }))
    }

    fn process(&mut self, input: &Window, out: &mut Features) -> Result<(), OperatorError> {
        same_channels(self.rows.width, input.samples.channels())?;
        let Some(State { look_back, spectrum, samples }) = &mut self.state else {
            return Ok(());
        };
        look_back.push(&input.samples, &self.rows);
        if look_back.is_full() {
            for (row, values) in out.values.chunks_exact_mut(spectrum.bands.len()).enumerate() {
                spectrum.powers(look_back.copy(row, samples), values.iter_mut())?;
            }
        }
        Ok(())
    }

    fn reset(&mut self) {
        if let Some(state) = &mut self.state {
            state.look_back.reset();
        }
    }

    fn latency(&self) -> Latency {
        Latency { look_back: self.over, ..Latency::default() }
    }

    fn snapshot(&self, writer: &mut SnapshotWriter) {
        if let Some(state) = &self.state {
            state.look_back.snapshot(writer);
        }
    }

    fn restore(&mut self, reader: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        self.state.as_mut().map_or(Ok(()), |state| state.look_back.restore(reader))
    }
}
