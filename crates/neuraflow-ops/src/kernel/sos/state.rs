//! Taking a running cascade's state out, and putting it back.

use serde::{Deserialize, Serialize};

use super::super::KernelError;
use super::{Cascade, SosFilter, with_bank};

/// What a [`SosFilter`] remembers of its input, whatever number of channels it computes side by side.
///
/// ```
/// use neuraflow_ops::kernel::{Missing, SosFilter, notch};
/// let mains = notch(50.0, 30.0, 250.0)?;
/// let mut filter = SosFilter::new(&mains, 1, Missing::Restart)?;
/// let mut output = [0.0; 3];
/// filter.process(&[1.0, 5.0, 2.0], &mut output)?;
/// let mut other = SosFilter::new(&mains, 1, Missing::Restart)?;
/// other.set_state(&filter.state())?;
/// let (mut one, mut two) = ([0.0], [0.0]);
/// filter.process(&[7.0], &mut one)?;
/// other.process(&[7.0], &mut two)?;
/// assert_eq!(one, two);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SosState {
    /// For each channel, whether it has seen a value since the start or the last gap.
    started: Vec<bool>,
    /// `[channel][section][z0, z1]`; zero where a channel has not started.
    values: Vec<f64>,
}

impl SosFilter {
    /// A copy of the state: what the output depends on besides the design and the input to come.
    pub fn state(&self) -> SosState {
        with_bank!(&self.cascade, bank => {
            let mut started = Vec::with_capacity(self.channels);
            let mut values = Vec::with_capacity(self.channels * bank.depth() * 2);
            for channel in 0..self.channels {
                let (has_started, states) = bank.channel(channel);
                started.push(has_started);
                values.extend(states.flat_map(|z| if has_started { z } else { [0.0; 2] }));
            }
            SosState { started, values }
        })
    }

    /// Goes on from a state that a filter of the same design gave.
    ///
    /// # Errors
    /// A state of another number of channels or sections, one with NaN or infinite numbers, or one of double
    /// precision for a filter of single precision. The filter's own state is then untouched.
    pub fn set_state(&mut self, state: &SosState) -> Result<(), KernelError> {
        let depth = with_bank!(&self.cascade, bank => bank.depth());
        let shape = |what, expected, found| Err(KernelError::State { what, expected, found });
        if state.started.len() != self.channels {
            return shape("channels", self.channels, state.started.len());
        }
        let per_channel = 2 * depth;
        if state.values.len() != per_channel * self.channels {
            return shape("sections", depth, state.values.len() / (2 * self.channels));
        }
        if let Some(at) = state.values.iter().position(|value| !value.is_finite()) {
            return Err(KernelError::StateNotFinite { channel: at / per_channel, found: state.values[at] });
        }
        let is_single = matches!(self.cascade, Cascade::Single(_));
        let in_f32 = |value: &f64| f64::from(*value as f32) == *value;
        if let Some(at) = state.values.iter().position(|value| is_single && !in_f32(value)) {
            return Err(KernelError::StatePrecision { channel: at / per_channel, found: state.values[at] });
        }
        let channels = state.started.iter().zip(state.values.chunks_exact(per_channel)).enumerate();
        for (channel, (started, values)) in channels {
            let values = values.as_chunks().0;
            with_bank!(&mut self.cascade, bank => bank.set_channel(channel, *started, values));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::{Missing, Precision, Response, butterworth};

    fn filter(order: usize, channels: usize) -> SosFilter {
        let sos = butterworth(order, Response::Bandpass(1.0, 40.0), 250.0).unwrap();
        SosFilter::new(&sos, channels, Missing::Restart).unwrap()
    }

    #[test]
    fn a_refused_state_changes_nothing() {
        let mut running = filter(2, 9);
        let mut output = [0.0; 18];
        running.process(&[3.0; 18], &mut output).unwrap();
        let before = running.state();
        let refused = |state: SosState, running: &mut SosFilter| running.set_state(&state).unwrap_err();
        assert_eq!(
            refused(filter(2, 8).state(), &mut running),
            KernelError::State { what: "channels", expected: 9, found: 8 }
        );
        assert_eq!(
            refused(filter(4, 9).state(), &mut running),
            KernelError::State { what: "sections", expected: 2, found: 4 }
        );
        let mut poisoned = before.clone();
        poisoned.values[17] = f64::INFINITY;
        assert_eq!(
            refused(poisoned, &mut running),
            KernelError::StateNotFinite { channel: 4, found: f64::INFINITY }
        );
        assert_eq!(running.state(), before);
    }

    #[test]
    fn a_state_of_double_precision_is_not_for_single() {
        let sos = butterworth(2, Response::Bandpass(1.0, 40.0), 250.0).unwrap();
        let mut single = SosFilter::with_precision(&sos, 9, Missing::Restart, Precision::Single).unwrap();
        let mut double = filter(2, 9);
        for filter in [&mut single, &mut double] {
            filter.process(&[3.0; 18], &mut [0.0; 18]).unwrap();
        }
        let before = single.state();
        let error = single.set_state(&double.state()).unwrap_err();
        assert!(matches!(error, KernelError::StatePrecision { channel: 0, .. }), "{error}");
        assert_eq!(single.state(), before);
        single.set_state(&before).unwrap();
        double.set_state(&before).unwrap();
    }

    #[test]
    fn what_behaves_alike_has_equal_states() {
        let mut running = filter(2, 9);
        running.process(&[f64::NAN; 9], &mut [0.0; 9]).unwrap();
        running.process(&[2.0; 9], &mut [0.0; 9]).unwrap();
        running.process(&[f64::NAN; 9], &mut [0.0; 9]).unwrap();
        assert_eq!(running.state(), filter(2, 9).state());
    }
}
