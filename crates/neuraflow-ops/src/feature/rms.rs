//! Root mean square.

use super::channel_statistic::{ChannelStatistic, OfAll, OfChannel, channel_feature};
use crate::kernel::stats;

/// Root mean square of each channel, in µV (or the channel's unit): `√(Σ x² / n)` over the valid values.
///
/// The mean is not taken off: put a high-pass filter or a reference ahead of it.
///
/// Input: windows of any number of samples. Output: one row for each channel that is not a trigger, one column
/// `rms`. Missing values are left out. NaN where no value is valid, so in a window without samples, and, with
/// [`over_millis`](Self::over_millis), until the look-back has been filled once. Without it there is no state, and the
/// look-back declared is the window.
///
/// # Errors
/// `prepare`: only trigger channels; a look-back shorter than one sample. `process`: another number of channels.
///
/// ```
/// use neuraflow_ops::feature::Rms;
/// // Two samples of two channels.
/// assert_eq!(Rms::of_samples(&[3.0_f32, 1.0, -3.0, f32::NAN], 2)?, [3.0, 1.0]);
/// let feature = Rms::new().over_millis(500); // in a pipeline: .feature(|| Rms::new().over_millis(500))
/// # let _ = feature;
/// # Ok::<(), neuraflow_core::operator::OperatorError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Rms {
    statistic: ChannelStatistic<RootMeanSquare>,
}

#[derive(Clone, Debug)]
struct RootMeanSquare;

impl OfChannel for RootMeanSquare {
    const COLUMN: &'static str = "rms";
    const UNIT: &'static str = "µV";
    const OF_ALL: Option<OfAll> = Some(stats::rms_of_channels);

    fn of(samples: &[f64]) -> f64 {
        stats::rms(samples).value
    }
}

channel_feature!(Rms, RootMeanSquare);
