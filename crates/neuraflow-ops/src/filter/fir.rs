//! The FIR filter: linear phase, so every frequency is late by the same time, or minimum phase, so none is later than it must.

use neuraflow_core::operator::OperatorError;

use super::cascade::band_constructors;
use super::latency::Bands;
use super::past::{PastStage, Plan, Recursion, past_filter};
use super::refusal::{Names, refusal};
use crate::kernel::{DesignError, Response, dot, firwin, group_delay_at, minimum_phase, power_at};

/// An FIR filter of any band, of so many taps: the windowed sinc. Edges in Hz, where the gain is −6 dB.
///
/// The design is `scipy.signal.firwin(taps, edges, window='hamming', pass_zero=btype, fs=rate)`. All frequencies are
/// late by `(taps − 1) / 2` samples, and so the shape of a wave is kept; between passing and stopping lie `3.3 · rate /
/// taps` Hz. [`minimum_phase`](Self::minimum_phase) keeps the gains and gives the shape up for a delay of a few samples. The
/// filter forgets what is older than its taps. How all filters treat channels, gaps and latency: see
/// [`filter`](crate::filter).
///
/// ```
/// use neuraflow_core::model::{Channel, SamplingRate};
/// use neuraflow_core::operator::{Missing, Operator, SignalSpec};
/// use neuraflow_ops::filter::Fir;
/// let channels: std::sync::Arc<[Channel]> = [Channel::new("Cz")].into();
/// let spec = SignalSpec { channels, rate: SamplingRate::hz(250)?, missing: Missing::Restart };
/// let mut linear = Fir::lowpass(101, 40.0);
/// linear.prepare(&spec)?;
/// assert_eq!(linear.latency().group_delay.as_millis_f64(), 200.0); // 50 samples
/// let mut early = Fir::lowpass(101, 40.0).minimum_phase();
/// early.prepare(&spec)?;
/// assert!(early.latency().group_delay.as_millis_f64() < 30.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// `prepare`: an edge at or beyond Nyquist, a band of no width, no tap or more than
/// [`MAX_TAPS`](crate::kernel::MAX_TAPS), an even number of taps for a filter that passes Nyquist; more than 2²⁴ values to
/// remember.
#[derive(Debug, Clone)]
pub struct Fir {
    taps: usize,
    response: Response,
    minimum_phase: bool,
    stage: PastStage<Taps>,
}

/// Its taps: the first, and the others in the order of the values that they weigh, oldest first.
#[derive(Debug, Clone)]
pub(super) struct Taps {
    first: f64,
    rest: Vec<f64>,
}

impl Fir {
    band_constructors!();

    fn new(taps: usize, response: Response) -> Self {
        Self { taps, response, minimum_phase: false, stage: PastStage::default() }
    }

    /// Delays as little as a filter of these gains can: `scipy.signal.minimum_phase(taps, half=False)`.
    #[must_use]
    pub fn minimum_phase(mut self) -> Self {
        self.minimum_phase = true;
        self
    }

    /// The taps for a sampling rate in Hz.
    ///
    /// # Errors
    /// As [`firwin`].
    ///
    /// ```
    /// use neuraflow_ops::filter::Fir;
    /// let taps = Fir::bandpass(201, 8.0..13.0).design(250.0)?;
    /// assert_eq!(taps[0].to_bits(), taps[200].to_bits()); // symmetric
    /// # Ok::<(), neuraflow_ops::kernel::DesignError>(())
    /// ```
    pub fn design(&self, sampling_rate: f64) -> Result<Vec<f64>, DesignError> {
        let taps = firwin(self.taps, self.response, sampling_rate)?;
        if self.minimum_phase { minimum_phase(&taps) } else { Ok(taps) }
    }

    fn plan(&self, sampling_rate: f64) -> Result<Plan<Taps>, OperatorError> {
        let names = Names::of(self.response);
        let taps = self.design(sampling_rate).map_err(|error| refusal(error, &names))?;
        let delays = if self.minimum_phase {
            let power = |hz| power_at(&taps, hz, sampling_rate);
            let bands = Bands::within_half_power(power, self.response, sampling_rate);
            bands.delays(|hz| group_delay_at(&taps, hz, sampling_rate))
        } else {
            let half = (taps.len() - 1) as f64 / 2.0;
            (half, half)
        };
        let settling = taps.len() - 1;
        Ok(Plan { recursion: Taps::new(&taps), delays, settling })
    }
}

impl Taps {
    /// `taps`, the one of the newest value first.
    pub(super) fn new(taps: &[f64]) -> Self {
        let (first, rest) = taps.split_first().map_or((0.0, &[][..]), |(first, rest)| (*first, rest));
        Self { first, rest: rest.iter().rev().copied().collect() }
    }
}

impl Recursion for Taps {
    fn length(&self) -> usize {
        self.rest.len()
    }

    fn steady(&self, value: f64) -> f64 {
        value
    }

    fn step(&self, past: &[f64], value: f64) -> (f64, f64) {
        (value, self.first * value + dot(&self.rest, past))
    }
}

past_filter!(Fir, "Fir::bandpass(101, 1.0..40.0)");
