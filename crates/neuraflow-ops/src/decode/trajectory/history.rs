//! The last windows' spikes.

use neuraflow_core::checkpoint::{RestoreError, SnapshotReader, SnapshotWriter};

use crate::shape::same_length;

/// Spikes of the last windows that follow each other on the grid, NaN in one that is not to be counted.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    units: usize,
    length: usize,
    /// `[window][unit]`, oldest first.
    counts: Vec<f64>,
    /// The newest window's number.
    last: Option<i64>,
}

impl History {
    pub(super) fn of(units: usize, length: usize) -> Self {
        Self { units, length, counts: Vec::with_capacity(units * length), last: None }
    }

    /// Takes in a window, or that it is not to be counted. What does not go on from the last one begins anew: `false` then.
    pub(super) fn push(&mut self, window: i64, counts: Option<&[f64]>) -> bool {
        let follows = self.last.is_some_and(|last| last.checked_add(1) == Some(window));
        if !follows {
            self.counts.clear();
        }
        if self.counts.len() == self.units * self.length {
            self.counts.copy_within(self.units.., 0);
            self.counts.truncate(self.units * (self.length - 1));
        }
        match counts {
            Some(counts) => self.counts.extend_from_slice(counts),
            None => self.counts.extend(std::iter::repeat_n(f64::NAN, self.units)),
        }
        self.last = Some(window);
        follows
    }

    /// All of it, once it is full.
    pub(super) fn full(&self) -> Option<&[f64]> {
        (self.counts.len() == self.units * self.length).then_some(self.counts.as_slice())
    }

    pub(super) fn reset(&mut self) {
        self.counts.clear();
        self.last = None;
    }

    pub(super) fn snapshot(&self, writer: &mut SnapshotWriter) {
        writer.put(&(self.units as u64, &self.counts, self.last));
    }

    pub(super) fn restore(&mut self, reader: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        let (units, counts, last): (u64, Vec<f64>, Option<i64>) = reader.take()?;
        same_length("units", self.units, units as usize)?;
        let most = self.units * self.length;
        let whole = counts.len() / self.units.max(1) * self.units;
        same_length("counts of the windows", whole.min(most), counts.len())?;
        (self.counts, self.last) = (counts, last);
        Ok(())
    }
}
