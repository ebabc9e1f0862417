//! The flight of a checkpoint: begun, known to all processes, crossed by all readers, and in the end committed or given up.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::coordinator::{Coordinator, nanos};
use super::cut::Cut;
use super::error::PipelineError;
use super::ingress::{TICK_NANOS, Tick};
use super::naming::Places;
use super::news::News;
use super::planted::Planted;
use crate::checkpoint::{CheckpointError, Expected};
use crate::model::Positions;

/// How often the last checkpoint of a run is tried.
pub(super) const LAST_TRIES: u32 = 3;

/// How far beyond every tick that is in use a cut is made. One more, so that a reader may be at the next one by the time it hears of
/// it; in a cluster more, since the news takes its time, and where that is not enough still more, up to a minute. Ticks that are
/// skipped cost nothing.
pub(super) const AHEAD: Tick = 2;
pub(super) const AHEAD_OF_OTHERS: Tick = 25;
const FARTHEST: Tick = 6_000;

/// How soon, in nanoseconds, another checkpoint is tried after one that part of a cluster heard of too late.
const SOON: u64 = 100_000_000;

/// How late, in nanoseconds, the other processes are told of a cut by a planted bug.
const LATE: u64 = 20_000_000;

/// The checkpoint that is being made.
pub(super) struct Flight {
    pub(super) number: u64,
    pub(super) begun: u64,
    pub(super) boundary: Tick,
    sources: Places,
    /// Readers that have answered.
    pub(super) answered: BTreeSet<usize>,
    /// Processes that do not know of it yet.
    unaware: BTreeSet<usize>,
    last: bool,
    /// With a planted bug: what the other processes are told later.
    withheld: Option<Cut>,
}

impl Flight {
    /// With a planted bug: whether the other processes have not been told yet.
    pub(super) fn is_withheld(&self) -> bool {
        self.withheld.is_some()
    }
}

impl Coordinator {
    pub(super) fn begin(&mut self, now: u64) {
        let sinks = self.setup.outlets.iter().filter_map(|outlet| outlet.answers());
        let sinks = sinks.map(|name| self.setup.naming.name(&name));
        let sinks = sinks.chain(self.setup.elsewhere.iter().cloned()).collect();
        // What was restored answers as a reader of its own, after all others.
        let expected = Expected { readers: self.readers + 1, workers: self.setup.workers, sinks };
        let number = match self.setup.checkpoints.begin(expected) {
            Ok(number) => number,
            Err(error) => {
                self.setup.shared.ledger.write().trouble = Some(error.to_string());
                return;
            }
        };
        self.wanted = false;
        self.due = now.saturating_add(nanos(self.setup.config.interval()));
        let unaware: BTreeSet<_> = self.setup.shared.peers.iter().flat_map(|peers| peers.all()).collect();
        self.boundary = self.boundary.max(now / TICK_NANOS) + self.ahead;
        let (boundary, last, sources, answered) =
            (self.boundary, self.last.is_some(), Places::new(), BTreeSet::new());
        let flight =
            Flight { number, begun: now, boundary, sources, answered, unaware, last, withheld: None };
        self.flight = Some(flight);
        for (reader, (source, at)) in self.ended.clone() {
            self.reader(number, reader, &source, at);
        }
        self.settle();
        let let_go = self.kept.front().filter(|_| self.kept.len() >= self.setup.config.keep());
        let let_go = let_go.cloned().unwrap_or_default();
        let all = self.setup.checkpoints.wants_all_streams();
        self.publish(Cut { number, boundary, last, all, let_go });
    }

    /// Lets all know of the cut: here at once, in other processes first, and nobody crosses until they do.
    fn publish(&mut self, cut: Cut) {
        let (shared, cuts) = (&self.setup.shared, &self.setup.cuts);
        // Not once readers have ended: where no reader is left, workers would hear of it when nothing wakes them any more.
        let early = [Planted::CrossesEarly, Planted::CrossesUnnoticed].iter().any(|bug| shared.plot.is(*bug));
        let early = early && self.ended.is_empty();
        match self.flight.as_mut().filter(|flight| !flight.unaware.is_empty()) {
            Some(flight) if early => flight.withheld = Some(cut.clone()),
            Some(_) => {
                cuts.announce(cut.clone());
                return shared.announce(&News::Begun(cut));
            }
            None => {}
        }
        cuts.publish(cut);
        shared.wake_ingress();
    }

    /// What a planted bug has withheld from other processes.
    pub(super) fn tell_late(&mut self, now: u64) {
        let Some(flight) = self.flight.as_mut().filter(|flight| now.saturating_sub(flight.begun) > LATE)
        else {
            return;
        };
        if let Some(cut) = flight.withheld.take() {
            self.setup.shared.announce(&News::Begun(cut));
        }
    }

