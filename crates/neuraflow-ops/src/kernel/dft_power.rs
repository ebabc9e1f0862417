//! Power at every frequency of a short segment, many channels at once.

mod direct;
mod transform;

use num_complex::{Complex, Complex64};

use super::cell::{DOUBLES, SINGLES};
use super::{KernelError, Precision, Value};
use transform::Transform;

/// Power at every frequency of a segment of `samples` samples, no taper, no mean taken off:
/// `scipy.signal.periodogram(x, window='boxcar', detrend=False, scaling='spectrum')`.
///
/// ```text
/// P(k) = s · |Σ x(n) e^(−2πi kn/N)|² / N², k from 0 to N/2; s is 1 for k = 0 and k = N/2, else 2
/// ```
///
/// Input in µV gives µV², and the powers of a segment add up to its mean square. Segments of up to 64 samples are
/// transformed by this definition and longer ones by a fast transform, several channels side by side; in `f64` unless
/// [`Precision::Single`] is asked for, with the same bits on every processor.
///
/// In single precision an offset is taken off before anything is rounded, so that it costs the other bins no digits. Powers
/// are then exact to 2e-6 of the greatest of a channel, the first bin left out. A channel of magnitudes above 1e14 may count as missing: f32 does not hold the squares of its sums.
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
    DirectSingle(&'static [Complex<f32>]),
    Transform(Box<Transform<f64, DOUBLES>>),
    TransformSingle(Box<Transform<f32, SINGLES>>),
}

impl DftPower {
    /// Plans segments of `samples` samples in double precision. Allocates for more than 64 only.
    ///
    /// # Errors
    /// A segment of 0 samples.
    pub fn new(samples: usize) -> Result<Self, KernelError> {
        Self::with_precision(samples, Precision::Double)
    }

