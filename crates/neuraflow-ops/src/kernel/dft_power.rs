//! Power at every frequency of a short segment, many channels at once.

mod direct;

use num_complex::Complex64;

use super::spectrum::{LANES as PSD_LANES, PsdLanes};
use super::value::gather_channel;
use super::{Detrend, KernelError, Psd, Value, Window};

/// Power at every frequency of a segment of `samples` samples, no taper, no mean taken off:
/// `scipy.signal.periodogram(x, window='boxcar', detrend=False, scaling='spectrum')`.
///
/// ```text
/// P(k) = s · |Σ x(n) e^(−2πi kn/N)|² / N², k from 0 to N/2; s is 1 for k = 0 and k = N/2, else 2
/// ```
///
/// Input in µV gives µV², and the powers of a segment add up to its mean square. Segments of up to 64 samples are
/// transformed by this definition and longer ones by [`Psd`], several channels side by side; in `f64`, with the same bits
/// on every processor.
///
/// ```
/// use neuraflow_ops::kernel::DftPower;
/// let mut dft = DftPower::new(4)?;
/// let mut powers = [0.0; 2 * 3];
/// // Four samples of two channels: a constant, and an alternation.
/// dft.process(&[3.0_f32, 1.0, 3.0, -1.0, 3.0, 1.0, 3.0, -1.0], 2, &mut powers)?;
/// assert_eq!(powers, [9.0, 0.0, 0.0, 0.0, 0.0, 1.0]);
/// # Ok::<(), neuraflow_ops::kernel::KernelError>(())
/// ```
#[derive(Debug, Clone)]
pub struct DftPower {
    samples: usize,
    plan: Plan,
}

#[derive(Debug, Clone)]
enum Plan {
    Direct(&'static [Complex64]),
    Transform(Box<Transform>),
}

/// Channels whose values are gathered in one pass over a long segment: a cache line of `f32`. In dense recordings
/// each sample lies on a page of its own, and to look for it again costs more than to transform it.
const GATHERED: usize = 16;

#[derive(Debug, Clone)]
struct Transform {
    psd: Psd,
    /// One channel, where a value is missing or too few are left to be computed side by side.
    segment: Vec<f64>,
    lanes: PsdLanes,
    /// `[block][sample][lane]`
    blocks: Vec<[f64; PSD_LANES]>,
    /// `[bin][lane]`
    density: Vec<[f64; PSD_LANES]>,
}

impl Transform {
    fn new(samples: usize) -> Result<Self, KernelError> {
        let psd = Psd::periodogram(samples, Window::Boxcar, Detrend::None, 1.0)?;
        Ok(Self {
            segment: vec![0.0; samples],
            lanes: PsdLanes::new(&psd),
            blocks: vec![[0.0; PSD_LANES]; samples * (GATHERED / PSD_LANES)],
            density: vec![[0.0; PSD_LANES]; psd.bins()],
            psd,
        })
    }

    fn process<T: Value>(
        &mut self,
        values: &[T],
        channels: usize,
        powers: &mut [f64],
    ) -> Result<(), KernelError> {
        let bins = self.psd.bins();
        let mut pass = powers.chunks_exact_mut(GATHERED * bins);
        for (number, powers) in pass.by_ref().enumerate() {
            self.gather(values, channels, number * GATHERED);
            for (block, powers) in powers.chunks_exact_mut(PSD_LANES * bins).enumerate() {
                self.block(block, values, channels, number * GATHERED + block * PSD_LANES, powers)?;
            }
        }
        let first = channels / GATHERED * GATHERED;
        for (channel, powers) in (first..).zip(pass.into_remainder().chunks_exact_mut(bins)) {
            self.alone(values, channels, channel, powers)?;
        }
        Ok(())
    }

    fn gather<T: Value>(&mut self, values: &[T], channels: usize, first: usize) {
        let samples = self.segment.len();
        for (n, sample) in values.chunks_exact(channels).enumerate() {
            for (block, values) in
                sample[first..first + GATHERED].as_chunks::<PSD_LANES>().0.iter().enumerate()
            {
                self.blocks[block * samples + n] = values.map(Value::to_f64);
            }
        }
    }

    fn block<T: Value>(
        &mut self,
        block: usize,
        values: &[T],
        channels: usize,
        first: usize,
        powers: &mut [f64],
    ) -> Result<(), KernelError> {
        let (samples, bins) = (self.segment.len(), self.psd.bins());
        let x = &self.blocks[block * samples..][..samples];
        if !self.lanes.process(&self.psd, x, &mut self.density) {
            for (channel, powers) in (first..).zip(powers.chunks_exact_mut(bins)) {
                self.alone(values, channels, channel, powers)?;
            }
            return Ok(());
        }
        for (lane, powers) in powers.chunks_exact_mut(bins).enumerate() {
            for (power, density) in powers.iter_mut().zip(&self.density) {
                *power = density[lane] / samples as f64;
            }
        }
        Ok(())
    }

