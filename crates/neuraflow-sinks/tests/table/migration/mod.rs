//! The migration: every step forward and back on local tables, and all of it under `kill -9` on a real emulator.

mod killed;
mod steps;

use std::collections::BTreeMap;
use std::sync::Arc;

use neuraflow_core::model::{Features, Span, StreamHeader};
use neuraflow_core::sink::{Sink, SinkContext, SinkWriter};
use neuraflow_core::testing::Random;
use neuraflow_sinks::table::migration::{
    Backfill, DualSink, Migration, SaltedKey, SaltedLayout, SaltedSession, SaltedSink, ShadowReader,
};
use neuraflow_sinks::table::{Batch, Cell, Family, Query, Table, TableSink, cell_time};

use super::kit::*;

pub const SESSIONS: [&str; 2] = ["Anna", "Bo 3"];
pub const MINUTE: i64 = 60 * SECOND;
pub const SALTS: u8 = 7;

pub fn stream(session: &str) -> Arc<StreamHeader> {
    header(key(1, session, "headset"), session)
}

pub fn salted() -> Arc<SaltedLayout> {
    let session =
        |name: &str| SaltedSession { stream: stream(name), layout: layout(), hop: Span::nanos(HOP) };
    let sessions = SESSIONS.iter().map(|name| ((*name).to_owned(), session(name))).collect();
    Arc::new(SaltedLayout { salts: SALTS, sessions })
}

/// The window of a session that begins at `start`, as the pipeline computes it now.
pub fn computed(session: &str, start: i64) -> Features {
    let mut item = features(&stream(session), start, start as f64 * 1e-9);
    if start % (7 * HOP) == 0 {
        item.values[3] = f64::NAN;
    }
    item
}

/// When windows of the past begin: some seconds in several hours, the first and the last of an hour among them.
pub fn past() -> impl Iterator<Item = i64> {
    let begins = [0, 59 * MINUTE + 55 * SECOND, 60 * MINUTE, 200 * MINUTE + 30 * SECOND];
    begins.into_iter().flat_map(|begin| (0..80).map(move |n| begin + n * HOP))
}

/// Rows of the past: the salt of each comes from a hash that nobody can repeat.
pub fn write_past<T: Table>(old: &T) {
    let mut random = Random::new(3);
    let mut batch = Batch::default();
    for session in SESSIONS {
        for start in past() {
            let item = computed(session, start);
            for (channel, values) in item.rows() {
                let salt = random.below(usize::from(SALTS)) as u8;
                let (session, channel) = (session.to_owned(), channel.to_owned());
                let key = SaltedKey { salt, session, time: start / 1_000_000, channel };
                assert_eq!(SaltedKey::parse(&key.to_bytes()), Ok(key.clone()));
                for (name, value) in item.spec.columns.iter().zip(values) {
                    let (family, qualifier) = (Family::Features, name.clone().into_bytes());
                    let (timestamp, value) = (cell_time(item.info.end), value.to_be_bytes().to_vec());
                    batch.add_at(&key.to_bytes(), Cell { family, qualifier, timestamp, value }).unwrap();
                }
            }
        }
    }
    assert!(old.put(&batch).into_iter().all(|row| row.is_ok()));
}

/// The numbers of a table's windows by their bits; every NaN is one.
pub fn numbers(items: impl IntoIterator<Item = Features>) -> BTreeMap<(String, i64), Vec<u64>> {
    let bits = |value: &f64| if value.is_nan() { u64::MAX } else { value.to_bits() };
    let one = |item: Features| {
        let place = (item.info.stream.name.clone(), item.info.start.as_nanos());
        (place, item.values.iter().map(bits).collect())
    };
    items.into_iter().map(one).collect()
}

pub fn in_new<T: Table>(new: &T) -> BTreeMap<(String, i64), Vec<u64>> {
    let session = |name: &&str| Query::session(stream(name).key.tenant, stream(name).key.session);
    numbers(SESSIONS.iter().flat_map(|name| read::<_, Features>(new, session(name))))
}

pub fn wanted(starts: impl IntoIterator<Item = i64> + Clone) -> BTreeMap<(String, i64), Vec<u64>> {
    numbers(
        SESSIONS.iter().flat_map(|session| starts.clone().into_iter().map(|start| computed(session, start))),
    )
}

pub struct Tables<T> {
    pub old: T,
    pub new: T,
    pub migration: Migration,
}

impl<T: Table> Tables<T> {
    pub fn backfill(&self) -> Backfill<T, T> {
        let Self { old, new, migration } = self;
        Backfill::new(old.clone(), new.clone(), salted(), stage("power"), migration.clone())
    }

    pub fn sink(&self) -> DualSink<SaltedSink<T>, TableSink<T, Features>> {
        let old = SaltedSink::new(self.old.clone(), salted());
        DualSink::new(old, TableSink::new(self.new.clone(), stage("power")), self.migration.clone())
    }

    pub fn reader(&self) -> ShadowReader<T, T> {
        let Self { old, new, migration } = self;
        ShadowReader::new(old.clone(), new.clone(), salted(), stage("power"), migration.clone())
    }

    pub fn write(&self, starts: impl IntoIterator<Item = i64>) {
        let mut writer = self.sink().open(&SinkContext::default()).unwrap();
        for start in starts {
            let mut items = SESSIONS.iter().map(|session| computed(session, start)).collect();
            writer.write(&mut items).unwrap();
            assert!(items.is_empty());
        }
        writer.finish().unwrap();
    }
}
