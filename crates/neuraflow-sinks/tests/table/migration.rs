//! The migration: every step forward and back on local tables, and all of it under `kill -9` on a real emulator.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use neuraflow_core::model::{Features, Span, StreamHeader, Timestamp};
use neuraflow_core::sink::{Sink, SinkContext, SinkWriter};
use neuraflow_core::testing::{Random, Scratch};
use neuraflow_sinks::bigtable::{Bigtable, BigtableConfig};
use neuraflow_sinks::layer::{Outbox, OutboxConfig};
use neuraflow_sinks::store::LocalTable;
use neuraflow_sinks::table::migration::{
    Backfill, DualSink, Migration, MigrationError, Phase, SaltedKey, SaltedLayout, SaltedSession, SaltedSink,
    ShadowReader,
};
use neuraflow_sinks::table::{Batch, Cell, Family, Query, Scan, Table, TableSink, cell_time};

use super::kit::*;
use super::service::Service;

const SESSIONS: [&str; 2] = ["Anna", "Bo 3"];
const MINUTE: i64 = 60 * SECOND;
const SALTS: u8 = 7;

fn stream(session: &str) -> Arc<StreamHeader> {
    header(key(1, session, "headset"), session)
}

fn salted() -> Arc<SaltedLayout> {
    let session =
        |name: &str| SaltedSession { stream: stream(name), layout: layout(), hop: Span::nanos(HOP) };
    let sessions = SESSIONS.iter().map(|name| ((*name).to_owned(), session(name))).collect();
    Arc::new(SaltedLayout { salts: SALTS, sessions })
}

/// The window of a session that begins at `start`, as the pipeline computes it now.
fn computed(session: &str, start: i64) -> Features {
    let mut item = features(&stream(session), start, start as f64 * 1e-9);
    if start % (7 * HOP) == 0 {
        item.values[3] = f64::NAN;
    }
    item
}

/// When windows of the past begin: some seconds in several hours, the first and the last of an hour among them.
fn past() -> impl Iterator<Item = i64> {
    let begins = [0, 59 * MINUTE + 55 * SECOND, 60 * MINUTE, 200 * MINUTE + 30 * SECOND];
    begins.into_iter().flat_map(|begin| (0..80).map(move |n| begin + n * HOP))
}

