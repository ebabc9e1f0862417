//! Short segments: the transform by its definition, several channels side by side, in either precision.

use std::sync::OnceLock;

use num_complex::Complex;

use super::transform::take_mean_off;
use crate::kernel::Value;
use crate::kernel::fft::{root, rounded};
use crate::kernel::simd::widest;

/// Longest segment that is transformed by its definition: below it, a fast transform is slower.
pub(super) const LONGEST: usize = 64;

/// Of so few samples the first is as good a guess of the mean as any: even if it is an artifact, sums in `f32` keep six digits.
const FEW: usize = 16;

/// Channels that are computed side by side.
const LANES: usize = 8;

type Lanes<S> = [S; LANES];

/// For each length up to [`LONGEST`] that somebody asked for, the roots of unity in the order in which they are met:
/// `[bin after the first][pair of samples]`.
pub(super) type Tables<S> = [OnceLock<Box<[Complex<S>]>>; LONGEST + 1];

/// A number that the definition is summed in: one that there is a table of roots of.
pub(super) trait Summed: Value {
    fn tables() -> &'static Tables<Self>;
}

macro_rules! summed {
    ($($number:ty)*) => {
        $(impl Summed for $number {
            fn tables() -> &'static Tables<Self> {
                static TABLES: Tables<$number> = [const { OnceLock::new() }; LONGEST + 1];
                &TABLES
            }
        })*
    };
}
summed!(f32 f64);

/// The roots of a length from 1 to [`LONGEST`].
pub(super) fn roots<S: Summed>(samples: usize) -> &'static [Complex<S>] {
    let pairs = samples / 2;
    let of_bin = move |bin| (1..=pairs).map(move |n| rounded(root(bin * n % samples, samples)));
    S::tables()[samples].get_or_init(|| (1..=pairs).flat_map(of_bin).collect())
}

/// The powers of every channel, as [`DftPower::process`](super::DftPower::process) gives them, from the [`roots`] of the length.
pub(super) fn powers<T: Value, S: Value>(
    samples: usize,
    roots: &[Complex<S>],
    values: &[T],
    channels: usize,
    powers: &mut [f64],
) {
    // Most windows are short. A length that the compiler knows is unrolled, and leaves nothing to count or check. Each is a
    // function of its own: together they would all wait for what the general one prepares.
    macro_rules! known {
        ($($samples:literal)*) => {
            match samples {
                $($samples => widest(
                    #[inline(always)]
                    || blocks_of::<_, _, $samples, { $samples / 2 + 1 }>($samples, roots, values, channels, powers),
                ),)*
                _ => widest(
                    #[inline(always)]
                    || general(samples, roots, values, channels, powers),
                ),
            }
        };
    }
    known!(8 12 13 16);
}

/// Any length up to [`LONGEST`].
#[inline(always)]
pub(super) fn general<T: Value, S: Value>(
    samples: usize,
    roots: &[Complex<S>],
    values: &[T],
    channels: usize,
    powers: &mut [f64],
) {
    blocks_of::<_, _, LONGEST, { LONGEST / 2 + 1 }>(samples, roots, values, channels, powers);
}

/// `ROOM` is for so many samples, `BINS` for theirs.
#[inline(always)]
fn blocks_of<T: Value, S: Value, const ROOM: usize, const BINS: usize>(
    samples: usize,
    roots: &[Complex<S>],
    values: &[T],
    channels: usize,
    powers: &mut [f64],
) {
    for (block, powers) in powers.chunks_mut(LANES * (samples / 2 + 1)).enumerate() {
        direct::<_, _, ROOM, BINS>(samples, roots, values, channels, block * LANES, powers);
    }
}

