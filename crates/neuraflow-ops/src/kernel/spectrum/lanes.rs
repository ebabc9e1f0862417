//! The density of one channel, or of several side by side.

use super::{Detrend, SegmentPlan};
use crate::kernel::Value;
use crate::kernel::cell::{Cell, Wide};
use crate::kernel::dft::{RealTransform, SideBySide};
use crate::kernel::simd::widest;
use crate::kernel::stats::sums;

/// Welch's method for `W` channels at once, each with the same operations in the same order, so the same bits as alone. Mean
/// and taper are taken in `f64`, and what is left is rounded to `S`: an offset costs single precision no digits.
#[derive(Debug, Clone)]
pub(crate) struct PsdLanes<S: Value, const W: usize> {
    transform: RealTransform<Wide<S, W>>,
    segment: Vec<[S; W]>,
    spectrum: Vec<Wide<S, W>>,
}

impl<S: SideBySide<W>, const W: usize> PsdLanes<S, W> {
    /// Room for the segments.
    pub(crate) fn new(segments: &SegmentPlan) -> Self {
        let transform = RealTransform::new(segments.taper.len());
        Self {
            segment: vec![[S::ZERO; W]; segments.taper.len()],
            spectrum: vec![Wide::ZERO; transform.bins()],
            transform,
        }
    }

    /// Averages the segments of `x[sample][lane]` into `density[bin][lane]`, of as many bins as they have, and answers how
    /// many there were. Where a value is missing, one channel has its segment left out; of several the answer is none
    /// (nothing of use was done), as segments to leave out differ from channel to channel.
    pub(crate) fn process<T: Value>(
        &mut self,
        segments: &SegmentPlan,
        x: &[[T; W]],
        density: &mut [[f64; W]],
    ) -> Option<usize> {
        widest(
            #[inline(always)]
            || self.average(segments, x, density),
        )
    }

    #[inline(always)]
    fn average<T: Value>(
        &mut self,
        segments: &SegmentPlan,
        x: &[[T; W]],
        density: &mut [[f64; W]],
    ) -> Option<usize> {
        density.fill([0.0; W]);
        let mut count = 0;
        for segment in x.windows(segments.taper.len()).step_by(segments.hop) {
            if segment.iter().flatten().all(|value| value.to_f64().is_finite()) {
                self.add_periodogram(segments, segment, density);
                count += 1;
            } else if W > 1 {
                return None;
            }
        }
        if count == 0 {
            density.fill([f64::NAN; W]);
            return Some(0);
        }
        for (bin, value) in density.iter_mut().enumerate() {
            let scale = segments.scale_of(bin, count);
            for value in value {
                *value *= scale;
            }
        }
        Some(count)
    }

    #[inline(always)]
    fn add_periodogram<T: Value>(
        &mut self,
        segments: &SegmentPlan,
        segment: &[[T; W]],
        density: &mut [[f64; W]],
    ) {
        let offset = match segments.detrend {
            Detrend::None => [0.0; W],
            Detrend::Constant => sums(segment).map(|sum| sum / segment.len() as f64),
        };
        for ((tapered, value), weight) in self.segment.iter_mut().zip(segment).zip(&segments.taper) {
            for lane in 0..W {
                tapered[lane] = S::from_f64((value[lane].to_f64() - offset[lane]) * weight);
            }
        }
        S::forward(&mut self.transform, &self.segment, &mut self.spectrum);
        for (value, bin) in density.iter_mut().zip(&self.spectrum) {
            for ((value, re), im) in value.iter_mut().zip(bin.re).zip(bin.im) {
                let (re, im) = (re.to_f64(), im.to_f64());
                *value += re * re + im * im;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Window;
    use crate::kernel::cell::{DOUBLES, SINGLES};

    const SEGMENTS: [(usize, usize, usize); 7] =
        [(1, 0, 1), (2, 1, 9), (12, 6, 40), (67, 0, 67), (97, 31, 300), (250, 125, 1000), (1500, 0, 1500)];

    fn lanes_are_each_channel_alone_on_any_instruction_set<
        S: SideBySide<W> + SideBySide<1>,
        const W: usize,
    >() {
        for (nperseg, noverlap, samples) in SEGMENTS {
            for detrend in [Detrend::None, Detrend::Constant] {
                let plan = SegmentPlan::new(nperseg, noverlap, Window::Hann, detrend, 250.0).unwrap();
                let (mut lanes, mut one) = (PsdLanes::<S, W>::new(&plan), PsdLanes::<S, 1>::new(&plan));
                let value = |n: usize| S::from_f64((n * 7919 % 2003) as f64 / 7.0 - 90.0);
                let mut x = vec![[S::ZERO; W]; samples];
                x.as_flattened_mut().iter_mut().enumerate().for_each(|(n, x)| *x = value(n));
                let (mut found, mut baseline) = (vec![[0.0; W]; plan.bins()], vec![[0.0; W]; plan.bins()]);
                let count = lanes.process(&plan, &x, &mut found);
                assert!(count > Some(0));
                assert_eq!(lanes.average(&plan, &x, &mut baseline), count);
                assert_eq!(found, baseline, "{nperseg}");
                for lane in 0..W {
                    let own: Vec<[S; 1]> = x.iter().map(|sample| [sample[lane]]).collect();
                    let mut density = vec![[0.0]; plan.bins()];
                    assert_eq!(one.process(&plan, &own, &mut density), count);
                    let bits =
                        |values: &mut dyn Iterator<Item = f64>| values.map(f64::to_bits).collect::<Vec<_>>();
                    let (found, expected) = (
                        bits(&mut found.iter().map(|bin| bin[lane])),
                        bits(&mut density.iter().map(|bin| bin[0])),
                    );
                    assert_eq!(found, expected, "{nperseg} {lane}");
                }
                x[samples / 2][W - 1] = S::from_f64(f64::NAN);
                assert_eq!(lanes.process(&plan, &x, &mut found), None);
            }
        }
    }

    #[test]
    fn lanes_are_each_channel_alone_in_either_precision() {
        lanes_are_each_channel_alone_on_any_instruction_set::<f64, DOUBLES>();
        lanes_are_each_channel_alone_on_any_instruction_set::<f32, SINGLES>();
    }
}
