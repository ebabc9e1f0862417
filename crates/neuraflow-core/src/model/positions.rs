use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How far something has come, a number for each of its parts: what a source has emitted of every split (a recording's
/// stream, a partition), or how much of every file a sink has made durable. A checkpoint keeps them, and hands them back when
/// the source or sink is opened again.
///
/// What a number counts is its owner's affair: samples, offsets, bytes.
///
/// ```
/// use neuraflow_core::model::Positions;
/// let mut positions = Positions::default();
/// positions.set("S001R04/eeg", 640);
/// assert_eq!(positions.get("S001R04/eeg"), Some(640));
/// assert_eq!(positions.get("S001R08/eeg"), None); // begins at its beginning
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Positions(BTreeMap<String, u64>);

impl Positions {
    /// How far `part` has come; `None` if it is not known.
    pub fn get(&self, part: &str) -> Option<u64> {
        self.0.get(part).copied()
    }

    /// Notes how far `part` has come.
    pub fn set(&mut self, part: impl Into<String>, at: u64) {
        self.0.insert(part.into(), at);
    }

    /// Takes over what `other` knows. Where both know a part, `other` counts.
    pub fn absorb(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// All parts and how far they have come, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(part, at)| (part.as_str(), *at))
    }

    /// Whether no part is known.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
