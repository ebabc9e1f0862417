//! The books: where each sample of a stream ended up.

use serde::{Deserialize, Serialize};

/// Where the samples of a stream ended up, counted in samples (all channels at one instant count once).
///
/// Every sample that comes in ends in exactly one of `windowed`, `late`, `duplicate`, `rejected` and `dropped`.
/// The other numbers describe what never came, and what was put in its place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accounting {
    /// Samples that came in, in whatever state.
    pub samples_in: u64,
    /// Samples that were put in order and so are in exactly one window.
    pub windowed: u64,
    /// Samples whose place had been given up before they came.
    pub late: u64,
    /// Samples that had come before.
    pub duplicate: u64,
    /// Samples that cannot belong to the stream: before its start, after its end, in a packet of
    /// the wrong shape, or at a place in the far future that no other packet confirmed.
    pub rejected: u64,
    /// Samples given up on the way here, as reported by the source.
    pub dropped: u64,
    /// Samples that never came: given up, and not seen since.
    pub lost: u64,
    /// Samples that the gap policy made up.
    pub imputed: u64,
    /// How often the counter jumped further than a gap may be long.
    pub jumps: u64,
    /// Values in received samples that were NaN or infinite.
    pub values_missing: u64,
}

impl Accounting {
    /// Adds another stream's (or stage's) numbers to these.
    pub fn add(&mut self, other: &Self) {
        let Self {
            samples_in,
            windowed,
            late,
            duplicate,
            rejected,
            dropped,
            lost,
            imputed,
            jumps,
            values_missing,
        } = self;
        for (mine, theirs) in [
            (samples_in, other.samples_in),
            (windowed, other.windowed),
            (late, other.late),
            (duplicate, other.duplicate),
            (rejected, other.rejected),
            (dropped, other.dropped),
            (lost, other.lost),
            (imputed, other.imputed),
            (jumps, other.jumps),
            (values_missing, other.values_missing),
        ] {
            *mine = mine.saturating_add(theirs);
        }
    }

    /// Samples that have ended somewhere.
    pub fn settled(&self) -> u64 {
        [self.windowed, self.late, self.duplicate, self.rejected, self.dropped]
            .into_iter()
            .fold(0, u64::saturating_add)
    }

    /// Whether every sample that came in has ended in exactly one place. While a stream runs, those that
    /// wait for their turn have not: then `samples_in` is `settled()` plus [`Sequencer::buffered`](super::Sequencer::buffered).
    pub fn balances(&self) -> bool {
        self.samples_in == self.settled()
    }
}
