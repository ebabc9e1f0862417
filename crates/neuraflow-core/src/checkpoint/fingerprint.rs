//! Which pipeline wrote a checkpoint, and what to do with one of another pipeline.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::record::StreamSnapshot;
use crate::model::stable_hash;

/// Everything that decides what the bytes of a state mean: a line for each stage, sink and setting of a pipeline, in order.
/// A line begins with the stage's name; what follows a `:` are its settings.
///
/// ```
/// use neuraflow_core::checkpoint::Fingerprint;
/// let written = Fingerprint::new(["butterworth: 1-40 Hz", "window: 50 ms"]);
/// let now = Fingerprint::new(["butterworth: 1-45 Hz", "window: 50 ms"]);
/// let difference = now.first_difference(&written).ok_or("they are equal")?;
/// assert_eq!(difference.stage(), "butterworth");
/// assert_eq!(difference.found.as_deref(), Some("butterworth: 1-40 Hz"));
/// # Ok::<(), &str>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint(Vec<String>);

impl Fingerprint {
    /// From its lines.
    pub fn new(lines: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self(lines.into_iter().map(Into::into).collect())
    }

    /// Its lines.
    pub fn lines(&self) -> &[String] {
        &self.0
    }

    /// One number for all lines, the same everywhere and for ever.
    pub fn hash(&self) -> u128 {
        let mut bytes = Vec::new();
        for line in &self.0 {
            bytes.extend_from_slice(&(line.len() as u64).to_le_bytes());
            bytes.extend_from_slice(line.as_bytes());
        }
        stable_hash(&bytes)
    }

    /// The first line in which `written` differs from this pipeline; `None` if there is none.
    pub fn first_difference(&self, written: &Self) -> Option<Difference> {
        let longest = self.0.len().max(written.0.len());
        (0..longest).find(|&n| self.0.get(n) != written.0.get(n)).map(|n| Difference {
            line: n,
            expected: self.0.get(n).cloned(),
            found: written.0.get(n).cloned(),
        })
    }
}

/// Where two pipelines differ first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The line's place, from 0.
    pub line: usize,
    /// What this pipeline has there; `None` if it ends before.
    pub expected: Option<String>,
    /// What the checkpoint's pipeline had there; `None` if it ended before.
    pub found: Option<String>,
}

impl Difference {
    /// The name of the stage: of this pipeline's where it has one at that place.
    pub fn stage(&self) -> &str {
        let line = self.expected.as_deref().or(self.found.as_deref()).unwrap_or_default();
        line.split_once(':').map_or(line, |(stage, _)| stage).trim()
    }
}

/// Brings the state that another pipeline wrote into this pipeline's shape.
///
/// It is asked for each stream, with the fingerprint of the pipeline that wrote it. Where it answers `None`, the stream
/// starts afresh from where its source is read on: without it, a changed pipeline is an error.
///
/// ```
/// use neuraflow_core::checkpoint::Migration;
/// // The stage "smoothing" was taken out of the pipeline; all else is as it was.
/// let migration = Migration::new(|_written, mut snapshot| {
///     snapshot.sections.retain(|section| section.stage != "smoothing");
///     Some(snapshot)
/// });
/// ```
#[derive(Clone)]
pub struct Migration(Arc<Hook>);

type Hook = dyn Fn(&Fingerprint, StreamSnapshot) -> Option<StreamSnapshot> + Send + Sync;

impl Migration {
    /// A migration that calls `hook`.
    pub fn new(
        hook: impl Fn(&Fingerprint, StreamSnapshot) -> Option<StreamSnapshot> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(hook))
    }

    /// What becomes of one stream.
    pub fn migrate(&self, written: &Fingerprint, snapshot: StreamSnapshot) -> Option<StreamSnapshot> {
        (self.0)(written, snapshot)
    }
}

impl fmt::Debug for Migration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Migration")
    }
}
