//! What the engine costs beside the work itself: the same packets through a plain loop over the window core, and through
//! a pipeline. The ratio of the two is the figure to look at.
//!
//! `cargo bench --bench engine` for a quick look, `cargo bench --bench engine -- --summary` for all figures of
//! docs/reference/performance.md, one JSON object a line.

#![allow(clippy::unwrap_used, clippy::panic)]

mod load;
mod plain;
mod summary;
mod work;

use std::sync::Arc;

use criterion::{Criterion, Throughput};

use load::{Flood, Load, Stopwatch};
use work::Work;

fn main() {
    if std::env::args().any(|argument| argument == "--summary") {
        return summary::run();
    }
    let mut criterion = Criterion::default().configure_from_args();
    let load = Load::new(100, 8, 250, 20, 160);
    let flood = Flood { load: load.clone(), warm_up: 0, stopwatch: Arc::new(Stopwatch::default()) };
    let windows = load.windows();
    assert_eq!((plain::run(&load, Work::Double, 0).0, Work::Double.run(&flood, 1).0), (windows, windows));
    let mut group = criterion.benchmark_group("engine");
    group.throughput(Throughput::Elements(windows));
    group.bench_function("plain loop", |bench| bench.iter(|| plain::run(&load, Work::Double, 0)));
    group.bench_function("pipeline on 1 worker", |bench| bench.iter(|| Work::Double.run(&flood, 1)));
    group.finish();
    criterion.final_summary();
}
