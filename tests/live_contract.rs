//! The contract of the example `live`, checked from outside: the real program on real recordings and synthetic headsets.

use std::net::TcpListener;
use std::path::Path;
use std::process::Output;

use neuraflow::testing::data::recording;
use serde_json::Value;

#[path = "support/example.rs"]
mod example;
use example::Example;

const LIVE: Example = Example("live");

fn run(arguments: &[&str]) -> Output {
    LIVE.command().args(arguments).output().unwrap()
}

/// The JSON object that a run with these arguments ends with, after what always holds was checked.
fn summary(arguments: &[&str]) -> Value {
    let output = run(&[arguments, &["--json"]].concat());
    let stdout = String::from_utf8(output.stdout).unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {stderr}\n{stdout}");
    let json: Value = serde_json::from_str(stdout.lines().last().unwrap_or("")).unwrap();
    let places = ["windowed", "late", "duplicate", "rejected", "dropped"];
    let placed: u64 = places.iter().map(|place| of(&json, &format!("samples_{place}"))).sum();
    assert_eq!(of(&json, "samples_in"), placed, "{arguments:?}: {json}");
    let windows: u64 =
        ["complete", "gap", "partial"].iter().map(|s| of(&json, &format!("windows_{s}"))).sum();
    assert_eq!(of(&json, "windows"), windows, "{arguments:?}: {json}");
    for field in
        ["latency_us", "latency_contract", "wall_s", "version", "streams", "features_warmup", "samples_lost"]
    {
        assert!(!json[field].is_null(), "{field} is missing: {json}");
    }
    json
}

fn of(json: &Value, field: &str) -> u64 {
    json[field].as_u64().unwrap_or_else(|| panic!("{field} is no count in {json}"))
}

#[test]
fn a_real_recording_is_windowed_exactly_and_the_same_way_however_it_is_run() {
    let Some(file) = recording("edf/S001R04.edf") else { return };
    let file = file.to_str().unwrap();
    let first = summary(&["--recording", file, "--speed", "max"]);
    let counts = ["samples_in", "windows", "windows_complete", "markers"].map(|field| of(&first, field));
    assert_eq!(counts, [20_000, 2_500, 2_500, 30]);
    assert_eq!((of(&first, "channels"), first["sampling_rate"].as_f64()), (64, Some(160.0)));
    assert_eq!(
        of(&first["windows_flagged"], "flat"),
        10,
        "the recording ends in 80 zeros: {}",
        first["windows_flagged"]
    );
    assert_eq!(of(&first, "features_warmup"), warm_up_windows(&first), "{first}");
    let variants: [&[&str]; 9] = [
        &["--workers", "2"],
        &["--workers", "3"],
        &["--packet", "1"],
        &["--packet", "7"],
        &["--packet", "13"],
        &["--packet", "64"],
        &["--packet", "160"],
        &["--speed", "x20"],
        &["--workers", "3", "--packet", "13"],
    ];
    for variant in variants {
        let again = summary(&[&["--recording", file], variant].concat());
        assert_eq!(again["output_digest"], first["output_digest"], "{variant:?}");
    }
}

/// Windows that end before everything ahead of them has settled; the filter says how long that takes.
fn warm_up_windows(json: &Value) -> u64 {
    let warm_up = of(json, "features_warmup");
    let look_back = json["latency_contract"]["lookback_ms"].as_f64().unwrap() as u64;
    assert!(warm_up >= look_back / 50 && warm_up < 2_500 / 10, "{warm_up} windows of warm-up");
    warm_up
}

#[test]
fn faults_are_accounted_for_alike_on_any_number_of_workers() {
    let arguments = |workers| {
        let faulty =
            "--synthetic 8@250x16 --faults gap,duplicate,dropout,wrap --seed 7 --seconds 60 --workers ";
        format!("{faulty}{workers}")
    };
    let runs = ["1", "2", "3"].map(|workers| summary(&arguments(workers).split(' ').collect::<Vec<_>>()));
    for field in ["samples_lost", "samples_duplicate", "windows_gap"] {
        assert!(of(&runs[0], field) > 0, "{field}: the faults left no trace");
    }
    for run in &runs[1..] {
        for field in [
            "output_digest",
            "samples_in",
            "samples_lost",
            "samples_duplicate",
            "windows",
            "windows_gap",
            "streams",
        ] {
            assert_eq!(run[field], runs[0][field], "{field}");
        }
    }
}

#[test]
fn a_minute_is_1200_windows_at_any_rate() {
    for headset in ["8@250x16", "4@256", "3@160", "2@512", "1@12.8", "2@19531.25"] {
        let faultless = [
            "--synthetic",
            headset,
            "--seed",
            "7",
            "--seconds",
            "60",
            "--bandpass",
            "1-4",
            "--bands",
            "delta=1-4",
        ];
        let json = summary(&faultless);
        for stream in json["streams"].as_array().unwrap() {
            assert_eq!(
                (of(stream, "windows"), of(stream, "windows_complete")),
                (1_200, 1_200),
                "{headset}: {stream}"
            );
        }
    }
}

#[test]
fn alpha_is_stronger_with_the_eyes_closed() {
    let (Some(open), Some(closed)) = (recording("edf/S001R01.edf"), recording("edf/S001R02_first60s.edf"))
    else {
        return;
    };
    let power = |path: &Path| summary(&["--recording", path.to_str().unwrap()])["band_power"].clone();
    let (open, closed) = (power(&open), power(&closed));
    for channel in ["O1", "Oz", "O2"] {
        let ratio = closed[channel]["alpha"].as_f64().unwrap() / open[channel]["alpha"].as_f64().unwrap();
        println!("{channel}: alpha with eyes closed is {ratio:.2} times that with eyes open");
        assert!(ratio >= 8.0, "{channel}: {ratio}");
    }
}