    fn alone<T: Value>(
        &mut self,
        values: &[T],
        channels: usize,
        channel: usize,
        powers: &mut [f64],
    ) -> Result<(), KernelError> {
        gather_channel(values, channels, channel, &mut self.segment)?;
        self.psd.process(&self.segment, powers)?;
        powers.iter_mut().for_each(|power| *power /= self.segment.len() as f64);
        Ok(())
    }
}

impl DftPower {
    /// Plans segments of `samples` samples. Allocates for more than 64 only.
    ///
    /// # Errors
    /// A segment of 0 samples.
    pub fn new(samples: usize) -> Result<Self, KernelError> {
        let plan = match samples {
            0 => return Err(KernelError::EmptySegment),
            1..=direct::LONGEST => Plan::Direct(direct::roots(samples)),
            _ => Plan::Transform(Box::new(Transform::new(samples)?)),
        };
        Ok(Self { samples, plan })
    }

    /// Samples of a segment.
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// Bins of a channel: half the samples, rounded down, and one.
    pub fn bins(&self) -> usize {
        self.samples / 2 + 1
    }

    /// Writes the powers of a segment `values[sample][channel]` to `powers[channel][bin]`. A channel with a missing
    /// value (NaN or infinite) has NaN in every bin. Allocates nothing.
    ///
    /// # Errors
    /// `values` is not `samples() · channels` long, or `powers` not `channels · bins()`.
    pub fn process<T: Value>(
        &mut self,
        values: &[T],
        channels: usize,
        powers: &mut [f64],
    ) -> Result<(), KernelError> {
        let bins = self.bins();
        let lengths = [
            ("values", self.samples.saturating_mul(channels), values.len()),
            ("powers", bins.saturating_mul(channels), powers.len()),
        ];
        if let Some((what, expected, found)) = lengths.into_iter().find(|(_, e, f)| e != f) {
            return Err(KernelError::Length { what, expected, found });
        }
        if channels == 0 {
            return Ok(());
        }
        match &mut self.plan {
            Plan::Direct(roots) => direct::powers(self.samples, roots, values, channels, powers),
            Plan::Transform(transform) => transform.process(values, channels, powers)?,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_does_not_fit() {
        assert!(matches!(DftPower::new(0), Err(KernelError::EmptySegment)));
        let mut dft = DftPower::new(13).unwrap();
        let error = dft.process(&[0.0; 12], 1, &mut [0.0; 7]).unwrap_err();
        assert_eq!(error, KernelError::Length { what: "values", expected: 13, found: 12 });
        let error = dft.process(&[0.0; 13], 1, &mut [0.0; 6]).unwrap_err();
        assert_eq!(error, KernelError::Length { what: "powers", expected: 7, found: 6 });
        dft.process::<f64>(&[], 0, &mut []).unwrap();
    }

    #[test]
    fn a_missing_value_blanks_its_channel_alone() {
        for samples in [5, 13, 40, 70] {
            let mut dft = DftPower::new(samples).unwrap();
            for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
                let mut values = vec![1.0; samples * 10];
                values[(samples / 2) * 10 + 9] = bad;
                let mut powers = vec![0.0; dft.bins() * 10];
                dft.process(&values, 10, &mut powers).unwrap();
                for (channel, powers) in powers.chunks_exact(dft.bins()).enumerate() {
                    assert!(powers.iter().all(|power| power.is_nan() == (channel == 9)), "{samples} {bad}");
                }
            }
        }
    }

    #[test]
    fn long_segments_side_by_side_are_each_channel_alone() {
        for (samples, channels) in [(65, 16), (70, 35), (100, 48), (1500, 33)] {
            let value = |n: usize| (n * 7919 % 2003) as f32 / 10.0 - 40.0;
            let mut values: Vec<f32> = (0..samples * channels).map(value).collect();
            values[3 * channels + 5] = f32::NAN;
            let mut dft = DftPower::new(samples).unwrap();
            let bins = dft.bins();
            let mut powers = vec![0.0; bins * channels];
            dft.process(&values, channels, &mut powers).unwrap();
            for (channel, powers) in powers.chunks_exact(bins).enumerate() {
                let own: Vec<f32> = values.iter().skip(channel).step_by(channels).copied().collect();
                let mut alone = vec![0.0; bins];
                dft.process(&own, 1, &mut alone).unwrap();
                let bits = |powers: &[f64]| powers.iter().map(|power| power.to_bits()).collect::<Vec<_>>();
                assert_eq!(bits(&alone), bits(powers), "{samples} {channel}");
                assert_eq!(powers[0].is_nan(), channel == 5);
            }
        }
    }

    #[test]
    fn neither_the_other_channels_nor_the_instruction_set_show() {
        for samples in 1..=direct::LONGEST {
            let value = |n: usize| (n * 7919 % 2003) as f32 / 10.0 - 40.0;
            let values: Vec<f32> = (0..samples * 19).map(value).collect();
            let mut dft = DftPower::new(samples).unwrap();
            let bins = dft.bins();
            let mut powers = vec![0.0; bins * 19];
            dft.process(&values, 19, &mut powers).unwrap();
            let mut baseline = vec![0.0; bins * 19];
            let Plan::Direct(roots) = dft.plan else { panic!("{samples}") };
            direct::blocks_of::<_, { direct::LONGEST }>(samples, roots, &values, 19, &mut baseline);
            assert_eq!(powers, baseline, "{samples}");
            for channel in 0..19 {
                let own: Vec<f32> = values.iter().skip(channel).step_by(19).copied().collect();
                let mut alone = vec![0.0; bins];
                dft.process(&own, 1, &mut alone).unwrap();
                assert_eq!(alone, powers[channel * bins..][..bins], "{samples} {channel}");
            }
        }
    }
}
