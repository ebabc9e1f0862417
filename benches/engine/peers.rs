//! The engine's own rows of benches/peers: the same work, counted the same way.

use neuraflow::prelude::*;
use serde_json::json;

use crate::latency;
use crate::load::Load;
use crate::source::{Devices, Pace};
use crate::summary::peak;
use crate::work::{DOUBLE, SINGLE};

/// `allocator` is named in the rows: which one the process was started with.
pub fn run(quick: bool, allocator: &str) {
    for work in [SINGLE, DOUBLE] {
        let peer = format!("engine-{}{allocator}", work.name());
        for devices in [1_000, 10_000] {
            let packets = if quick { 600_000 } else { 6_000_000 } / devices as u64;
            let load = Load::headsets(devices, packets);
            let warm_up = packets / 3;
            let source = Devices::new(&load, Pace::Flood, warm_up);
            let (windows, digest) = work.sum(&source);
            let measured = (devices as u64 * (packets - warm_up)) as f64;
            let (cpu, wall) = (source.stopwatch.cpu(), source.stopwatch.wall());
            println!(
                "{}",
                json!({
                    "peer": peer, "mode": "throughput", "devices": devices, "windows": windows, "expected": load.windows(),
                    "windows_per_s": measured / wall.as_secs_f64(), "cpu_ns_per_window": cpu.as_nanos() as f64 / measured,
                    "peak_rss_mb": peak() as f64 / 1024.0, "digest": digest,
                })
            );
        }
        let packets = if quick { 180 } else { 600 };
        let load = Load::headsets(1_000, packets);
        for (mode, workers) in
            [("latency-park", Workers::new(1)), ("latency-spin", Workers::new(1).spinning())]
        {
            let found = latency::paced(&load, work, workers, packets / 3, |pipeline| pipeline);
            println!(
                "{}",
                json!({
                    "peer": peer, "mode": mode, "devices": 1_000, "windows": found.all, "expected": load.windows(),
                    "p50_us": found.p50, "p99_us": found.p99, "p999_us": found.p999,
                    "peak_rss_mb": peak() as f64 / 1024.0, "digest": found.digest,
                })
            );
        }
    }
}
