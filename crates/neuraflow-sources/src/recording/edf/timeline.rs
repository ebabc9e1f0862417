//! Where each data record lies in time: which sample of its stream its first one is.

use neuraflow_core::model::SamplingRate;

/// The sample counters of a recording's streams, record after record.
#[derive(Clone, Debug)]
pub(super) struct Timeline {
    streams: Vec<Counter>,
    first_onset: Option<i64>,
}

#[derive(Clone, Debug)]
struct Counter {
    rate: SamplingRate,
    /// Samples in a record.
    samples: u64,
    /// Index of the current record's first sample.
    first: u64,
    /// One past the last sample of the records so far.
    next: u64,
}

/// A record begins before the one ahead of it has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Overlap {
    /// Nanoseconds from the header's start at which the record ahead ends, rounded.
    pub(super) earliest: i64,
}

impl Timeline {
    /// The counters of streams of these rates, with so many samples in each record.
    pub(super) fn new(streams: impl IntoIterator<Item = (SamplingRate, u64)>) -> Self {
        let counter = |(rate, samples)| Counter { rate, samples, first: 0, next: 0 };
        Self { streams: streams.into_iter().map(counter).collect(), first_onset: None }
    }

    /// The next record follows the last one without a gap.
    pub(super) fn follow(&mut self) {
        for stream in &mut self.streams {
            stream.first = stream.next;
            stream.next += stream.samples;
        }
    }

    /// The next record begins `onset` nanoseconds after the header's start. Less than one sample away from where
    /// the last record ended, it follows on: no sample can be missing there.
    pub(super) fn place(&mut self, onset: i64) -> Result<(), Overlap> {
        let origin = *self.first_onset.get_or_insert(onset);
        let since = i128::from(onset) - i128::from(origin);
        for stream in &mut self.streams {
            // In units of one sample / (den · 10⁹), all exact.
            let sample = i128::from(stream.rate.den()) * 1_000_000_000;
            let position = since * i128::from(stream.rate.num());
            let away = position - i128::from(stream.next) * sample;
            if away <= -sample {
                let earliest = origin.saturating_add(stream.rate.offset(stream.next).as_nanos());
                return Err(Overlap { earliest });
            }
            let first = (2 * position + sample).div_euclid(2 * sample);
            stream.first = if away < sample { stream.next } else { u64::try_from(first).unwrap_or(u64::MAX) };
            stream.next = stream.first.saturating_add(stream.samples);
        }
        Ok(())
    }

    /// Goes to the beginning of a file, or, where all records follow each other, of record `record`.
    pub(super) fn restart(&mut self, record: u64) {
        self.first_onset = None;
        for stream in &mut self.streams {
            stream.next = record.saturating_mul(stream.samples);
            stream.first = stream.next;
        }
    }

    /// The record that a sample of a stream is in, where all records follow each other.
    pub(super) fn record_of(&self, stream: usize, sample: u64) -> u64 {
        self.streams.get(stream).map_or(0, |counter| sample / counter.samples.max(1))
    }

    /// One past the last sample of the records so far.
    pub(super) fn next(&self, stream: usize) -> u64 {
        self.streams.get(stream).map_or(0, |counter| counter.next)
    }

    /// Index of the current record's first sample in a stream.
    pub(super) fn first(&self, stream: usize) -> u64 {
        self.streams.get(stream).map_or(0, |counter| counter.first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    fn timeline() -> Timeline {
        Timeline::new([(SamplingRate::hz(100).unwrap(), 100), (SamplingRate::hz(13).unwrap(), 13)])
    }

    #[test]
    fn records_follow_or_leave_a_hole() {
        let mut line = timeline();
        let mut firsts = Vec::new();
        for onset in [500 * MS, 1_500 * MS, 3_500 * MS, 4_509 * MS, 5_520 * MS] {
            line.place(onset).unwrap();
            firsts.push(line.first(0));
        }
        // 9 ms are less than a sample; 20 ms are two.
        assert_eq!(firsts, [0, 100, 300, 400, 502]);
    }

    #[test]
    fn going_back_is_an_overlap() {
        let mut line = timeline();
        line.place(0).unwrap();
        line.clone().place(991 * MS).unwrap();
        assert_eq!(line.place(990 * MS), Err(Overlap { earliest: 1_000 * MS }));
    }

    #[test]
    fn without_onsets_records_follow() {
        let mut line = timeline();
        line.follow();
        line.follow();
        assert_eq!((line.first(0), line.first(1)), (100, 13));
    }
}
