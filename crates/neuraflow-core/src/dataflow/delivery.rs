//! Delivery: a sink's writer, and the tally of what it did.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::error::PipelineError;
use super::report::LatencyHistogram;
use super::shared::Shared;
use crate::model::{Positions, Recovery};
use crate::operator::Item;
use crate::sink::{SinkError, SinkWriter};

/// What became of a sink's items, on all workers together. Read while the pipeline runs.
#[derive(Default)]
pub(super) struct Tally(Mutex<Counts>);

#[derive(Clone, Default)]
pub(super) struct Counts {
    pub(super) written: u64,
    pub(super) skipped: u64,
    /// From the end of an activation to the sink having taken what it computed.
    pub(super) output: LatencyHistogram,
    /// From arrival of the packet that closed an item's window to the sink having taken it.
    pub(super) total: LatencyHistogram,
}

impl Tally {
    pub(super) fn counts(&self) -> Counts {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes batches, and keeps the tally.
pub(super) struct Delivery<W> {
    writer: W,
    shared: Arc<Shared>,
    tally: Arc<Tally>,
    /// Arrivals of a batch's items, and how many following each other have the same.
    arrivals: Vec<(u64, u64)>,
    failed: bool,
}

impl<T: Item, W: SinkWriter<Item = T>> Delivery<W> {
    pub(super) fn new(writer: W, shared: Arc<Shared>, tally: Arc<Tally>) -> Self {
        Self { writer, shared, tally, arrivals: Vec::new(), failed: false }
    }

    pub(super) fn has_failed(&self) -> bool {
        self.failed
    }

    /// Writes items that left the operators at `flushed`, in nanoseconds of the pipeline's clock.
    pub(super) fn write(&mut self, items: &mut Vec<T>, flushed: u64) {
        let offered = items.len();
        if self.failed {
            self.tally.lock().skipped += offered as u64;
            items.clear();
            return;
        }
        self.arrivals.clear();
        for info in items.iter().filter_map(|item| item.info()) {
            match self.arrivals.last_mut() {
                Some((arrival, count)) if *arrival == info.arrival => *count += 1,
                _ => self.arrivals.push((info.arrival, 1)),
            }
        }
        let (mut tries, mut skipped, mut failure) = (0, 0, None);
        self.failed = true; // for as long as the writer is at it: if it panics, it is not asked for anything again
        while let Err(error) = self.writer.write(items) {
            tries += 1;
            match error.recovery() {
                Recovery::Retry if tries < 3 && !items.is_empty() => continue,
                Recovery::Skip | Recovery::Reset => {
                    tracing::warn!(%error, "items left out");
                    skipped = 1; // at least
                }
                Recovery::Retry | Recovery::Stop => failure = Some(error),
            }
            break;
        }
        self.failed = false;
        if let Some(error) = failure {
            self.fail(error);
        }
        // Whatever a writer leaves behind, or even adds: an item is written or skipped, never both.
        let skipped = items.len().max(skipped).min(offered);
        let written = offered - skipped;
        items.clear();
        let now = self.shared.clock.now();
        let mut counts = self.tally.lock();
        counts.written += written as u64;
        counts.skipped += skipped as u64;
        for (arrival, count) in &self.arrivals {
            counts.output.record_many(now.saturating_sub(flushed), *count);
            counts.total.record_many(now.saturating_sub(*arrival), *count);
        }
    }

    /// Everything before the checkpoint's cut was written: what the writer has made durable, if it could.
    pub(super) fn barrier(&mut self, checkpoint: u64) -> Option<Positions> {
        if self.failed {
            return None;
        }
        for _ in 0..3 {
            self.failed = true; // as in `write`
            let answer = self.writer.barrier(checkpoint);
            self.failed = false;
            match answer {
                Ok(positions) => return Some(positions),
                Err(error) => match error.recovery() {
                    Recovery::Retry => {}
                    Recovery::Skip | Recovery::Reset => {
                        tracing::warn!(%error, checkpoint, "a sink is left out of a checkpoint");
                        return None;
                    }
                    // What a disk did not take is gone: going on would pile up what no checkpoint can vouch for.
                    Recovery::Stop => {
                        self.fail(error);
                        return None;
                    }
                },
            }
        }
        None
    }

    /// What was written and may be used again.
    pub(super) fn spent(&mut self) -> Option<&mut Vec<T>> {
        self.writer.spent()
    }

    fn fail(&mut self, error: SinkError) {
        self.failed = true;
        self.shared.fail(PipelineError::Sink(error));
    }

    /// Everything was written.
    pub(super) fn finish(&mut self) {
        if !self.failed
            && let Err(error) = self.writer.finish()
        {
            self.fail(error);
        }
    }
}
