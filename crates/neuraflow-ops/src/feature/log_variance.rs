//! Logarithm of the variance.

use super::channel_statistic::{ChannelStatistic, OfChannel, channel_feature};
use crate::kernel::stats;

/// Natural logarithm of the variance of each channel, in ln µV²: `ln(Σ (x − x̄)² / n)` over the valid values.
///
/// The feature of common spatial patterns; close to normally distributed, as a linear discriminant wants it. A flat
/// channel gives −∞, one value alone too. Source: H. Ramoser, J. Müller-Gerking and G. Pfurtscheller (2000), IEEE Trans.
/// Rehabil. Eng. 8(4):441–446.
///
/// Input: windows of any number of samples. Output: one row for each channel that is not a trigger, one column
/// `log_variance`. Missing values are left out. NaN where no value is valid, so in a window without samples, and, with
/// [`over_millis`](Self::over_millis), until the look-back has been filled once. Without it there is no state, and the
/// look-back declared is the window.
///
/// # Errors
/// `prepare`: only trigger channels; a look-back shorter than one sample. `process`: another number of channels.
///
/// ```
/// use neuraflow_ops::feature::LogVariance;
/// // Three samples of one channel; the missing one does not count.
/// assert_eq!(LogVariance::of_samples(&[1.0_f64, f64::NAN, 3.0], 1)?, [0.0]);
/// # Ok::<(), neuraflow_core::operator::OperatorError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct LogVariance {
    statistic: ChannelStatistic<LogOfVariance>,
}

#[derive(Clone, Debug)]
struct LogOfVariance;

impl OfChannel for LogOfVariance {
    const COLUMN: &'static str = "log_variance";
    const UNIT: &'static str = "ln µV²";

    fn of(samples: &[f64]) -> f64 {
        stats::log_variance(samples, 0).value
    }
}

channel_feature!(LogVariance, LogOfVariance);
