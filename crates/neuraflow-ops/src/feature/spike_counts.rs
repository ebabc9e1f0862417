//! How often units fire.

use super::channel_statistic::{ChannelStatistic, OfChannel, channel_feature};
use crate::kernel::stats;

/// The spikes of each unit or electrode in a window: the sum of samples that count spikes, as those of spike-train recordings
/// do. For signals that are not sorted: [`ThresholdCrossings`](crate::spike::ThresholdCrossings).
///
/// Windows of 10, 20 or 50 ms are bins of that length; a window may be as short as one sample. Where up to a tenth of the samples is
/// missing the count is that of the others, scaled up by their share; where more is, it is NaN.
///
/// Input: windows of any number of samples. Output: one row for each channel that is not a trigger, one column `spikes`. NaN in a window
/// without samples, and, with [`over_millis`](Self::over_millis), until the look-back has been filled once. Without it there is no
/// state, and the look-back declared is the window.
///
/// # Errors
/// `prepare`: only trigger channels; a look-back shorter than one sample. `process`: another number of channels.
///
/// ```
/// use neuraflow_ops::feature::SpikeCounts;
/// // Three milliseconds of two units.
/// assert_eq!(SpikeCounts::of_samples(&[0.0_f32, 1.0, 0.0, 2.0, 1.0, 0.0], 2)?, [1.0, 3.0]);
/// let feature = SpikeCounts::new(); // in a pipeline: .window(Tumbling::millis(50)).feature(SpikeCounts::new)
/// # let _ = feature;
/// # Ok::<(), neuraflow_core::operator::OperatorError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct SpikeCounts {
    statistic: ChannelStatistic<Count>,
}

#[derive(Clone, Debug)]
struct Count;

impl OfChannel for Count {
    const COLUMN: &'static str = "spikes";
    const UNIT: &'static str = "spikes";

    fn of(samples: &[f64]) -> f64 {
        let mean = stats::mean(samples);
        if mean.valid * 10 < samples.len() * 9 {
            return f64::NAN;
        }
        if mean.valid == samples.len() && !samples.is_empty() {
            return stats::sum(samples);
        }
        mean.value * samples.len() as f64
    }
}

channel_feature!(SpikeCounts, Count);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_may_be_missing() {
        let mut counts = [1.0; 20];
        counts[3] = f64::NAN;
        counts[4] = f64::NAN;
        assert!((Count::of(&counts) - 20.0).abs() < 1e-12);
        counts[5] = f64::NAN;
        assert!(Count::of(&counts).is_nan() && Count::of(&[]).is_nan());
        assert_eq!(Count::of(&[0.0, 2.0, 1.0]), 3.0);
    }
}
