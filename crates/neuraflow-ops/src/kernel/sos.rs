//! Running a cascade of second-order sections over sample-major data, with state that outlives the chunk.

mod state;

use super::{KernelError, Sos, Value};
pub use state::SosState;

/// Channels that are computed side by side; a fixed number, so that the compiler vectorises it on any target.
/// Each channel keeps its own order of operations, so the width never shows in the output.
const LANES: usize = 8;

/// Magnitudes above this count as missing: they could overflow the state, and no signal reaches them.
const LARGEST: f64 = 1e100;

type Lanes = [f64; LANES];

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

/// A cascade of second-order sections over any number of channels: `scipy.signal.sosfilt`, in transposed
/// direct form II, with the same operations in the same order for each channel.
///
/// Samples are `[sample][channel]`, in `f32` or `f64`; coefficients and state are `f64`. Every channel starts at
/// the steady state of its first finite value (`sosfilt_zi · x₀`). The output does not depend on how the signal
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
#[derive(Debug, Clone)]
pub struct SosFilter {
    sections: Vec<Section>,
    channels: usize,
    missing: Missing,
    /// `[block of channels][section][z0, z1][channel in block]`, the last block padded.
    state: Vec<[Lanes; 2]>,
    started: Vec<bool>,
    waiting: usize,
}

#[derive(Debug, Clone, Copy)]
struct Section {
    b: [f64; 3],
    a: [f64; 2],
    steady: [f64; 2],
}

impl SosFilter {
    /// A filter for `channels` channels, none of which has seen a value.
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
        if channels == 0 {
            return Err(KernelError::NoChannels);
        }
        let blocks = channels.div_ceil(LANES);
        let section = |([b0, b1, b2, _, a1, a2], steady): (&[f64; 6], [f64; 2])| Section {
            b: [*b0, *b1, *b2],
            a: [*a1, *a2],
            steady,
        };
        let sections: Vec<_> = sos.sections().iter().zip(sos.steady_state()).map(section).collect();
        Ok(Self {
            channels,
            missing,
            state: vec![[[0.0; LANES]; 2]; blocks * sections.len()],
            sections,
            started: vec![false; channels],
            waiting: channels,
        })
    }

    /// Number of channels.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Forgets the past: every channel starts at the steady state of its next finite value.
    pub fn reset(&mut self) {
        self.state.fill([[0.0; LANES]; 2]);
        self.started.fill(false);
        self.waiting = self.channels;
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
        let present = input.iter().fold(true, |all, value| all & is_present(value.to_f64()));
        if present && self.waiting == 0 {
            self.filter_samples(input, output);
            return Ok(());
        }
        let samples = input.chunks_exact(self.channels).zip(output.chunks_exact_mut(self.channels));
        for (x, y) in samples {
            if self.waiting == 0 && x.iter().all(|value| is_present(value.to_f64())) {
                self.filter_samples(x, y);
            } else {
                for (channel, (x, y)) in x.iter().zip(y).enumerate() {
                    *y = T::from_f64(self.filter_value(channel, x.to_f64()));
                }
            }
        }
        Ok(())
    }

    /// Whole samples of which every value is present, when every channel has started.
    fn filter_samples<T: Value>(&mut self, x: &[T], y: &mut [T]) {
        let depth = self.sections.len();
        for (block, state) in self.state.chunks_exact_mut(depth).enumerate() {
            let first = block * LANES;
            let lanes = LANES.min(self.channels - first);
            let rows = x.chunks_exact(self.channels).zip(y.chunks_exact_mut(self.channels));
            if lanes == LANES {
                for (x, y) in rows {
                    let (Some(x), Some(y)) =
                        (x[first..].first_chunk::<LANES>(), y[first..].first_chunk_mut::<LANES>())
                    else {
                        continue;
                    };
                    *y = cascade(&self.sections, state, x.map(T::to_f64)).map(T::from_f64);
                }
            } else {
                for (x, y) in rows {
                    let mut wide = [0.0; LANES];
                    for (wide, value) in wide.iter_mut().zip(&x[first..]) {
                        *wide = value.to_f64();
                    }
                    let wide = cascade(&self.sections, state, wide);
                    for (value, wide) in y[first..].iter_mut().zip(wide) {
                        *value = T::from_f64(wide);
                    }
                }
            }
        }
    }

    /// One value of one channel, which may be missing or the channel's first.
    fn filter_value(&mut self, channel: usize, x: f64) -> f64 {
        if !is_present(x) {
            if self.missing == Missing::Restart && self.started[channel] {
                self.started[channel] = false;
                self.waiting += 1;
            }
            return f64::NAN;
        }
        let starts = !self.started[channel];
        if starts {
            self.started[channel] = true;
            self.waiting -= 1;
        }
        let (block, lane) = (channel / LANES, channel % LANES);
        let first = x;
        let mut x = x;
        let depth = self.sections.len();
        let states = &mut self.state[block * depth..][..depth];
        for (Section { b, a, steady }, [z0, z1]) in self.sections.iter().zip(states) {
            let (z0, z1) = (&mut z0[lane], &mut z1[lane]);
            if starts {
                (*z0, *z1) = (steady[0] * first, steady[1] * first);
            }
            let output = b[0] * x + *z0;
            *z0 = b[1] * x - a[0] * output + *z1;
            *z1 = b[2] * x - a[1] * output;
            x = output;
        }
        x
    }
}

/// One sample of a block of channels through all sections.
#[inline]
fn cascade(sections: &[Section], states: &mut [[Lanes; 2]], mut x: Lanes) -> Lanes {
    for (Section { b, a, .. }, state) in sections.iter().zip(states) {
        // Copies first: with all reads before all writes the compiler vectorises.
        let [z0, z1] = *state;
        let mut y = [0.0; LANES];
        for lane in 0..LANES {
            y[lane] = b[0] * x[lane] + z0[lane];
        }
        for lane in 0..LANES {
            state[0][lane] = b[1] * x[lane] - a[0] * y[lane] + z1[lane];
        }
        for lane in 0..LANES {
            state[1][lane] = b[2] * x[lane] - a[1] * y[lane];
        }
        x = y;
    }
    x
}

fn is_present(value: f64) -> bool {
    value.abs() <= LARGEST
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::{Response, butterworth};

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
        assert_eq!(filter.waiting, 3);
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
