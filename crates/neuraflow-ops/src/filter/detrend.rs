//! Detrending: what is left of a signal beside the line through its last seconds.

use neuraflow_core::model::Span;
use neuraflow_core::operator::OperatorError;

use super::fir::Taps;
use super::latency::Bands;
use super::past::{PastStage, Plan, past_filter};
use crate::kernel::{MAX_TAPS, group_delay_at};

/// Takes off each sample the mean of the last seconds, or the straight line through them, at that sample.
///
/// It is the last value of `scipy.signal.detrend(x[n−L+1 ..= n], type=…)` at every sample n, and causal: a filter of L taps,
/// which forgets what is older than its look-back. Of a steady drift the mean leaves half a look-back's worth, the line
/// nothing. Costs a multiplication for each sample of the look-back: at 30 kHz take [`DcRemoval`](super::DcRemoval). The group delay is declared at
/// half of Nyquist, where it is next to nothing; slower waves come out ahead of their time, as behind any high-pass. How all filters treat channels, gaps and latency: see [`filter`](crate::filter).
///
/// ```
/// use ndarray::Array2;
/// use neuraflow_ops::filter::Detrend;
/// let drifting = Array2::from_shape_fn((1_000, 1), |(n, _)| 15_000.0 + 0.25 * n as f64); // µV
/// let level = Detrend::linear(1_000).filter(&drifting, 250.0)?;
/// assert!(level[(999, 0)].abs() < 1e-6);
/// # Ok::<(), neuraflow_core::operator::OperatorError>(())
/// ```
///
/// # Errors
/// `prepare`: a look-back of less than two samples, or three for a line, or of more than
/// [`MAX_TAPS`](crate::kernel::MAX_TAPS); more than 2²⁴ values to remember.
#[derive(Debug, Clone)]
pub struct Detrend {
    over: Span,
    linear: bool,
    stage: PastStage<Taps>,
}

impl Detrend {
    /// Takes off the mean of a look-back of this many milliseconds.
    pub fn constant(millis: i64) -> Self {
        Self { over: Span::millis(millis), linear: false, stage: PastStage::default() }
    }

    /// Takes off the straight line of least squares through a look-back of this many milliseconds.
    pub fn linear(millis: i64) -> Self {
        Self { over: Span::millis(millis), linear: true, stage: PastStage::default() }
    }

    fn plan(&self, sampling_rate: f64) -> Result<Plan<Taps>, OperatorError> {
        let samples = libm::round(self.over.as_secs_f64() * sampling_rate);
        let least = if self.linear { 3.0 } else { 2.0 };
        if !(samples >= least && samples <= MAX_TAPS as f64) {
            return Err(OperatorError::Spec {
                what: "look-back of the trend",
                expected: format!(
                    "{least} to {MAX_TAPS} samples; change it, or lower the sampling rate first"
                ),
                found: format!("{} ms, which is {samples} samples", self.over.as_millis_f64()),
            });
        }
        let taps = taps(samples as usize, self.linear);
        let low = sampling_rate / samples;
        let bands = Bands::one(low, sampling_rate / 2.0);
        let delay = |hz| group_delay_at(&taps, hz, sampling_rate);
        let delays = (delay(sampling_rate / 4.0), bands.delays(delay).1);
        let settling = taps.len() - 1;
        Ok(Plan { recursion: Taps::new(&taps), delays, settling })
    }
}

/// 1 for the newest sample, less the weight of each in the trend at it, newest first.
fn taps(samples: usize, linear: bool) -> Vec<f64> {
    let count = samples as f64;
    let reach = (count - 1.0) / 2.0;
    // Σ (t − mean of t)² = n (n² − 1) / 12
    let spread = count * (count * count - 1.0) / 12.0;
    let weight = |age: usize| {
        let line = if linear { reach * (reach - age as f64) / spread } else { 0.0 };
        1.0 / count + line
    };
    (0..samples).map(|age| if age == 0 { 1.0 - weight(0) } else { -weight(age) }).collect()
}

past_filter!(Detrend, "Detrend::linear(400)");