    /// Another process knows of the cut. Once all do, readers may cross it.
    pub(super) fn known(&mut self, number: u64, process: usize) {
        let Some(flight) = self.flight.as_mut().filter(|flight| flight.number == number) else { return };
        if flight.unaware.remove(&process) && flight.unaware.is_empty() {
            self.setup.cuts.open(number);
            self.setup.shared.wake_ingress();
            self.setup.shared.announce(&News::Open { number });
        }
    }

    /// A reader is at the cut.
    pub(super) fn reader(&mut self, number: u64, reader: usize, source: &str, at: Option<Positions>) {
        if let Some(flight) = self.flight.as_mut().filter(|flight| flight.number == number) {
            flight.answered.insert(reader);
            if let Some(at) = &at {
                flight.sources.entry(source.to_owned()).or_default().absorb(at.clone());
            }
            self.setup.checkpoints.source(number, reader, source, at);
            self.settle();
        }
    }

    /// Once all readers have answered, what was restored does.
    fn settle(&mut self) {
        let readers = self.readers;
        let Some(flight) = self.flight.as_mut().filter(|flight| flight.answered.len() >= readers) else {
            return;
        };
        self.setup.checkpoints.source(flight.number, usize::MAX, "", None);
        let restored = self.setup.restored.iter();
        let untold: Vec<_> =
            restored.flat_map(|restored| self.setup.naming.untold(restored, &flight.sources)).collect();
        for (source, at) in untold {
            self.setup.checkpoints.source(flight.number, usize::MAX, &source, Some(at.clone()));
            flight.sources.entry(source).or_default().absorb(at);
        }
    }

    pub(super) fn commit(&mut self, now: u64) {
        let Some(flight) = self.flight.take() else { return };
        match self.setup.checkpoints.commit() {
            Ok(committed) => {
                let (number, last) = (committed.number, flight.last);
                let mut report = self.setup.shared.ledger.write();
                report.committed += 1;
                (report.last, report.trouble) = (Some(number), None);
                report.bytes += committed.bytes + committed.rewritten;
                let done = self.setup.shared.clock.now().max(now);
                (report.suspended, report.newest) = (last, Some(done));
                report.duration.record(done.saturating_sub(flight.begun));
                drop(report);
                self.kept.push_back(Arc::new(flight.sources));
                while self.kept.len() > self.setup.config.keep() {
                    self.kept.pop_front();
                }
                self.setup.shared.announce(&News::Committed { number, last });
                if last {
                    self.setup.shared.suspend();
                }
            }
            Err(error) => {
                self.flight = Some(flight);
                self.abandon(error.to_string());
                // Two processes that write to one store, and to the same sinks, must not go on both.
                if matches!(error, CheckpointError::Overtaken { .. }) {
                    self.setup.shared.fail(PipelineError::Checkpoint(error));
                }
            }
        }
    }

    /// Something was beyond the cut before it heard of it, at this tick.
    pub(super) fn missed(&mut self, tick: Tick) {
        let widens = self.setup.shared.peers.is_some() && self.ahead < FARTHEST;
        if widens && self.flight.as_ref().is_some_and(|flight| flight.last) {
            // Nothing is wrong with it: this is none of the last one's tries.
            self.last.iter_mut().for_each(|left| *left += 1);
        }
        self.abandon("something was beyond the cut before it heard of it".to_owned());
        if widens {
            // A clock that goes ahead of this one, or a slow network: the next cut is made farther beyond.
            (self.boundary, self.ahead) = (self.boundary.max(tick), 2 * self.ahead);
            self.due = self.due.min(self.setup.shared.clock.now().saturating_add(SOON));
        }
    }

    /// Gives up the checkpoint in flight. Its streams go into the next one.
    pub(super) fn abandon(&mut self, reason: String) {
        let Some(flight) = self.flight.take() else { return };
        let number = flight.number;
        tracing::warn!(number, %reason, "a checkpoint was given up");
        self.setup.checkpoints.abandon(number);
        self.setup.outlets.iter().for_each(|outlet| outlet.release(number));
        self.setup.shared.announce(&News::Abandoned { number, reason: reason.clone() });
        let mut report = self.setup.shared.ledger.write();
        report.abandoned += 1;
        report.trouble = Some(reason.clone());
        drop(report);
        if let Some(left) = self.last.as_mut().filter(|_| flight.last) {
            *left -= 1;
            self.wanted = true;
            if *left == 0 {
                self.setup.shared.fail(PipelineError::Suspend { tries: LAST_TRIES, reason });
            }
        }
    }
}
