//! Statistics of every channel of sample-major data at once.

use std::iter;

use super::BLOCK;
use crate::kernel::simd::widest;
use crate::kernel::{KernelError, Value};

/// [`rms`](super::rms) of every channel of sample-major `values[sample][channel]` into `out[channel]`, in the
/// channel's unit, several channels side by side: to the bit what it gives for each alone. Allocates nothing.
///
/// # Errors
/// The number of values is not a multiple of the number of channels, which is the length of `out`.
///
/// ```
/// use neuraflow_ops::kernel::stats;
/// let mut out = [0.0; 2];
/// stats::rms_of_channels(&[3.0_f32, 1.0, -3.0, f32::NAN], &mut out)?;
/// assert_eq!(out, [3.0, 1.0]);
/// # Ok::<(), neuraflow_ops::kernel::KernelError>(())
/// ```
pub fn rms_of_channels<T: Value>(values: &[T], out: &mut [f64]) -> Result<(), KernelError> {
    let channels = out.len();
    let samples = values.len().checked_div(channels).ok_or(KernelError::NoChannels)?;
    if samples * channels != values.len() {
        return Err(KernelError::NotWholeSamples { channels, found: values.len() });
    }
    widest(
        #[inline(always)]
        || rms_of_blocks(values, samples, out),
    );
    Ok(())
}

/// Channels that are computed side by side.
const LANES: usize = 8;

#[inline(always)]
fn rms_of_blocks<T: Value>(values: &[T], samples: usize, out: &mut [f64]) {
    let channels = out.len();
    let (blocks, rest) = out.as_chunks_mut::<LANES>();
    let first_of_rest = blocks.len() * LANES;
    for (block, out) in blocks.iter_mut().enumerate() {
        *out = rms_of_block(values, samples, channels, block * LANES);
    }
    for (channel, out) in rest.iter_mut().enumerate() {
        [*out] = rms_of_block(values, samples, channels, first_of_rest + channel);
    }
}

/// The channels from `first` on.
#[inline(always)]
fn rms_of_block<T: Value, const W: usize>(
    values: &[T],
    samples: usize,
    channels: usize,
    first: usize,
) -> [f64; W] {
    let lanes =
        |sample: &[T]| sample[first..].first_chunk::<W>().map_or([0.0; W], |values| values.map(T::to_f64));
    let mut valid = [samples as f64; W];
    let mut sums = sums_of(values, channels, |sample| {
        let value = lanes(sample);
        times(value, value)
    });
    // No sum of squares with a value in it that is not finite is.
    if !sums.iter().fold(true, |all, sum| all & sum.is_finite()) {
        let finite = |sample: &[T]| lanes(sample).map(|value| if value.is_finite() { 1.0 } else { 0.0 });
        sums = sums_of(values, channels, |sample| {
            let value = lanes(sample).map(|value| if value.is_finite() { value } else { 0.0 });
            times(value, value)
        });
        valid = [0.0; W];
        for sample in values.chunks_exact(channels) {
            valid = plus(valid, finite(sample));
        }
    }
    // The roots of all lanes first: a choice between them would be made lane by lane.
    let mut rms = [f64::NAN; W];
    for lane in 0..W {
        rms[lane] = (sums[lane] / valid[lane]).sqrt();
    }
    for lane in 0..W {
        rms[lane] = if valid[lane] == 0.0 { f64::NAN } else { rms[lane] };
    }
    rms
}

/// Sums of several channels, each in the tree of [`sum`](super::sum).
#[inline(always)]
pub(in crate::kernel) fn sums<T: Value, const W: usize>(values: &[[T; W]]) -> [f64; W] {
    let lanes = |sample: &[T]| sample.first_chunk::<W>().map_or([0.0; W], |values| values.map(T::to_f64));
    sums_of(values.as_flattened(), W, lanes)
}

