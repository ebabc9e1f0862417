//! The quality score of one channel: slices in, a number out.

use crate::kernel::stats;

/// The parts of a channel's quality, each from 0 (useless) to 1 (nothing to object).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Quality {
    /// Fraction of the values that are valid.
    pub valid: f64,
    /// Whether it moves: 0 for a flat signal, and after 100 ms without a change.
    pub lively: f64,
    /// Whether it keeps off the ends of its range.
    pub unclipped: f64,
    /// Whether its amplitude can be that of an EEG.
    pub amplitude: f64,
    /// Whether slow rhythms outweigh line noise, muscle and white noise.
    pub smooth: f64,
}

impl Quality {
    /// The product of the parts, from 0 to 1: no part makes up for another.
    pub fn score(self) -> f64 {
        self.valid * self.lively * self.unclipped * self.amplitude * self.smooth
    }
}

/// A straight line from 0 at `zero` to 1 at `one`, level beyond both.
fn ramp(value: f64, zero: f64, one: f64) -> f64 {
    ((value - zero) / (one - zero)).clamp(0.0, 1.0)
}

/// The quality of one channel over about a second of raw signal, oldest sample first, at `rate` Hz.
///
/// `microvolts` tells whether the values are in µV: if not, their amplitude is not judged, and counts as 1.
/// With `x` the valid (finite) values, `s` their standard deviation, and ramps that are straight lines from 0 to 1:
///
/// | part | is |
/// |---|---|
/// | `valid` | valid values ÷ values |
/// | `lively` | 1 − the greater of: unchanged steps at the end ÷ steps in 100 ms (at least 4); ramp of the fraction of unchanged steps from 0.5 to 1 |
/// | `unclipped` | ramp, from 5 % to none, of the fraction of values in runs of three or more at the greatest or least value |
/// | `amplitude` | ramp of `s` from 0.05 to 0.5 µV, times ramp of `s` from 500 to 100 µV |
/// | `smooth` | ramp, from 1 to 0.4, of `D(τ) = mean (x(t+τ) − x(t))² ÷ 2s²` at τ = 5 ms |
///
/// `D` is one minus the autocorrelation at 5 ms (between samples, in a straight line; one step where steps are longer):
/// 0.05 for a rhythm of 10 Hz, 0.3 for 25 Hz, 1 for 50 Hz and for white noise,
/// 1.3 for 60 Hz, and for mixtures in proportion to their powers, at any sampling rate. Below 100 Hz a step is too long
/// to tell, and `smooth` counts as 1. Fewer than two valid values give all zeros.
///
/// The thresholds are this library's, set on raw 64-channel EEG; the parts are those of the early stages of the PREP
/// pipeline: N. Bigdely-Shamlo et al. (2015), Front. Neuroinform. 9:16.
///
/// ```
/// use neuraflow_ops::quality::assess;
/// let alpha: Vec<f64> = (0..250).map(|n| 30.0 * (0.25 * f64::from(n)).sin()).collect(); // 10 Hz at 250 Hz
/// assert_eq!(assess(&alpha, 250.0, true).score(), 1.0);
/// assert_eq!(assess(&[0.0; 250], 250.0, true).score(), 0.0);
/// assert_eq!(assess(&[f64::NAN; 250], 250.0, true).score(), 0.0);
/// ```
pub fn assess(samples: &[f64], rate: f64, microvolts: bool) -> Quality {
    let variance = stats::variance(samples, 0);
    if variance.valid < 2 {
        return Quality::default();
    }
    let deviation = variance.value.sqrt();
    Quality {
        valid: variance.valid as f64 / samples.len() as f64,
        lively: lively(samples, rate),
        unclipped: ramp(clipped(samples) as f64 / variance.valid as f64, 0.05, 0.0),
        amplitude: if microvolts { ramp(deviation, 0.05, 0.5) * ramp(deviation, 500.0, 100.0) } else { 1.0 },
        smooth: smooth(samples, rate, variance.value),
    }
}

fn lively(samples: &[f64], rate: f64) -> f64 {
    let steps = samples.windows(2).filter(|step| step.iter().all(|value| value.is_finite()));
    let (all, unchanged) =
        steps.fold((0, 0), |(all, unchanged), step| (all + 1, unchanged + usize::from(step[0] == step[1])));
    if all == 0 {
        return 0.0;
    }
    let at_the_end = samples.windows(2).rev().take_while(|step| step[0] == step[1]).count();
    let patience = (0.1 * rate).max(4.0);
    let still = (at_the_end as f64 / patience).min(1.0);
    1.0 - still.max(ramp(unchanged as f64 / all as f64, 0.5, 1.0))
}

