//! A device with a journal, killed with `kill -9` again and again: every sample that a push has accepted is in the files in
//! the end, once.

#![cfg(target_os = "linux")]

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use neuraflow::checkpoint::Config;
use neuraflow::dataflow::{Checkpointing, Running};
use neuraflow::prelude::*;
use neuraflow::sinks::local::Csv;
use neuraflow::sources::device::{self, DeviceConfig, DeviceHandle, JournalConfig};

const CHILD: &str = "NEURAFLOW_TEST_JOURNALED";
const KILLS: u64 = 12;

/// The device of one process: the next one's is another stream, as if it had been connected anew.
fn header(process: u64) -> StreamHeader {
    let key = StreamKey::of_names("session", &format!("device {process}"));
    let rate = SamplingRate::hz(1_000).unwrap();
    StreamHeader::new(key, format!("device {process}"), rate, vec![Channel::new("C3")])
}

fn start(folder: &Path) -> (DeviceHandle, Running) {
    let config = DeviceConfig { capacity: 4_096, overflow: Overflow::Block, stale_after: None };
    let journal = JournalConfig { segment_bytes: 64 << 10, max_bytes: 8 << 20, ..JournalConfig::default() };
    let (handle, source) = device::journaled(config, folder.join("journal"), journal).unwrap();
    let every = Config::every(Duration::from_millis(500)).unwrap();
    let checkpoints = Checkpointing::in_folder(folder.join("checkpoints")).unwrap().with_config(every);
    let windows = Csv::<Window>::create(folder.join("windows")).unwrap();
    let pipeline = Pipeline::from(source).window(Tumbling::millis(50)).sink(windows);
    let pipeline = pipeline.build().unwrap().checkpoints(checkpoints).unwrap();
    (handle, pipeline.spawn(Workers::new(2)).unwrap())
}

/// The child: pushes until it is killed, and writes down what was accepted.
fn push_until_killed(folder: &Path, process: u64) {
    let (handle, running) = start(folder);
    let mut log = fs::OpenOptions::new().create(true).append(true).open(folder.join("accepted")).unwrap();
    let header = header(process);
    handle.open(header.clone()).unwrap();
    for first in (0..).step_by(5) {
        assert!(!running.is_finished());
        let values: Vec<f32> = (first..first + 5).map(|n| n as f32).collect();
        handle.push(&header.key, first, &values).unwrap();
        // In one write: a kill between two would leave half a line, which the next process would go on with.
        log.write_all(format!("{process} {}\n", first + 5).as_bytes()).unwrap();
        std::thread::park_timeout(Duration::from_micros(200));
    }
}

/// How many samples of each process a push has accepted.
fn accepted(folder: &Path) -> BTreeMap<u64, u64> {
    let text = fs::read_to_string(folder.join("accepted")).unwrap_or_default();
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let pairs = whole.lines().map(|line| line.split_once(' ').unwrap());
    pairs.map(|(process, samples)| (process.parse().unwrap(), samples.parse().unwrap())).collect()
}

#[test]
fn every_accepted_sample_is_in_the_files_once() {
    if let Some(folder) = std::env::var_os(CHILD) {
        push_until_killed(Path::new(&folder), std::env::var("PROCESS").unwrap().parse().unwrap());
        return;
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("journaled-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    for process in 0..KILLS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "every_accepted_sample_is_in_the_files_once", "--nocapture"])
            .env(CHILD, &folder)
            .env("PROCESS", process.to_string())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        // Some live for less than a checkpoint, some for several.
        let (begin, enough) = (Instant::now(), 500 + 1_700 * (process * 7 % 5));
        while accepted(&folder).get(&process).is_none_or(|samples| *samples < enough) {
            assert!(child.try_wait().unwrap().is_none(), "process {process} ended by itself");
            assert!(begin.elapsed() < Duration::from_secs(60), "process {process}");
            std::thread::sleep(Duration::from_millis(5));
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    // Nobody is killed any more, and no device comes.
    let (handle, running) = start(&folder);
    let stats = handle.journal().unwrap();
    drop(handle);
    let report = running.join().unwrap();
    assert!(report.balances());

    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder.join("windows")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let process: u64 = name.trim_start_matches("device_").split('-').next().unwrap().parse().unwrap();
        files.insert(process, fs::read_to_string(path).unwrap());
    }
    let (mut total, mut duplicates, mut missing) = (0, 0, 0);
    for (process, samples) in accepted(&folder) {
        let mut seen = BTreeMap::<u64, u32>::new();
        for line in files[&process].lines().skip(1) {
            let (time, value) = (line.split(',').next().unwrap(), line.rsplit(',').next().unwrap());
            if value != "NaN" {
                let n = value.parse::<f32>().unwrap() as u64;
                assert_eq!(time, format!("{}.{:03}000000", n / 1_000, n % 1_000), "{line}");
                *seen.entry(n).or_default() += 1;
            }
        }
        duplicates += seen.values().filter(|count| **count > 1).count();
        missing += (0..samples).filter(|n| !seen.contains_key(n)).count();
        total += samples;
    }
    println!("kills={KILLS} accepted={total} missing={missing} duplicates={duplicates} {stats:?}");
    assert_eq!((missing, duplicates), (0, 0));
    fs::remove_dir_all(folder).unwrap();
}