#[test]
fn every_malformed_recording_gives_one_clear_line_or_a_run_that_adds_up() {
    let Some(folder) = recording("malformed") else { return };
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert_eq!(files.len(), 31);
    for file in files {
        let name = file.file_name().unwrap().to_str().unwrap();
        let output = run(&["--recording", file.to_str().unwrap(), "--json", "--bandpass", "1-30"]);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(!stderr.contains("panicked"), "{name}: {stderr}");
        if output.status.success() {
            println!("{name}: recovered; {}", stderr.trim());
        } else {
            assert_eq!(output.status.code(), Some(1), "{name}: {stderr}");
            assert_eq!(stderr.trim().lines().count(), 1, "{name}: {stderr}");
            assert!(stderr.contains(name), "{name} is not named: {stderr}");
            println!("{}", stderr.trim());
        }
    }
}

#[test]
fn wrong_values_and_places_are_refused_in_one_line() {
    let cases: [(&[&str], &str); 16] = [
        (&["--speed", "fast"], "speed"),
        (&["--synthetic", "8x250"], "CHANNELS@RATE"),
        (&["--synthetic", "8@-250", "--seconds", "1"], "sampling rate"),
        (&["--bandpass", "40-1"], "LO-HI"),
        (&["--bandpass", "1-200", "--seconds", "1"], "Nyquist"),
        (&["--bands", "alpha=8.2-8.4", "--seconds", "1"], "alpha"),
        (&["--bands", "a=8-13,a=13-30", "--seconds", "1"], "another name"),
        (&["--bands", "=8-13", "--seconds", "1"], "name"),
        (&["--notch", "55"], "[possible values: 50, 60, off]"),
        (&["--recording"], "--recording"),
        (&["--faults", "gap,meteor", "--seconds", "1"], "meteor"),
        (&["--workers", "0"], "workers"),
        (&["--packet", "0"], "packet"),
        (&["--recording", "no-such-file.edf"], "no-such-file.edf"),
        (&["--recording", "/"], "/"),
        (&["--seconds", "1", "--out", "/proc/no-such-place"], "/proc/no-such-place"),
    ];
    for (arguments, named) in cases {
        let output = run(arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{arguments:?} was accepted");
        assert!(stderr.contains(named), "{arguments:?}: expected {named} to be named: {stderr}");
        assert!(!stderr.contains("panicked"), "{arguments:?}: {stderr}");
        assert_eq!(stderr.trim().lines().count(), 1, "{arguments:?}: {stderr}");
    }
}

#[test]
fn a_summary_that_nobody_can_read_is_an_error_in_one_line() {
    let Ok(full) = std::fs::OpenOptions::new().write(true).open("/dev/full") else { return };
    let output =
        LIVE.command().args(["--seconds", "1", "--listen", "off", "--json"]).stdout(full).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.starts_with("live: cannot print the summary"), "{stderr}");
    assert_eq!(stderr.trim().lines().count(), 1, "{stderr}");
}

#[test]
fn a_report_holds_the_numbers_and_how_to_repeat_them() {
    let page = std::env::temp_dir().join(format!("neuraflow-live-report-{}.html", std::process::id()));
    let path = page.to_str().unwrap();
    let json = summary(&["--synthetic", "3@250", "--seed", "42", "--seconds", "6", "--report", path]);
    let html = std::fs::read_to_string(&page).unwrap();
    std::fs::remove_file(&page).unwrap();
    assert_eq!(of(&json, "windows"), 120);
    for expected in ["3@250", "42", "bandpass", "1-40", "delta=1-4,theta=4-8,alpha=8-13,beta=13-30", "<svg"] {
        assert!(html.contains(expected), "{expected} is not in the report");
    }
    assert!(
        !html.contains("http://") || html.contains("http://www.w3.org"),
        "the page needs nothing from outside"
    );
    let refused = run(&["--seconds", "1", "--report", "/no/such/folder/report.html"]);
    assert!(!refused.status.success());
    let stderr = String::from_utf8_lossy(&refused.stderr);
    assert!(stderr.contains("/no/such/folder"), "{stderr}");
}

#[test]
fn an_address_that_is_taken_is_refused_if_it_was_asked_for() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    LIVE.refuses(&["--seconds", "1", "--listen", &address], "choose another address");
    // The default is taken by this test, or by another run, which may end before this one begins.
    let run = |_| {
        let _taken = TcpListener::bind("127.0.0.1:8787");
        let output = run(&["--seconds", "1", "--json"]);
        assert!(output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let stderr = (0..20).map(run).find(|stderr| stderr.contains("127.0.0.1:8787 is taken")).unwrap();
    assert!(stderr.contains("the live page is at http://127.0.0.1:"), "{stderr}");
}

#[test]
fn the_address_that_is_told_is_one_that_a_browser_can_ask_for() {
    let output = run(&["--seconds", "1", "--listen", "0.0.0.0:0", "--json"]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    assert!(
        stderr.contains("the live page is at http://127.0.0.1:") && !stderr.contains("0.0.0.0"),
        "{stderr}"
    );
    let refused = run(&["--seconds", "1", "--listen", "localhost:8787"]);
    let stderr = String::from_utf8_lossy(&refused.stderr);
    assert!(stderr.contains("expected an IP address and a port, such as 127.0.0.1:8787"), "{stderr}");
}
