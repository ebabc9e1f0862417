//! Real processes: one whose disk is full, and ten that are killed with `kill -9` while they push.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use neuraflow_core::sink::Overflow;
use neuraflow_core::testing::Scratch;
use neuraflow_sources::device::{self, JournalConfig, PushError};

use crate::kit::*;

#[cfg(unix)]
#[test]
fn a_disk_that_is_full_is_an_error_of_the_push_and_loses_nothing() {
    const CHILD: &str = "NEURAFLOW_TEST_JOURNAL_FULL";
    if let Some(folder) = std::env::var_os(CHILD) {
        // Files of at most 20 KiB: segments cannot become as large as they should.
        let journal = JournalConfig { segment_bytes: 64 << 10, ..SMALL };
        let (handle, source) =
            device::journaled(config(1 << 20, Overflow::Block), Path::new(&folder), journal).unwrap();
        let mut reader = probe(&source, None);
        handle.open(header(0)).unwrap();
        let failed = (0..10_000).find_map(|n| Some((n, handle.push(&key(0), n, &values(0, n, 1)).err()?)));
        let (accepted, error) = failed.unwrap();
        assert!(matches!(error, PushError::Journal { .. }), "{error}");
        assert_eq!(drain(&mut reader).len() as u64, 1 + accepted);
        drop((reader, source, handle));
        let (_handle, source) = open(Path::new(&folder), config(10, Overflow::Block));
        assert_eq!(drain(&mut probe(&source, None)).len() as u64, 1 + accepted);
        return;
    }
    let scratch = Scratch::new().unwrap();
    let run = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 20 && exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "process::a_disk_that_is_full_is_an_error_of_the_push_and_loses_nothing",
            "--nocapture",
        ])
        .env(CHILD, scratch.path())
        .output()
        .unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
}

const CHILD: &str = "NEURAFLOW_TEST_JOURNAL";

/// The child: pushes until it is killed, and writes down what was accepted.
fn push_until_killed(folder: &Path, run: usize) {
    let (handle, source) = open(&folder.join("journal"), config(64, Overflow::Block));
    let mut reader = probe(&source, None);
    let mut log = fs::OpenOptions::new().create(true).append(true).open(folder.join("accepted")).unwrap();
    std::thread::spawn(move || {
        handle.open(header(run)).unwrap();
        for n in 0.. {
            handle.push(&key(run), n, &values(run, n, 1)).unwrap();
            log.write_all(format!("{run} {n}\n").as_bytes()).unwrap();
        }
    });
    loop {
        drain(&mut reader);
    }
}

/// Kills a real process while it pushes, ten times; each goes on in the journal of those before it.
#[test]
fn a_killed_process_loses_nothing_that_push_accepted() {
    if let Some(folder) = std::env::var_os(CHILD) {
        let run = std::env::var("RUN").unwrap().parse().unwrap();
        push_until_killed(Path::new(&folder), run);
        return;
    }
    let scratch = Scratch::new().unwrap();
    let accepted = || -> BTreeMap<usize, u64> {
        let text = fs::read_to_string(scratch.file("accepted")).unwrap_or_default();
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let pairs = whole.lines().map(|line| line.split_once(' ').unwrap());
        pairs.map(|(run, n)| (run.parse().unwrap(), n.parse().unwrap())).collect()
    };
    for run in 0..10 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "process::a_killed_process_loses_nothing_that_push_accepted", "--nocapture"])
            .env(CHILD, scratch.path())
            .env("RUN", run.to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let start = Instant::now();
        while accepted().get(&run).is_none_or(|n| *n < 137 * (1 + run as u64 % 5)) {
            assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
            assert!(start.elapsed() < Duration::from_secs(30), "run {run}");
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let (handle, source) = open(&scratch.file("journal"), config(64, Overflow::Block));
    let found = told(&drain(&mut probe(&source, None)));
    let mut total = 0;
    for (run, last) in accepted() {
        let samples: Vec<_> = found[&key(run)].iter().filter(|text| text.contains(" is ")).collect();
        assert!(samples.len() as u64 > last, "run {run}: {} of {}", samples.len(), last + 1);
        for (n, text) in samples.iter().enumerate() {
            assert_eq!(**text, format!("{n} is {:?}", &values(run, n as u64, 1)));
        }
        total += last + 1;
    }
    println!("kills=10 accepted={total} lost=0 {:?}", handle.journal().unwrap());
}
