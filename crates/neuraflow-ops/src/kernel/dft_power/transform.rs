//! Longer segments: a fast transform of several channels side by side, in either precision.

use crate::kernel::Value;
use crate::kernel::cell::{Cell, Wide};
use crate::kernel::dft::{RealTransform, SideBySide};
use crate::kernel::simd::widest;
use crate::kernel::stats::sums;

/// Channels whose values are gathered in one pass over a long segment: a cache line of `f32`. In dense recordings
/// each sample lies on a page of its own, and to look for it again costs more than to transform it.
const GATHERED: usize = 16;

/// A transform of `W` channels at once, and of one that is left over.
#[derive(Debug, Clone)]
pub(super) struct Transform<S: Value, const W: usize> {
    wide: Lanes<S, W>,
    alone: Lanes<S, 1>,
}

impl<S: SideBySide<W> + SideBySide<1>, const W: usize> Transform<S, W> {
    /// `samples` is not 0.
    pub(super) fn new(samples: usize) -> Self {
        Self { wide: Lanes::new(samples, GATHERED / W), alone: Lanes::new(samples, 1) }
    }

    pub(super) fn process<T: Value>(&mut self, values: &[T], channels: usize, powers: &mut [f64]) {
        widest(
            #[inline(always)]
            || self.powers(values, channels, powers),
        );
    }

    #[inline(always)]
    pub(super) fn powers<T: Value>(&mut self, values: &[T], channels: usize, powers: &mut [f64]) {
        let bins = self.wide.spectrum.len();
        for (pass, powers) in powers.chunks_mut(GATHERED * bins).enumerate() {
            let first = pass * GATHERED;
            if powers.len() == bins {
                self.alone.pass(values, channels, first, powers);
            } else {
                self.wide.pass(values, channels, first, powers);
            }
        }
    }
}

#[derive(Debug, Clone)]
struct Lanes<S: Value, const W: usize> {
    samples: usize,
    transform: RealTransform<Wide<S, W>>,
    /// `[block][sample][lane]`
    blocks: Vec<[S; W]>,
    spectrum: Vec<Wide<S, W>>,
}

impl<S: SideBySide<W>, const W: usize> Lanes<S, W> {
    fn new(samples: usize, blocks: usize) -> Self {
        let transform = RealTransform::new(samples);
        Self {
            samples,
            blocks: vec![[S::ZERO; W]; samples * blocks],
            spectrum: vec![Wide::ZERO; transform.bins()],
            transform,
        }
    }

    /// Transforms as many channels from `first` on as there is room for their powers.
    #[inline(always)]
    fn pass<T: Value>(&mut self, values: &[T], channels: usize, first: usize, powers: &mut [f64]) {
        let Self { samples, transform, blocks, spectrum } = self;
        let (bins, values) = (spectrum.len(), &values[first..]);
        let width = powers.len() / bins;
        gather(values, channels, width, *samples, blocks);
        let blocks = blocks.chunks_exact_mut(*samples).zip(values[..width].chunks(W));
        for ((x, first), powers) in blocks.zip(powers.chunks_mut(W * bins)) {
            let offset =
                if S::IS_SINGLE { take_mean_off(x, taken::<T, S, W>(&lanes(first))) } else { [0.0; W] };
            S::forward(transform, x, spectrum);
            write(spectrum, offset, *samples, powers);
        }
    }
}

/// Puts the first `width` channels of `values` into blocks of lanes, zeros beyond the last.
#[inline(always)]
fn gather<T: Value, S: Value, const W: usize>(
    values: &[T],
    channels: usize,
    width: usize,
    samples: usize,
    blocks: &mut [[S; W]],
) {
    let first = &values[..width];
    for (n, sample) in values.chunks(channels).take(samples).enumerate() {
        if let (Some(first), Some(sample)) =
            (first.first_chunk::<GATHERED>(), sample.first_chunk::<GATHERED>())
        {
            let both = first.as_chunks().0.iter().zip(sample.as_chunks().0);
            for (block, (first, sample)) in both.enumerate() {
                blocks[block * samples + n] = difference(sample, first);
            }
        } else {
            let both = first.chunks(W).zip(sample[..width].chunks(W));
            for (block, (first, sample)) in both.enumerate() {
                blocks[block * samples + n] = difference(&lanes(sample), &lanes(first));
            }
        }
    }
}

