//! How an outbox is kept, and how it hands on.

use std::time::Duration;

use neuraflow_core::resilience::{Backoff, BreakerConfig};
use neuraflow_core::sink::SinkError;

use super::NAME;

/// How an outbox is kept, and how it hands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutboxConfig {
    /// Bytes that may wait on the disk. Beyond them the pipeline is held back: its sources pause, a device does what its
    /// policy says.
    pub max_bytes: u64,
    /// Bytes after which a new file is begun. Files are removed whole.
    pub segment_bytes: u64,
    /// Items that are handed on in one write, at most.
    pub batch: usize,
    /// Bytes of items after which no more are gathered for a round of writes, however few they are. The next round is gathered while one is
    /// written, and as many bytes of what was written last need not be read from the disk: three times so many may be in memory.
    pub round_bytes: usize,
    /// Writes at the same time, at most, each through a writer of its own: one more whenever all went well and more waits, half
    /// as many when one fails or is slow. The items of a stream are never in two of them. 1 for a sink that can be opened once.
    pub concurrency: usize,
    /// Bytes that are kept of what is refused for good. Beyond them nothing more is handed on, and nothing is thrown away.
    pub max_refused_bytes: u64,
    /// How long to wait before what failed is tried again.
    pub retry: Backoff,
    /// When the sink behind is left alone for a while.
    pub breaker: BreakerConfig,
    /// How long the end of the pipeline waits for what is not handed on yet. What is left stays on the disk.
    pub linger: Duration,
    /// The seed of the jitter.
    pub seed: u64,
}

impl Default for OutboxConfig {
    /// A gigabyte in files of 16 MiB, up to four times 1,024 items and 16 MiB at a time, tried again after 50 ms to 5 s, up to 15 s at
    /// the end; 64 MiB of what is refused.
    fn default() -> Self {
        Self {
            max_bytes: 1 << 30,
            segment_bytes: 16 << 20,
            batch: 1_024,
            round_bytes: 16 << 20,
            concurrency: 4,
            max_refused_bytes: 64 << 20,
            retry: Backoff::new(Duration::from_millis(50), Duration::from_secs(5)),
            breaker: BreakerConfig::default(),
            linger: Duration::from_secs(15),
            seed: u64::from(std::process::id()),
        }
    }
}

impl OutboxConfig {
    pub(super) fn check(&self) -> Result<(), SinkError> {
        let wrong = |what, expected: &str, found: u64| {
            Err(SinkError::Layout {
                sink: NAME.into(),
                what,
                expected: expected.into(),
                found: found.to_string(),
            })
        };
        if !(4 << 10..=256 << 20).contains(&self.segment_bytes) {
            return wrong("segment_bytes", "4 KiB to 256 MiB", self.segment_bytes);
        }
        if self.max_bytes < 2 * self.segment_bytes {
            return wrong("max_bytes", "at least two segments", self.max_bytes);
        }
        if self.batch == 0 {
            return wrong("batch", "at least 1 item", 0);
        }
        if self.round_bytes == 0 {
            return wrong("round_bytes", "at least 1 byte", 0);
        }
        if !(1..=64).contains(&self.concurrency) {
            return wrong("concurrency", "1 to 64 writes", self.concurrency as u64);
        }
        Ok(())
    }
}
