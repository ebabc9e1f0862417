//! A packet: the unit in which samples arrive.

use serde::{Deserialize, Serialize};

use super::control::Control;
use super::marker::Marker;
use super::stream::{StreamHeader, StreamKey};

/// A device's running sample counter, modulo its width: the number of the packet's *first sample*.
pub type Sequence = u64;

/// How many bits a device's sample counter has before it wraps.
///
/// ```
/// use neuraflow_core::model::SequenceBits;
/// let openbci = SequenceBits::new(8).unwrap();
/// assert_eq!(openbci.wrap(300), 44);
/// assert_eq!(openbci.difference(3, 254), 5);   // three is five after 254
/// assert_eq!(openbci.difference(254, 3), -5);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Stored")]
pub struct SequenceBits(u8);

/// The width as it is stored, not yet checked.
#[derive(Deserialize)]
struct Stored(u8);

impl TryFrom<Stored> for SequenceBits {
    type Error = String;
    fn try_from(Stored(bits): Stored) -> Result<Self, String> {
        Self::new(bits).ok_or_else(|| format!("a sample counter has 4 to 63 bits, found {bits}"))
    }
}

impl Default for SequenceBits {
    fn default() -> Self {
        Self(32)
    }
}

impl SequenceBits {
    /// A width from 4 to 63 bits.
    pub const fn new(bits: u8) -> Option<Self> {
        if bits >= 4 && bits <= 63 { Some(Self(bits)) } else { None }
    }

    /// The width in bits.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// How many values the counter has.
    pub const fn modulus(self) -> u64 {
        1 << self.0
    }

    /// The counter's value at sample `n`.
    pub const fn wrap(self, n: u64) -> Sequence {
        n % self.modulus()
    }

    /// Signed modular difference `a − b`: how far `a` is ahead of `b`, within half the counter's range.
    pub const fn difference(self, a: Sequence, b: Sequence) -> i64 {
        let forward = self.wrap(a.wrapping_sub(b));
        if forward >= self.modulus() / 2 {
            (forward as i64).wrapping_sub(self.modulus() as i64)
        } else {
            forward as i64
        }
    }
}

/// Something that happened to one stream, in the order in which it arrived.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Packet {
    /// Which stream.
    pub stream: StreamKey,
    /// What happened.
    pub body: PacketBody,
}

/// What a packet carries. Everything that can change a stream's state is one of these, so that a log of
/// packets replays to the same bits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum PacketBody {
    /// The stream begins, or begins anew after a reconnect.
    Open(Box<StreamHeader>),
    /// Samples, `[sample][channel]`, in microvolts.
    Samples {
        /// Counter of the first sample.
        sequence: Sequence,
        /// The values; a whole number of samples.
        values: Vec<f32>,
    },
    /// An experiment event.
    Marker(Marker),
    /// Samples that arrived and were given up before they could be processed (a full queue).
    Dropped {
        /// Counter of the first of them.
        sequence: Sequence,
        /// How many.
        samples: u64,
    },
    /// Control: nothing has been heard for longer than the stream's timeout. The open window is flushed.
    Silent,
    /// The stream has ended.
    End {
        /// Counter that the next sample would have had, if the device says it: what is missing before it is lost.
        next: Option<Sequence>,
    },
    /// Control: something that an operator of the stream is told.
    Control(Control),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SamplingRate;

    #[test]
    fn what_is_read_back_keeps_its_promises() {
        let bits = |stored: u8| bincode::deserialize::<SequenceBits>(&[stored]).ok();
        assert_eq!(bits(8), SequenceBits::new(8));
        assert_eq!((bits(3), bits(64)), (None, None));
        let rate = |stored: (u64, u64)| {
            bincode::deserialize::<SamplingRate>(&bincode::serialize(&stored).unwrap()).ok()
        };
        assert_eq!(rate((500, 2)), SamplingRate::hz(250).ok());
        assert_eq!((rate((0, 1)), rate((1, 0))), (None, None));
    }

    #[test]
    fn differences_are_signed_at_every_width() {
        for bits in 4..=63 {
            let width = SequenceBits::new(bits).unwrap();
            let half = (width.modulus() / 2) as i64;
            assert_eq!(width.difference(0, width.modulus() - 1), 1, "{bits} bits");
            assert_eq!(width.difference(width.modulus() - 1, 0), -1, "{bits} bits");
            assert_eq!(width.difference(half as u64, 0), -half, "{bits} bits");
            assert_eq!(width.difference(half as u64 - 1, 0), half - 1, "{bits} bits");
        }
    }
}
