//! The outbox: whatever befalls the sink behind, the process or the files, everything arrives, in order, and nothing else.

#![allow(clippy::unwrap_used, clippy::panic)] // helpers outside #[test]

#[path = "../support/mod.rs"]
mod support;
#[path = "../../../../tests/support/until.rs"]
mod until;

mod ahead;
mod files;
mod lives;
mod outage;
mod refused;
mod side_by_side;
mod table;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use neuraflow_core::model::{Channel, Features, Positions};
use neuraflow_core::resilience::{Backoff, BreakerConfig};
use neuraflow_core::sink::{Sink, SinkContext};
use neuraflow_sinks::layer::{Outbox, OutboxConfig, OutboxWriter};
use table::Table;
use until::until;

fn row(index: i64) -> Features {
    row_of(index, 1)
}

/// The same, of one of so many streams, which take turns.
fn row_of(index: i64, streams: i64) -> Features {
    let header = support::header(&format!("device {}", index % streams), vec![Channel::new("Cz")]);
    support::features(support::info(header, index), &["p"], vec![index as f64 / 3.0])
}

fn hurried() -> OutboxConfig {
    OutboxConfig {
        max_bytes: 64 << 10,
        segment_bytes: 4 << 10,
        batch: 7,
        round_bytes: 16 << 10,
        retry: Backoff::new(Duration::ZERO, Duration::ZERO),
        breaker: BreakerConfig {
            open: Backoff::new(Duration::from_millis(1), Duration::from_millis(2)),
            ..BreakerConfig::default()
        },
        linger: Duration::from_secs(60),
        ..OutboxConfig::default()
    }
}

fn open(table: &Table, dir: &Path, from: Option<Positions>) -> OutboxWriter<Table> {
    let context = SinkContext { from, ..SinkContext::default() };
    Outbox::new(table.clone(), dir, hurried()).unwrap().open(&context).unwrap()
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let all = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        all.filter(|path| path.extension().is_some_and(|e| e == "outbox")).collect();
    files.sort();
    files
}

/// Panics of the table are part of the test.
fn quietly(run: impl FnOnce()) {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if info.payload_as_str().is_none_or(|said| said != "as told") {
            before(info);
        }
    }));
    run();
}
