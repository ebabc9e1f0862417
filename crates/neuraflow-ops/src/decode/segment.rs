//! What a decoder looks at: the samples of an epoch or look-back in which no value is missing.

use ndarray::ArrayView2;
use neuraflow_core::model::{NoDecision, Window};

use crate::feature::LookBack;
use crate::kernel::Value;
use crate::shape::Rows;

/// Samples of some channels, those left out in which a value is missing.
#[derive(Clone, Debug, Default)]
pub(super) struct Segment {
    /// `[sample][channel]`.
    pub(super) values: Vec<f64>,
    /// The numbers that these samples have in the whole segment.
    pub(super) samples: Vec<usize>,
    /// How many of the samples a gap policy has made up.
    pub(super) made_up: u64,
    /// Samples of the whole segment.
    length: usize,
    row: Vec<f64>,
}

impl Segment {
    /// Takes on the samples of a window.
    pub(super) fn of_window(&mut self, window: &Window, rows: &Rows) {
        self.begin(window.samples.len());
        self.made_up = window.info.imputed.into();
        for (number, sample) in window.samples.samples().enumerate() {
            let before = self.values.len();
            self.values.extend(rows.channels.iter().map(|channel| f64::from(sample[*channel])));
            self.keep(number, before);
        }
    }

    /// Takes on all of an array `[sample][channel]`.
    pub(super) fn of_array<T: Value>(&mut self, values: ArrayView2<'_, T>) {
        self.begin(values.nrows());
        for (number, sample) in values.rows().into_iter().enumerate() {
            let before = self.values.len();
            self.values.extend(sample.iter().map(|value| value.to_f64()));
            self.keep(number, before);
        }
    }

    /// Takes on the samples of a look-back, of which so many were made up.
    pub(super) fn of_look_back(&mut self, look_back: &LookBack, made_up: u64, rows: &Rows) {
        let width = rows.len();
        let mut row = std::mem::take(&mut self.row);
        self.begin(0);
        self.made_up = made_up;
        for channel in 0..width {
            let samples = look_back.copy(channel, &mut row);
            self.length = samples.len();
            self.values.resize(self.length * width, 0.0);
            let column = self.values.iter_mut().skip(channel).step_by(width);
            column.zip(samples).for_each(|(value, sample)| *value = *sample);
        }
        let all = std::mem::take(&mut self.values);
        for (number, sample) in all.chunks_exact(width.max(1)).enumerate() {
            let before = self.values.len();
            self.values.extend_from_slice(sample);
            self.keep(number, before);
        }
        self.row = row;
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
    pub(super) fn must_be_there(&self) -> Result<(), NoDecision> {
        let there = (self.samples.len() as u64).saturating_sub(self.made_up);
        if there * 10 < self.length as u64 * 9 { Err(NoDecision::Gap) } else { Ok(()) }
    }
}
