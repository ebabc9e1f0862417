//! Processes that record, copy, compare and flip, each killed somewhere in between.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use neuraflow_core::model::Timestamp;
use neuraflow_core::sink::{Sink, SinkContext, SinkWriter};
use neuraflow_core::testing::{Random, Scratch};
use neuraflow_sinks::bigtable::{Bigtable, BigtableConfig};
use neuraflow_sinks::layer::{Outbox, OutboxConfig};
use neuraflow_sinks::table::migration::{Migration, Phase};
use neuraflow_sinks::table::{Family, Scan, Table, cell_time};

use super::super::service::Service;
use super::*;

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
                "migration::killed::a_migration_that_is_killed_at_every_step_loses_and_doubles_nothing",
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
