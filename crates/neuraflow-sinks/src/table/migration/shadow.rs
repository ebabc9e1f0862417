//! Reads that are made from both tables and compared, so that it is known what the new one serves before it does.

use std::sync::{Arc, Mutex, PoisonError};

use neuraflow_core::model::{Features, StableHasher, Timestamp};

use super::super::query::Query;
use super::super::reader::TableReader;
use super::super::stage::Stage;
use super::super::{Table, TableError};
use super::salted::{MILLI, SaltedLayout, floored};
use super::state::{Migration, Phase};

/// Reads features of a session and time: from the table that serves in the migration's phase, and beside it from the other one, to compare.
#[derive(Clone, Debug)]
pub struct ShadowReader<O, N> {
    old: O,
    new: N,
    layout: Arc<SaltedLayout>,
    stage: Stage,
    migration: Migration,
    stats: Arc<Mutex<ShadowStats>>,
}

/// What came of the reads so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShadowStats {
    /// Reads that were compared and equal.
    pub equal: u64,
    /// Reads that were compared and differed.
    pub different: u64,
    /// The first that differed: session, from and until.
    pub first_different: Option<(String, Timestamp, Timestamp)>,
    /// Reads whose other side failed; the read itself did not.
    pub failed: u64,
}

impl<O: Table, N: Table> ShadowReader<O, N> {
    /// Reads results of `stage`.
    pub fn new(old: O, new: N, layout: Arc<SaltedLayout>, stage: Stage, migration: Migration) -> Self {
        Self { old, new, layout, stage, migration, stats: Arc::default() }
    }

    /// What came of the reads so far.
    pub fn stats(&self) -> ShadowStats {
        self.stats.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The windows of a session that begin within `[from, until)`, the oldest first.
    ///
    /// # Errors
    /// The table that serves failed.
    pub fn read(
        &self,
        session: &str,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Features>, TableError> {
        let (served, other) = match self.migration.phase() {
            Phase::Old | Phase::Both => return self.read_old(session, from, until),
            Phase::Shadow => (self.read_old(session, from, until)?, self.read_new(session, from, until)),
            Phase::New => (self.read_new(session, from, until)?, self.read_old(session, from, until)),
        };
        let mut stats = self.stats.lock().unwrap_or_else(PoisonError::into_inner);
        match other {
            Err(_) => stats.failed += 1,
            Ok(other) if self.digest(session, &served) == self.digest(session, &other) => stats.equal += 1,
            Ok(_) => {
                stats.different += 1;
                stats.first_different.get_or_insert((session.to_owned(), from, until));
            }
        }
        Ok(served)
    }

    fn read_old(
        &self,
        session: &str,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Features>, TableError> {
        // Old rows know milliseconds: one that begins within the first may begin before `from`.
        let first = from.as_nanos().div_euclid(MILLI).max(0);
        let end = until.as_nanos().saturating_sub(1).div_euclid(MILLI).saturating_add(1);
        if end <= first {
            return Ok(Vec::new());
        }
        let windows = self.layout.windows(&self.old, session, first, end)?;
        let within = |features: &Features| (from..until).contains(&features.info.start);
        Ok(windows.into_iter().map(|window| window.features).filter(within).collect())
    }

    fn read_new(
        &self,
        session: &str,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Features>, TableError> {
        let Some(known) = self.layout.sessions.get(session) else { return Ok(Vec::new()) };
        let query = Query::stream(known.stream.key).from(from).until(until).of_stage(self.stage.clone());
        let found = TableReader::new(self.new.clone()).read(query);
        let mut windows =
            found.map(|found| found.map(|found| found.item)).collect::<Result<Vec<Features>, _>>()?;
        windows.reverse();
        Ok(windows)
    }

    fn digest(&self, session: &str, windows: &[Features]) -> u128 {
        let mut hasher = StableHasher::default();
        if let Some(known) = self.layout.sessions.get(session) {
            windows
                .iter()
                .for_each(|window| known.hash(&mut hasher, Some(window), floored(window.info.start)));
        }
        hasher.finish()
    }
}
