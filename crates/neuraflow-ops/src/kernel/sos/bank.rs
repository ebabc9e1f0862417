//! The arithmetic of a cascade: blocks of channels side by side, in either precision.

use std::ops::Range;
use std::sync::Arc;

use smallvec::{SmallVec, smallvec};

use crate::kernel::simd::widest;
use crate::kernel::value::sealed::Real;
use crate::kernel::{Missing, Sos, Value};

/// Channels that are computed side by side; a fixed number, so that the compiler vectorises it on any target.
/// Each channel keeps its own order of operations, so the width never shows in the output.
pub(super) const LANES: usize = 8;

/// Samples that are run before anybody looks whether all of them were there.
const ROWS: usize = 32;

type Lanes<S> = [S; LANES];

/// What a section remembers of a block of channels: z0 and z1. In `f32` just what the processor fetches at a time.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[repr(align(64))]
struct Memory<S>([Lanes<S>; 2]);

/// Sections, and the state of every channel, in `S`. A clone has the same sections, not a copy of them.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Bank<S> {
    sections: Arc<[Section<S>]>,
    missing: Missing,
    /// `[block of channels][section]`, the last block padded.
    state: Vec<Memory<S>>,
    /// `[block of channels][channel in block]`: whether it has seen a value since the start or the last gap.
    started: SmallVec<[[bool; LANES]; 2]>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Section<S> {
    b: [S; 3],
    a: [S; 2],
    steady: [f64; 2],
}

impl<S: Value> Bank<S> {
    /// The coefficients are numbers of `S`.
    pub(super) fn new(sos: &Sos, channels: usize, missing: Missing) -> Self {
        let blocks = channels.div_ceil(LANES);
        let section = |([b0, b1, b2, _, a1, a2], steady): (&[f64; 6], [f64; 2])| Section {
            b: [*b0, *b1, *b2].map(S::from_f64),
            a: [*a1, *a2].map(S::from_f64),
            steady,
        };
        let sections: Arc<[_]> = sos.sections().iter().zip(sos.steady_state()).map(section).collect();
        Self {
            missing,
            state: vec![Memory::default(); blocks * sections.len()],
            sections,
            started: smallvec![[false; LANES]; blocks],
        }
    }

    pub(super) fn reset(&mut self) {
        self.state.fill(Memory::default());
        self.started.fill([false; LANES]);
    }

    /// Where the state lies.
    pub(super) fn memory(&self) -> Range<*const u8> {
        let Range { start, end } = self.state.as_ptr_range();
        start.cast()..end.cast()
    }

    /// Number of sections.
    pub(super) fn depth(&self) -> usize {
        self.sections.len()
    }

    /// Whether a channel has seen a value, and its state in every section.
    pub(super) fn channel(&self, channel: usize) -> (bool, impl Iterator<Item = [f64; 2]>) {
        let (block, lane) = (channel / LANES, channel % LANES);
        let states = &self.state[block * self.depth()..][..self.depth()];
        (
            self.started[block][lane],
            states.iter().map(move |Memory([z0, z1])| [z0[lane].to_f64(), z1[lane].to_f64()]),
        )
    }

    /// Puts back what [`Bank::channel`] gave.
    pub(super) fn set_channel(&mut self, channel: usize, started: bool, values: &[[f64; 2]]) {
        let (block, lane) = (channel / LANES, channel % LANES);
        self.started[block][lane] = started;
        let depth = self.depth();
        for (own, [z0, z1]) in self.state[block * depth..][..depth].iter_mut().zip(values) {
            (own.0[0][lane], own.0[1][lane]) = (S::from_f64(*z0), S::from_f64(*z1));
        }
    }

    /// Filters whole samples `x[sample][channel]` into `y` of the same length.
    pub(super) fn process<T: Value>(&mut self, channels: usize, x: &[T], y: &mut [T]) {
        widest(
            #[inline(always)]
            || self.filter(channels, x, y),
        );
    }