/// What is taken off a sample before it is rounded, given the first one: that one, as then an offset takes no digits. Samples in
/// `f32` are not rounded.
#[inline(always)]
fn taken<T: Value, S: Value, const W: usize>(first: &[T; W]) -> [f64; W] {
    if S::IS_SINGLE && !T::IS_SINGLE { first.map(T::to_f64) } else { [0.0; W] }
}

/// What goes into the transform of a sample, given the first one.
#[inline(always)]
fn difference<T: Value, S: Value, const W: usize>(sample: &[T; W], first: &[T; W]) -> [S; W] {
    let (mut x, offset) = ([S::ZERO; W], taken::<T, S, W>(first));
    for lane in 0..W {
        x[lane] = S::from_f64(sample[lane].to_f64() - offset[lane]);
    }
    x
}

/// The first values of a sample; zero beyond the last.
#[inline(always)]
fn lanes<T: Value, const W: usize>(values: &[T]) -> [T; W] {
    if let Some(values) = values.first_chunk() {
        return *values;
    }
    let mut lanes = [T::ZERO; W];
    lanes.iter_mut().zip(values).for_each(|(lane, value)| *lane = *value);
    lanes
}

/// Takes the mean off each lane, and answers it, with what had been taken off before. How it is rounded as it is taken off shows
/// in the first bin alone, whose power is the mean's.
#[inline(always)]
pub(super) fn take_mean_off<S: Value, const W: usize>(x: &mut [[S; W]], before: [f64; W]) -> [f64; W] {
    let mut mean = sums(x).map(|sum| sum / x.len() as f64);
    let rest = mean.map(S::from_f64);
    for x in x {
        for lane in 0..W {
            x[lane] = x[lane] - rest[lane];
        }
    }
    for lane in 0..W {
        mean[lane] += before[lane];
    }
    mean
}

/// Powers of each lane that there is room for; `offset` is what was taken off it, and all in its first bin.
#[inline(always)]
fn write<S: Value, const W: usize>(
    spectrum: &mut [Wide<S, W>],
    offset: [f64; W],
    samples: usize,
    powers: &mut [f64],
) {
    let (bins, count) = (spectrum.len(), samples as f64);
    let (once, twice) = (1.0 / count, 2.0 * (1.0 / count));
    let mut sum = spectrum[0].re;
    // In place of the real parts, all lanes of a bin at once.
    for (bin, value) in spectrum.iter_mut().enumerate() {
        let scale = if bin == 0 || 2 * bin == samples { once } else { twice };
        for (lane, sum) in sum.iter_mut().enumerate() {
            let power = value.re[lane] * value.re[lane] + value.im[lane] * value.im[lane];
            value.re[lane] = if S::IS_SINGLE {
                *sum = *sum + power; // f32 does not hold every square
                power * S::from_f64(scale / count)
            } else {
                S::from_f64(power.to_f64() * scale / count)
            };
        }
    }
    for (lane, powers) in powers.chunks_exact_mut(bins).enumerate() {
        for (power, value) in powers.iter_mut().zip(&*spectrum) {
            *power = value.re[lane].to_f64();
        }
        if S::IS_SINGLE {
            powers[0] = offset[lane] * offset[lane];
        }
        // The sum of all values: finite if, and only if, all of them are, or they are no signal.
        if !(sum[lane].to_f64() + offset[lane]).is_finite() {
            powers.fill(f64::NAN);
        }
    }
}
