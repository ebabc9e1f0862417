//! The two number types samples travel in, and picking one channel out of sample-major data.

use super::KernelError;

/// What kernels need of a number; in a private module, so that no other type is a [`Value`].
pub(super) mod sealed {
    use core::fmt::Debug;
    use core::ops::{Add, Mul, Neg, Sub};

    pub trait Real:
        Copy
        + Debug
        + Default
        + PartialOrd
        + Add<Output = Self>
        + Sub<Output = Self>
        + Mul<Output = Self>
        + Neg<Output = Self>
    {
        const ZERO: Self;
        /// Whether sums in this type round what samples in `f32` hold: offsets are then taken off beforehand.
        const IS_SINGLE: bool;
        /// The greatest finite number.
        const GREATEST: f64;
        /// State in this type takes no value of a greater magnitude, which counts as missing: it could overflow
        /// the state, and no signal reaches it.
        const LARGEST: f64;

        fn magnitude(self) -> Self;
    }

    impl Real for f32 {
        const ZERO: Self = 0.0;
        const IS_SINGLE: bool = true;
        const GREATEST: f64 = f32::MAX as f64;
        const LARGEST: f64 = 1e20;

        #[inline(always)]
        fn magnitude(self) -> Self {
            self.abs()
        }
    }

    impl Real for f64 {
        const ZERO: Self = 0.0;
        const IS_SINGLE: bool = false;
        const GREATEST: f64 = f64::MAX;
        const LARGEST: f64 = 1e100;

        #[inline(always)]
        fn magnitude(self) -> Self {
            self.abs()
        }
    }
}

/// A number that samples travel in: `f32` (the data path) or `f64` (calibration and tests).
///
/// Kernels compute in `f64` whatever the samples travel in, unless they say otherwise. Sealed: no other type implements it.
///
/// ```
/// use neuraflow_ops::kernel::Value;
/// assert_eq!(f32::from_f64(0.5).to_f64(), 0.5);
/// ```
pub trait Value: sealed::Real {
    /// Widens to `f64`, exactly.
    fn to_f64(self) -> f64;
    /// Rounds an `f64` to this type, to nearest, ties to even.
    fn from_f64(value: f64) -> Self;
}

impl Value for f32 {
    #[inline(always)]
    fn to_f64(self) -> f64 {
        f64::from(self)
    }
    #[inline(always)]
    fn from_f64(value: f64) -> Self {
        value as f32
    }
}

impl Value for f64 {
    #[inline(always)]
    fn to_f64(self) -> f64 {
        self
    }
    #[inline(always)]
    fn from_f64(value: f64) -> Self {
        value
    }
}

/// Copies one channel out of sample-major data `[sample][channel]` into a contiguous slice.
///
/// `data` holds `out.len() * channels` values; the unit is kept.
///
/// # Errors
/// The channel is beyond the layout, or the lengths do not agree.
///
/// ```
/// use neuraflow_ops::kernel::gather_channel;
/// let data = [1.0_f32, 10.0, 2.0, 20.0, 3.0, 30.0]; // 3 samples of 2 channels
/// let mut second = [0.0; 3];
/// gather_channel(&data, 2, 1, &mut second)?;
/// assert_eq!(second, [10.0, 20.0, 30.0]);
/// # Ok::<(), neuraflow_ops::kernel::KernelError>(())
/// ```
pub fn gather_channel<T: Value>(
    data: &[T],
    channels: usize,
    channel: usize,
    out: &mut [f64],
) -> Result<(), KernelError> {
    if channel >= channels {
        return Err(KernelError::Channel { channels, found: channel });
    }
    if data.len() != out.len() * channels {
        return Err(KernelError::Length { what: "data", expected: out.len() * channels, found: data.len() });
    }
    for (value, sample) in out.iter_mut().zip(data.chunks_exact(channels)) {
        *value = sample[channel].to_f64();
    }
    Ok(())
}