/// Values in runs of three or more at the greatest or the least value.
fn clipped(samples: &[f64]) -> usize {
    let (low, high) = (stats::min(samples).value, stats::max(samples).value);
    let runs = samples.chunk_by(|a, b| a == b);
    runs.filter(|run| run.len() >= 3 && (run[0] == low || run[0] == high)).map(<[f64]>::len).sum()
}

fn smooth(samples: &[f64], rate: f64, variance: f64) -> f64 {
    if rate < 100.0 || variance <= 0.0 {
        return 1.0;
    }
    // Between the lags around 5 ms, in a straight line.
    let lag = (0.005 * rate).max(1.0);
    let (before, part) = (libm::floor(lag), lag - libm::floor(lag));
    let mut ratio = dissimilarity(samples, before as usize, variance);
    if part > 0.0 {
        ratio += part * (dissimilarity(samples, before as usize + 1, variance) - ratio);
    }
    // Without a pair of values there is nothing to trust.
    if ratio.is_nan() { 0.0 } else { ramp(ratio, 1.0, 0.4) }
}

/// `mean (x[n + lag] − x[n])² ÷ 2s²` over the pairs in which both are valid, summed in order; NaN without a pair.
fn dissimilarity(samples: &[f64], lag: usize, variance: f64) -> f64 {
    let (mut sum, mut pairs) = (0.0, 0_usize);
    for (before, after) in samples.iter().zip(samples.get(lag..).unwrap_or(&[])) {
        let difference = after - before;
        if difference.is_finite() {
            sum += difference * difference;
            pairs += 1;
        }
    }
    sum / pairs as f64 / (2.0 * variance)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sine(hz: f64, amplitude: f64, rate: f64) -> Vec<f64> {
        let angle = |n: usize| std::f64::consts::TAU * hz * n as f64 / rate;
        (0..rate as usize).map(|n| amplitude * libm::sin(angle(n) + 0.3)).collect()
    }

    #[test]
    fn clean_is_near_one_and_line_noise_is_near_zero_at_any_rate() {
        for rate in [160.0, 250.0, 1000.0, 30_000.0] {
            assert!(assess(&sine(10.0, 40.0, rate), rate, true).score() > 0.99, "{rate}");
            assert!(assess(&sine(50.0, 40.0, rate), rate, true).smooth < 0.15, "{rate}");
        }
    }

    /// A clean signal with more of a fault the greater the number.
    type Fault<'a> = Box<dyn Fn(usize) -> Vec<f64> + 'a>;

    #[test]
    fn more_of_any_fault_never_raises_the_score() {
        let clean = sine(9.0, 40.0, 250.0);
        let hum = sine(50.0, 40.0, 250.0);
        let faults: [(&str, Fault); 5] = [
            (
                "missing",
                Box::new(|k| {
                    clean.iter().enumerate().map(|(n, v)| if n < k * 12 { f64::NAN } else { *v }).collect()
                }),
            ),
            ("still", Box::new(|k| (0..250).map(|n| clean[n.min(249 - k * 2)]).collect())),
            ("clipped", Box::new(|k| clean.iter().map(|v| v.min(40.0 - k as f64)).collect())),
            ("loud", Box::new(|k| clean.iter().map(|v| v * (1.0 + k as f64)).collect())),
            ("hum", Box::new(|k| clean.iter().zip(&hum).map(|(v, h)| v + h * 0.1 * k as f64).collect())),
        ];
        for (name, fault) in faults {
            let scores: Vec<f64> = (0..20).map(|k| assess(&fault(k), 250.0, true).score()).collect();
            assert!(scores.is_sorted_by(|a, b| *b <= a + 0.02), "{name}: {scores:?}");
            assert!(scores[0] > 0.9 && scores[19] < 0.5, "{name}: {scores:?}");
        }
    }

    #[test]
    fn a_score_is_a_number_from_zero_to_one_whatever_comes() {
        let odd = [f64::NAN, f64::INFINITY, 1e30, -1e30, 0.0, 0.0, 5.0];
        for length in 0..40 {
            for start in 0..odd.len() {
                let samples: Vec<f64> = (0..length).map(|n| odd[(start + n * n) % odd.len()]).collect();
                let score = assess(&samples, 12.8, true).score();
                assert!((0.0..=1.0).contains(&score), "{samples:?}");
            }
        }
    }
}
