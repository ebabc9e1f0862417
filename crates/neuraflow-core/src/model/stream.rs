//! A stream: one regular signal of one device in one session.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::channel::Channel;
use super::hash::{StableHasher, stable_hash};
use super::packet::{Sequence, SequenceBits};
use super::rate::SamplingRate;
use super::time::Timestamp;

/// How many key groups streams are hashed into; groups, not streams, are moved between workers.
pub const KEY_GROUPS: u16 = 1024;

/// A 128-bit identifier. Names are hashed into it; the names themselves travel in headers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Id(u128);

impl Id {
    /// From 128 bits, for example of a UUID.
    pub const fn from_u128(bits: u128) -> Self {
        Self(bits)
    }

    /// The stable hash of a name: the same name gives the same id in every process.
    pub fn of_name(name: &str) -> Self {
        Self(stable_hash(name.as_bytes()))
    }

    /// Its 128 bits.
    pub const fn as_u128(self) -> u128 {
        self.0
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// Names one stream: who owns it, in which session, from which device, and which of the device's signals
/// (a device with several sampling rates has one signal for each).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct StreamKey {
    /// Owner of the data.
    pub tenant: Id,
    /// One recording session.
    pub session: Id,
    /// The device within it.
    pub device: Id,
    /// The signal of the device.
    pub signal: u16,
}

impl StreamKey {
    /// A key from names, for hosts that have no ids of their own: the default tenant, signal 0.
    pub fn of_names(session: &str, device: &str) -> Self {
        Self { tenant: Id::default(), session: Id::of_name(session), device: Id::of_name(device), signal: 0 }
    }

    /// The same device's signal number `signal`.
    #[must_use]
    pub fn with_signal(mut self, signal: u16) -> Self {
        self.signal = signal;
        self
    }

    /// How many [bytes](Self::to_bytes) it has.
    pub const BYTES: usize = 50;

    /// Tenant, session, device and signal, big-endian: what records in topics are keyed by.
    ///
    /// ```
    /// use neuraflow_core::model::StreamKey;
    /// let key = StreamKey::of_names("monday", "headset").with_signal(2);
    /// assert_eq!(key.to_bytes()[48..], [0, 2]);
    /// assert_eq!(StreamKey::from_bytes(&key.to_bytes()), Some(key));
    /// ```
    pub fn to_bytes(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        for (part, id) in bytes.chunks_exact_mut(16).zip([self.tenant, self.session, self.device]) {
            part.copy_from_slice(&id.as_u128().to_be_bytes());
        }
        bytes[48..].copy_from_slice(&self.signal.to_be_bytes());
        bytes
    }

    /// The key that these are the [bytes](Self::to_bytes) of; `None` if there are not as many.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; Self::BYTES] = bytes.try_into().ok()?;
        let whole = |part: &[u8]| part.iter().fold(0, |bits, byte| bits << 8 | u128::from(*byte));
        let id = |from: usize| Id(whole(&bytes[from..from + 16]));
        let signal = u16::from_be_bytes([bytes[48], bytes[49]]);
        Some(Self { tenant: id(0), session: id(16), device: id(32), signal })
    }

    /// Hash that is the same everywhere and for ever.
    pub fn stable_hash(&self) -> u64 {
        let mut hasher = StableHasher::default();
        for id in [self.tenant, self.session, self.device] {
            hasher.bytes(&id.as_u128().to_le_bytes());
        }
        hasher.u64(u64::from(self.signal)).finish() as u64
    }

    /// The key group it belongs to, below [`KEY_GROUPS`].
    pub fn group(&self) -> u16 {
        (self.stable_hash() % u64::from(KEY_GROUPS)) as u16
    }

    /// Which of a topic's `partitions` it belongs to. A key group never splits, and so neither does a stream.
    ///
    /// ```
    /// use neuraflow_core::model::StreamKey;
    /// let key = StreamKey::of_names("monday", "headset");
    /// assert_eq!(key.partition(100), u32::from(key.group()) * 100 / 1024);
    /// ```
    pub fn partition(&self, partitions: u32) -> u32 {
        (u64::from(self.group()) * u64::from(partitions) / u64::from(KEY_GROUPS)) as u32
    }

    /// Which of so many workers computes it.
    pub(crate) fn worker(&self, workers: usize) -> usize {
        usize::from(self.group()) % workers.max(1)
    }
}

/// What a stream is: its key, its clock and its channels. Travels ahead of the samples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StreamHeader {
    /// Which stream.
    pub key: StreamKey,
    /// What people call it.
    pub name: String,
    /// Event time of sample 0.
    pub t0: Timestamp,
    /// Samples per second.
    pub rate: SamplingRate,
    /// The channel layout, in the order of each sample's values.
    pub channels: Arc<[Channel]>,
    /// Width of the device's sample counter.
    pub sequence: SequenceBits,
    /// The counter's value at sample 0.
    pub first_sequence: Sequence,
}

impl StreamHeader {
    /// A stream of `channels` that starts at the Unix epoch, with a 32-bit counter that starts at 0.
    pub fn new(key: StreamKey, name: impl Into<String>, rate: SamplingRate, channels: Vec<Channel>) -> Self {
        Self {
            key,
            name: name.into(),
            t0: Timestamp::EPOCH,
            rate,
            channels: channels.into(),
            sequence: SequenceBits::default(),
            first_sequence: 0,
        }
    }

    /// Event time of sample `n`.
    pub fn time_of(&self, n: u64) -> Timestamp {
        self.t0 + self.rate.offset(n)
    }

    /// The first sample at or after `time`.
    pub fn first_at_or_after(&self, time: Timestamp) -> u64 {
        self.rate.first_at_or_after(time - self.t0)
    }
}
