//! The multitaper spectrum: several tapers instead of several segments.

use neuraflow_core::model::SamplingRate;
use neuraflow_core::operator::OperatorError;

use super::over::{Columns, Over, Statistic, look_back_feature};
use super::spectrum::column;
use crate::kernel::{Complex64, RealDft, Slepian, slepians, stats};

/// Power spectral density of each channel by Thomson's multitaper method, in µV²/Hz, over a look-back that ends with the window.
///
/// ```text
/// P(f) = Σ λₖ |DFT(hₖ · (x − mean))(f)|² · 2 / (Σ λₖ · rate)    over the Slepian tapers hₖ with concentration λₖ > 0.9
/// ```
///
/// The same numbers as `mne.time_frequency.psd_array_multitaper(x, sfreq, bandwidth=…, adaptive=False, low_bias=True,
/// normalization='full')`; 0 Hz and Nyquist count once. All of the look-back counts in every taper, where Welch's segments
/// trade resolution for noise; what it trades is the [`bandwidth`](Self::bandwidth_hz), over which each bin is smeared.
///
/// Input: windows of any number of samples. Output: one row for each channel that is not a trigger, one column for each
/// frequency from 0 Hz up to [`up_to_hz`](Self::up_to_hz). NaN until the look-back has been filled once, and while a value in it is
/// missing. State: the samples of the look-back, by default one second.
///
/// Sources: D. J. Thomson (1982), Proc. IEEE 70:1055–1096; D. Slepian (1978), Bell Syst. Tech. J. 57:1371–1430.
///
/// # Errors
/// `prepare`: a look-back of less than 8 or more than 8192 samples; a bandwidth of less than a bin, or of 64 or
/// more; a highest frequency below 0 Hz; only trigger channels. `process`: another number of channels than prepared.
///
/// ```
/// use neuraflow_core::model::SamplingRate;
/// use neuraflow_ops::feature::Multitaper;
/// let alpha: Vec<f64> = (0..250).map(|n| 20.0 * (std::f64::consts::TAU * 10.0 * f64::from(n) / 250.0).sin()).collect();
/// let density = Multitaper::new().bandwidth_hz(4.0).up_to_hz(45.0).of_samples(&alpha, 1, SamplingRate::hz(250)?)?;
/// assert_eq!(density.len(), 46);
/// let alpha_power: f64 = density[6..=14].iter().sum();
/// assert!((alpha_power - 200.0).abs() < 4.0); // 20² / 2 µV², all but what leaks out of the band
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Multitaper {
    over: Over<Tapers>,
}

#[derive(Clone, Debug, Default)]
struct Tapers {
    bandwidth: Option<f64>,
    highest: Option<f64>,
    plan: Option<Plan>,
}

#[derive(Clone, Debug)]
struct Plan {
    tapers: Vec<Slepian>,
    transform: RealDft,
    scale: f64,
    tapered: Vec<f64>,
    spectrum: Vec<Complex64>,
}

/// A bandwidth of so many bins has as many tapers, and most of the resolution is gone.
const MOST_BINS: f64 = 64.0;

/// The concentration from which on a taper's bias is low, as MNE has it.
const LOW_BIAS: f64 = 0.9;

impl Default for Multitaper {
    fn default() -> Self {
        Self { over: Over::new(Tapers::default()) }
    }
}

impl Multitaper {
    /// Over one second, with a bandwidth of eight bins: seven tapers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Smears each bin over this many hertz, the more the less noise. Eight bins, `8000 / millis` hertz, without it.
    #[must_use]
    pub fn bandwidth_hz(mut self, hz: f64) -> Self {
        self.over.statistic.bandwidth = Some(hz);
        self
    }

    /// Leaves out all frequencies above this one.
    #[must_use]
    pub fn up_to_hz(mut self, hz: f64) -> Self {
        self.over.statistic.highest = Some(hz);
        self
    }
}

impl Statistic for Tapers {
    fn plan(&mut self, rate: SamplingRate, samples: usize) -> Result<Columns, OperatorError> {
        let refused = |what: &'static str, expected: String, found: String| OperatorError::Spec {
            what,
            expected,
            found,
        };
        if !(8..=8192).contains(&samples) {
            let expected = "8 to 8192 samples; change it, or lower the sampling rate first".to_owned();
            return Err(refused("look-back of the multitaper spectrum", expected, samples.to_string()));
        }
        let hz = rate.as_hz();
        let bin = hz / samples as f64;
        let half_bandwidth =
            self.bandwidth.map_or(4.0_f64.min(samples as f64 / 4.0), |width| width / (2.0 * bin));
        let most = MOST_BINS.min(samples as f64);
        if !(half_bandwidth >= 0.5 && 2.0 * half_bandwidth < most) {
            let expected =
                format!("from {bin} Hz, a bin, to below {} Hz; change it, or the look-back", most * bin);
            return Err(refused("bandwidth", expected, format!("{} Hz", 2.0 * half_bandwidth * bin)));
        }
        let highest = self.highest.unwrap_or(hz);
        if highest.is_nan() || highest < 0.0 {
            return Err(refused("highest frequency", "0 Hz or more".to_owned(), format!("{highest} Hz")));
        }
        let mut tapers = slepians(samples, half_bandwidth, (2.0 * half_bandwidth) as usize);
        if tapers.iter().any(|taper| taper.concentration > LOW_BIAS) {
            tapers.retain(|taper| taper.concentration > LOW_BIAS);
        } else {
            tapers.truncate(1);
        }
        let weights: f64 = tapers.iter().map(|taper| taper.concentration).sum();
        let transform = RealDft::new(samples).map_err(|error| {
            refused("multitaper spectrum", "a spectrum that can be computed".to_owned(), error.to_string())
        })?;
        // The slack of a bin that falls onto the limit whatever the rounding.
        let bins = transform.bins().min(libm::floor(highest / bin + 1e-9) as usize + 1);
        self.plan = Some(Plan {
            tapers,
            scale: 2.0 / (weights * hz),
            tapered: vec![0.0; samples],
            spectrum: vec![Complex64::default(); transform.bins()],
            transform,
        });
        Ok(Columns { names: (0..bins).map(|at| column(at as f64 * bin)).collect(), unit: "µV²/Hz" })
    }

    fn compute(&mut self, samples: &[f64], out: &mut [f64]) {
        let Some(Plan { tapers, transform, scale, tapered, spectrum }) = &mut self.plan else { return };
        let mean = stats::sum(samples) / samples.len() as f64;
        if !mean.is_finite() {
            return;
        }
        out.fill(0.0);
        for taper in tapers {
            for ((tapered, value), weight) in tapered.iter_mut().zip(samples).zip(&taper.values) {
                *tapered = (value - mean) * weight;
            }
            if transform.forward(tapered, spectrum).is_err() {
                return out.fill(f64::NAN);
            }
            for (value, bin) in out.iter_mut().zip(&*spectrum) {
                *value += taper.concentration * bin.norm_sqr();
            }
        }
        let nyquist = if samples.len().is_multiple_of(2) { samples.len() / 2 } else { usize::MAX };
        for (bin, value) in out.iter_mut().enumerate() {
            *value *= if bin == 0 || bin == nyquist { *scale / 2.0 } else { *scale };
        }
    }
}

look_back_feature!(Multitaper);
