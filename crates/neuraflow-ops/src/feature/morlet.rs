//! Morlet wavelets: power at a frequency, as sharp in time as that frequency allows.

use std::f64::consts::PI;

use neuraflow_core::model::{SamplingRate, Span};
use neuraflow_core::operator::OperatorError;

use super::over::{Columns, Over, Statistic, window_feature};
use super::spectrum::column;
use crate::kernel::{Value, dot};

/// Power of each channel at some frequencies by complex Morlet wavelets, of the latest wavelet that the signal has filled.
///
/// ```text
/// P(f) = |Σ w(t) x(t)|²,    w(t) ∝ (exp(2πj·f·t) − exp(−2(πfσ)²)) exp(−t² / 2σ²),    σ = cycles / 2πf,    |t| < 5σ
/// ```
///
/// The wavelets are those of `mne.time_frequency.morlet(sfreq, freqs, n_cycles, zero_mean=True)`, of norm √2, and the power that of
/// `tfr_array_morlet(…, output='power')` at the wavelet's centre. **That centre lies 5σ before the window's end**: 0.56 s at
/// 10 Hz with the usual seven cycles, half of it at 20 Hz. Fewer cycles are sharper in time and broader in frequency, `f /
/// cycles` hertz.
///
/// Input: windows of any number of samples. Output: one row for each channel that is not a trigger, one column for each
/// frequency, in µV². NaN until the longest wavelet has been filled once; a missing value blanks each frequency for as long as it
/// is under its wavelet. State: the samples of the longest wavelet.
///
/// Source: C. Tallon-Baudry et al. (1997), J. Neurosci. 17:722–734.
///
/// # Errors
/// `prepare`: no frequency; one that is not above 0 Hz and below Nyquist; cycles that are not above 0; a wavelet of more than 2¹⁷
/// samples; only trigger channels. `process`: another number of channels than prepared.
///
/// ```
/// use neuraflow_core::model::SamplingRate;
/// use neuraflow_ops::feature::Morlet;
/// let alpha: Vec<f64> = (0..500).map(|n| 20.0 * (std::f64::consts::TAU * 10.0 * f64::from(n) / 250.0).sin()).collect();
/// let power = Morlet::at([10.0, 20.0]).of_samples(&alpha, 1, SamplingRate::hz(250)?)?;
/// assert!(power[0] > 1e4 * power[1]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Morlet {
    over: Over<Wavelets>,
}

#[derive(Clone, Debug)]
struct Wavelets {
    frequencies: Vec<f64>,
    cycles: f64,
    /// Real and imaginary part of each, once planned.
    planned: Vec<[Vec<f64>; 2]>,
}

/// How many deviations of its Gaussian a wavelet reaches to each side.
const REACH: f64 = 5.0;

impl Morlet {
    /// Power at these frequencies, in Hz, with seven cycles.
    pub fn at(frequencies: impl IntoIterator<Item = f64>) -> Self {
        let frequencies = frequencies.into_iter().collect();
        Self { over: Over::new(Wavelets { frequencies, cycles: 7.0, planned: Vec::new() }) }
    }

    /// With this many cycles in a wavelet.
    #[must_use]
    pub fn cycles(mut self, cycles: f64) -> Self {
        self.over.statistic.cycles = cycles;
        self
    }

    /// The powers of the latest wavelets in plain sample-major values `[sample][channel]`, as `[channel][frequency]`.
    ///
    /// # Errors
    /// As `prepare`; the number of values is not a multiple of the number of channels; fewer samples than the longest wavelet.
    pub fn of_samples<T: Value>(
        &self,
        values: &[T],
        channels: usize,
        rate: SamplingRate,
    ) -> Result<Vec<f64>, OperatorError> {
        self.over.of_samples(values, channels, rate)
    }
}

impl Wavelets {
    /// Samples on each side of a wavelet's middle.
    fn half(&self, frequency: f64, hz: f64) -> f64 {
        libm::ceil(REACH * self.cycles / (2.0 * PI * frequency) * hz) - 1.0
    }

    fn wavelet(&self, frequency: f64, hz: f64) -> [Vec<f64>; 2] {
        let sigma = self.cycles / (2.0 * PI * frequency);
        let half = self.half(frequency, hz) as i64;
        let turned = PI * frequency * sigma;
        let offset = libm::exp(-2.0 * turned * turned);
        let parts = (-half..=half).map(|n| {
            let t = n as f64 / hz;
            let angle = 2.0 * PI * frequency * t;
            let envelope = libm::exp(-(t * t) / (2.0 * sigma * sigma));
            ((libm::cos(angle) - offset) * envelope, libm::sin(angle) * envelope)
        });
        let (re, im): (Vec<f64>, Vec<f64>) = parts.unzip();
        let norm = (dot(&re, &re) + dot(&im, &im)).sqrt() * 0.5_f64.sqrt();
        [re, im].map(|part| part.into_iter().map(|value| value / norm).collect())
    }
}

impl Statistic for Wavelets {
    fn span(&self, rate: SamplingRate) -> Option<Span> {
        let lowest = self.frequencies.iter().copied().fold(f64::INFINITY, f64::min);
        let half = self.half(lowest, rate.as_hz());
        // What is no wavelet, `plan` refuses by name. One that a header's rate makes too long is refused as a look-back.
        (half >= 0.0).then(|| rate.offset((2.0 * half + 1.0) as u64))
    }

    fn plan(&mut self, rate: SamplingRate, _: usize) -> Result<Columns, OperatorError> {
        let hz = rate.as_hz();
        let refused = |expected: String, found: String| OperatorError::Spec {
            what: "Morlet wavelets",
            expected,
            found,
        };
        if self.frequencies.is_empty() {
            return Err(refused("at least one frequency".to_owned(), "none".to_owned()));
        }
        if !(self.cycles > 0.0 && self.cycles.is_finite()) {
            return Err(refused("cycles above 0; 7 is usual".to_owned(), self.cycles.to_string()));
        }
        if let Some(wrong) = self.frequencies.iter().find(|f| !(**f > 0.0 && **f < hz / 2.0)) {
            let expected = format!("frequencies above 0 Hz and below Nyquist {} Hz", hz / 2.0);
            return Err(refused(expected, format!("{wrong} Hz")));
        }
        self.planned = self.frequencies.iter().map(|frequency| self.wavelet(*frequency, hz)).collect();
        Ok(Columns {
            names: self.frequencies.iter().map(|frequency| column(*frequency)).collect(),
            unit: "µV²",
        })
    }

    fn compute(&mut self, samples: &[f64], out: &mut [f64]) {
        for (value, [re, im]) in out.iter_mut().zip(&self.planned) {
            let latest = &samples[samples.len() - re.len()..];
            let (re, im) = (dot(re, latest), dot(im, latest));
            let power = re * re + im * im;
            *value = if power.is_finite() { power } else { f64::NAN };
        }
    }
}

window_feature!(Morlet, over);
