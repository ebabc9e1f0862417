//! Short segments: the transform by its definition, several channels side by side.

use std::sync::OnceLock;

use num_complex::Complex64;

use crate::kernel::Value;
use crate::kernel::fft::root;
use crate::kernel::simd::widest;

/// Longest segment that is transformed by its definition: below it, a fast transform is slower.
pub(super) const LONGEST: usize = 64;

/// Channels that are computed side by side.
const LANES: usize = 8;

type Lanes = [f64; LANES];

/// For each length up to [`LONGEST`] that somebody asked for, the roots of unity in the order in which they are met:
/// `[bin after the first][pair of samples]`.
static ROOTS: [OnceLock<Box<[Complex64]>>; LONGEST + 1] = [const { OnceLock::new() }; LONGEST + 1];

/// The roots of a length from 1 to [`LONGEST`].
pub(super) fn roots(samples: usize) -> &'static [Complex64] {
    let pairs = samples / 2;
    let of_bin = move |bin| (1..=pairs).map(move |n| root(bin * n % samples, samples));
    ROOTS[samples].get_or_init(|| (1..=pairs).flat_map(of_bin).collect())
}

/// The powers of every channel, as [`DftPower::process`](super::DftPower::process) gives them, from the [`roots`] of the length.
pub(super) fn powers<T: Value>(
    samples: usize,
    roots: &[Complex64],
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
                    || blocks_of::<_, $samples>($samples, roots, values, channels, powers),
                ),)*
                _ => widest(
                    #[inline(always)]
                    || blocks_of::<_, LONGEST>(samples, roots, values, channels, powers),
                ),
            }
        };
    }
    known!(8 12 13 16);
}

#[inline(always)]
pub(super) fn blocks_of<T: Value, const ROOM: usize>(
    samples: usize,
    roots: &[Complex64],
    values: &[T],
    channels: usize,
    powers: &mut [f64],
) {
    for (block, powers) in powers.chunks_mut(LANES * (samples / 2 + 1)).enumerate() {
        direct::<_, ROOM>(samples, roots, values, channels, block * LANES, powers);
    }
}

/// Transforms the next channels from `first` on; `ROOM` is for so many samples.
#[inline(always)]
fn direct<T: Value, const ROOM: usize>(
    samples: usize,
    roots: &[Complex64],
    values: &[T],
    channels: usize,
    first: usize,
    powers: &mut [f64],
) {
    let mut x = [[0.0; LANES]; ROOM];
    for (x, sample) in x.iter_mut().zip(values.chunks_exact(channels)) {
        *x = lanes(&sample[first..]);
    }
    let sum = fold(&mut x[..samples]);
    let pairs = samples / 2;
    let scale = 1.0 / (samples * samples) as f64;
    let mut wide = [[0.0; LANES]; ROOM];
    wide[0] = sum.map(|sum| sum * sum * scale);
    let bins = wide[1..=pairs].iter_mut().enumerate();
    for ((bin, wide), roots) in bins.zip(roots.chunks_exact(pairs.max(1))) {
        let sides = if 2 * (bin + 1) == samples { scale } else { 2.0 * scale };
        *wide = power_of_bin(&x[..samples], roots).map(|power| power * sides);
    }
    for (lane, powers) in powers.chunks_exact_mut(pairs + 1).enumerate() {
        for (power, wide) in powers.iter_mut().zip(&wide) {
            *power = wide[lane];
        }
        // The sum of all values: finite if, and only if, all of them are, or they are no signal.
        if !sum[lane].is_finite() {
            powers.fill(f64::NAN);
        }
    }
}

/// The first channels of a sample; zero beyond the last.
#[inline(always)]
fn lanes<T: Value>(values: &[T]) -> Lanes {
    if let Some(values) = values.first_chunk::<LANES>() {
        return values.map(T::to_f64);
    }
    let mut lanes = [0.0; LANES];
    lanes.iter_mut().zip(values).for_each(|(lane, value)| *lane = value.to_f64());
    lanes
}

/// Samples n and N − n meet the same cosine, and sines that differ in sign: their sum takes the place of the one, their
/// difference that of the other. Answers the sum of all.
#[inline(always)]
fn fold(x: &mut [Lanes]) -> Lanes {
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
            sum[lane] += x[n][lane];
        }
    }
    sum
}

/// |X(k)|² of a bin, from folded samples.
#[inline(always)]
fn power_of_bin(x: &[Lanes], roots: &[Complex64]) -> Lanes {
    let samples = x.len();
    let (mut re, mut im) = (x[0], [0.0; LANES]);
    for (n, root) in (1..).zip(roots) {
        for lane in 0..LANES {
            re[lane] += x[n][lane] * root.re;
        }
        if 2 * n < samples {
            for lane in 0..LANES {
                im[lane] += x[samples - n][lane] * root.im;
            }
        }
    }
    let mut power = [0.0; LANES];
    for lane in 0..LANES {
        power[lane] = re[lane] * re[lane] + im[lane] * im[lane];
    }
    power
}
