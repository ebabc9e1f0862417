//! The row key: which second of which stream, in bytes whose order is that of the table.

use neuraflow_core::model::{Id, StableHasher, StreamKey, Timestamp};

use super::error::TableError;

const NANOS: i64 = 1_000_000_000;
/// The rank of the directory row: ahead of every second.
const DIRECTORY: u64 = 0;

/// Names a row: one second of one stream, or the stream's directory.
///
/// | bytes | big-endian, so that bytes sort as numbers do |
/// |---|---|
/// | 2 | hash of tenant and session: sessions spread over all tablets, and each lies together |
/// | 16, 16, 16 | tenant, session, device |
/// | 2 | signal |
/// | 8 | the second, reversed: 2⁶³ − 1 less the second since the Unix epoch, so the newest comes first; 0 is the directory |
///
/// ```
/// use neuraflow_core::model::{StreamKey, Timestamp};
/// use neuraflow_sinks::table::RowKey;
/// let stream = StreamKey::of_names("session", "headset");
/// let row = |seconds: i64| RowKey::of_time(stream, Timestamp::from_nanos(seconds * 1_000_000_000 + 1)).to_bytes();
/// assert!(row(11) < row(10) && RowKey::directory(stream).to_bytes() < row(11));
/// assert_eq!(RowKey::parse(&row(-3))?.second(), Some(-3));
/// # Ok::<(), neuraflow_sinks::table::TableError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RowKey {
    stream: StreamKey,
    rank: u64,
}

impl RowKey {
    /// Bytes of a key.
    pub const LEN: usize = 60;

    /// The row that holds what begins at `time`.
    pub fn of_time(stream: StreamKey, time: Timestamp) -> Self {
        Self { stream, rank: reversed(time.as_nanos().div_euclid(NANOS)) }
    }

    /// The row with the names and headers of a stream.
    pub fn directory(stream: StreamKey) -> Self {
        Self { stream, rank: DIRECTORY }
    }

    /// Whose row it is.
    pub fn stream(&self) -> StreamKey {
        self.stream
    }

    /// Which second since the Unix epoch; none for the directory.
    pub fn second(&self) -> Option<i64> {
        (self.rank != DIRECTORY).then(|| unreversed(self.rank))
    }

    /// As it stands in a table.
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let mut key = [0; Self::LEN];
        key[..52].copy_from_slice(&stream_prefix(&self.stream));
        key[52..].copy_from_slice(&self.rank.to_be_bytes());
        key
    }

    /// Reads a key.
    ///
    /// # Errors
    /// The bytes are no key of this layout: the length or the hash is wrong.
    pub fn parse(bytes: &[u8]) -> Result<Self, TableError> {
        let wrong = |expected, found| TableError::Malformed { what: "row key", expected, found };
        let key: &[u8; Self::LEN] =
            bytes.try_into().map_err(|_| wrong("60 bytes", format!("{} bytes", bytes.len())))?;
        let id = |at: usize| Id::from_u128(u128::from_be_bytes(array(&key[at..])));
        let stream = StreamKey {
            tenant: id(2),
            session: id(18),
            device: id(34),
            signal: u16::from_be_bytes(array(&key[50..])),
        };
        let hash = hash(stream.tenant, stream.session);
        if key[..2] != hash {
            return Err(wrong("the hash of its tenant and session ahead", format!("{:02x?}", &key[..2])));
        }
        Ok(Self { stream, rank: u64::from_be_bytes(array(&key[52..])) })
    }
}

/// The `N` bytes at the front of a slice that has them.
fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&bytes[..N]);
    out
}

/// Maps the newest time to the smallest number.
pub(super) fn reversed(time: i64) -> u64 {
    i64::MAX.abs_diff(time)
}

/// The time that [`reversed`] has mapped.
pub(super) fn unreversed(rank: u64) -> i64 {
    (i64::MAX as u64).wrapping_sub(rank) as i64
}

fn hash(tenant: Id, session: Id) -> [u8; 2] {
    let mut hasher = StableHasher::default();
    for id in [tenant, session] {
        hasher.bytes(&id.as_u128().to_be_bytes());
    }
    (hasher.finish() as u16).to_be_bytes()
}

/// What the keys of a session begin with.
pub(super) fn session_prefix(tenant: Id, session: Id) -> [u8; 34] {
    let mut prefix = [0; 34];
    prefix[..2].copy_from_slice(&hash(tenant, session));
    prefix[2..18].copy_from_slice(&tenant.as_u128().to_be_bytes());
    prefix[18..].copy_from_slice(&session.as_u128().to_be_bytes());
    prefix
}

/// What the keys of a device begin with.
pub(super) fn device_prefix(tenant: Id, session: Id, device: Id) -> [u8; 50] {
    let mut prefix = [0; 50];
    prefix[..34].copy_from_slice(&session_prefix(tenant, session));
    prefix[34..].copy_from_slice(&device.as_u128().to_be_bytes());
    prefix
}

/// What the keys of a stream begin with.
pub(super) fn stream_prefix(stream: &StreamKey) -> [u8; 52] {
    let mut prefix = [0; 52];
    prefix[..50].copy_from_slice(&device_prefix(stream.tenant, stream.session, stream.device));
    prefix[50..].copy_from_slice(&stream.signal.to_be_bytes());
    prefix
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn keys() -> impl Strategy<Value = RowKey> {
        // Few ids, so that keys share prefixes, and seconds near each other and near the ends.
        let id = prop_oneof![0u128..3, any::<u128>()].prop_map(Id::from_u128);
        let nanos =
            prop_oneof![any::<i64>(), -5_000_000_000..5_000_000_000i64, Just(i64::MIN), Just(i64::MAX)];
        (
            id.clone(),
            id.clone(),
            id,
            prop_oneof![0u16..2, any::<u16>()],
            proptest::option::weighted(0.9, nanos),
        )
            .prop_map(|(tenant, session, device, signal, time)| {
                let stream = StreamKey { tenant, session, device, signal };
                time.map_or(RowKey::directory(stream), |time| {
                    RowKey::of_time(stream, Timestamp::from_nanos(time))
                })
            })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100_000))]

        #[test]
        fn keys_are_read_back_injective_and_ordered(a in keys(), b in keys()) {
            let (bytes_a, bytes_b) = (a.to_bytes(), b.to_bytes());
            prop_assert_eq!(RowKey::parse(&bytes_a), Ok(a));
            prop_assert_eq!(a == b, bytes_a == bytes_b);
            // Newest first within a stream, its directory ahead; by device and signal within a session.
            if (a.stream.tenant, a.stream.session) == (b.stream.tenant, b.stream.session) {
                let order = |k: &RowKey| {
                    let newest = k.second().map(std::cmp::Reverse);
                    (k.stream.device, k.stream.signal, newest)
                };
                prop_assert_eq!(order(&a).cmp(&order(&b)), bytes_a.cmp(&bytes_b));
            }
        }

        #[test]
        fn hostile_bytes_are_refused_or_read(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(key) = RowKey::parse(&bytes) {
                prop_assert_eq!(&key.to_bytes()[..], &bytes[..]);
            }
        }
    }

    #[test]
    fn the_layout_is_pinned() {
        let stream = StreamKey::of_names("session", "headset").with_signal(0x0102);
        let key = RowKey::of_time(stream, Timestamp::from_nanos(1_500_000_000)).to_bytes();
        let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            hex,
            "2e4b000000000000000000000000000000003bb838c3dad68da1ac4c82e2e81dbbb37d37d2deccc88d35766f0a174a48c7d601027ffffffffffffffe"
        );
    }
}
