//! Where a packet's samples go: the sequencer's judgement of each sample.

use super::given_up::Why;
use super::piece::Piece;
use super::sequencer::Sequencer;
use crate::model::Sequence;

impl Sequencer {
    /// How many samples a packet has that simply goes on with the stream, as nearly all do: its first is the next one, nothing
    /// beyond that was seen, so that nothing waits, and no other packet has to be thought of.
    pub(super) fn goes_on(&self, sequence: Sequence, values: &[f32]) -> Option<u64> {
        let seen_all = self.highest == self.next.checked_sub(1) && self.suspect.is_none() && !self.ended;
        let is_next = self.bits.difference(sequence, self.sequence_of(self.next)) == 0;
        let count = values.len().checked_div(self.channels)?;
        let whole = count > 0 && count * self.channels == values.len();
        let within = count as u64 <= self.limit.saturating_sub(self.next);
        (seen_all && is_next && whole && within).then_some(count as u64)
    }

    /// The number of the sample with this counter, as near as possible to the highest seen. May be negative.
    pub(super) fn place(&self, sequence: Sequence) -> i128 {
        let (n, at) = self.reference();
        i128::from(n) + i128::from(self.bits.difference(sequence, at))
    }

    /// How far the sample with this counter is from the highest seen.
    pub(super) fn distance(&self, sequence: Sequence) -> u64 {
        self.bits.difference(sequence, self.reference().1).unsigned_abs()
    }

    /// The counter at sample `n`.
    pub(super) fn sequence_of(&self, n: u64) -> Sequence {
        self.bits.wrap(self.first_sequence.wrapping_add(n))
    }

    fn reference(&self) -> (u64, Sequence) {
        let n = self.highest.unwrap_or(0);
        (n, self.sequence_of(n))
    }

