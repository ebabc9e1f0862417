//! The density of several channels side by side.

use super::{Detrend, Psd};
pub(crate) use crate::kernel::cell::LANES;
use crate::kernel::cell::{Cell, Wide};
use crate::kernel::dft::RealTransform;
use crate::kernel::simd::widest;
use crate::kernel::stats::sums;

/// What [`Psd`] does, for [`LANES`] channels at once: the same operations in the same order for each, so the same bits.
#[derive(Debug, Clone)]
pub(crate) struct PsdLanes {
    transform: RealTransform<Wide>,
    segment: Vec<[f64; LANES]>,
    spectrum: Vec<Wide>,
}

impl PsdLanes {
    /// Room for the plan.
    pub(crate) fn new(plan: &Psd) -> Self {
        let transform = RealTransform::new(plan.segment_len());
        Self {
            segment: vec![[0.0; LANES]; plan.segment_len()],
            spectrum: vec![Wide::ZERO; transform.bins()],
            transform,
        }
    }

    /// Averages the segments of `x[sample][lane]` into `density[bin][lane]`, of as many bins as the plan has, by the
    /// plan that this was made for. Answers false, and has done nothing of use, where a value is missing or there
    /// is no whole segment: segments to leave out differ from channel to channel.
    pub(crate) fn process(&mut self, plan: &Psd, x: &[[f64; LANES]], density: &mut [[f64; LANES]]) -> bool {
        widest(
            #[inline(always)]
            || self.average(plan, x, density),
        )
    }

    #[inline(always)]
    fn average(&mut self, plan: &Psd, x: &[[f64; LANES]], density: &mut [[f64; LANES]]) -> bool {
        let length = plan.segment_len();
        if x.len() < length || x.iter().flatten().any(|value| !value.is_finite()) {
            return false;
        }
        density.fill([0.0; LANES]);
        let mut segments = 0;
        for segment in x.windows(length).step_by(plan.hop) {
            self.add_periodogram(plan, segment, density);
            segments += 1;
        }
        for (bin, value) in density.iter_mut().enumerate() {
            let scale = plan.scale_of(bin, segments);
            for value in value {
                *value *= scale;
            }
        }
        true
    }

    #[inline(always)]
    fn add_periodogram(&mut self, plan: &Psd, segment: &[[f64; LANES]], density: &mut [[f64; LANES]]) {
        let offset = match plan.detrend {
            Detrend::None => [0.0; LANES],
            Detrend::Constant => sums(segment).map(|sum| sum / segment.len() as f64),
        };
        for ((tapered, value), weight) in self.segment.iter_mut().zip(segment).zip(&plan.taper) {
            for lane in 0..LANES {
                tapered[lane] = (value[lane] - offset[lane]) * weight;
            }
        }
        self.transform.forward(&self.segment, &mut self.spectrum);
        for (value, bin) in density.iter_mut().zip(&self.spectrum) {
            for ((value, re), im) in value.iter_mut().zip(bin.re).zip(bin.im) {
                *value += re * re + im * im;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Window;

    #[test]
    fn lanes_are_each_channel_alone_on_any_instruction_set() {
        for (nperseg, noverlap, samples) in
            [(1, 0, 1), (2, 1, 9), (12, 6, 40), (67, 0, 67), (97, 31, 300), (250, 125, 1000), (1500, 0, 1500)]
        {
            for detrend in [Detrend::None, Detrend::Constant] {
                let mut plan = Psd::new(nperseg, noverlap, Window::Hann, detrend, 250.0).unwrap();
                let mut lanes = PsdLanes::new(&plan);
                let value = |n: usize| (n * 7919 % 2003) as f64 / 7.0 - 90.0;
                let mut x = vec![[0.0; LANES]; samples];
                x.as_flattened_mut().iter_mut().enumerate().for_each(|(n, x)| *x = value(n));
                let (mut found, mut baseline) =
                    (vec![[0.0; LANES]; plan.bins()], vec![[0.0; LANES]; plan.bins()]);
                assert!(lanes.process(&plan, &x, &mut found));
                assert!(lanes.average(&plan, &x, &mut baseline));
                assert_eq!(found, baseline, "{nperseg}");
                for lane in 0..LANES {
                    let own: Vec<f64> = x.iter().map(|sample| sample[lane]).collect();
                    let mut density = vec![0.0; plan.bins()];
                    plan.process(&own, &mut density).unwrap();
                    let bits =
                        |values: &mut dyn Iterator<Item = f64>| values.map(f64::to_bits).collect::<Vec<_>>();
                    let (found, expected) =
                        (bits(&mut found.iter().map(|bin| bin[lane])), bits(&mut density.into_iter()));
                    assert_eq!(found, expected, "{nperseg} {lane}");
                }
                x[samples / 2][LANES - 1] = f64::NAN;
                assert!(!lanes.process(&plan, &x, &mut found));
            }
        }
    }
}