    /// As [`DftPower::new`], in a precision of choice.
    ///
    /// # Errors
    /// A segment of 0 samples.
    ///
    /// ```
    /// use neuraflow_ops::kernel::{DftPower, Precision};
    /// let mut dft = DftPower::with_precision(4, Precision::Single)?;
    /// let mut powers = [0.0; 3];
    /// // A constant of 100 mV, and an alternation of 1 µV.
    /// dft.process(&[100_001.0_f32, 99_999.0, 100_001.0, 99_999.0], 1, &mut powers)?;
    /// assert_eq!(powers, [1e10, 0.0, 1.0]);
    /// # Ok::<(), neuraflow_ops::kernel::KernelError>(())
    /// ```
    pub fn with_precision(samples: usize, precision: Precision) -> Result<Self, KernelError> {
        let plan = match (samples, precision) {
            (0, _) => return Err(KernelError::EmptySegment),
            (1..=direct::LONGEST, Precision::Double) => Plan::Direct(direct::roots(samples)),
            (1..=direct::LONGEST, Precision::Single) => Plan::DirectSingle(direct::roots(samples)),
            (_, Precision::Double) => Plan::Transform(Box::new(Transform::new(samples))),
            (_, Precision::Single) => Plan::TransformSingle(Box::new(Transform::new(samples))),
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
            Plan::DirectSingle(roots) => direct::powers(self.samples, roots, values, channels, powers),
            Plan::Transform(transform) => transform.process(values, channels, powers),
            Plan::TransformSingle(transform) => transform.process(values, channels, powers),
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

    const PRECISIONS: [Precision; 2] = [Precision::Double, Precision::Single];

    fn planned(samples: usize) -> impl Iterator<Item = DftPower> {
        PRECISIONS.into_iter().map(move |precision| DftPower::with_precision(samples, precision).unwrap())
    }

    fn bits(powers: &[f64]) -> Vec<u64> {
        powers.iter().map(|power| power.to_bits()).collect()
    }

    #[test]
    fn a_missing_value_blanks_its_channel_alone() {
        for mut dft in [5, 13, 40, 70, 1009].into_iter().flat_map(planned) {
            let samples = dft.samples();
            for (bad, at) in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY]
                .map(|bad| [(bad, 0), (bad, samples / 2)])
                .as_flattened()
            {
                let mut values = vec![1.0; samples * 10];
                values[at * 10 + 9] = *bad;
                let mut powers = vec![0.0; dft.bins() * 10];
                dft.process(&values, 10, &mut powers).unwrap();
                for (channel, powers) in powers.chunks_exact(dft.bins()).enumerate() {
                    assert!(powers.iter().all(|power| power.is_nan() == (channel == 9)), "{samples} {bad}");
                }
            }
        }
    }

    #[test]
    fn what_f32_does_not_hold_is_missing_in_single_precision() {
        for samples in [13, 70] {
            let mut dft = DftPower::with_precision(samples, Precision::Single).unwrap();
            for (size, is_held) in [(1e17, true), (1e25, false), (1e36, false), (1e200, false)] {
                let values: Vec<f64> = (0..samples).map(|n| [size, -size, size][n % 3]).collect();
                let mut powers = vec![0.0; dft.bins()];
                dft.process(&values, 1, &mut powers).unwrap();
                assert!(
                    powers.iter().all(|power| power.is_finite() == is_held),
                    "{samples} {size}: {powers:?}"
                );
                assert!(powers.iter().all(|power| power.is_nan() != is_held), "{samples} {size}: {powers:?}");
            }
        }
    }

    #[test]
    fn long_segments_side_by_side_are_each_channel_alone_on_any_instruction_set() {
        for (samples, channels) in [(65, 16), (70, 35), (100, 48), (1009, 18), (1500, 33)] {
            let value = |n: usize| (n * 7919 % 2003) as f32 / 10.0 - 40.0;
            let mut values: Vec<f32> = (0..samples * channels).map(value).collect();
            values[3 * channels + 5] = f32::NAN;
            for mut dft in planned(samples) {
                let bins = dft.bins();
                let mut powers = vec![0.0; bins * channels];
                dft.process(&values, channels, &mut powers).unwrap();
                let mut baseline = vec![0.0; bins * channels];
                let mut plain = |powers: &mut [f64]| match &mut dft.plan {
                    Plan::Transform(transform) => transform.powers(&values, channels, powers),
                    Plan::TransformSingle(transform) => transform.powers(&values, channels, powers),
                    plan => panic!("{plan:?}"),
                };
                plain(&mut baseline);
                assert_eq!(bits(&baseline), bits(&powers), "{samples}");
                for (channel, powers) in powers.chunks_exact(bins).enumerate() {
                    let own: Vec<f32> = values.iter().skip(channel).step_by(channels).copied().collect();
                    let mut alone = vec![0.0; bins];
                    dft.process(&own, 1, &mut alone).unwrap();
                    assert_eq!(bits(&alone), bits(powers), "{samples} {channel}");
                    assert_eq!(powers[0].is_nan(), channel == 5);
                }
            }
        }
    }

    #[test]
    fn neither_the_other_channels_nor_the_instruction_set_show() {
        for mut dft in (1..=direct::LONGEST).flat_map(planned) {
            let (samples, bins) = (dft.samples(), dft.bins());
            let value = |n: usize| (n * 7919 % 2003) as f32 / 10.0 - 40.0;
            let values: Vec<f32> = (0..samples * 19).map(value).collect();
            let mut powers = vec![0.0; bins * 19];
            dft.process(&values, 19, &mut powers).unwrap();
            let mut baseline = vec![0.0; bins * 19];
            let plain = |powers: &mut [f64]| match dft.plan {
                Plan::Direct(roots) => direct::general(samples, roots, &values, 19, powers),
                Plan::DirectSingle(roots) => direct::general(samples, roots, &values, 19, powers),
                _ => panic!("{samples}"),
            };
            plain(&mut baseline);
            assert_eq!(powers, baseline, "{samples}");
            #[cfg(target_arch = "x86_64")]
            if let Some(avx512) = fearless_simd::Level::new().as_avx512() {
                fearless_simd::Simd::vectorize(
                    avx512,
                    #[inline(always)]
                    || plain(&mut baseline),
                );
                assert_eq!(powers, baseline, "AVX-512, {samples}");
            }
            for channel in 0..19 {
                let own: Vec<f32> = values.iter().skip(channel).step_by(19).copied().collect();
                let mut alone = vec![0.0; bins];
                dft.process(&own, 1, &mut alone).unwrap();
                assert_eq!(alone, powers[channel * bins..][..bins], "{samples} {channel}");
            }
        }
    }
}