/// Sums of a function of the values of a block of channels, each in the tree of [`sum`](super::sum).
#[inline(always)]
fn sums_of<T: Value, const W: usize>(
    values: &[T],
    channels: usize,
    term: impl Fn(&[T]) -> [f64; W] + Copy,
) -> [f64; W] {
    let mut leaves = values.chunks(BLOCK * channels);
    let first = leaf(leaves.next().unwrap_or_default(), channels, term);
    let Some(second) = leaves.next() else { return first };
    // Leaves are joined as soon as two sums of one size are there: in the tree a left half is a power of two. One
    // place for each size that a `usize` counts.
    let mut pending = [[0.0; W]; usize::BITS as usize];
    pending[0] = first;
    let mut number = 1_usize;
    for values in iter::once(second).chain(leaves) {
        let mut sum = leaf(values, channels, term);
        let joined = number.trailing_ones() as usize;
        for left in &pending[..joined] {
            sum = plus(*left, sum);
        }
        pending[joined] = sum;
        number += 1;
    }
    // What is left over is joined from the right, smallest first.
    let left_over = pending.into_iter().enumerate().filter(|(size, _)| number >> size & 1 == 1);
    left_over.map(|(_, sum)| sum).reduce(|right, left| plus(left, right)).unwrap_or([0.0; W])
}

/// The sums of up to 128 samples: eight interleaved partial sums.
#[inline(always)]
fn leaf<T: Value, const W: usize>(
    values: &[T],
    channels: usize,
    term: impl Fn(&[T]) -> [f64; W] + Copy,
) -> [f64; W] {
    let mut partial = [[0.0; W]; 8];
    let mut rest = values;
    // Not by iterators over chunks that are zipped: each would divide.
    'rows: while !rest.is_empty() {
        for partial in &mut partial {
            let Some((sample, after)) = rest.split_at_checked(channels) else { break 'rows };
            *partial = plus(*partial, term(sample));
            rest = after;
        }
    }
    let [a, b, c, d, e, f, g, h] = partial;
    plus(plus(plus(a, b), plus(c, d)), plus(plus(e, f), plus(g, h)))
}

#[inline(always)]
fn times<const W: usize>(left: [f64; W], right: [f64; W]) -> [f64; W] {
    let mut product = left;
    for lane in 0..W {
        product[lane] *= right[lane];
    }
    product
}

#[inline(always)]
fn plus<const W: usize>(left: [f64; W], right: [f64; W]) -> [f64; W] {
    let mut sum = left;
    for lane in 0..W {
        sum[lane] += right[lane];
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::super::rms;
    use super::*;

    #[test]
    fn channels_side_by_side_are_each_channel_alone_on_any_instruction_set() {
        let value = |n: usize| if n % 97 == 5 { f64::NAN } else { (n * 7919 % 2003) as f64 / 7.0 - 90.0 };
        for channels in [1, 3, 8, 19] {
            for samples in [0, 1, 12, 13, 127, 128, 129, 300, 384, 1500, 2049] {
                let values: Vec<f64> = (0..samples * channels).map(value).collect();
                let (mut found, mut baseline) = (vec![0.0; channels], vec![0.0; channels]);
                rms_of_channels(&values, &mut found).unwrap();
                rms_of_blocks(&values, samples, &mut baseline);
                for channel in 0..channels {
                    let own: Vec<f64> = values.iter().skip(channel).step_by(channels).copied().collect();
                    let expected = rms(&own).value;
                    for found in [found[channel], baseline[channel]] {
                        let same =
                            found.to_bits() == expected.to_bits() || found.is_nan() && expected.is_nan();
                        assert!(same, "{samples} samples, {channel} of {channels}: {found} for {expected}");
                    }
                }
            }
        }
        assert_eq!(rms_of_channels::<f64>(&[], &mut []), Err(KernelError::NoChannels));
        let uneven = Err(KernelError::NotWholeSamples { channels: 2, found: 3 });
        assert_eq!(rms_of_channels(&[0.0; 3], &mut [0.0; 2]), uneven);
    }
}