/// Rows of the past: the salt of each comes from a hash that nobody can repeat.
fn write_past<T: Table>(old: &T) {
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
fn numbers(items: impl IntoIterator<Item = Features>) -> BTreeMap<(String, i64), Vec<u64>> {
    let bits = |value: &f64| if value.is_nan() { u64::MAX } else { value.to_bits() };
    let one = |item: Features| {
        let place = (item.info.stream.name.clone(), item.info.start.as_nanos());
        (place, item.values.iter().map(bits).collect())
    };
    items.into_iter().map(one).collect()
}

fn in_new<T: Table>(new: &T) -> BTreeMap<(String, i64), Vec<u64>> {
    let session = |name: &&str| Query::session(stream(name).key.tenant, stream(name).key.session);
    numbers(SESSIONS.iter().flat_map(|name| read::<_, Features>(new, session(name))))
}

fn wanted(starts: impl IntoIterator<Item = i64> + Clone) -> BTreeMap<(String, i64), Vec<u64>> {
    numbers(
        SESSIONS.iter().flat_map(|session| starts.clone().into_iter().map(|start| computed(session, start))),
    )
}

struct Tables<T> {
    old: T,
    new: T,
    migration: Migration,
}

impl<T: Table> Tables<T> {
    fn backfill(&self) -> Backfill<T, T> {
        let Self { old, new, migration } = self;
        Backfill::new(old.clone(), new.clone(), salted(), stage("power"), migration.clone())
    }

    fn sink(&self) -> DualSink<SaltedSink<T>, TableSink<T, Features>> {
        let old = SaltedSink::new(self.old.clone(), salted());
        DualSink::new(old, TableSink::new(self.new.clone(), stage("power")), self.migration.clone())
    }

    fn reader(&self) -> ShadowReader<T, T> {
        let Self { old, new, migration } = self;
        ShadowReader::new(old.clone(), new.clone(), salted(), stage("power"), migration.clone())
    }

    fn write(&self, starts: impl IntoIterator<Item = i64>) {
        let mut writer = self.sink().open(&SinkContext::default()).unwrap();
        for start in starts {
            let mut items = SESSIONS.iter().map(|session| computed(session, start)).collect();
            writer.write(&mut items).unwrap();
            assert!(items.is_empty());
        }
        writer.finish().unwrap();
    }
}

fn local(scratch: &Scratch) -> Tables<LocalTable> {
    let table = |name: &str| LocalTable::open(scratch.file(name)).unwrap();
    let migration = Migration::open(scratch.file("migration.json")).unwrap();
    Tables { old: table("old"), new: table("new"), migration }
}

#[test]
fn every_step_goes_forward_and_back() {
    let scratch = Scratch::new().unwrap();
    let tables = local(&scratch);
    let migration = &tables.migration;
    write_past(&tables.old);
    let live: Vec<i64> = (0..40).map(|n| 500 * MINUTE + n * HOP).collect();
    let span = (Timestamp::from_nanos(0), Timestamp::from_nanos(1_000 * MINUTE));
    let reader = tables.reader();
    let served =
        || numbers(SESSIONS.iter().flat_map(|session| reader.read(session, span.0, span.1).unwrap()));

    tables.write(live[..10].iter().copied());
    assert!(everything(&tables.new).is_empty(), "the new table is not written to yet");
    assert!(matches!(tables.backfill().run(|_| true), Err(MigrationError::NotReady { .. })));
    assert!(migration.go(Phase::Shadow).is_err());

    migration.go(Phase::Both).unwrap();
    tables.write(live[10..20].iter().copied());
    assert!(migration.go(Phase::Shadow).is_err(), "nothing is copied yet");
    let mut hours = Vec::new();
    // Stopped after an hour, and gone on with, twice.
    for _ in 0..2 {
        tables
            .backfill()
            .run(|hour| {
                hours.push(hour.clone());
                false
            })
            .unwrap();
    }
    assert!(migration.go(Phase::Shadow).is_err(), "not all is copied yet");
    tables
        .backfill()
        .run(|hour| {
            hours.push(hour.clone());
            true
        })
        .unwrap();
    let of =
        |session: &str| hours.iter().filter(|h| h.session == session).map(|h| h.hour).collect::<Vec<_>>();
    assert_eq!((of("Anna"), of("Bo 3")), (vec![8, 3, 1, 0], vec![8, 3, 1, 0]));
    let counts: Vec<(usize, usize)> = hours.iter().map(|hour| (hour.windows, hour.copied)).collect();
    assert_eq!(counts[..4], [(20, 10), (80, 80), (80, 80), (160, 160)]);
    let expected = wanted(past().chain(live[..20].iter().copied()).collect::<Vec<_>>());
    assert_eq!(in_new(&tables.new), expected);
    // What both sinks had written knows more than old rows do, and was left alone.
    let latest: Vec<Features> = read(&tables.new, Query::stream(stream("Anna").key).latest(11));
    assert_eq!((latest[0].info.received, latest[10].info.received), (12, latest[10].info.expected));

    migration.go(Phase::Shadow).unwrap();
    tables.write(live[20..30].iter().copied());
    let (old, _) = (served(), migration.go(Phase::New).unwrap());
    assert_eq!(served(), old);
    assert_eq!((reader.stats().equal, reader.stats().different), (4, 0));

    // Somebody changes their mind, and changes it again: nothing that was written meanwhile is missing.
    migration.go(Phase::Old).unwrap();
    tables.write(live[30..].iter().copied());
    let migration = &Migration::open(scratch.file("migration.json")).unwrap();
    assert_eq!(migration.phase(), Phase::Old);
    let tables = Tables { migration: migration.clone(), ..tables };
    migration.go(Phase::Both).unwrap();
    tables.backfill().run(|_| true).unwrap();
    migration.go(Phase::Shadow).unwrap();
    migration.go(Phase::New).unwrap();
    assert_eq!(in_new(&tables.new), wanted(past().chain(live).collect::<Vec<_>>()));
}

#[test]
fn what_differs_stops_the_copying_and_shows_in_the_reads() {
    let scratch = Scratch::new().unwrap();
    let tables = local(&scratch);
    write_past(&tables.old);
    tables.migration.go(Phase::Both).unwrap();
    let wrong = Features { values: vec![0.5; 4], ..computed("Anna", 0) };
    write(&tables.new, "power", &[wrong]).unwrap();
    let error = tables.backfill().run(|_| true).unwrap_err();
    assert!(
        matches!(&error, MigrationError::Differs(hour) if hour.hour == 0 && hour.session == "Anna"),
        "{error}"
    );
    assert!(tables.migration.go(Phase::Shadow).is_err());
    // Put right, it goes on from there.
    write(&tables.new, "power", &[computed("Anna", 0)]).unwrap();
    tables.backfill().run(|_| true).unwrap();
    assert!(tables.backfill().compare("Anna", 0).unwrap().is_equal());
    tables.migration.go(Phase::Shadow).unwrap();
    write(&tables.new, "power", &[Features { values: vec![0.5; 4], ..computed("Anna", HOP) }]).unwrap();
    let reader = tables.reader();
    let at = Timestamp::from_nanos;
    reader.read("Anna", at(0), at(HOP)).unwrap();
    reader.read("Anna", at(0), at(2 * HOP)).unwrap();
    let stats = reader.stats();
    assert_eq!((stats.equal, stats.different), (1, 1));
    assert_eq!(stats.first_different, Some(("Anna".into(), at(0), at(2 * HOP))));
}

/// In the environment of a child: its folder, and where the emulator listens.
const CHILD: &str = "NEURAFLOW_TEST_MIGRATION";
/// Windows that are recorded while the migration goes on.
const LIVE: i64 = 60;

fn far(address: &str, table: &str) -> Bigtable {
    let config =
        BigtableConfig { emulator: Some(address.to_owned()), ..BigtableConfig::new("p", "i", table) };
    let table = Bigtable::connect(config).unwrap();
    table.create().unwrap();
    table
}

/// A process of the migration: records, copies, compares and flips, until it is killed or done.
fn migrate(folder: &Path, address: &str) {
    let migration = Migration::open(folder.join("migration.json")).unwrap();
    let tables = Tables { old: far(address, "old"), new: far(address, "new"), migration: migration.clone() };
    let outbox = Outbox::new(tables.sink(), folder.join("outbox"), OutboxConfig::default()).unwrap();
    let mut writer = outbox.open(&SinkContext::default()).unwrap();
    let next = folder.join("next");
    let mut recorded = std::fs::read_to_string(&next).map_or(0, |text| text.trim().parse().unwrap_or(0));
    let mut record = |count: i64| {
        for n in recorded..LIVE.min(recorded + count) {
            let mut items = SESSIONS.iter().map(|s| computed(s, 500 * MINUTE + n * HOP)).collect();
            writer.write(&mut items).unwrap();
        }
        recorded = LIVE.min(recorded + count);
        // What is recorded is in the outbox by now: a kill before this line only records it again.
        std::fs::write(folder.join("next.new"), recorded.to_string()).unwrap();
        std::fs::rename(folder.join("next.new"), &next).unwrap();
        println!("recorded {recorded}");
    };
    record(5);
    if migration.phase() == Phase::Old {
        migration.go(Phase::Both).unwrap();
        println!("both");
    }
    if migration.phase() == Phase::Both {
        tables
            .backfill()
            .run(|hour| {
                println!("hour {}", hour.hour);
                record(3);
                true
            })
            .unwrap();
        migration.go(Phase::Shadow).unwrap();
        println!("shadow");
    }
    let reader = tables.reader();
    while migration.phase() == Phase::Shadow {
        record(5);
        for session in SESSIONS {
            let windows =
                reader.read(session, Timestamp::EPOCH, Timestamp::from_nanos(400 * MINUTE)).unwrap();
            assert_eq!(windows.len(), past().count());
        }
        assert_eq!((reader.stats().equal, reader.stats().different), (2, 0));
        migration.go(Phase::New).unwrap();
        println!("new");
    }
    record(LIVE);
    writer.finish().unwrap();
    println!("done");
}

#[test]
fn a_migration_that_is_killed_at_every_step_loses_and_doubles_nothing() {
    if let Some(folder) = std::env::var_os(CHILD) {
        let address = std::fs::read_to_string(Path::new(&folder).join("address")).unwrap();
        return migrate(Path::new(&folder), &address);
    }
    let Some(service) = Service::start("bigtable") else { return };
    let seed = 42;
    println!("seed {seed}");
    let mut random = Random::new(seed);
    let scratch = Scratch::new().unwrap();
    let folder = scratch.file("");
    std::fs::write(folder.join("address"), service.address()).unwrap();
    let (old, new) = (far(&service.address(), "old"), far(&service.address(), "new"));
    write_past(&old);
    let begun = Instant::now();
    let (mut kills, mut done) = (0, false);
    while !done {
        assert!(begun.elapsed() < Duration::from_secs(120), "no end after {kills} kills");
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "migration::a_migration_that_is_killed_at_every_step_loses_and_doubles_nothing",
                "--exact",
            ])
            .arg("--nocapture")
            .env(CHILD, &folder)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // After so many of the lines that it prints, and a little later: in the middle of whatever comes next.
        let (lines, late) = (1 + random.below(5), Duration::from_micros(random.below(20_000) as u64));
        let mut told = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let step = |line: &String| !line.starts_with("running") && !line.is_empty();
        for line in told.by_ref().filter(step).take(lines) {
            done |= line == "done";
        }
        std::thread::sleep(late);
        child.kill().unwrap();
        child.wait().unwrap();
        drop(told); // not before: a child that cannot print would end by itself
        kills += 1;
    }
    println!("{kills} lives");
    assert!(kills >= 5);
    let live = (0..LIVE).map(|n| 500 * MINUTE + n * HOP);
    let all: Vec<i64> = past().chain(live).collect();
    assert_eq!(in_new(&new), wanted(all.clone()));
    // Each once, with one version, and the old table has them all as well: the way back is open.
    let cells = |table: &Bigtable, families| {
        let scan = Scan::everything().of(families);
        table.scan(&scan).map(|row| row.unwrap().cells.len()).sum::<usize>()
    };
    let only = neuraflow_sinks::table::Families::only(Family::Features);
    assert_eq!(cells(&new, only), SESSIONS.len() * all.len());
    assert_eq!(cells(&old, only), {
        // Rows of the past are under salts of their own; none was written by the sink.
        SESSIONS.len() * all.len() * 4
    });
    for row in new.scan(&Scan::everything().of(only)) {
        for cell in row.unwrap().cells {
            let end = i64::from_le_bytes(cell.value[19..27].try_into().unwrap());
            assert_eq!(cell.timestamp, cell_time(Timestamp::from_nanos(end)));
        }
    }
}
