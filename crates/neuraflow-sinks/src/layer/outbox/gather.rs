//! What is handed on next: read from the log by the round.

use std::sync::Arc;

use bincode::Options;
use neuraflow_core::resilience::Clock;
use serde::de::DeserializeOwned;

use super::desk::{Desk, NAP};
use super::options;
use super::reader::Reader;

/// Items that are handed on before the next ones, and up to where they lie.
pub(super) struct Round<T> {
    pub(super) items: Vec<T>,
    /// What lies among them whole, and is no such item.
    pub(super) foreign: Vec<Vec<u8>>,
    /// None before anything is read.
    end: Option<u64>,
    bytes: usize,
}

impl<T> Round<T> {
    fn new() -> Self {
        Self { items: Vec::new(), foreign: Vec::new(), end: None, bytes: 0 }
    }

    /// Everything before this place is handed on with it.
    pub(super) fn end(&self) -> u64 {
        self.end.unwrap_or(0) // of a round with nothing in it, which nobody is given
    }
}

/// Reads rounds.
pub(super) struct Gather<T> {
    desk: Arc<Desk<T>>,
    clock: Arc<dyn Clock>,
    reader: Reader,
    most_bytes: usize,
    /// What was read while the round before it was written.
    ahead: Option<Round<T>>,
    /// The last round was full, so that more may wait.
    full: bool,
}

impl<T: DeserializeOwned> Gather<T> {
    pub(super) fn new(desk: Arc<Desk<T>>, clock: Arc<dyn Clock>, most_bytes: usize) -> Self {
        let reader = Reader::new(desk.lock().log.passed());
        Self { desk, clock, reader, most_bytes, ahead: None, full: false }
    }

    /// Waits for a round of so many items at most; none once the end has come. All that was given before is handed on.
    pub(super) fn next(&mut self, most: usize) -> Option<Round<T>> {
        let mut round = self.ahead.take().unwrap_or_else(Round::new);
        loop {
            self.full = self.read(&mut round, most);
            if round.end.is_some() {
                return Some(round);
            }
            let (desk, mut damaged) = (Arc::clone(&self.desk), 0);
            let mut inside = desk.lock();
            loop {
                if inside.stop {
                    return None;
                }
                if inside.fresh.has(self.reader.here()) {
                    break;
                }
                match self.reader.fill(&mut inside.log, &mut damaged) {
                    Ok(true) => break,
                    Ok(false) => {
                        let here = self.reader.here();
                        if here > inside.log.passed()
                            && let Err(error) = inside.log.pass(here)
                        {
                            desk.watch.trouble(format!("cannot note what is damaged: {error}"));
                        }
                    }
                    Err(error) => desk.watch.trouble(format!("cannot read the outbox: {error}")),
                }
                desk.tell(&inside, self.clock.now());
                inside = desk.wait(inside, NAP);
            }
            drop(inside);
            self.damaged(damaged);
        }
    }

    /// Whether it is worth reading the next round while the last one is written.
    pub(super) fn is_behind(&self) -> bool {
        self.full
    }

    /// Reads what there is of the next round, so that it need not be waited for.
    pub(super) fn read_ahead(&mut self, most: usize) {
        let mut round = self.ahead.take().unwrap_or_else(Round::new);
        self.read(&mut round, most);
        self.ahead = Some(round);
    }

    /// Goes on as far as there is something, and room in the round; true if there is no room.
    fn read(&mut self, round: &mut Round<T>, most: usize) -> bool {
        let (desk, mut damaged) = (Arc::clone(&self.desk), 0);
        let most_bytes = self.most_bytes;
        let full = |round: &Round<T>| round.items.len() >= most || round.bytes >= most_bytes;
        while !full(round) {
            let mut inside = desk.lock();
            while !full(round)
                && let Some((end, item)) = inside.fresh.take(self.reader.here())
            {
                round.bytes += usize::try_from(end - self.reader.here()).unwrap_or(usize::MAX);
                round.end = Some(end);
                round.items.push(item);
                self.reader.skip(end);
            }
            drop(inside);
            while !full(round)
                && let Some((payload, end)) = self.reader.next(&mut damaged)
            {
                round.bytes += payload.len();
                round.end = Some(end);
                match options().deserialize::<T>(payload) {
                    Ok(item) => round.items.push(item),
                    Err(_) => round.foreign.push(payload.to_vec()),
                }
            }
            let mut inside = desk.lock();
            // What cannot be read is told by whoever waits for it.
            if !full(round)
                && !inside.fresh.has(self.reader.here())
                && !matches!(self.reader.fill(&mut inside.log, &mut damaged), Ok(true))
            {
                break;
            }
        }
        self.damaged(damaged);
        full(round)
    }

    fn damaged(&self, bytes: u64) {
        if bytes > 0 {
            tracing::warn!(bytes, "damaged items in an outbox are looked past");
            self.desk.watch.change(|stats| stats.damaged_bytes += bytes);
        }
    }
}
