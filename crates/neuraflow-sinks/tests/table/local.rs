//! The local store: the suite, and what only a file does.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use neuraflow_core::model::Features;
use neuraflow_core::sink::{Sink, SinkContext, SinkWriter};
use neuraflow_core::testing::Scratch;
use neuraflow_sinks::store::LocalTable;
use neuraflow_sinks::table::{Query, TableError, TableSink, TableWriter};

use super::kit::*;
use super::suite::conformance;

fn open(test: impl FnOnce(LocalTable)) {
    let scratch = Scratch::new().unwrap();
    test(LocalTable::open(scratch.file("table")).unwrap());
}

conformance!(open);

/// In the environment of a child: the file that it writes into.
const CHILD: &str = "NEURAFLOW_TEST_LOCAL_TABLE";
/// Items between two barriers.
const PART: i64 = 100;

fn item(n: i64) -> Features {
    features(&header(key(1, "session", "headset"), "headset"), n * HOP, n as f64)
}

/// Writes for ever, and tells of every barrier that was answered.
fn write_until_killed(path: &Path) -> ! {
    let table = LocalTable::open(path).unwrap();
    let begun = read::<_, Features>(&table, Query::stream(item(0).info.stream.key)).len() as i64;
    let mut writer = TableSink::new(table, stage("power")).open(&SinkContext::default()).unwrap();
    for part in begun / PART.. {
        for n in part * PART..(part + 1) * PART {
            writer.write(&mut vec![item(n)]).unwrap();
        }
        writer.barrier(0).unwrap();
        println!("durable {}", (part + 1) * PART);
    }
    unreachable!()
}

#[test]
fn what_a_barrier_covers_survives_kill_9() {
    if let Some(path) = std::env::var_os(CHILD) {
        write_until_killed(Path::new(&path));
    }
    let scratch = Scratch::new().unwrap();
    let path = scratch.file("table");
    let mut durable = 0;
    for life in 1..=5 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["local::what_a_barrier_covers_survives_kill_9", "--exact", "--nocapture"])
            .env(CHILD, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut told = lines.by_ref().map_while(Result::ok);
        let last = told.by_ref().filter_map(|line| line.strip_prefix("durable ")?.parse::<i64>().ok()).nth(4);
        durable = last.expect("it wrote");
        if life == 1 {
            let error = LocalTable::open(&path).unwrap_err();
            assert_eq!(error, TableError::Locked { table: path.display().to_string() });
        }
        child.kill().unwrap();
        child.wait().unwrap();
        told.for_each(drop);
        let table = LocalTable::open(&path).unwrap();
        let found: Vec<Features> = read(&table, Query::stream(item(0).info.stream.key));
        assert!(found.len() as i64 >= durable, "{} of {durable} after life {life}", found.len());
        let wanted: Vec<Features> = (0..found.len() as i64).rev().map(item).collect();
        assert_eq!(found, wanted);
    }
    assert!(durable >= 25 * PART);
}

#[test]
fn a_file_that_is_no_table_is_an_error() {
    let scratch = Scratch::new().unwrap();
    let path = scratch.file("table");
    std::fs::write(&path, vec![7; 10_000]).unwrap();
    let error = LocalTable::open(&path).unwrap_err();
    assert!(matches!(error, TableError::Failed { action: "open", .. }), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), vec![7; 10_000]);
    let error = LocalTable::open(scratch.file("missing/table")).unwrap_err();
    assert!(matches!(error, TableError::Failed { action: "open", .. }), "{error}");
}

/// In the environment of a child: the file that it fills the disk with.
const FULL: &str = "NEURAFLOW_TEST_FULL_TABLE";

/// Says what files of this process may have: a full disk, as far as it can tell.
fn room(bytes: &str) {
    let limit = format!("--fsize={bytes}:");
    let pid = std::process::id().to_string();
    assert!(Command::new("prlimit").args(["--pid", &pid, &limit]).status().unwrap().success());
}

fn write_until_full_and_on(path: &Path) {
    let table = LocalTable::open(path).unwrap();
    let mut writer = TableSink::new(table.clone(), stage("power")).open(&SinkContext::default()).unwrap();
    let mut n = 0;
    let mut write = |writer: &mut TableWriter<LocalTable, Features>, count: i64| {
        let mut items: Vec<Features> = (n..n + count).map(item).collect();
        n += count;
        let said = writer.write(&mut items).and_then(|()| writer.barrier(0).map(drop));
        (items, said, n)
    };
    // Something is written that no barrier covers, by somebody else.
    let mut other = TableSink::new(table.clone(), stage("other")).open(&SinkContext::default()).unwrap();
    write(&mut writer, 500).1.unwrap();
    other.write(&mut (0..50).map(item).collect()).unwrap();
    room(&std::fs::metadata(path).unwrap().len().to_string());
    let (mut left, error, given) = loop {
        let (left, said, given) = write(&mut writer, 500);
        if let Err(error) = said {
            break (left, error, given);
        }
    };
    println!("{given} items, then {error}");
    for _ in 0..3 {
        let _ = writer.write(&mut left); // what does not fit fails again
    }
    room("unlimited");
    writer.write(&mut left).unwrap();
    other.barrier(0).unwrap();
    writer.barrier(0).unwrap();
    drop((writer, other, table));
    let table = LocalTable::open(path).unwrap();
    let of = |name| {
        let query = Query::stream(item(0).info.stream.key).of_stage(stage(name));
        read::<_, Features>(&table, query).len() as i64
    };
    println!("{} of {given} are there, and {} of 50", of("power"), of("other"));
    assert_eq!((of("power"), of("other")), (given, 50));
}

#[test]
fn a_disk_that_was_full_for_a_while_is_written_to_again() {
    if let Some(path) = std::env::var_os(FULL) {
        return write_until_full_and_on(Path::new(&path));
    }
    let scratch = Scratch::new().unwrap();
    // A process is killed for what does not fit, unless it says that it does not want to be.
    let done = Command::new("sh")
        .args(["-c", "trap '' XFSZ; exec \"$@\"", "sh"])
        .arg(std::env::current_exe().unwrap())
        .args(["local::a_disk_that_was_full_for_a_while_is_written_to_again", "--exact", "--nocapture"])
        .env(FULL, scratch.file("table"))
        .status();
    assert!(done.unwrap().success());
}
