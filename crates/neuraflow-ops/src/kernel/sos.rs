//! Running a cascade of second-order sections over sample-major data, with state that outlives the chunk.

mod bank;
mod state;

use std::ops::Range;

use super::{KernelError, Sos, Value};
use bank::Bank;
pub use state::SosState;

/// What a missing value (NaN or infinite) does to its channel's state. The output is NaN either way, and the
/// value itself never enters the state.
///
/// ```
/// use neuraflow_ops::kernel::{Missing, Response, SosFilter, butterworth};
/// let low_pass = butterworth(2, Response::Lowpass(10.0), 250.0)?;
/// let mut filter = SosFilter::new(&low_pass, 1, Missing::Restart)?;
/// let mut output = [0.0_f32; 3];
/// filter.process(&[1.0, f32::NAN, 5.0], &mut output)?;
/// assert!((output[0] - 1.0).abs() < 1e-6);
/// assert!(output[1].is_nan());
/// assert!((output[2] - 5.0).abs() < 1e-6); // started again, at 5
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// The state waits and goes on at the next finite value, as if the gap were not there.
    Freeze,
    /// The state starts again at the steady state of the next finite value.
    Restart,
}

/// What a cascade computes in (its coefficients, its state and every operation), or what a spectrum is summed in.
///
/// ```
/// use neuraflow_ops::kernel::{KernelError, Missing, Precision, Response, SosFilter, butterworth};
/// let single = |rate| {
///     let high_pass = butterworth(4, Response::Highpass(0.5), rate)?;
///     Ok::<_, Box<dyn std::error::Error>>(SosFilter::with_precision(&high_pass, 8, Missing::Restart, Precision::Single)?)
/// };
/// assert!(single(250.0).is_ok());
/// let error = single(30_000.0).unwrap_err(); // its poles are too close to the unit circle for f32
/// assert!(matches!(error.downcast_ref(), Some(KernelError::UnstableInSingle { .. })));
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Precision {
    /// `f64`: equals SciPy to 1e-12.
    #[default]
    Double,
    /// `f32`: twice as fast. A cascade is as exact as the poles' distance from the unit circle allows; 1–40 Hz at 250 Hz
    /// keeps about four digits of the input's greatest value, offset included. Refused where
    /// [`Sos::is_stable_in_f32`](super::Sos::is_stable_in_f32) is false. A magnitude above 1e20 counts as missing. A
    /// spectrum is exact to 2e-6 of its greatest bin, whatever the offset.
    Single,
}

/// A cascade of second-order sections over any number of channels: `scipy.signal.sosfilt`, in transposed
/// direct form II, with the same operations in the same order for each channel.
///
/// Samples are `[sample][channel]`, in `f32` or `f64`; coefficients and state are `f64` unless
/// [`Precision::Single`] is asked for. Every channel starts at the steady state of its first finite value
/// (`sosfilt_zi · x₀`). The output does not depend on how the signal
/// is cut into chunks, to the bit. Unit and scale are the input's.
///
/// ```
/// use neuraflow_ops::kernel::{Missing, Response, SosFilter, butterworth};
/// let high_pass = butterworth(2, Response::Highpass(1.0), 250.0)?;
/// let mut filter = SosFilter::new(&high_pass, 2, Missing::Freeze)?;
/// let input = [100.0_f32, -40.0].repeat(50); // 50 samples of two constant channels
/// let mut output = vec![0.0_f32; input.len()];
/// filter.process(&input, &mut output)?;
/// assert!(output.iter().all(|value| value.abs() < 1e-6)); // no transient at the start
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A clone shares the coefficients: filters of many devices of one kind are best cloned from one.
#[derive(Debug, Clone, PartialEq)]
pub struct SosFilter {
    channels: usize,
    cascade: Cascade,
}

#[derive(Debug, Clone, PartialEq)]
enum Cascade {
    Double(Bank<f64>),
    Single(Bank<f32>),
}

/// Does the same with the bank of either precision.
macro_rules! with_bank {
    ($cascade:expr, $bank:ident => $result:expr) => {
        match $cascade {
            Cascade::Double($bank) => $result,
            Cascade::Single($bank) => $result,
        }
    };
}
use with_bank;

impl SosFilter {
    /// A filter of double precision for `channels` channels, none of which has seen a value.
    ///
    /// # Errors
    /// Zero channels.
    ///
    /// ```
    /// use neuraflow_ops::kernel::{Missing, SosFilter, notch};
    /// let mains = notch(50.0, 30.0, 250.0)?;
    /// assert!(SosFilter::new(&mains, 64, Missing::Restart).is_ok());
    /// assert!(SosFilter::new(&mains, 0, Missing::Restart).is_err());
    /// # Ok::<(), neuraflow_ops::kernel::DesignError>(())
    /// ```
    pub fn new(sos: &Sos, channels: usize, missing: Missing) -> Result<Self, KernelError> {
        Self::with_precision(sos, channels, missing, Precision::Double)
    }

