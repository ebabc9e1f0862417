//! Annotations: the time-stamped lists (TALs) in a data record, and the onset of the record itself.
//!
//! A TAL is `onset [0x15 duration] 0x14 text 0x14 [text 0x14 …] 0x00`. The first one of the first annotation signal
//! keeps the record's time; its first text is empty.

use neuraflow_core::model::{Marker, Span, Timestamp};

use crate::recording::fields;

const TEXT: u8 = 0x14;
const DURATION: u8 = 0x15;

/// One time-stamped list.
struct Tal<'a> {
    /// Nanoseconds from the header's start.
    onset: i64,
    /// Nanoseconds, not negative.
    duration: i64,
    /// Its texts, each with [`TEXT`] behind it.
    texts: &'a [u8],
}

/// How a record's time-keeping went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Onset {
    /// The record begins this many nanoseconds from the header's start.
    At(i64),
    /// There is a list, but it says nothing readable, or there is none.
    Unreadable,
    /// What is there cannot be a list: the file's bytes are out of place.
    Misplaced,
}

/// The onset in the bytes of a record's first annotation signal.
pub(super) fn onset(bytes: &[u8]) -> Onset {
    match bytes.first() {
        Some(b'+' | b'-') => {
            let list = bytes.split(|&b| b == 0).next().unwrap_or_default();
            parse(list).map_or(Onset::Unreadable, |tal| Onset::At(tal.onset))
        }
        Some(b'0'..=b'9') => Onset::Unreadable, // somebody forgot the sign
        Some(0) if bytes.iter().all(|&b| b == 0) => Onset::Unreadable,
        _ => Onset::Misplaced,
    }
}

/// Gathers the markers of a recording within a bound on memory.
#[derive(Debug)]
pub(super) struct Markers {
    start: Timestamp,
    found: Vec<Marker>,
    /// Bytes that may still be spent on markers.
    room: u64,
    /// Annotations beyond that.
    pub(super) beyond: u64,
    /// Lists that are not as they should be, and the bytes in them.
    pub(super) unreadable: (u64, u64),
}

impl Markers {
    /// Markers of a recording whose header's start is `start`, in about `room` bytes of memory.
    pub(super) fn new(start: Timestamp, room: u64) -> Self {
        Self { start, found: Vec::new(), room, beyond: 0, unreadable: (0, 0) }
    }

    /// Takes the annotations in the bytes of one annotation signal of one record. Empty texts (time-keeping) are
    /// none.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        for list in bytes.split(|&b| b == 0).filter(|list| !list.is_empty()) {
            let Some(tal) = parse(list) else {
                self.unreadable.0 += 1;
                self.unreadable.1 += list.len() as u64;
                continue;
            };
            for text in tal.texts.split(|&b| b == TEXT).filter(|text| !text.is_empty()) {
                // With a quarter of slack in the vector, and what a small allocation costs beyond its bytes.
                let cost = size_of::<Marker>() as u64 * 5 / 4 + text.len() as u64 + 32;
                let Some(room) = self.room.checked_sub(cost) else {
                    self.beyond += 1;
                    continue;
                };
                self.room = room;
                let time = self.start + Span::nanos(tal.onset);
                let duration = Span::nanos(tal.duration);
                if self.found.len() == self.found.capacity() {
                    self.found.reserve_exact(64 + self.found.len() / 4);
                }
                self.found.push(Marker { time, duration, label: fields::decode(text) });
            }
        }
    }

    /// The markers in order of time; those of equal time as they are in the file.
    pub(super) fn sorted(self) -> Vec<Marker> {
        let mut found = self.found;
        found.sort_by_key(|marker| marker.time);
        found
    }
}

fn parse(list: &[u8]) -> Option<Tal<'_>> {
    let (&last, _) = list.split_last()?;
    let signed = matches!(list.first(), Some(b'+' | b'-'));
    if last != TEXT || !signed {
        return None;
    }
    let end = list.iter().position(|&b| b == TEXT)?;
    let (stamp, texts) = (&list[..end], &list[end + 1..]);
    let mut parts = stamp.splitn(2, |&b| b == DURATION);
    let onset = fields::nanos(parts.next()?)?;
    let duration = match parts.next() {
        Some([]) | None => 0, // some writers announce a duration and leave it out
        Some(duration) => fields::nanos(duration).filter(|&nanos| nanos >= 0)?,
    };
    Some(Tal { onset, duration, texts })
}

#[cfg(test)]
mod tests {
    use super::*;

    type Found = Vec<(i64, i64, String)>;

    fn markers(bytes: &[u8]) -> (Found, (u64, u64)) {
        let mut markers = Markers::new(Timestamp::EPOCH, 1 << 20);
        markers.take(bytes);
        let unreadable = markers.unreadable;
        let found = markers.sorted().into_iter();
        (found.map(|m| (m.time.as_nanos(), m.duration.as_nanos(), m.label)).collect(), unreadable)
    }

    #[test]
    fn lists_have_durations_several_texts_and_any_script() {
        let bytes = "+0\x14\x14start\x14\0+1.5\x150.25\x14a\x14b\x14\0-2\x14测试\x14\0\0\0".as_bytes();
        let (found, unreadable) = markers(bytes);
        let expected = [
            (-2_000_000_000, 0, "测试"),
            (0, 0, "start"),
            (1_500_000_000, 250_000_000, "a"),
            (1_500_000_000, 250_000_000, "b"),
        ];
        let expected: Found = expected.map(|(t, d, label)| (t, d, label.to_owned())).into();
        assert_eq!((found, unreadable), (expected, (0, 0)));
        assert_eq!(onset(bytes), Onset::At(0));
    }

    #[test]
    fn what_is_no_list_is_counted() {
        assert_eq!(markers(b"+0  \0+0\x154.2 T0 \0\0").1, (2, 14));
        assert_eq!(markers(b"+1e5\x14x\x14\0").1, (1, 7));
        assert_eq!(markers(b"+1\x15-3\x14x\x14\0").1, (1, 8));
        assert_eq!(onset(b"+0  \0"), Onset::Unreadable);
        assert_eq!(onset(b"\0\0\0\0"), Onset::Unreadable);
        assert_eq!(onset(b"0\x14\x14\0"), Onset::Unreadable);
        assert_eq!(onset(b"\0\0+0\x14\x14\0"), Onset::Misplaced);
        assert_eq!(onset(b"\xdb\0+0"), Onset::Misplaced);
    }

    #[test]
    fn memory_is_bounded() {
        let mut markers = Markers::new(Timestamp::EPOCH, 1000);
        markers.take(&[b"+1".as_slice(), &b"\x14x".repeat(100_000), b"\x14\0"].concat());
        assert!(markers.beyond > 99_000, "{}", markers.beyond);
        assert!(markers.sorted().len() < 1000 / size_of::<Marker>());
    }
}
