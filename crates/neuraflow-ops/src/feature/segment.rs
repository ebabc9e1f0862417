//! The samples of an epoch or look-back in which no value is missing: what covariances and correlations are of.

use ndarray::ArrayView2;
use neuraflow_core::model::{NoDecision, Window};

use super::LookBack;
use crate::kernel::Value;
use crate::shape::Rows;

/// Samples of some channels, those left out in which a value is missing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Segment {
    /// `[sample][channel]`.
    pub(crate) values: Vec<f64>,
    /// The numbers that these samples have in the whole segment.
    pub(crate) samples: Vec<usize>,
    /// How many of the samples a gap policy has made up.
    made_up: u64,
    /// Samples of the whole segment.
    pub(crate) length: usize,
    row: Vec<f64>,
}

impl Segment {
    /// Takes on the samples of a window.
    pub(crate) fn of_window(&mut self, window: &Window, rows: &Rows) {
        self.begin(window.samples.len());
        self.made_up = window.info.imputed.into();
        for (number, sample) in window.samples.samples().enumerate() {
            let before = self.values.len();
            self.values.extend(rows.channels.iter().map(|channel| f64::from(sample[*channel])));
            self.keep(number, before);
        }
    }

    /// Takes on all of an array `[sample][channel]`.
    pub(crate) fn of_array<T: Value>(&mut self, values: ArrayView2<'_, T>) {
        self.begin(values.nrows());
        for (number, sample) in values.rows().into_iter().enumerate() {
            let before = self.values.len();
            self.values.extend(sample.iter().map(|value| value.to_f64()));
            self.keep(number, before);
        }
    }

    /// Takes on the samples of a look-back, of which so many were made up.
    pub(crate) fn of_look_back(&mut self, look_back: &LookBack, made_up: u64, rows: &Rows) {
        let width = rows.len();
        self.begin(0);
        self.made_up = made_up;
        for channel in 0..width {
            let row = look_back.copy(channel, &mut self.row);
            self.length = row.len();
            self.values.resize(self.length * width, 0.0);
            for (sample, value) in self.values.chunks_exact_mut(width).zip(row) {
                sample[channel] = *value;
            }
        }
        for number in 0..self.length {
            let place = number * width..(number + 1) * width;
            if self.values[place.clone()].iter().all(|value| value.is_finite()) {
                self.values.copy_within(place, self.samples.len() * width);
                self.samples.push(number);
            }
        }
        self.values.truncate(self.samples.len() * width);
    }

    fn begin(&mut self, length: usize) {
        self.values.clear();
        self.samples.clear();
        (self.made_up, self.length) = (0, length);
    }

    /// Takes the last sample, whose values begin at `before`, out again if one of them is missing.
    fn keep(&mut self, number: usize, before: usize) {
        if self.values[before..].iter().all(|value| value.is_finite()) {
            self.samples.push(number);
        } else {
            self.values.truncate(before);
        }
    }

    /// At least nine tenths of the samples must really have been received.
    pub(crate) fn must_be_there(&self) -> Result<(), NoDecision> {
        let there = (self.samples.len() as u64).saturating_sub(self.made_up);
        if there * 10 < self.length as u64 * 9 { Err(NoDecision::Gap) } else { Ok(()) }
    }
}
