//! Every figure of docs/reference/performance.md, one JSON object a line.

use std::collections::BTreeMap;
use std::time::Duration;

use neuraflow::prelude::Workers;
use serde_json::json;

use crate::checkpoints::{self, Every};
use crate::latency;
use crate::load::Load;
use crate::plain;
use crate::source::{Devices, Pace, Stopwatch};
use crate::work::{DOUBLE, SINGLE, Work};

/// Runs of each kind; they alternate, and the medians are compared, so that what slows the machine down slows both.
const RUNS: usize = 3;

/// Event time before a stopwatch starts, in packets.
const WARM_UP: u64 = 20;

pub fn run(only: &str) {
    let parts: [(&str, fn()); 6] = [
        ("digest", digests),
        ("overhead", overheads),
        ("realtime", realtime),
        ("density", density),
        ("latency", latencies),
        ("checkpoints", checkpointing),
    ];
    for (name, part) in parts {
        if name.contains(only) {
            part();
        }
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A figure, what it is compared with, and the ratio of the two.
fn print(name: &str, case: &str, value: f64, unit: &str, baseline: Option<f64>) {
    let round = |value: f64| (value * 1e3).round() / 1e3;
    let (baseline, ratio) = (baseline.map(round), baseline.map(|baseline| round(value / baseline)));
    let value = round(value);
    println!(
        "{}",
        json!({ "name": name, "case": case, "value": value, "unit": unit, "baseline": baseline, "ratio": ratio })
    );
}

/// The pipeline computes the same bits as the plain loop, whatever the number of workers.
fn digests() {
    let load = Load::headsets(100, 200);
    for work in [SINGLE, DOUBLE] {
        let (windows, digest) = plain::digest(&load, work);
        for workers in [1, 2] {
            let (piped, found) = work.digest(&Devices::new(&load, Pace::Flood, 0), workers);
            assert_eq!((piped, found.bits()), (windows, digest.bits()), "{} {workers}", work.name());
        }
        println!(
            "{}",
            json!({ "name": "digest", "case": work.name(), "value": format!("{:032x}", digest.bits()), "windows": windows })
        );
    }
}

/// CPU time of the process for each window, against the plain loop's on as many threads.
fn overheads() {
    for work in [SINGLE, DOUBLE] {
        for devices in [1_000, 10_000] {
            let load = Load::headsets(devices, WARM_UP + (4_000_000 / devices as u64).max(100));
            let measured = (load.windows() - devices as u64 * WARM_UP) as f64;
            let per_window = |stopwatch: &Stopwatch| stopwatch.cpu().as_nanos() as f64 / measured;
            let runs = [
                (1, "1 worker", true),
                (2, "2 workers", false),
                (2, "2 workers, devices read where they are computed", true),
            ];
            let (mut plain, mut piped, mut walls) = (BTreeMap::new(), runs.map(|_| Vec::new()), Vec::new());
            for _ in 0..RUNS {
                for threads in [1, 2] {
                    let stopwatch = Stopwatch::default();
                    assert_eq!(
                        plain::run_on_threads(&load, work, WARM_UP, &stopwatch, threads),
                        load.windows()
                    );
                    plain.entry(threads).or_insert_with(Vec::new).push(per_window(&stopwatch));
                }
                for ((workers, _, at_home), piped) in runs.iter().zip(&mut piped) {
                    let source = Devices { at_home: *at_home, ..Devices::new(&load, Pace::Flood, WARM_UP) };
                    assert_eq!(work.run(&source, *workers), load.windows());
                    piped.push(per_window(&source.stopwatch));
                    if *workers == 1 {
                        walls.push(measured / source.stopwatch.wall().as_secs_f64());
                    }
                }
            }
            let name = work.name();
            let plain: BTreeMap<_, _> =
                plain.into_iter().map(|(threads, runs)| (threads, median(runs))).collect();
            for ((workers, case, _), piped) in runs.into_iter().zip(piped) {
                let (case, value) = (format!("{name}, {devices} devices, {case}"), median(piped));
                print("overhead", &case, value, "CPU ns/window", plain.get(&workers).copied());
                print(
                    "throughput",
                    &case,
                    1e3 / value,
                    "M windows/CPU s",
                    plain.get(&workers).map(|plain| 1e3 / plain),
                );
            }
            print(
                "throughput",
                &format!("{name}, {devices} devices, 1 worker, wall"),
                median(walls) / 1e6,
                "M windows/s",
                None,
            );
        }
    }
}

/// Many devices in real time: the share of two cores, whether they kept up, and memory for each device.
fn realtime() {
    for (work, devices) in [(DOUBLE, 100_000), (DOUBLE, 25_000), (SINGLE, 100_000), (SINGLE, 25_000)] {
        realtime_of(work, devices);
    }
}

fn realtime_of(work: Work, devices: usize) {
    let load = Load::headsets(devices, WARM_UP + 100);
    let before = resident();
    let source = Devices::new(&load, Pace::Real { look: Duration::from_millis(1) }, WARM_UP);
    assert_eq!(work.run(&source, 2), load.windows());
    let share = source.stopwatch.cpu().as_secs_f64() / source.stopwatch.wall().as_secs_f64() / 2.0;
    print(
        "realtime",
        &format!("{}, {devices} devices: share of two cores", work.name()),
        share * 100.0,
        "%",
        None,
    );
    let wall = source.stopwatch.wall().as_secs_f64();
    print(
        "realtime",
        &format!("{}, {devices} devices: event time / wall", work.name()),
        5.0 / wall,
        "",
        None,
    );
    // The peak is the process's: the first and largest run tells.
    if before < FIRST {
        let kib = (peak() - before) as f64 / devices as f64;
        print(
            "realtime",
            &format!("{}, {devices} devices: memory", work.name()),
            kib,
            "KiB/device, all in",
            None,
        );
    }
}

/// KiB of memory that a process has before its first large run, at most.
const FIRST: u64 = 64 << 10;

/// 1024 channels at 30 kHz in packets of 1 ms, the band of spikes: one from 1 Hz on is refused in f32 at this rate. Beside it the
/// same work in a plain loop, and what the source itself takes to copy the packets, which is in both.
fn density() {
    let load = Load::new(1, 1024, 30_000, Duration::from_millis(1), 10_200);
    let seconds = (load.packets - DENSE_WARM_UP) as f64 * load.interval.as_secs_f64();
    let share = |stopwatch: &Stopwatch| stopwatch.cpu().as_secs_f64() / seconds * 100.0;
    let stopwatch = Stopwatch::default();
    load.copy_all(DENSE_WARM_UP, &stopwatch);
    print("density", "the source's packets", share(&stopwatch), "% of a core", None);
    for spectral in [false, true] {
        for work in [SINGLE, DOUBLE].map(|work| Work { band: (300.0, 6_000.0), spectral, ..work }) {
            let stopwatch = Stopwatch::default();
            assert_eq!(plain::run(&load, work, DENSE_WARM_UP, &stopwatch, plain::ignore), load.windows());
            let plain = share(&stopwatch);
            // As fast as a device sends them: packets that lie about in numbers leave the caches.
            let source = Devices::new(&load, Pace::Real { look: Duration::ZERO }, DENSE_WARM_UP);
            assert_eq!(work.run(&source, 1), load.windows());
            let what = if spectral { "filter, RMS and spectra" } else { "filter and RMS" };
            let case = format!("{}, {what}", work.name());
            print("density", &case, share(&source.stopwatch), "% of a core", Some(plain));
            let closing = latency::paced(&load, work, Workers::new(1), DENSE_WARM_UP, |pipeline| pipeline);
            for (name, value) in [("p50", closing.p50), ("p99", closing.p99)] {
                let case = format!("{case}, closing packet to sink, {name}, {} windows", closing.windows);
                print("density", &case, value, "µs", None);
            }
        }
    }
}

/// Packets of a dense device before the stopwatch starts.
const DENSE_WARM_UP: u64 = 200;

fn latencies() {
    let parks = Workers::new(1);
    for (work, idle, workers) in [
        (SINGLE, "parks", parks),
        (SINGLE, "spins", parks.spinning()),
        (DOUBLE, "parks", parks),
        (DOUBLE, "spins", parks.spinning()),
    ] {
        let found = latency::paced(&Load::headsets(1_000, 420), work, workers, 20, |pipeline| pipeline);
        for (name, value) in [
            ("p50", found.p50),
            ("p99", found.p99),
            ("p99.9", found.p999),
            ("wait p50", found.wait_p50),
            ("compute p50", found.compute_p50),
            ("output p50", found.output_p50),
        ] {
            let case =
                format!("{}, 1000 devices, worker {idle}, {name}, {} windows", work.name(), found.windows);
            print("latency", &case, value, "µs", None);
        }
    }
}

/// Processor time and latency with checkpoints, against none.
fn checkpointing() {
    for devices in [1_000, 10_000] {
        let mut none = None;
        for every in Every::ALL {
            let cost = checkpoints::cost(DOUBLE, devices, every);
            let case = format!(
                "f64, {devices} devices in real time, {}: {} of {:.0} KiB",
                every.name(),
                cost.committed,
                cost.bytes / 1024.0
            );
            print("checkpoints", &case, cost.share * 100.0, "% of a core", none);
            none.get_or_insert(cost.share * 100.0);
        }
    }
    let mut none = None;
    for every in Every::ALL {
        let found = checkpoints::latency(every);
        let base = *none.get_or_insert([found.p50, found.p99, found.p999]);
        for (name, value, base) in
            [("p50", found.p50, base[0]), ("p99", found.p99, base[1]), ("p99.9", found.p999, base[2])]
        {
            let case = format!("f64, 1000 devices, {}: latency {name}", every.name());
            print("checkpoints", &case, value, "µs", Some(base));
        }
    }
}

fn status(field: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(field)).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().unwrap_or(0)
}

/// KiB of memory now, and at most so far.
fn resident() -> u64 {
    status("VmRSS:")
}

pub fn peak() -> u64 {
    status("VmHWM:")
}
