//! Copies what only the old rows have, an hour at a time from the newest on, and compares each hour.

use std::collections::BTreeMap;
use std::sync::Arc;

use neuraflow_core::model::{Features, StableHasher, Timestamp};

use super::super::introduce::Directories;
use super::super::query::Query;
use super::super::reader::TableReader;
use super::super::row::{Batch, Cell};
use super::super::stage::Stage;
use super::super::{RowKey, Table, TableError};
use super::salted::{MILLI, SaltedLayout, SaltedSession, SaltedWindow, floored};
use super::state::{Copied, Migration, MigrationError};

/// Minutes of an hour, and milliseconds of a minute and of an hour.
const MINUTES: i64 = 60;
const MINUTE: i64 = 60_000;
const HOUR: i64 = MINUTES * MINUTE;

/// Copies old rows into the new table. What is there already, written by both sinks meanwhile, is left as it is, since it knows more: the
/// old rows do not tell how many samples a window had.
///
/// How far it has come is kept in the [`Migration`]: after a crash it goes on with the hour it was at, and what it copies again is the same.
#[derive(Debug)]
pub struct Backfill<O, N> {
    old: O,
    new: N,
    layout: Arc<SaltedLayout>,
    stage: Stage,
    migration: Migration,
}

/// An hour of a session, copied and compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hour {
    /// The session's name in the old rows.
    pub session: String,
    /// Hours since the Unix epoch.
    pub hour: i64,
    /// Windows that the old rows have.
    pub windows: usize,
    /// How many of them were copied now.
    pub copied: usize,
    /// The digest of the old rows' numbers.
    pub old: u128,
    /// The digest of the numbers of the same windows in the new table.
    pub new: u128,
}

impl Hour {
    /// Whether the new table has what the old one has.
    pub fn is_equal(&self) -> bool {
        self.old == self.new
    }
}

impl<O: Table, N: Table> Backfill<O, N> {
    /// Copies from `old` into `new`, as the results of `stage`.
    pub fn new(old: O, new: N, layout: Arc<SaltedLayout>, stage: Stage, migration: Migration) -> Self {
        Self { old, new, layout, stage, migration }
    }

    /// Copies and compares until nothing is left, and tells of each hour; `go_on` may stop it after any.
    ///
    /// # Errors
    /// A table failed, or the state cannot be kept: run it again. [`MigrationError::Differs`] where an hour is not equal after it was copied;
    /// [`MigrationError::NotReady`] before both sinks write, or where one of them stopped meanwhile.
    pub fn run(&self, mut go_on: impl FnMut(&Hour) -> bool) -> Result<(), MigrationError> {
        let copying = self.migration.copying()?;
        self.migration.change(copying, |state| {
            for name in self.layout.sessions.keys() {
                state.sessions.entry(name.clone()).or_default();
            }
        })?;
        for (name, Copied { down_to, complete }) in self.migration.sessions() {
            let mut until = down_to.map_or(i64::MAX, |hour| hour.saturating_mul(HOUR));
            while !complete && let Some(newest) = self.layout.newest_before(&self.old, &name, until)? {
                let hour = self.hour(&name, newest.div_euclid(HOUR))?;
                if !hour.is_equal() {
                    return Err(MigrationError::Differs(hour));
                }
                until = hour.hour * HOUR;
                let copied = Copied { down_to: Some(hour.hour), complete: false };
                self.migration.change(copying, |state| state.sessions.insert(name.clone(), copied))?;
                if !go_on(&hour) {
                    return Ok(());
                }
            }
            self.migration
                .change(copying, |state| state.sessions.entry(name).or_default().complete = true)?;
        }
        Ok(())
    }

    /// Compares an hour without changing anything.
    ///
    /// # Errors
    /// A table failed.
    pub fn compare(&self, session: &str, hour: i64) -> Result<Hour, TableError> {
        self.walk(session, hour, |_, _| Ok(0))
    }

    fn hour(&self, session: &str, hour: i64) -> Result<Hour, TableError> {
        let walked = self.walk(session, hour, |old, new| self.copy(old, new))?;
        self.new.sync()?;
        Ok(walked)
    }

    fn walk(
        &self,
        name: &str,
        hour: i64,
        mut copy: impl FnMut(&[SaltedWindow], &BTreeMap<Timestamp, Features>) -> Result<usize, TableError>,
    ) -> Result<Hour, TableError> {
        let (mut windows, mut copied) = (0, 0);
        let (mut left, mut right) = (StableHasher::default(), StableHasher::default());
        let Some(session) = self.layout.sessions.get(name) else {
            return Err(TableError::Setting {
                what: "session",
                expected: "one of the old layout's",
                found: name.to_owned(),
            });
        };
        let begin = hour.saturating_mul(HOUR);
        for minute in 0..MINUTES {
            let from = begin.saturating_add(minute * MINUTE);
            let until = from.saturating_add(MINUTE);
            let old = self.layout.windows(&self.old, name, from, until)?;
            if old.is_empty() {
                continue;
            }
            let more = copy(&old, &self.there(session, from, until)?)?;
            let new = self.there(session, from, until)?;
            for SaltedWindow { features, .. } in &old {
                session.hash(&mut left, Some(features), features.info.start);
                session.hash(&mut right, new.get(&features.info.start), features.info.start);
            }
            (windows, copied) = (windows + old.len(), copied + more);
        }
        Ok(Hour { session: name.into(), hour, windows, copied, old: left.finish(), new: right.finish() })
    }

    /// What the new table has of a minute, by the start of the window in whole milliseconds, as the old rows have it.
    fn there(
        &self,
        session: &SaltedSession,
        from: i64,
        until: i64,
    ) -> Result<BTreeMap<Timestamp, Features>, TableError> {
        let time = |millis: i64| Timestamp::from_nanos(millis.saturating_mul(MILLI));
        let query = Query::stream(session.stream.key)
            .from(time(from))
            .until(time(until))
            .of_stage(self.stage.clone());
        let found = TableReader::new(self.new.clone()).read::<Features>(query);
        found
            .map(|found| {
                let item = found?.item;
                Ok((floored(item.info.start), item))
            })
            .collect()
    }

    /// Copies what is not there, with the old cells' timestamps.
    fn copy(&self, old: &[SaltedWindow], there: &BTreeMap<Timestamp, Features>) -> Result<usize, TableError> {
        let missing = old.iter().filter(|window| !there.contains_key(&window.features.info.start));
        let (features, timestamps): (Vec<Features>, Vec<i64>) =
            missing.map(|window| (window.features.clone(), window.timestamp)).unzip();
        let ids = Directories::default().introduce(&self.new, &features);
        let mut batch = Batch::default();
        for ((features, timestamp), ids) in features.iter().zip(timestamps).zip(ids) {
            let info = &features.info;
            let cell = Cell { timestamp, ..ids?.cell(features, &self.stage) };
            batch.add(&RowKey::of_time(info.stream.key, info.start), cell)?;
        }
        self.new.put(&batch).into_iter().collect::<Result<(), _>>()?;
        Ok(features.len())
    }
}

impl SaltedSession {
    /// The numbers of a window by their names, whatever order the window has them in.
    pub(super) fn hash(&self, hasher: &mut StableHasher, features: Option<&Features>, start: Timestamp) {
        hasher.u64(start.as_nanos() as u64);
        for row in self.layout.rows.iter() {
            for column in self.layout.columns.iter() {
                match features.and_then(|features| features.get(row, column)) {
                    Some(value) => hasher.u64(1).f64(value),
                    None => hasher.u64(0),
                };
            }
        }
    }
}
