//! Spiking-band power.

use super::channel_statistic::{ChannelStatistic, OfChannel, channel_feature};
use crate::kernel::stats;

/// Spiking-band power of each channel, in µV: the mean magnitude `Σ |x| / n` over the valid values of a signal band-passed to
/// 300–1,000 Hz.
///
/// It follows the firing of units too small for a threshold, and needs no more than 2,000 samples a second. Put
/// `Butterworth::bandpass(2, 300.0..1_000.0)` ahead of it; of the whole band of spikes, 300–6,000 Hz, it is the same statistic.
///
/// Input: windows of any number of samples. Output: one row for each channel that is not a trigger, one column `spiking band`. Missing
/// values are left out. NaN where no value is valid, so in a window without samples, and, with
/// [`over_millis`](Self::over_millis), until the look-back has been filled once. Without it there is no state, and the
/// look-back declared is the window.
///
/// Source: S. R. Nason et al. (2020), Nat. Biomed. Eng. 4(10):973–983.
///
/// # Errors
/// `prepare`: only trigger channels; a look-back shorter than one sample. `process`: another number of channels.
///
/// ```
/// use neuraflow_ops::feature::SpikingBandPower;
/// // Two samples of two channels.
/// assert_eq!(SpikingBandPower::of_samples(&[3.0_f32, 1.0, -5.0, f32::NAN], 2)?, [4.0, 1.0]);
/// # Ok::<(), neuraflow_core::operator::OperatorError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct SpikingBandPower {
    statistic: ChannelStatistic<MeanMagnitude>,
}

#[derive(Clone, Debug)]
struct MeanMagnitude;

impl OfChannel for MeanMagnitude {
    const COLUMN: &'static str = "spiking band";
    const UNIT: &'static str = "µV";

    fn of(samples: &[f64]) -> f64 {
        stats::mean_magnitude(samples).value
    }
}

channel_feature!(SpikingBandPower, MeanMagnitude);
