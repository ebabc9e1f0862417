//! The example `live` where something in its way would block or end it: pipes among its files, and Ctrl-C at any time.

#![cfg(target_os = "linux")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

#[path = "support/example.rs"]
mod example;
use example::Example;

const LIVE: Example = Example("live");

fn place(name: &str) -> PathBuf {
    let place = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&place);
    fs::create_dir_all(&place).unwrap();
    place
}

fn pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[test]
fn a_pipe_in_the_place_of_a_file_is_refused_in_one_line() {
    let place = place("live-pipes");
    let out = place.join("out");
    let run = |arguments: &[&str]| {
        let output =
            LIVE.command().args(["--seconds", "2", "--listen", "off"]).args(arguments).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let out_at = ["--out", out.to_str().unwrap()];
    assert_eq!(run(&out_at), (Some(0), String::new()));
    let file = fs::read_dir(out.join("flags")).unwrap().next().unwrap().unwrap().path();
    fs::remove_file(&file).unwrap();
    pipe(&file);
    let report = place.join("report.html");
    pipe(&report);
    for (arguments, named) in [(out_at, &file), (["--report", report.to_str().unwrap()], &report)] {
        let (code, stderr) = run(&arguments);
        assert_eq!((code, stderr.lines().count()), (Some(1), 1), "{stderr}");
        assert!(
            stderr.contains(named.to_str().unwrap()) && stderr.contains("not a regular file"),
            "{stderr}"
        );
    }
}

/// A line of `/proc/<pid>/status`, after its name.
fn status<'a>(status: &'a str, name: &str) -> &'a str {
    status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("").trim()
}

#[test]
fn an_interrupt_before_the_pipeline_runs_ends_in_a_summary() {
    // So many streams that checking the graph takes longer than seeing that somebody listens.
    let mut command = LIVE.command();
    command.args(["--synthetic", "1@250x100000", "--speed", "real", "--listen", "off", "--json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let threads = loop {
        let now = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        let caught = u64::from_str_radix(status(&now, "SigCgt:"), 16).unwrap_or(0);
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        if caught & 1 << 1 != 0 {
            break status(&now, "Threads:").parse::<u32>().unwrap();
        }
        std::thread::yield_now();
    };
    let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let stdout = String::from_utf8(output.stdout).unwrap();
    let summary: Value = serde_json::from_str(stdout.lines().last().unwrap_or("")).unwrap();
    assert!(summary["samples_in"].is_u64(), "{summary}");
    assert!(threads <= 2, "nobody listened before the workers ran: {threads} threads");
}
