//! A packet from the far future: believed only when another one confirms it.
//!
//! A corrupt counter must not throw a stream into the future, and a device that really jumped must be followed. As
//! in RTP receivers, the first packet far ahead is held back. One that goes on behind it (at or after its end, within
//! the longest gap) confirms it. One that takes the old stream further, or lies far ahead somewhere else, refutes it.
//! Old packets that come again, or fill an old gap, say nothing either way.

use serde::{Deserialize, Serialize};

use super::piece::Piece;
use super::sequencer::Sequencer;
use crate::model::Sequence;

/// A packet that waits to be believed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Suspect {
    first: u64,
    values: Vec<f32>,
}

impl Suspect {
    pub(super) fn len(&self, channels: usize) -> u64 {
        (self.values.len() / channels.max(1)) as u64
    }
}

impl Sequencer {
    /// Holds a packet back, instead of the one that was held before.
    pub(super) fn suspect(&mut self, first: u64, values: &[f32]) {
        self.reject_suspect();
        self.suspect = Some(Suspect { first, values: values.to_vec() });
    }

    /// If a packet with this counter repeats or follows the suspect: how far its first sample is after the suspect's.
    pub(super) fn beside_suspect(&self, sequence: Sequence) -> Option<u64> {
        let suspect = self.suspect.as_ref()?;
        let ahead = self.bits.difference(sequence, self.sequence_of(suspect.first));
        let to_old = i128::from(suspect.first) + i128::from(ahead) - self.place(sequence);
        // Both readings of the counter are possible where they agree, or where this one is the nearer.
        let nearer = to_old == 0 || ahead.unsigned_abs() < self.distance(sequence);
        let ahead = u64::try_from(ahead).ok().filter(|_| nearer)?;
        (ahead <= suspect.len(self.channels).saturating_add(self.max_jump)).then_some(ahead)
    }

    /// Takes a packet that begins `ahead` samples after the suspect's first.
    pub(super) fn samples_at_suspect(&mut self, ahead: u64, values: &[f32], out: &mut impl FnMut(Piece<'_>)) {
        let Some(suspect) = &self.suspect else { return };
        let (first, held) = (suspect.first, suspect.len(self.channels));
        let count = (values.len() / self.channels) as u64;
        let again = held.saturating_sub(ahead).min(count);
        self.accounting.duplicate += again;
        let begin = first.saturating_add(ahead).saturating_add(again).min(self.limit);
        let room = (self.limit - begin).min(count - again);
        self.accounting.rejected += count - again - room;
        if room > 0 {
            self.confirm_suspect(out);
            let values = &values[again as usize * self.channels..(again + room) as usize * self.channels];
            self.accept(begin, values, out);
        }
    }

    /// Believes the suspect.
    pub(super) fn confirm_suspect(&mut self, out: &mut impl FnMut(Piece<'_>)) {
        if let Some(suspect) = self.suspect.take() {
            self.jump(suspect.first, out);
            self.accept(suspect.first, &suspect.values, out);
        }
    }

    /// Refutes the suspect.
    pub(super) fn reject_suspect(&mut self) {
        if let Some(suspect) = self.suspect.take() {
            self.accounting.rejected += suspect.len(self.channels);
        }
    }
}
