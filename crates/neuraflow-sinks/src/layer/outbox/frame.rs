//! Frames: what an outbox holds, in pieces that tell a whole one from everything else. Little-endian: a sync word, the
//! payload's length, the CRC-32C of the frame's place and payload, the payload.
//!
//! With its place in the sum, a frame that lies where another one was is none; after damage the sync word finds the next one.

const SYNC: [u8; 4] = *b"NFob";
/// Bytes before a payload.
pub(super) const PREFIX: usize = 12;
/// The longest payload.
pub(super) const LIMIT: usize = 64 << 20;

/// Appends a frame that will lie at `at`. The payload is at most [`LIMIT`] long.
pub(super) fn encode(out: &mut Vec<u8>, at: u64, payload: &[u8]) {
    out.extend_from_slice(&SYNC);
    out.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    out.extend_from_slice(&sum(at, payload).to_le_bytes());
    out.extend_from_slice(payload);
}

/// What is at the front of some bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found<'a> {
    /// A whole frame with this payload, and its bytes in all.
    Frame(&'a [u8], usize),
    /// So many bytes that are no frame, with a whole one behind them.
    Damaged(usize),
    /// No whole frame, here or behind.
    Nothing,
}

/// What lies at `at` and begins with `bytes`.
pub(super) fn find(bytes: &[u8], at: u64) -> Found<'_> {
    if let Some((payload, size)) = decode(bytes, at) {
        return Found::Frame(payload, size);
    }
    let starts = bytes.windows(SYNC.len()).enumerate().skip(1).filter(|(_, window)| **window == SYNC);
    let mut whole = starts.map(|(begin, _)| begin).filter(|b| decode(&bytes[*b..], at + *b as u64).is_some());
    whole.next().map_or(Found::Nothing, Found::Damaged)
}

fn decode(bytes: &[u8], at: u64) -> Option<(&[u8], usize)> {
    let word =
        |at: usize| bytes.get(at..at + 4).and_then(|word| word.try_into().ok()).map(u32::from_le_bytes);
    if !bytes.starts_with(&SYNC) {
        return None;
    }
    let length = word(4)? as usize;
    let payload = bytes.get(PREFIX..PREFIX.checked_add(length)?)?;
    (word(8)? == sum(at, payload)).then_some((payload, PREFIX + length))
}

fn sum(at: u64, payload: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&at.to_le_bytes()), payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_found_where_they_lie_and_nowhere_else() {
        let mut bytes = Vec::new();
        encode(&mut bytes, 100, b"one");
        let first = bytes.len();
        encode(&mut bytes, 100 + first as u64, b"NFob two");
        assert_eq!(find(&bytes, 100), Found::Frame(b"one", first));
        assert_eq!(find(&bytes, 101), Found::Nothing, "another place");
        for at in 0..first {
            let mut damaged = bytes.clone();
            damaged[at] ^= 4;
            assert_eq!(find(&damaged, 100), Found::Damaged(first), "{at}");
        }
        for length in 0..first {
            assert_eq!(find(&bytes[..length], 100), Found::Nothing, "{length}");
        }
    }
}
