//! The line-noise ratio: how much of a signal is mains.

use neuraflow_core::model::SamplingRate;
use neuraflow_core::operator::OperatorError;

use crate::feature::{Columns, Over, Statistic, look_back_feature};
use crate::kernel::{Band, Detrend, Psd, Window};

/// The part of each channel's power that lies within 1 Hz of the mains and its harmonics, over a look-back: from 0 to 1.
///
/// ```text
/// ratio = Σ PSD at |f − k · hz| ≤ 1 Hz, k = 1, 2, …  ÷  Σ PSD at f ≥ 1 Hz
/// ```
///
/// The density is a periodogram of the look-back (mean taken off, periodic Hann taper), `scipy.signal.welch` with one segment,
/// summed over its bins. Harmonics count up to Nyquist. Near 0 for a good contact, near 1 for an electrode that hangs in the
/// air. Input: raw windows of any number of samples, before any notch. Output: one row for each channel that is not a trigger,
/// one column `line noise`. NaN until the look-back has been filled once, while a value in it is missing, and for a flat
/// channel. State: the samples of the look-back, by default one second.
///
/// # Errors
/// `prepare`: a mains frequency that is not above 1 Hz and below Nyquist; a look-back of less than a second, whose bins are too
/// far apart to tell mains from its surroundings, or of more than 2¹⁷ samples; only trigger channels. `process`: another
/// number of channels than prepared.
///
/// ```
/// use neuraflow_core::model::SamplingRate;
/// use neuraflow_ops::quality::LineNoise;
/// let turn = |n: i32, hz: f64| (std::f64::consts::TAU * hz * f64::from(n) / 250.0).sin();
/// let values: Vec<f64> = (0..250).map(|n| 30.0 * turn(n, 10.0) + 10.0 * turn(n, 50.0)).collect();
/// let ratio = LineNoise::at(50.0).of_samples(&values, 1, SamplingRate::hz(250)?)?[0];
/// assert!((ratio - 0.1).abs() < 1e-9); // 10² of 10² + 30²
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct LineNoise {
    over: Over<Mains>,
}

#[derive(Clone, Debug)]
struct Mains {
    hz: f64,
    plan: Option<Plan>,
}

#[derive(Clone, Debug)]
struct Plan {
    psd: Psd,
    density: Vec<f64>,
    lines: Vec<Band>,
    all: Band,
}

/// How far from the mains its power reaches, and from where on all power counts, in Hz.
const WIDTH: f64 = 1.0;

impl LineNoise {
    /// Of mains of this frequency, 50 or 60 Hz.
    pub fn at(hz: f64) -> Self {
        Self { over: Over::new(Mains { hz, plan: None }) }
    }
}

impl Statistic for Mains {
    fn plan(&mut self, rate: SamplingRate, samples: usize) -> Result<Columns, OperatorError> {
        let (hz, nyquist) = (rate.as_hz(), rate.as_hz() / 2.0);
        if !(self.hz > WIDTH && self.hz < nyquist) {
            return Err(OperatorError::Spec {
                what: "mains frequency",
                expected: format!("above {WIDTH} Hz and below Nyquist {nyquist} Hz"),
                found: format!("{} Hz", self.hz),
            });
        }
        if (samples as f64) < hz {
            return Err(OperatorError::Spec {
                what: "look-back of the line noise",
                expected: "1000 ms or more, so that bins are at most 1 Hz apart".to_owned(),
                found: format!("{samples} samples at {rate}"),
            });
        }
        let refused = |error: crate::kernel::KernelError| OperatorError::Spec {
            what: "line noise",
            expected: "a spectrum that can be computed".to_owned(),
            found: error.to_string(),
        };
        let psd = Psd::periodogram(samples, Window::Hann, Detrend::Constant, hz).map_err(refused)?;
        let line = |number: usize| {
            let middle = number as f64 * self.hz;
            Band::new(middle - WIDTH, middle + WIDTH, samples, hz).map_err(refused)
        };
        let harmonics = (1..).take_while(|number| *number as f64 * self.hz - WIDTH <= nyquist);
        self.plan = Some(Plan {
            density: vec![0.0; psd.bins()],
            psd,
            lines: harmonics.map(line).collect::<Result<_, _>>()?,
            all: Band::new(WIDTH, nyquist, samples, hz).map_err(refused)?,
        });
        Ok(Columns::of(&["line noise"], ""))
    }

    fn compute(&mut self, samples: &[f64], out: &mut [f64]) {
        let Some(Plan { psd, density, lines, all }) = &mut self.plan else { return };
        if psd.process(samples, density).is_ok_and(|segments| segments > 0) {
            let mains: f64 = lines.iter().map(|line| line.power_by_sum(density)).sum();
            let ratio = mains / all.power_by_sum(density);
            out[0] = if ratio.is_finite() { ratio } else { f64::NAN };
        }
    }
}

look_back_feature!(LineNoise);
