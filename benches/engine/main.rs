//! What the engine costs beside the work itself: the same packets through a plain loop over the window core, and through
//! a pipeline. The ratio of the two is the figure to look at.
//!
//! `cargo bench --bench engine` for a quick look, `cargo bench --bench engine -- --summary` for all figures of
//! docs/reference/performance.md, one JSON object a line (a word after it chooses: digest, overhead, …).

#![allow(clippy::unwrap_used, clippy::panic)]

mod checkpoints;
mod latency;
mod load;
mod peers;
mod plain;
mod source;
mod summary;
mod work;

use criterion::{Criterion, Throughput};

use load::Load;
use source::{Devices, Pace, Stopwatch};
use work::{DOUBLE, SINGLE};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "--summary") {
        return summary::run(
            arguments.get(at + 1).filter(|next| *next != "--bench").map_or("", String::as_str),
        );
    }
    if let Some(at) = arguments.iter().position(|argument| argument == "--count") {
        return count(&arguments[at + 1]);
    }
    let has = |wanted: &str| arguments.iter().any(|argument| argument == wanted);
    if has("--peers") {
        return peers::run(has("--quick"), if has("--jemalloc") { "-jemalloc" } else { "" });
    }
    let mut criterion = Criterion::default().configure_from_args();
    let load = Load::headsets(100, 160);
    let plain = || plain::run(&load, DOUBLE, 0, &Stopwatch::default(), plain::ignore);
    let piped = || DOUBLE.run(&Devices::new(&load, Pace::Flood, 0), 1);
    assert_eq!((plain(), piped()), (load.windows(), load.windows()));
    let mut group = criterion.benchmark_group("engine");
    group.throughput(Throughput::Elements(load.windows()));
    group.bench_function("plain loop", |bench| bench.iter(plain));
    group.bench_function("pipeline on 1 worker", |bench| bench.iter(piped));
    group.finish();
    criterion.final_summary();
}

/// One fixed run, whose instructions scripts/instructions counts.
fn count(case: &str) {
    let load = Load::headsets(50, 400);
    let work = if case.ends_with("f32") { SINGLE } else { DOUBLE };
    let windows = match case {
        "plain-f32" | "plain-f64" => plain::run(&load, work, 0, &Stopwatch::default(), plain::ignore),
        "pipeline-f32" | "pipeline-f64" => work.run(&Devices::new(&load, Pace::Flood, 0), 1),
        other => panic!("expected plain or pipeline and -f32 or -f64, found {other}"),
    };
    assert_eq!(windows, load.windows());
}
