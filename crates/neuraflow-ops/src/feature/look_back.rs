//! The last samples of a signal, kept across windows.

use neuraflow_core::checkpoint::{RestoreError, SnapshotReader, SnapshotWriter};
use neuraflow_core::model::{Chunk, Span};
use neuraflow_core::operator::{OperatorError, SignalSpec};

use crate::kernel::Value;
use crate::shape::{Rows, same_length};

/// A ring of the last `length` samples of each row, missing ones (NaN) included.
///
/// It grows with the samples that arrive: its length is the sampling rate's claim, and a header can claim anything.
#[derive(Clone, Debug, Default)]
pub(crate) struct LookBack {
    length: usize,
    /// One for each row, all of them as long as each other: at most `length`.
    rings: Vec<Vec<f32>>,
    /// Where the oldest sample lies, and the next one goes, once the ring is full; 0 until then.
    next: usize,
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
                Ok(Self { length: length as usize, rings: vec![Vec::new(); rows.len()], next: 0 })
            }
            _ => Err(refused(format!("at most {MOST} values over all channels; shorten it"))),
        }
    }

    /// Samples that it can hold.
    #[cfg(feature = "linalg")]
    pub(crate) fn length(&self) -> usize {
        self.length
    }

    /// Samples it holds.
    fn filled(&self) -> usize {
        self.rings.first().map_or(0, Vec::len)
    }

    /// Whether as many samples have been seen as it can hold.
    pub(crate) fn is_full(&self) -> bool {
        self.filled() == self.length
    }

    /// Takes in the samples of a window.
    pub(crate) fn push(&mut self, samples: &Chunk, rows: &Rows) {
        let skip = samples.len().saturating_sub(self.length);
        let grow = (self.length - self.filled()).min(samples.len() - skip);
        self.reserve(grow);
        let mut coming = samples.samples().skip(skip);
        for sample in coming.by_ref().take(grow) {
            for (ring, channel) in self.rings.iter_mut().zip(&rows.channels) {
                ring.push(sample[*channel]);
            }
        }
        for sample in coming {
            for (ring, channel) in self.rings.iter_mut().zip(&rows.channels) {
                ring[self.next] = sample[*channel];
            }
            self.next = (self.next + 1) % self.length;
        }
    }

    /// Makes room for `more` samples: at least doubles, so that growing costs nothing in the long run, and never takes
    /// more than a full ring needs.
    fn reserve(&mut self, more: usize) {
        let filled = self.filled();
        for ring in self.rings.iter_mut().filter(|ring| ring.capacity() - filled < more) {
            ring.reserve_exact(more.max(filled).min(self.length - filled));
        }
    }

    /// Copies a row, oldest sample first, into `out` in place of what is there.
    pub(crate) fn copy<'a, T: Value>(&self, row: usize, out: &'a mut Vec<T>) -> &'a [T] {
        let (tail, head) = self.rings[row].split_at(self.next);
        out.clear();
        out.extend(head.iter().chain(tail).map(|stored| T::from_f64(f64::from(*stored))));
        out
    }

    pub(crate) fn reset(&mut self) {
        self.rings.iter_mut().for_each(Vec::clear);
        self.next = 0;
    }

    pub(crate) fn snapshot(&self, writer: &mut SnapshotWriter) {
        writer.put(&(self.next as u64));
        writer.put(&self.rings);
    }

    pub(crate) fn restore(&mut self, reader: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        let next = reader.take::<u64>()? as usize;
        let rings: Vec<Vec<f32>> = reader.take()?;
        same_length("rows of the look-back", self.rings.len(), rings.len())?;
        let filled = rings.first().map_or(0, Vec::len);
        rings
            .iter()
            .try_for_each(|ring| same_length("samples of a row of the look-back", filled, ring.len()))?;
        if filled > self.length || next > 0 && (filled < self.length || next >= self.length) {
            return Err(RestoreError::Shape {
                what: "position in the look-back",
                expected: self.length,
                found: next.max(filled),
            });
        }
        (self.rings, self.next) = (rings, next);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use neuraflow_core::model::{Channel, SamplingRate};
    use neuraflow_core::operator::Missing;

    use std::sync::Arc;

    use super::*;

    fn ring(hz: u64) -> (LookBack, Arc<Rows>) {
        let channels = ["Cz", "Pz"].map(Channel::new);
        let rows = Rows::of(&channels).unwrap();
        let rate = SamplingRate::hz(hz).unwrap();
        let spec = SignalSpec { channels: channels.into(), rate, missing: Missing::Restart };
        (LookBack::new(Span::secs(1), &rows, &spec).unwrap(), rows)
    }

    fn chunk(range: std::ops::Range<u64>) -> Chunk {
        let mut chunk = Chunk::new(range.start, 2);
        for n in range {
            chunk.extend(&[n as f32, -(n as f32)]);
        }
        chunk
    }

    #[test]
    fn it_holds_the_last_samples_however_they_come() {
        for size in [1, 3, 9, 10, 11, 40] {
            let ((mut look_back, rows), mut out) = (ring(10), Vec::<f64>::new());
            for first in (0..80).step_by(size) {
                let end = first + size as u64;
                look_back.push(&chunk(first..end), &rows);
                let expected: Vec<f64> = (end.saturating_sub(10)..end).map(|n| -(n as f64)).collect();
                assert_eq!(look_back.copy(1, &mut out), expected, "{size} a time, {end} in all");
                assert_eq!(look_back.is_full(), end >= 10);
            }
        }
    }

    #[test]
    fn memory_follows_the_samples_and_not_the_rate() {
        let (mut look_back, rows) = ring(80_000_000);
        look_back.push(&chunk(0..1000), &rows);
        assert!(look_back.rings.iter().all(|ring| ring.capacity() <= 2000), "{:?}", look_back.length);
        let (mut look_back, rows) = ring(1000);
        (0..40).for_each(|n| look_back.push(&chunk(50 * n..50 * (n + 1)), &rows));
        assert!(look_back.rings.iter().all(|ring| ring.capacity() == 1000));
    }
}
