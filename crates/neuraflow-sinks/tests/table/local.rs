//! The local store: the suite, and what only a file does.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use neuraflow_core::model::Features;
use neuraflow_core::sink::{Sink, SinkContext, SinkWriter};
use neuraflow_core::testing::Scratch;
use neuraflow_sinks::store::LocalTable;
use neuraflow_sinks::table::{Query, TableError, TableSink};

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