    // Nothing here divides, as the lengths of iterators over chunks do: for a packet of a dozen samples that would cost a tenth.
    #[inline(always)]
    fn filter<T: Value>(&mut self, channels: usize, mut x: &[T], mut y: &mut [T]) {
        let depth = self.sections.len();
        while !x.is_empty() && !y.is_empty() {
            let values = (channels * ROWS).min(x.len()).min(y.len());
            let ((here, x_after), (there, y_after)) = (x.split_at(values), y.split_at_mut(values));
            let mut state = self.state.as_mut_slice();
            for (block, started) in self.started.iter_mut().enumerate() {
                let Some((own, others)) = state.split_at_mut_checked(depth) else { break };
                state = others;
                let first = block * LANES;
                let lanes = LANES.min(channels - first);
                let (x, y) = (&here[first..], &mut there[first..]);
                if lanes == LANES {
                    filter_block(&self.sections, self.missing, own, started, x, y, channels);
                } else {
                    // Padded with zeros, which are values like any other.
                    let mut wide_x = [[T::default(); LANES]; ROWS];
                    let mut wide_y = [[T::default(); LANES]; ROWS];
                    let rows = x.chunks(channels).len();
                    for (wide, x) in wide_x.iter_mut().zip(x.chunks(channels)) {
                        wide[..lanes].copy_from_slice(&x[..lanes]);
                    }
                    let (x, padded) = (wide_x[..rows].as_flattened(), wide_y[..rows].as_flattened_mut());
                    filter_block(&self.sections, self.missing, own, started, x, padded, LANES);
                    for (y, wide) in y.chunks_mut(channels).zip(&wide_y) {
                        y[..lanes].copy_from_slice(&wide[..lanes]);
                    }
                }
            }
            (x, y) = (x_after, y_after);
        }
    }
}

/// Samples of a block, `stride` values from one to the next.
#[inline(always)]
fn filter_block<T: Value, S: Value>(
    sections: &[Section<S>],
    missing: Missing,
    state: &mut [Memory<S>],
    started: &mut [bool; LANES],
    x: &[T],
    y: &mut [T],
    stride: usize,
) {
    if *started == [true; LANES] {
        // A number of sections that the compiler knows keeps the state in registers.
        macro_rules! run_depths {
            ($($depth:literal),*) => {
                match sections.len() {
                    $($depth => match (sections.first_chunk::<$depth>(), state.first_chunk_mut::<$depth>()) {
                        (Some(sections), Some(state)) => run(sections, state, x, y, stride),
                        _ => false,
                    },)*
                    _ => false,
                }
            };
        }
        if run_depths!(1, 2, 3, 4, 5, 6, 7, 8) {
            return;
        }
    }
    run_with_missing(sections, missing, state, started, x, y, stride);
}

/// Runs a block of which every channel has started. If a value was missing it answers false, the state is as
/// before, and what was written to `y` means nothing.
#[inline(always)]
fn run<T: Value, S: Value, const DEPTH: usize>(
    sections: &[Section<S>; DEPTH],
    state: &mut [Memory<S>; DEPTH],
    x: &[T],
    y: &mut [T],
    stride: usize,
) -> bool {
    let mut z = *state;
    let mut magnitudes = [T::default(); LANES];
    let mut at = 0;
    while let Some(x) = x.get(at..).and_then(<[T]>::first_chunk::<LANES>)
        && let Some(y) = y.get_mut(at..).and_then(<[T]>::first_chunk_mut::<LANES>)
    {
        let mut value = [S::default(); LANES];
        for lane in 0..LANES {
            value[lane] = S::from_f64(x[lane].to_f64());
            magnitudes[lane] = magnitudes[lane] + x[lane].magnitude();
        }
        for (section, z) in sections.iter().zip(&mut z) {
            value = step(section, z, value);
        }
        for lane in 0..LANES {
            y[lane] = T::from_f64(value[lane].to_f64());
        }
        at += stride;
    }
    // NaN and infinity stay in a sum, and a sum is at least its greatest term.
    let most = T::from_f64(S::LARGEST.min(T::GREATEST));
    let present = magnitudes.iter().fold(true, |all, sum| all & (*sum <= most));
    if present {
        *state = z;
    }
    present
}

