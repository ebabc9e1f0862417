//! The last samples of a signal, kept across windows.

use neuraflow_core::checkpoint::{RestoreError, SnapshotReader, SnapshotWriter};
use neuraflow_core::model::{Chunk, Span};
use neuraflow_core::operator::{OperatorError, SignalSpec};

use crate::shape::{Rows, same_length};

/// A ring of the last `length` samples of each row, missing ones (NaN) included.
#[derive(Clone, Debug, Default)]
pub(crate) struct LookBack {
    rows: usize,
    length: usize,
    /// `[row][position]`.
    ring: Vec<f32>,
    next: usize,
    filled: usize,
}

impl LookBack {
    /// A ring as long as `span` at the signal's rate, to the nearest sample.
    pub(crate) fn new(span: Span, rows: &Rows, spec: &SignalSpec) -> Result<Self, OperatorError> {
        /// 2³² bytes: beyond it, something other than a look-back is meant.
        const MOST: u64 = 1 << 30;
        let length = spec.rate.samples_in(span);
        let refused = |expected: String| OperatorError::Spec {
            what: "look-back",
            expected,
            found: format!("{} ms, which is {length} samples at {}", span.as_millis_f64(), spec.rate),
        };
        if span <= Span::ZERO || length == 0 {
            let least = 1000.0 / spec.rate.as_hz();
            return Err(refused(format!("at least one sample; give it {least} ms or more")));
        }
        match length.checked_mul(rows.len() as u64) {
            Some(values) if values <= MOST => {
                let length = length as usize;
                let ring = vec![f32::NAN; length * rows.len()];
                Ok(Self { rows: rows.len(), length, ring, next: 0, filled: 0 })
            }
            _ => Err(refused(format!("at most {MOST} values over all channels; shorten it"))),
        }
    }

    /// Samples it holds when full.
    pub(crate) fn length(&self) -> usize {
        self.length
    }

    /// Whether as many samples have been seen as it holds.
    pub(crate) fn is_full(&self) -> bool {
        self.filled == self.length
    }

    /// Takes in the samples of a window.
    pub(crate) fn push(&mut self, samples: &Chunk, rows: &Rows) {
        let skip = samples.len().saturating_sub(self.length);
        for sample in samples.samples().skip(skip) {
            for (ring, channel) in self.ring.chunks_exact_mut(self.length).zip(&rows.channels) {
                ring[self.next] = sample[*channel];
            }
            self.next = (self.next + 1) % self.length;
            self.filled = (self.filled + 1).min(self.length);
        }
    }

    /// Copies a row, oldest sample first, into the front of `out`, and returns that part. `out` has `length` values.
    pub(crate) fn copy<'a>(&self, row: usize, out: &'a mut [f64]) -> &'a [f64] {
        let ring = &self.ring[row * self.length..(row + 1) * self.length];
        let oldest = if self.is_full() { self.next } else { 0 };
        let (tail, head) = ring.split_at(oldest);
        for (value, stored) in out.iter_mut().zip(head.iter().chain(tail)) {
            *value = f64::from(*stored);
        }
        &out[..self.filled]
    }

    pub(crate) fn reset(&mut self) {
        self.ring.fill(f32::NAN);
        (self.next, self.filled) = (0, 0);
    }

    pub(crate) fn snapshot(&self, writer: &mut SnapshotWriter) {
        writer.put(&(self.rows as u64, self.next as u64, self.filled as u64));
        writer.put(&self.ring);
    }

    pub(crate) fn restore(&mut self, reader: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        let (rows, next, filled): (u64, u64, u64) = reader.take()?;
        let ring: Vec<f32> = reader.take()?;
        let (rows, next, filled) = (rows as usize, next as usize, filled as usize);
        same_length("rows of the look-back", self.rows, rows)?;
        same_length("values of the look-back", self.ring.len(), ring.len())?;
        let next_fits = if filled < self.length { next == filled } else { next < self.length };
        if filled > self.length || !next_fits {
            return Err(RestoreError::Shape {
                what: "position in the look-back",
                expected: self.length,
                found: next.max(filled),
            });
        }
        (self.ring, self.next, self.filled) = (ring, next, filled);
        Ok(())
    }
}