    /// As [`SosFilter::new`], in a precision of choice.
    ///
    /// # Errors
    /// Zero channels; for single precision, a cascade that is not [stable](Sos::is_stable_in_f32) in it.
    ///
    /// ```
    /// use neuraflow_ops::kernel::{Missing, Precision, SosFilter, notch};
    /// let mains = notch(50.0, 30.0, 250.0)?;
    /// let mut filter = SosFilter::with_precision(&mains, 1, Missing::Restart, Precision::Single)?;
    /// let mut output = [0.0_f32; 3];
    /// filter.process(&[2.0, 2.0, 2.0], &mut output)?;
    /// assert!(output.iter().all(|value| (value - 2.0).abs() < 1e-5));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn with_precision(
        sos: &Sos,
        channels: usize,
        missing: Missing,
        precision: Precision,
    ) -> Result<Self, KernelError> {
        if channels == 0 {
            return Err(KernelError::NoChannels);
        }
        let cascade = match precision {
            Precision::Double => Cascade::Double(Bank::new(sos, channels, missing)),
            Precision::Single => match sos.first_unstable_in_f32() {
                Some(section) => {
                    return Err(KernelError::UnstableInSingle { section, found: sos.sections()[section] });
                }
                None => Cascade::Single(Bank::new(&sos.rounded_to_f32(), channels, missing)),
            },
        };
        Ok(Self { channels, cascade })
    }

    /// Number of channels.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Forgets the past: every channel starts at the steady state of its next finite value.
    pub fn reset(&mut self) {
        with_bank!(&mut self.cascade, bank => bank.reset());
    }

    /// Where its state lies, for whoever asks the processor for it ahead of time.
    pub(crate) fn memory(&self) -> Range<*const u8> {
        with_bank!(&self.cascade, bank => bank.memory())
    }

    /// Filters whole samples `[sample][channel]`; `output` has the length of `input`. Allocates nothing.
    ///
    /// # Errors
    /// A length that is not a multiple of the number of channels, or lengths that differ. The state is then
    /// untouched.
    ///
    /// ```
    /// use neuraflow_ops::kernel::{Missing, SosFilter, notch};
    /// let mut filter = SosFilter::new(&notch(50.0, 30.0, 250.0)?, 2, Missing::Restart)?;
    /// let mut output = [0.0; 4];
    /// filter.process(&[1.0, 2.0, 1.0, 2.0], &mut output)?; // two samples of two channels
    /// assert!(filter.process(&[1.0, 2.0, 3.0], &mut output[..3]).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn process<T: Value>(&mut self, input: &[T], output: &mut [T]) -> Result<(), KernelError> {
        if !input.len().is_multiple_of(self.channels) {
            return Err(KernelError::NotWholeSamples { channels: self.channels, found: input.len() });
        }
        if output.len() != input.len() {
            return Err(KernelError::Length { what: "output", expected: input.len(), found: output.len() });
        }
        with_bank!(&mut self.cascade, bank => bank.process(self.channels, input, output));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::{Response, butterworth};

    #[test]
    fn clones_share_coefficients_and_state_has_lines_of_its_own() {
        let sos = butterworth(4, Response::Bandpass(1.0, 40.0), 250.0).unwrap(); // four sections
        for (precision, bytes) in [(Precision::Single, 256), (Precision::Double, 512)] {
            let filter = SosFilter::with_precision(&sos, 8, Missing::Restart, precision).unwrap();
            let mut clone = filter.clone();
            assert_eq!(clone, filter);
            let [first, second] = [&filter, &clone].map(SosFilter::memory);
            for Range { start, end } in [&first, &second] {
                assert_eq!((end.addr() - start.addr(), start.addr() % 64), (bytes, 0));
            }
            assert_ne!(first, second);
            clone.process(&[1.0; 8], &mut [0.0; 8]).unwrap();
            assert_ne!(clone, filter);
        }
    }

    #[test]
    fn refuses_what_does_not_fit_and_keeps_the_state() {
        let sos = butterworth(2, Response::Lowpass(10.0), 250.0).unwrap();
        let mut filter = SosFilter::new(&sos, 3, Missing::Freeze).unwrap();
        let mut output = [0.0; 6];
        assert_eq!(
            filter.process(&[1.0; 4], &mut output[..4]),
            Err(KernelError::NotWholeSamples { channels: 3, found: 4 })
        );
        assert_eq!(
            filter.process(&[1.0; 6], &mut output[..3]),
            Err(KernelError::Length { what: "output", expected: 6, found: 3 })
        );
        assert_eq!(filter.state(), SosFilter::new(&sos, 3, Missing::Freeze).unwrap().state());
    }

    #[test]
    fn freeze_waits_and_restart_begins_anew() {
        let sos = butterworth(2, Response::Lowpass(10.0), 250.0).unwrap();
        let run = |missing, input: &[f64]| {
            let mut output = vec![0.0; input.len()];
            SosFilter::new(&sos, 1, missing).unwrap().process(input, &mut output).unwrap();
            output
        };
        let whole = run(Missing::Freeze, &[1.0, 7.0, -3.0]);
        let frozen = run(Missing::Freeze, &[1.0, 7.0, f64::NAN, f64::INFINITY, -3.0]);
        assert!(frozen[2].is_nan() && frozen[3].is_nan());
        assert_eq!(frozen[4].to_bits(), whole[2].to_bits());
        let restarted = run(Missing::Restart, &[1.0, 7.0, f64::NAN, -3.0]);
        let fresh = run(Missing::Restart, &[-3.0]);
        assert_eq!(restarted[3].to_bits(), fresh[0].to_bits());
    }

    #[test]
    fn values_beyond_any_signal_cannot_overflow_the_state() {
        let sos = butterworth(4, Response::Bandpass(1.0, 40.0), 250.0).unwrap();
        let mut filter = SosFilter::new(&sos, 1, Missing::Freeze).unwrap();
        let mut output = [0.0; 4];
        filter.process(&[1.0, f64::MAX, -f64::MAX, 1.0], &mut output).unwrap();
        assert!(output[1].is_nan() && output[2].is_nan() && output[3].is_finite());
    }
}