    /// Takes whole samples at a place that is believed.
    pub(super) fn accept(&mut self, first: u64, values: &[f32], out: &mut impl FnMut(Piece<'_>)) {
        let (mut n, mut rest) = (first, values);
        while !rest.is_empty() {
            let count = (rest.len() / self.channels) as u64;
            let taken = if n < self.next {
                self.before_next(n, count.min(self.next - n), rest, out)
            } else if self.ended {
                self.accounting.rejected += count;
                return;
            } else if n == self.next {
                // The common case: nothing waits, all is passed on as it lies in the packet.
                let taken = self.waiting.first().map_or(count, |(at, _)| count.min(at - n));
                if taken > 0 {
                    self.received(taken, &rest[..taken as usize * self.channels], out);
                }
                self.highest = self.highest.max(self.next.checked_sub(1));
                self.pass_on(out);
                taken
            } else {
                self.beyond_gap(n, count, rest, out)
            };
            n += taken;
            rest = &rest[taken as usize * self.channels..];
        }
        self.settle(out);
    }

    /// Samples before `next`: late where their place was given up, otherwise duplicates. Returns how many it judged.
    fn before_next(&mut self, n: u64, count: u64, rest: &[f32], out: &mut impl FnMut(Piece<'_>)) -> u64 {
        let (count, why) = self.given_up.look(n..n + count);
        self.highest = self.highest.max(Some(n + count - 1));
        match why {
            None => self.accounting.duplicate += count,
            Some(why) => {
                self.given_up.replace(n..n + count, None);
                self.accounting.late += count;
                if why == Why::Lost {
                    self.accounting.lost = self.accounting.lost.saturating_sub(count);
                }
                out(Piece::Late { first: n, values: &rest[..count as usize * self.channels] });
            }
        }
        count
    }

    /// Samples beyond a gap: they wait, unless they wait already or there is no room. Returns how many it judged.
    fn beyond_gap(&mut self, n: u64, count: u64, rest: &[f32], out: &mut impl FnMut(Piece<'_>)) -> u64 {
        if let Some(end) = self.waiting.held_until(n) {
            let again = count.min(end - n);
            self.accounting.duplicate += again;
            return again;
        }
        let room = self.config.reorder_samples.max(1).saturating_sub(self.waiting.len()) as u64;
        if room == 0 {
            // First what the stream has left behind anyway; then the oldest gap, up to what is at hand.
            let before = self.next;
            self.settle(out);
            if self.next == before {
                let first = self.waiting.first().map_or(n, |(first, _)| first);
                let beyond = (n < first).then(|| (n, &rest[..self.channels]));
                self.missing(n.min(first), beyond, out);
                self.pass_on(out);
            }
            return 0;
        }
        let free = self.waiting.next_after(n).map_or(u64::MAX, |at| at - n);
        let taken = count.min(room).min(free);
        self.waiting.insert(n, &rest[..taken as usize * self.channels]);
        self.highest = self.highest.max(Some(n + taken - 1));
        taken
    }

    /// Samples before `next` that counted as lost turn out to have been dropped.
    pub(super) fn lost_were_dropped(&mut self, begin: u64, end: u64) {
        let mut n = begin;
        while n < end {
            let (count, why) = self.given_up.look(n..end);
            if why == Some(Why::Lost) {
                self.given_up.replace(n..n + count, Some(Why::Dropped));
                self.accounting.lost = self.accounting.lost.saturating_sub(count);
            }
            n += count.max(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{Channel, SamplingRate, SequenceBits, Span, StreamHeader, StreamKey};
    use crate::window::{SequencerConfig, WindowGrid};

    /// What happens to a stream: samples (how far from where it is, how many values), drops, silence, its end.
    #[derive(Clone, Debug)]
    enum Step {
        Samples(i64, usize),
        Dropped(u64),
        Silent,
        End,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            12 => (1..40usize).prop_map(|samples| Step::Samples(0, 2 * samples)),
            3 => (-60..60i64, 0..80usize).prop_map(|(from, values)| Step::Samples(from, values)),
            1 => (200..100_000i64, 1..40usize).prop_map(|(from, samples)| Step::Samples(from, 2 * samples)),
            1 => (1..30u64).prop_map(Step::Dropped),
            1 => Just(Step::Silent),
            1 => Just(Step::End),
        ]
    }

    fn sequencer(bits: u8, first: u64) -> Sequencer {
        let key = StreamKey::of_names("session", "device");
        let channels = vec![Channel::new("a"), Channel::new("b")];
        let mut header = StreamHeader::new(key, "device", SamplingRate::hz(250).unwrap(), channels);
        header.sequence = SequenceBits::new(bits).unwrap();
        header.first_sequence = header.sequence.modulus() - 3; // wraps soon
        let config = SequencerConfig { max_jump: Span::millis(400), first, ..SequencerConfig::default() };
        Sequencer::new(&header, WindowGrid::of(&header, Span::millis(50)).unwrap(), config)
    }

    proptest! {
        #[test]
        fn what_goes_on_is_judged_alike(
            steps in prop::collection::vec(step(), 1..80), bits in prop::sample::select(&[8u8, 16, 32][..]),
            first in prop::sample::select(&[0u64, 0, 7][..]),
        ) {
            let (mut short, mut long) = (sequencer(bits, first), sequencer(bits, first));
            let (mut from_short, mut from_long) = (Vec::new(), Vec::new());
            for step in &steps {
                let next = short.sequence_of(short.next);
                let (mut a, mut b) = (
                    |piece: Piece<'_>| from_short.push(format!("{piece:?}")),
                    |piece: Piece<'_>| from_long.push(format!("{piece:?}")),
                );
                match step {
                    Step::Samples(from, values) => {
                        let sequence = short.bits.wrap(next.wrapping_add_signed(*from));
                        let values: Vec<f32> = (0..*values).map(|n| n as f32).collect();
                        short.samples(sequence, &values, &mut a);
                        long.judge(sequence, &values, &mut b);
                    }
                    Step::Dropped(samples) => {
                        short.dropped(next, *samples, &mut a);
                        long.dropped(next, *samples, &mut b);
                    }
                    Step::Silent => {
                        short.silent(&mut a);
                        long.silent(&mut b);
                    }
                    Step::End => {
                        short.end(None, &mut a);
                        long.end(None, &mut b);
                    }
                }
                prop_assert_eq!(&from_short, &from_long);
                let state = |sequencer: &Sequencer| bincode::serialize(sequencer).unwrap();
                prop_assert_eq!(state(&short), state(&long));
            }
        }
    }
}
