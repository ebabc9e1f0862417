//! Which step of a pipeline computed a value, and which column it is in.

use std::fmt;
use std::sync::Arc;

use neuraflow_core::model::{Timestamp, WindowInfo};

use super::error::TableError;
use super::key::{reversed, unreversed};

/// The name of the step of a pipeline whose results these are: `band power`, `raw`, `intent`. A table holds the results of
/// many stages side by side.
///
/// ```
/// use neuraflow_sinks::table::Stage;
/// assert_eq!(Stage::new("α power")?.as_str(), "α power");
/// assert!(Stage::new("").is_err());
/// # Ok::<(), neuraflow_sinks::table::TableError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stage(Arc<str>);

impl Stage {
    /// The longest name, in bytes of UTF-8.
    pub const MAX: usize = 128;

    /// A name of up to [`MAX`](Self::MAX) bytes, without control characters.
    ///
    /// # Errors
    /// The name is empty, too long, or has control characters.
    pub fn new(name: &str) -> Result<Self, TableError> {
        if name.is_empty() || name.len() > Self::MAX || name.chars().any(char::is_control) {
            return Err(TableError::Setting {
                what: "stage",
                expected: "a name of 1 to 128 bytes without control characters",
                found: format!("{name:?}"),
            });
        }
        Ok(Self(name.into()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Names a column within a row: a window's start, the stage, and for an epoch the number of its marker, since two markers
/// may fall on the same instant.
///
/// | bytes | |
/// |---|---|
/// | 8 | start in nanoseconds, reversed as seconds are in a row key, big-endian: the newest comes first |
/// | 1 to 128 | stage, UTF-8 without control characters |
/// | 9 | for epochs: a zero byte, and the marker's number, big-endian |
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Qualifier {
    /// First instant of the window.
    pub start: Timestamp,
    /// Whose result.
    pub stage: Stage,
    /// The marker's number, for epochs.
    pub marker: Option<i64>,
}

impl Qualifier {
    /// The column of what `stage` computed from a window.
    pub fn of_window(info: &WindowInfo, stage: &Stage) -> Self {
        Self { start: info.start, stage: stage.clone(), marker: info.marker.as_ref().map(|_| info.index) }
    }

    /// As it stands in a table.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = reversed(self.start.as_nanos()).to_be_bytes().to_vec();
        bytes.extend_from_slice(self.stage.as_str().as_bytes());
        if let Some(marker) = self.marker {
            bytes.push(0);
            bytes.extend_from_slice(&marker.to_be_bytes());
        }
        bytes
    }

    /// Reads a qualifier.
    ///
    /// # Errors
    /// The bytes are no qualifier of this layout.
    pub fn parse(bytes: &[u8]) -> Result<Self, TableError> {
        let wrong = || TableError::Malformed {
            what: "qualifier",
            expected: "a start, the name of a stage, and nothing or a marker's number",
            found: format!("{} bytes, {:02x?}…", bytes.len(), &bytes[..bytes.len().min(16)]),
        };
        let (rank, rest) = bytes.split_first_chunk::<8>().ok_or_else(wrong)?;
        let start = unreversed(u64::from_be_bytes(*rank));
        let (name, marker) = match rest.iter().position(|byte| *byte == 0) {
            None => (rest, None),
            Some(end) => {
                let number = rest[end + 1..].try_into().map_err(|_| wrong())?;
                (&rest[..end], Some(i64::from_be_bytes(number)))
            }
        };
        let name = str::from_utf8(name).map_err(|_| wrong())?;
        let stage = Stage::new(name).map_err(|_| wrong())?;
        Ok(Self { start: Timestamp::from_nanos(start), stage, marker })
    }
}

/// The timestamp of a cell, in microseconds since the Unix epoch: the end of its window, floored to a millisecond, as Bigtable
/// wants it. What ends before 1970 has 0, since Bigtable knows no earlier time; its exact end is in the cell's value.
pub fn cell_time(end: Timestamp) -> i64 {
    end.as_nanos().div_euclid(1_000_000).max(0) * 1_000
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]

        #[test]
        fn qualifiers_are_read_back_and_the_newest_comes_first(
            a in any::<i64>(), b in any::<i64>(), stage in "[^\\p{Cc}]{1,32}", marker in any::<Option<i64>>(),
        ) {
            let stage = Stage::new(&stage).unwrap();
            let of = |start| Qualifier { start: Timestamp::from_nanos(start), stage: stage.clone(), marker };
            prop_assert_eq!(Qualifier::parse(&of(a).to_bytes()), Ok(of(a)));
            prop_assert_eq!(b.cmp(&a), of(a).to_bytes().cmp(&of(b).to_bytes()));
        }

        #[test]
        fn hostile_bytes_are_refused_or_read(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            if let Ok(qualifier) = Qualifier::parse(&bytes) {
                prop_assert_eq!(qualifier.to_bytes(), bytes);
            }
        }
    }

    #[test]
    fn cells_have_the_time_of_their_windows_end() {
        let of = |nanos| cell_time(Timestamp::from_nanos(nanos));
        assert_eq!([of(-1), of(0), of(999_999), of(1_000_000), of(50_999_999)], [0, 0, 0, 1_000, 50_000]);
        assert_eq!(of(i64::MAX), 9_223_372_036_854_000);
    }
}
