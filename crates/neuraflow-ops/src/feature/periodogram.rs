//! Periodogram of each window alone.

use std::sync::Arc;

use ndarray::{Array2, ArrayView2};
use neuraflow_core::checkpoint::{RestoreError, SnapshotReader, SnapshotWriter};
use neuraflow_core::model::{FeatureSpec, Features, Span, Window};
use neuraflow_core::operator::{Latency, Operator, OperatorError, WindowSpec};
use smallvec::SmallVec;

use super::computed_in;
use super::welch::refused;
use crate::kernel::{DftPower, Precision, Value};
use crate::shape::{Rows, as_array, same_channels};

/// Power of each channel at every frequency of the window's own discrete Fourier transform, in µV²; no look-back, no
/// taper, no mean taken off.
///
/// Bin k of a window of N samples is at k · rate / N hertz: 20 Hz apart, less or more, for 50 ms. The numbers are those of
/// `scipy.signal.periodogram(x, window='boxcar', detrend=False, scaling='spectrum')`; over all bins they add up to
/// the window's mean square. For anything finer use [`Spectrum`](super::Spectrum) or
/// [`BandPower`](super::BandPower), which look back further than the window.
///
/// Input: windows of any number of samples. Output: one row for each channel that is not a trigger, one column for
/// each bin `bin 0`, `bin 1`, … that every complete window has: up to half the samples of the shortest one. NaN in
/// the whole row where a value is missing, and in the bins that a shorter window, cut by the stream's start or
/// end, does not have. No state.
///
/// # Errors
/// `prepare`: only trigger channels. `process`: another number of channels than prepared.
///
/// ```
/// use neuraflow_ops::feature::Periodogram;
/// // Without a pipeline: 13 samples of one channel, a constant of 3 µV and two turns of a sine of 10 µV.
/// let turn = std::f64::consts::TAU / 13.0;
/// let signal: Vec<f64> = (0..13).map(|n| 3.0 + 10.0 * (2.0 * turn * f64::from(n)).sin()).collect();
/// let powers = Periodogram::of_samples(&signal, 1)?;
/// assert_eq!(powers.len(), 7);
/// assert!((powers[0] - 9.0).abs() < 1e-12 && (powers[2] - 50.0).abs() < 1e-12 && powers[3] < 1e-12);
/// // In a pipeline: .feature(Periodogram::new)
/// # Ok::<(), neuraflow_core::operator::OperatorError>(())
/// ```
#[derive(Debug, Default)]
pub struct Periodogram {
    precision: Precision,
    rows: Arc<Rows>,
    hop: Span,
    columns: usize,
    /// For each length a complete window may have, and one for whatever else came last.
    plans: SmallVec<[DftPower; 2]>,
    other: Option<Box<DftPower>>,
    /// `[channel][bin]`, of every channel, where that is not the shape of the output.
    powers: Vec<f64>,
}

impl Periodogram {
    /// Of each window.
    pub fn new() -> Self {
        Self::default()
    }

    /// Computes in this precision; [`Precision::Double`] without it. [`Precision::Single`] sums in `f32`, after the first
    /// sample, or the mean, has been taken off all, so that an offset costs no digits: bins but the first are off by 2e-6 of the greatest of
    /// them at most. Magnitudes above 1e14 may count as missing. A state goes back to the precision it was written in. What is plain ([`of_samples`](Self::of_samples)) is
    /// computed in double precision; [`DftPower`] has the choice.
    ///
    /// ```
    /// use neuraflow_ops::feature::Periodogram;
    /// use neuraflow_ops::kernel::Precision;
    /// let single = || Periodogram::new().precision(Precision::Single);
    /// // In a pipeline: .feature(single)
    /// # let _ = single;
    /// ```
    #[must_use]
    pub fn precision(mut self, precision: Precision) -> Self {
        self.precision = precision;
        self
    }

    /// The powers of plain sample-major values `[sample][channel]`, as `[channel][bin]`; none without a sample.
    ///
    /// # Errors
    /// The number of values is not a multiple of the number of channels.
    pub fn of_samples<T: Value>(values: &[T], channels: usize) -> Result<Vec<f64>, OperatorError> {
        let powers = Self::of_array(as_array(values, channels)?)?;
        Ok(powers.into_raw_vec_and_offset().0)
    }