/// Transforms the next channels from `first` on.
#[inline(always)]
fn direct<T: Value, S: Value, const ROOM: usize, const BINS: usize>(
    samples: usize,
    roots: &[Complex<S>],
    values: &[T],
    channels: usize,
    first: usize,
    powers: &mut [f64],
) {
    // An offset is in no bin but the first. In f32 it would take the digits of all others: what is summed there are
    // differences from the first sample, or, where many add up, from the mean.
    let (is_few, is_rounded) = (samples <= FEW, !T::IS_SINGLE);
    let is_first_off = S::IS_SINGLE && (is_few || is_rounded);
    let from = if is_first_off { lanes(&values[first..channels]) } else { [T::ZERO; LANES] };
    let mut x = [[S::ZERO; LANES]; ROOM];
    for (x, sample) in x.iter_mut().zip(values.chunks_exact(channels)) {
        let values = lanes(&sample[first..]);
        for lane in 0..LANES {
            x[lane] = S::from_f64(values[lane].to_f64() - from[lane].to_f64());
        }
    }
    let mut offset = from.map(T::to_f64);
    if S::IS_SINGLE && !is_few {
        offset = take_mean_off(&mut x[..samples], offset);
    }
    let sum = fold(&mut x[..samples]);
    let mut whole = sum;
    let pairs = samples / 2;
    let scale = 1.0 / (samples * samples) as f64;
    let mut wide = [[0.0; LANES]; BINS];
    for lane in 0..LANES {
        let sum = sum[lane].to_f64() + offset[lane] * samples as f64;
        wide[0][lane] = sum * sum * scale;
    }
    let bins = wide[1..=pairs].iter_mut().enumerate();
    for ((bin, wide), roots) in bins.zip(roots.chunks_exact(pairs.max(1))) {
        let sides = if 2 * (bin + 1) == samples { scale } else { 2.0 * scale };
        let power = power_of_bin(&x[..samples], roots);
        for lane in 0..LANES {
            wide[lane] = (power[lane] * S::from_f64(sides)).to_f64();
            if S::IS_SINGLE {
                whole[lane] = whole[lane] + power[lane]; // f32 does not hold every square
            }
        }
    }
    for (lane, powers) in powers.chunks_exact_mut(pairs + 1).enumerate() {
        for (power, wide) in powers.iter_mut().zip(&wide) {
            *power = wide[lane];
        }
    }
    // The sum of all values: finite if, and only if, all of them are, or they are no signal.
    let is_whole = |sum: S| sum.magnitude() <= S::from_f64(S::GREATEST);
    if !whole.iter().fold(true, |all, sum| all & is_whole(*sum)) {
        for (powers, sum) in powers.chunks_exact_mut(pairs + 1).zip(whole) {
            if !is_whole(sum) {
                powers.fill(f64::NAN);
            }
        }
    }
}

/// The first channels of a sample; zero beyond the last.
#[inline(always)]
fn lanes<T: Value>(values: &[T]) -> Lanes<T> {
    if let Some(values) = values.first_chunk() {
        return *values;
    }
    let mut lanes = [T::ZERO; LANES];
    lanes.iter_mut().zip(values).for_each(|(lane, value)| *lane = *value);
    lanes
}

/// Samples n and N − n meet the same cosine, and sines that differ in sign: their sum takes the place of the one, their
/// difference that of the other. Answers the sum of all.
#[inline(always)]
fn fold<S: Value>(x: &mut [Lanes<S>]) -> Lanes<S> {
    let samples = x.len();
    let mut sum = x[0];
    for n in 1..=samples / 2 {
        let (a, b) = (x[n], x[samples - n]);
        if 2 * n < samples {
            for lane in 0..LANES {
                x[n][lane] = a[lane] + b[lane];
                x[samples - n][lane] = a[lane] - b[lane];
            }
        }
        for lane in 0..LANES {
            sum[lane] = sum[lane] + x[n][lane];
        }
    }
    sum
}

/// |X(k)|² of a bin, from folded samples.
#[inline(always)]
fn power_of_bin<S: Value>(x: &[Lanes<S>], roots: &[Complex<S>]) -> Lanes<S> {
    let samples = x.len();
    let (mut re, mut im) = (x[0], [S::ZERO; LANES]);
    for (n, root) in (1..).zip(roots) {
        for lane in 0..LANES {
            re[lane] = re[lane] + x[n][lane] * root.re;
        }
        if 2 * n < samples {
            for lane in 0..LANES {
                im[lane] = im[lane] + x[samples - n][lane] * root.im;
            }
        }
    }
    let mut power = [S::ZERO; LANES];
    for lane in 0..LANES {
        power[lane] = re[lane] * re[lane] + im[lane] * im[lane];
    }
    power
}