/// Runs a block of any number of sections in which values may be missing and channels may start.
#[inline(always)]
fn run_with_missing<T: Value, S: Value>(
    sections: &[Section<S>],
    missing: Missing,
    state: &mut [Memory<S>],
    started: &mut [bool; LANES],
    x: &[T],
    y: &mut [T],
    stride: usize,
) {
    for (x, y) in x.chunks(stride).zip(y.chunks_mut(stride)) {
        let (Some(x), Some(y)) = (x.first_chunk::<LANES>(), y.first_chunk_mut::<LANES>()) else { continue };
        let mut present = [false; LANES];
        let mut value = [S::default(); LANES];
        for lane in 0..LANES {
            present[lane] = x[lane].to_f64().abs() <= S::LARGEST;
            value[lane] = if present[lane] { S::from_f64(x[lane].to_f64()) } else { S::default() };
        }
        for lane in (0..LANES).filter(|lane| present[*lane] && !started[*lane]) {
            for (Section { steady, .. }, z) in sections.iter().zip(&mut *state) {
                for (z, steady) in z.0.iter_mut().zip(steady) {
                    z[lane] = S::from_f64(steady * value[lane].to_f64());
                }
            }
        }
        for (section, z) in sections.iter().zip(&mut *state) {
            let before = *z;
            value = step(section, z, value);
            for (z, before) in z.0.iter_mut().zip(before.0) {
                for lane in 0..LANES {
                    z[lane] = if present[lane] { z[lane] } else { before[lane] };
                }
            }
        }
        for lane in 0..LANES {
            y[lane] = T::from_f64(if present[lane] { value[lane].to_f64() } else { f64::NAN });
            started[lane] = present[lane] || (started[lane] && missing == Missing::Freeze);
        }
    }
}

/// One sample of a block of channels through one section: its output.
#[inline(always)]
fn step<S: Real>(Section { b, a, .. }: &Section<S>, Memory(state): &mut Memory<S>, x: Lanes<S>) -> Lanes<S> {
    // Copies first: with all reads before all writes the compiler vectorises.
    let [z0, z1] = *state;
    let mut y = [S::default(); LANES];
    for lane in 0..LANES {
        y[lane] = b[0] * x[lane] + z0[lane];
    }
    for lane in 0..LANES {
        state[0][lane] = b[1] * x[lane] - a[0] * y[lane] + z1[lane];
    }
    for lane in 0..LANES {
        state[1][lane] = b[2] * x[lane] - a[1] * y[lane];
    }
    y
}

#[cfg(test)]
#[cfg(target_arch = "x86_64")]
mod tests {
    use super::*;
    use crate::kernel::{Response, butterworth};

    /// Two chunks of 45 samples, some missing, through a bank that is run by `how`; bits, NaNs alike.
    fn outputs<T: Value, S: Value>(
        order: usize,
        channels: usize,
        how: impl Fn(&mut Bank<S>, &[T], &mut [T]),
    ) -> Vec<u64> {
        let sos = butterworth(order, Response::Bandpass(1.0, 40.0), 250.0).unwrap().rounded_to_f32();
        let mut bank = Bank::new(&sos, channels, Missing::Restart);
        let value = |n: usize| if n % 301 == 7 { f64::NAN } else { (n * 7919 % 2003) as f64 / 10.0 - 40.0 };
        let x: Vec<T> = (0..90 * channels).map(|n| T::from_f64(value(n))).collect();
        let mut y = x.clone();
        let (first, second) = y.split_at_mut(45 * channels);
        how(&mut bank, &x[..45 * channels], first);
        how(&mut bank, &x[45 * channels..], second);
        y.iter().map(|v| v.to_f64()).map(|v| if v.is_nan() { u64::MAX } else { v.to_bits() }).collect()
    }

    fn same_bits_on_every_instruction_set<T: Value, S: Value>() {
        let level = fearless_simd::Level::new();
        for order in [1, 2, 4, 8, 12] {
            for channels in [1, 7, 8, 9, 24] {
                let baseline = outputs::<T, S>(order, channels, |bank, x, y| bank.filter(channels, x, y));
                if let Some(avx2) = level.as_avx2() {
                    let found = outputs::<T, S>(order, channels, |bank, x, y| {
                        fearless_simd::Simd::vectorize(
                            avx2,
                            #[inline(always)]
                            || bank.filter(channels, x, y),
                        );
                    });
                    assert_eq!(found, baseline, "AVX2, order {order}, {channels} channels");
                }
                if let Some(avx512) = level.as_avx512() {
                    let found = outputs::<T, S>(order, channels, |bank, x, y| {
                        fearless_simd::Simd::vectorize(
                            avx512,
                            #[inline(always)]
                            || bank.filter(channels, x, y),
                        );
                    });
                    assert_eq!(found, baseline, "AVX-512, order {order}, {channels} channels");
                }
            }
        }
    }

    #[test]
    fn every_instruction_set_gives_the_same_bits() {
        same_bits_on_every_instruction_set::<f32, f32>();
        same_bits_on_every_instruction_set::<f32, f64>();
        same_bits_on_every_instruction_set::<f64, f32>();
        same_bits_on_every_instruction_set::<f64, f64>();
    }
}
