//! The example `supervisor`: an operator that hangs and one that panics, and files with the same bytes as without.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Output;

#[path = "support/example.rs"]
mod example;
use example::Example;

/// The program's results, and what it said.
fn run(name: &str, mishaps: &[&str]) -> (BTreeMap<String, Vec<u8>>, String) {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("supervisor").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let Output { status, stdout, stderr } = Example("supervisor")
        .command()
        .arg("--folder")
        .arg(&folder)
        .args(["--seconds", "8", "--speed", "x4", "--watchdog-ms", "2000"])
        .args(mishaps)
        // A panic that prints its backtrace keeps the worker for as long as the symbols take to read, on a busy machine
        // longer than the watchdog's patience: it would be taken for a hang.
        .env("RUST_BACKTRACE", "0")
        .output()
        .unwrap();
    let said = [stdout, stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    assert!(status.success(), "{said}");
    let files = fs::read_dir(folder.join("rms")).unwrap().map(|entry| entry.unwrap().path());
    let files =
        files.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap()));
    (files.collect(), said)
}

#[test]
fn a_hang_and_a_panic_leave_no_trace_in_the_files() {
    let (expected, said) = run("calm", &[]);
    let rows: usize = expected.values().map(|file| file.iter().filter(|byte| **byte == b'\n').count()).sum();
    assert_eq!(rows, 1 + 8 * 20, "a header, and each window of 50 ms");
    assert!(said.contains("160 windows since the beginning; restarts in this process: 0"), "{said}");

    let (found, said) = run("hung", &["--hang-at", "6"]);
    assert_eq!(said.matches("supervisor: exit status: 70; a new process").count(), 1, "{said}");
    assert!(said.contains("worker 0 hangs") && said.contains("since checkpoint"), "{said}");
    assert!(found == expected, "the files differ after a hang: {said}");

    let (found, said) = run("panicked", &["--panic-at", "6"]);
    assert!(said.contains("restarts in this process: 1") && said.contains("since checkpoint"), "{said}");
    assert!(!said.contains("a new process"), "none was needed: {said}");
    assert!(found == expected, "the files differ after a panic: {said}");

    let (found, said) = run("both", &["--panic-at", "4", "--hang-at", "6"]);
    assert!(said.contains("a bug, on purpose") && said.contains("exit status: 70"), "{said}");
    assert!(found == expected, "the files differ after both: {said}");
}
