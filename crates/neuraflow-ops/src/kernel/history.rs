//! The last values of every channel, and weighted sums of them.

use serde::{Deserialize, Serialize};

use super::KernelError;

/// A ring of the last values of each channel, each readable as one slice, oldest first.
///
/// Every value is stored twice, a length apart, so that a window never wraps.
#[derive(Debug, Clone)]
pub(crate) struct Histories {
    length: usize,
    /// `[channel][2 · length]`
    values: Vec<f64>,
    /// For each channel, where its oldest value lies.
    oldest: Vec<usize>,
    /// For each channel, whether it has seen a value since the start or the last gap.
    started: Vec<bool>,
}

/// What [`Histories`] remember.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct HistoriesState {
    started: Vec<bool>,
    /// `[channel][value]`, oldest first; zero where a channel has not started.
    values: Vec<f64>,
}

impl Histories {
    pub(crate) fn new(length: usize, channels: usize) -> Self {
        Self {
            length,
            values: vec![0.0; 2 * length * channels],
            oldest: vec![0; channels],
            started: vec![false; channels],
        }
    }

    pub(crate) fn channels(&self) -> usize {
        self.started.len()
    }

    pub(crate) fn has_started(&self, channel: usize) -> bool {
        self.started[channel]
    }

    /// Fills a channel with one value, as if it had been so since ever.
    pub(crate) fn start(&mut self, channel: usize, value: f64) {
        self.started[channel] = true;
        self.values[2 * self.length * channel..][..2 * self.length].fill(value);
    }

    /// Lets a channel start again with its next value.
    pub(crate) fn stop(&mut self, channel: usize) {
        self.started[channel] = false;
    }

    pub(crate) fn reset(&mut self) {
        self.started.fill(false);
    }

    /// A channel's last values, oldest first.
    pub(crate) fn past(&self, channel: usize) -> &[f64] {
        &self.values[2 * self.length * channel + self.oldest[channel]..][..self.length]
    }

    /// Takes in a value in place of the oldest.
    pub(crate) fn push(&mut self, channel: usize, value: f64) {
        if self.length == 0 {
            return;
        }
        let (at, first) = (self.oldest[channel], 2 * self.length * channel);
        self.values[first + at] = value;
        self.values[first + at + self.length] = value;
        self.oldest[channel] = (at + 1) % self.length;
    }

    pub(crate) fn state(&self) -> HistoriesState {
        let mut values = Vec::with_capacity(self.length * self.channels());
        for (channel, started) in self.started.iter().enumerate() {
            match started {
                true => values.extend_from_slice(self.past(channel)),
                false => values.resize(values.len() + self.length, 0.0),
            }
        }
        HistoriesState { started: self.started.clone(), values }
    }

    pub(crate) fn set_state(&mut self, state: &HistoriesState) -> Result<(), KernelError> {
        let shape = |what, expected, found| Err(KernelError::State { what, expected, found });
        if state.started.len() != self.channels() {
            return shape("channels", self.channels(), state.started.len());
        }
        if state.values.len() != self.length * self.channels() {
            return shape("values", self.length * self.channels(), state.values.len());
        }
        if let Some(at) = state.values.iter().position(|value| !value.is_finite()) {
            return Err(KernelError::StateNotFinite { channel: at / self.length, found: state.values[at] });
        }
        self.started.clone_from(&state.started);
        self.oldest.fill(0);
        if self.length > 0 {
            let own = self.values.chunks_exact_mut(2 * self.length);
            for (own, values) in own.zip(state.values.chunks_exact(self.length)) {
                let (first, second) = own.split_at_mut(self.length);
                first.copy_from_slice(values);
                second.copy_from_slice(values);
            }
        }
        Ok(())
    }
}

/// Σ a·b in a fixed order: eight interleaved partial sums, added as a tree. As long as the shorter of both.
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut partial = [0.0; 8];
    let ((a_rows, a_rest), (b_rows, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    for (a, b) in a_rows.iter().zip(b_rows) {
        for lane in 0..8 {
            partial[lane] += a[lane] * b[lane];
        }
    }
    for (partial, (a, b)) in partial.iter_mut().zip(a_rest.iter().zip(b_rest)) {
        *partial += a * b;
    }
    let [a, b, c, d, e, f, g, h] = partial;
    ((a + b) + (c + d)) + ((e + f) + (g + h))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_the_last_values_oldest_first_wherever_the_ring_stands() {
        let mut histories = Histories::new(3, 2);
        histories.start(1, 9.0);
        assert_eq!(histories.past(1), [9.0; 3]);
        for n in 0..8 {
            histories.push(1, f64::from(n));
            let expected: Vec<f64> = (n - 2..=n).map(|v| if v < 0 { 9.0 } else { f64::from(v) }).collect();
            assert_eq!(histories.past(1), expected);
            let mut other = Histories::new(3, 2);
            other.push(1, 4.0);
            other.set_state(&histories.state()).unwrap();
            assert_eq!((other.past(1), other.state()), (histories.past(1), histories.state()));
        }
        assert!(histories.set_state(&Histories::new(2, 2).state()).is_err());
        assert!(histories.set_state(&Histories::new(3, 1).state()).is_err());
    }

    #[test]
    fn a_weighted_sum_of_integers_is_exact_at_any_length() {
        for length in 0..40 {
            let values: Vec<f64> = (0..length).map(f64::from).collect();
            let expected: f64 = values.iter().map(|v| v * v).sum();
            assert_eq!(dot(&values, &values), expected);
        }
    }
}