    /// The powers of an array `[sample][channel]` of any memory layout, as `[channel][bin]`; none without a sample.
    ///
    /// # Errors
    /// None for now: every shape has a periodogram.
    pub fn of_array<T: Value>(values: ArrayView2<'_, T>) -> Result<Array2<f64>, OperatorError> {
        let (samples, channels) = values.dim();
        if samples == 0 {
            return Ok(Array2::zeros((channels, 0)));
        }
        let mut dft = DftPower::new(samples).map_err(|e| refused(&e))?;
        let mut powers = Array2::from_elem((channels, dft.bins()), f64::NAN);
        if let (Some(x), Some(powers)) = (values.as_standard_layout().as_slice(), powers.as_slice_mut()) {
            dft.process(x, channels, powers).map_err(|e| refused(&e))?;
        }
        Ok(powers)
    }
}

/// The plan for a length: one made beforehand, or, for a window cut short, made now.
fn plan<'a>(
    plans: &'a mut [DftPower],
    other: &'a mut Option<Box<DftPower>>,
    samples: usize,
    precision: Precision,
) -> Result<&'a mut DftPower, OperatorError> {
    if let Some(plan) = plans.iter_mut().find(|plan| plan.samples() == samples) {
        return Ok(plan);
    }
    let last = other.take().filter(|plan| plan.samples() == samples);
    let plan = || DftPower::with_precision(samples, precision).map(Box::new);
    Ok(other.insert(last.map_or_else(plan, Ok).map_err(|e| refused(&e))?))
}

impl Operator for Periodogram {
    type In = Window;
    type Out = Features;

    fn prepare(&mut self, spec: &WindowSpec) -> Result<Arc<FeatureSpec>, OperatorError> {
        self.rows = Rows::of(&spec.signal.channels)?;
        self.hop = spec.hop;
        // Windows of one hop differ by at most one sample.
        let rate = spec.signal.rate;
        let expected = i128::from(spec.hop.as_nanos().max(0)) * i128::from(rate.num());
        let shortest = (expected / (i128::from(rate.den()) * 1_000_000_000)) as usize;
        let lengths = [shortest, shortest + 1].into_iter().filter(|samples| *samples > 0);
        let plan = |samples| DftPower::with_precision(samples, self.precision);
        self.plans = lengths.map(plan).collect::<Result<_, _>>().map_err(|e| refused(&e))?;
        self.other = None;
        self.columns = shortest / 2 + 1;
        Ok(Arc::new(FeatureSpec {
            rows: self.rows.names.clone(),
            columns: (0..self.columns).map(|bin| format!("bin {bin}")).collect(),
            unit: "µV²".to_owned(),
        }))
    }

    fn process(&mut self, input: &Window, out: &mut Features) -> Result<(), OperatorError> {
        same_channels(self.rows.width, input.samples.channels())?;
        let samples = input.samples.len();
        if samples == 0 {
            return Ok(());
        }
        let dft = plan(&mut self.plans, &mut self.other, samples, self.precision)?;
        let bins = dft.bins();
        if self.rows.are_all() && bins == self.columns {
            let done = dft.process(input.samples.values(), self.rows.width, &mut out.values);
            return done.map_err(|e| refused(&e));
        }
        self.powers.resize(self.rows.width * bins, f64::NAN);
        dft.process(input.samples.values(), self.rows.width, &mut self.powers).map_err(|e| refused(&e))?;
        for (row, channel) in out.values.chunks_exact_mut(self.columns).zip(&self.rows.channels) {
            for (value, power) in row.iter_mut().zip(&self.powers[channel * bins..][..bins]) {
                *value = *power;
            }
        }
        Ok(())
    }

    fn reset(&mut self) {}

    fn latency(&self) -> Latency {
        Latency { look_back: self.hop, ..Latency::default() }
    }

    fn snapshot(&self, writer: &mut SnapshotWriter) {
        computed_in::put(self.precision, writer);
    }

    fn restore(&mut self, reader: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        computed_in::take(self.precision, reader)
    }
}
