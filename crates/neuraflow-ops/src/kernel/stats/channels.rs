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
    // Each is a function of its own: together they would both wait for the memory that long windows need.
    if samples > BLOCK {
        widest(
            #[inline(always)]
            || rms_of_long(values, samples, out),
        );
    } else {
        widest(
            #[inline(always)]
            || rms_of_short(values, samples, out),
        );
    }
    Ok(())
}

/// Channels that are computed side by side.
const LANES: usize = 8;

/// Blocks of channels that go through a long window together. What 128 samples have of their channels fits into the cache next
/// to the core, and every line of the window is fetched once: a sample of a dense array is as long as a page.
const TILE: usize = 8;

#[inline(always)]
fn rms_of_short<T: Value>(values: &[T], samples: usize, out: &mut [f64]) {
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

#[inline(always)]
fn rms_of_long<T: Value>(values: &[T], samples: usize, out: &mut [f64]) {
    let channels = out.len();
    let (blocks, rest) = out.as_chunks_mut::<LANES>();
    let first_of_rest = blocks.len() * LANES;
    for (tile, out) in blocks.chunks_mut(TILE).enumerate() {
        rms_of_tile(values, samples, channels, tile * TILE * LANES, out);
    }
    for (channel, out) in rest.iter_mut().enumerate() {
        [*out] = rms_of_block(values, samples, channels, first_of_rest + channel);
    }
}

/// The blocks of channels from `first` on, as many as there are in `out`, which are no more than a tile has.
#[inline(always)]
fn rms_of_tile<T: Value>(
    values: &[T],
    samples: usize,
    channels: usize,
    first: usize,
    out: &mut [[f64; LANES]],
) {
    let mut trees = [Tree::EMPTY; TILE];
    for values in values.chunks(BLOCK * channels) {
        for (tree, first) in trees[..out.len()].iter_mut().zip((first..).step_by(LANES)) {
            tree.add(leaf(values, channels, |sample| squares(sample, first)));
        }
    }
    for ((tree, out), first) in trees.iter().zip(out).zip((first..).step_by(LANES)) {
        *out = roots(tree.sum(), values, samples, channels, first);
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
    let sums = sums_of(values, channels, |sample| squares(sample, first));
    roots(sums, values, samples, channels, first)
}

#[inline(always)]
fn lanes<T: Value, const W: usize>(sample: &[T], first: usize) -> [f64; W] {
    sample[first..].first_chunk::<W>().map_or([0.0; W], |values| values.map(T::to_f64))
}

#[inline(always)]
fn squares<T: Value, const W: usize>(sample: &[T], first: usize) -> [f64; W] {
    let value = lanes(sample, first);
    times(value, value)
}

/// From the sums of a block's squares to its root mean squares.
#[inline(always)]
fn roots<T: Value, const W: usize>(
    mut sums: [f64; W],
    values: &[T],
    samples: usize,
    channels: usize,
    first: usize,
) -> [f64; W] {
    let mut valid = [samples as f64; W];
    // No sum of squares with a value in it that is not finite is.
    if !sums.iter().fold(true, |all, sum| all & sum.is_finite()) {
        let finite =
            |sample: &[T]| lanes(sample, first).map(|value| if value.is_finite() { 1.0 } else { 0.0 });
        sums = sums_of(values, channels, |sample| {
            let value = lanes(sample, first).map(|value| if value.is_finite() { value } else { 0.0 });
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
    let mut tree = Tree::EMPTY;
    tree.add(first);
    for values in iter::once(second).chain(leaves) {
        tree.add(leaf(values, channels, term));
    }
    tree.sum()
}

/// The sums of leaves, joined as soon as two of one size are there: in the tree of [`sum`](super::sum) a left half is a power
/// of two.
#[derive(Clone, Copy)]
struct Tree<const W: usize> {
    /// One place for each size that a `usize` counts.
    pending: [[f64; W]; usize::BITS as usize],
    leaves: usize,
}

impl<const W: usize> Tree<W> {
    const EMPTY: Self = Self { pending: [[0.0; W]; usize::BITS as usize], leaves: 0 };

    #[inline(always)]
    fn add(&mut self, leaf: [f64; W]) {
        let joined = self.leaves.trailing_ones() as usize;
        let sum = self.pending[..joined].iter().fold(leaf, |sum, left| plus(*left, sum));
        self.pending[joined] = sum;
        self.leaves += 1;
    }

    /// What is left over is joined from the right, smallest first.
    #[inline(always)]
    fn sum(&self) -> [f64; W] {
        let left_over = self.pending.iter().enumerate().filter(|(size, _)| self.leaves >> size & 1 == 1);
        let sums = left_over.map(|(_, sum)| *sum);
        sums.reduce(|right, left| plus(left, right)).unwrap_or([0.0; W])
    }
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
        for channels in [1, 3, 8, 19, 83] {
            for samples in [0, 1, 12, 13, 127, 128, 129, 300, 384, 1500, 2049] {
                let values: Vec<f64> = (0..samples * channels).map(value).collect();
                let (mut found, mut baseline) = (vec![0.0; channels], vec![0.0; channels]);
                rms_of_channels(&values, &mut found).unwrap();
                let plain = if samples > BLOCK { rms_of_long } else { rms_of_short };
                plain(&values, samples, &mut baseline);
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
