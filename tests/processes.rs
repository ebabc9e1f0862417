//! The example `processes` in both modes, with a process killed by `kill -9` in each, against one process that nothing happens to.

#![cfg(target_os = "linux")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use neuraflow::prelude::*;
use neuraflow::sinks::local::Csv;

#[path = "support/example.rs"]
mod example;
use example::Example;

const STREAMS: usize = 12;
const SECONDS: f64 = 30.0;

type Files = BTreeMap<String, Vec<u8>>;

fn files(folder: &Path, into: &mut Files) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "csv") {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            assert_eq!(into.insert(name, fs::read(&path).unwrap()), None, "two processes wrote one stream");
        }
    }
}

fn expected(folder: &Path) -> Files {
    let source = Synthetic::new(8, SamplingRate::hz(250).unwrap()).streams(STREAMS).seconds(SECONDS);
    let graph =
        Pipeline::from(source).stage(|| Butterworth::bandpass(4, 1.0..40.0)).window(Tumbling::millis(50));
    graph.feature(Rms::new).sink(Csv::create(folder).unwrap()).build().unwrap().run().unwrap();
    let mut expected = Files::new();
    files(folder, &mut expected);
    assert_eq!(expected.len(), STREAMS);
    expected
}

fn example(mode: &str, folder: &Path) -> Child {
    Example("processes")
        .command()
        .args(["--mode", mode, "--speed", "x10", "--seconds", &SECONDS.to_string()])
        .args(["--streams", &STREAMS.to_string(), "--folder"])
        .arg(folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Runs the example and kills its process 1 as soon as `when` says so. What it has said on either stream.
fn killed(mode: &str, folder: &Path, when: impl Fn() -> bool) -> (Vec<String>, String) {
    let mut parent = example(mode, folder);
    let (mut said, mut lines) = (Vec::new(), BufReader::new(parent.stdout.take().unwrap()).lines());
    let victim = loop {
        let line = lines.next().expect("it starts two processes").unwrap();
        let victim = line.strip_prefix("process 1 runs as ").map(str::to_owned);
        said.push(line);
        if let Some(victim) = victim {
            break victim;
        }
    };
    let deadline = Instant::now() + Duration::from_secs(20);
    while !when() {
        assert!(Instant::now() < deadline, "it does not come to the point where it is to be killed");
        std::thread::sleep(Duration::from_millis(2));
    }
    assert!(Command::new("kill").args(["-9", &victim]).status().unwrap().success());
    said.extend(lines.map(Result::unwrap));
    let mut complaints = String::new();
    parent.stderr.take().unwrap().read_to_string(&mut complaints).unwrap();
    assert!(parent.wait().unwrap().success(), "{said:#?}\n{complaints}");
    (said, complaints)
}

fn place(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn found(folder: &Path) -> Files {
    let mut found = Files::new();
    (0..2).for_each(|process| files(&folder.join(format!("process-{process}/rms")), &mut found));
    found
}

fn same(found: &Files, expected: &Files) {
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    let differ: Vec<_> =
        expected.iter().filter(|(name, bytes)| found[*name] != **bytes).map(|(name, _)| name).collect();
    assert!(differ.is_empty(), "{differ:?}");
}

/// Whether a process keeps a checkpoint, and not only the first of all.
fn has_checkpoint(folder: &Path, process: usize) -> bool {
    let files = fs::read_dir(folder.join(format!("process-{process}/checkpoints")));
    let files = files.into_iter().flatten().flatten();
    files.filter(|file| file.file_name().to_string_lossy().contains("manifest")).count() > 1
}

#[test]
fn a_partition_that_is_killed_goes_on_and_the_other_does_not_notice() {
    let folder = place("processes-partitions");
    let (said, _) = killed("partitions", &folder, || has_checkpoint(&folder, 1));
    let count = |what: &str| said.iter().filter(|line| line.contains(what)).count();
    assert_eq!(count("process 1 ended (signal: 9 (SIGKILL)): it is started again"), 1, "{said:#?}");
    assert_eq!((count("process 0 runs as"), count("process 1 runs as")), (1, 2), "{said:#?}");
    assert_eq!((count("process 0: 3600 windows of 6 streams since the beginning")), 1, "{said:#?}");
    assert_eq!(count("of 6 streams since checkpoint"), 1, "{said:#?}");
    same(&found(&folder), &expected(&folder.join("expected")));
}

#[test]
fn a_cluster_that_loses_a_process_fails_as_a_whole_and_goes_on_from_its_checkpoint() {
    let folder = place("processes-cluster");
    let (said, complaints) = killed("cluster", &folder, || has_checkpoint(&folder, 0));
    let count = |what: &str| said.iter().filter(|line| line.contains(what)).count();
    assert_eq!(count("ended"), 1, "{said:#?}");
    assert_eq!((count("process 0 runs as"), count("process 1 runs as")), (2, 2), "{said:#?}");
    assert_eq!((count("since checkpoint"), count("since the beginning")), (2, 0), "{said:#?}");
    assert!(complaints.contains("process 1 at") && complaints.contains("was lost"), "{complaints}");
    assert!(!complaints.contains("panicked"), "{complaints}");
    assert!(!folder.join("process-1/checkpoints").exists(), "process 0 keeps those of both");
    same(&found(&folder), &expected(&folder.join("expected")));
}
