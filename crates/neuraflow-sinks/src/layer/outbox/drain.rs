//! The thread that hands on what waits.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use bincode::Options;
use neuraflow_core::model::Recovery;
use neuraflow_core::resilience::{Breaker, Jitter, Outcome};
use neuraflow_core::sink::{Sink, SinkContext, SinkError, SinkWriter};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::config::OutboxConfig;
use super::desk::{Desk, NAP, nanos};
use super::log::Log;
use super::options;
use super::reader::Reader;

/// Items that are handed on together, and where they lie.
struct Batch<T> {
    items: Vec<T>,
    start: u64,
    end: u64,
}

pub(super) struct Drain<S: Sink> {
    inner: Arc<S>,
    /// None before it was opened, and after it has panicked or the breaker was opened: a connection may need to be made anew.
    writer: Option<S::Writer>,
    context: SinkContext,
    config: OutboxConfig,
    desk: Arc<Desk>,
    reader: Reader,
    refused: Log,
    breaker: Breaker,
    jitter: Jitter,
}

/// What came of an offer.
enum Offered {
    Taken,
    /// What is left of the batch is refused for good.
    Refused(SinkError),
    /// Try again.
    Failed(String),
    /// The same, and what it took out of the batch and kept is not known.
    Unsure(String),
}

impl<S: Sink> Drain<S>
where
    S::Item: Serialize + DeserializeOwned,
{
    pub(super) fn new(
        inner: Arc<S>,
        config: OutboxConfig,
        desk: Arc<Desk>,
        refused: Log,
        context: &SinkContext,
    ) -> Self {
        let reader = Reader::new(desk.lock().log.passed());
        let breaker = Breaker::new(config.breaker, Jitter::new(config.seed));
        let context = SinkContext { clock: Arc::clone(&context.clock), from: None };
        let jitter = Jitter::new(!config.seed);
        Self { inner, writer: None, context, config, desk, reader, refused, breaker, jitter }
    }

    pub(super) fn run(mut self) {
        while let Some(batch) = self.gather() {
            if !self.hand_on(batch) {
                break;
            }
        }
        let finish = AssertUnwindSafe(|| self.writer.iter_mut().try_for_each(SinkWriter::finish));
        if let Ok(Err(error)) = catch_unwind(finish) {
            tracing::warn!(%error, "the sink behind an outbox");
        }
    }

    fn now(&self) -> u64 {
        self.context.clock.now()
    }

    /// Waits for something to hand on; none once the end has come.
    fn gather(&mut self) -> Option<Batch<S::Item>> {
        let (mut items, start, mut end, mut damaged) = (Vec::new(), self.reader.here(), None, 0);
        loop {
            while items.len() < self.config.batch
                && let Some((payload, until)) = self.reader.next(&mut damaged)
            {
                end = Some(until);
                match options().deserialize::<S::Item>(payload) {
                    Ok(item) => items.push(item),
                    Err(_) => damaged += payload.len() as u64,
                }
            }
            if damaged > 0 {
                tracing::warn!(bytes = damaged, "damaged items in an outbox are looked past");
                self.desk.watch.change(|stats| stats.damaged_bytes += damaged);
            }
            if let Some(end) = end {
                return Some(Batch { items, start, end });
            }
            let desk = Arc::clone(&self.desk);
            let mut inside = desk.lock();
            loop {
                if inside.stop {
                    return None;
                }
                match self.reader.fill(&mut inside.log) {
                    Ok(true) => break,
                    Ok(false) => {
                        let here = self.reader.here();
                        if here > inside.log.passed()
                            && let Err(error) = inside.log.pass(here)
                        {
                            self.trouble(format!("cannot note what is damaged: {error}"));
                        }
                    }
                    Err(error) => self.trouble(format!("cannot read the outbox: {error}")),
                }
                desk.tell(&inside, self.now());
                inside = desk.wait(inside, NAP);
            }
            damaged = 0;
        }
    }

    /// Offers a batch until all of it is taken or refused; false if the end comes first.
    fn hand_on(&mut self, mut batch: Batch<S::Item>) -> bool {
        let (mut taken, mut tries) = (0, 0);
        while !batch.items.is_empty() {
            let permit = match self.breaker.admit(self.now()) {
                Ok(permit) => permit,
                Err(wait) => {
                    self.show_breaker();
                    if !self.pause(wait) {
                        return false;
                    }
                    continue;
                }
            };
            let (begun, count) = (self.now(), batch.items.len());
            let offered = self.offer(&mut batch.items);
            let now = self.now();
            let outcome = match &offered {
                Offered::Taken => Outcome::Success(Duration::from_nanos(now.saturating_sub(begun))),
                Offered::Refused(_) => Outcome::Misuse,
                Offered::Failed(_) | Offered::Unsure(_) => Outcome::Failure,
            };
            let openings = self.breaker.transitions().opened;
            self.breaker.done(permit, outcome, now);
            if self.breaker.transitions().opened > openings {
                self.let_go();
            }
            self.show_breaker();
            match offered {
                Offered::Taken => {
                    batch.items.clear();
                    taken += count;
                    self.desk.watch.change(|stats| stats.trouble = None);
                    continue;
                }
                Offered::Refused(error) => {
                    taken += count.saturating_sub(batch.items.len());
                    match self.refuse(&mut batch.items, &error) {
                        Ok(()) => continue,
                        // They are offered, and refused, again.
                        Err(error) => self.trouble(format!("cannot keep what was refused: {error}")),
                    }
                }
                Offered::Failed(reason) => {
                    taken += count.saturating_sub(batch.items.len());
                    self.trouble(reason);
                }
                Offered::Unsure(reason) => {
                    // It is on the disk still, and is read again from there.
                    (batch.items, self.reader) = (Vec::new(), Reader::new(batch.start));
                    self.trouble(reason);
                }
            }
            self.desk.watch.change(|stats| stats.failures += 1);
            let wait = self.config.retry.spread(tries, &mut self.jitter);
            if !self.pause(wait) {
                return false;
            }
            if self.reader.here() == batch.start {
                return true;
            }
            tries += 1;
        }
        self.pass(batch.end, taken as u64)
    }

    /// Offers items once. They are taken once the sink behind has made them durable.
    fn offer(&mut self, items: &mut Vec<S::Item>) -> Offered {
        let (writer, inner, context) = (&mut self.writer, &self.inner, &self.context);
        let write = AssertUnwindSafe(|| {
            let writer = match writer {
                Some(writer) => writer,
                None => match inner.open(context) {
                    Ok(opened) => writer.insert(opened),
                    Err(error) => return Offered::Failed(error.to_string()),
                },
            };
            match writer.write(items) {
                Ok(()) if items.is_empty() => match writer.barrier(0) {
                    Ok(_) => Offered::Taken,
                    Err(error) => Offered::Unsure(error.to_string()),
                },
                Ok(()) => Offered::Refused(SinkError::Layout {
                    sink: inner.name(),
                    what: "items",
                    expected: "all taken where there is no error".into(),
                    found: format!("{} left", items.len()),
                }),
                Err(error) if error.recovery() == Recovery::Skip => Offered::Refused(error),
                Err(error) => Offered::Failed(error.to_string()),
            }
        });
        catch_unwind(write).unwrap_or_else(|_| {
            self.let_go();
            Offered::Unsure("the sink behind panicked".to_owned())
        })
    }

    /// Lets the writer go: a new one is opened for the next offer.
    fn let_go(&mut self) {
        let writer = self.writer.take();
        let _ = catch_unwind(AssertUnwindSafe(|| drop(writer))); // what it was given is durable, or is given again
    }

    fn refuse(&mut self, items: &mut Vec<S::Item>, error: &SinkError) -> io::Result<()> {
        let count = items.len() as u64;
        let payloads: Vec<Vec<u8>> = items.iter().filter_map(|item| options().serialize(item).ok()).collect();
        self.refused.append(payloads.iter().map(Vec::as_slice))?;
        self.refused.sync()?;
        items.clear();
        tracing::warn!(%error, count, "refused for good by the sink behind an outbox, and kept");
        self.desk.watch.change(|stats| stats.refused += count);
        Ok(())
    }

    fn pass(&mut self, end: u64, count: u64) -> bool {
        let desk = Arc::clone(&self.desk);
        let mut inside = desk.lock();
        if let Err(error) = inside.log.pass(end) {
            self.trouble(format!("cannot note what was handed on: {error}"));
        }
        desk.tell(&inside, self.now());
        desk.changed.notify_all();
        desk.watch.change(|stats| stats.handed_on += count);
        !inside.stop
    }

    fn trouble(&self, reason: String) {
        self.desk.watch.change(|stats| stats.trouble = Some(reason));
    }

    fn show_breaker(&self) {
        let (breaker, transitions) = (self.breaker.state(), self.breaker.transitions());
        self.desk.watch.change(|stats| (stats.breaker, stats.transitions) = (breaker, transitions));
    }

    /// Waits, by the pipeline's clock; false if the end comes first.
    fn pause(&self, time: Duration) -> bool {
        let until = self.now().saturating_add(nanos(time));
        let mut inside = self.desk.lock();
        loop {
            let left = until.saturating_sub(self.now());
            if inside.stop || left == 0 {
                return !inside.stop;
            }
            self.desk.tell(&inside, self.now());
            inside = self.desk.wait(inside, NAP.min(Duration::from_nanos(left)));
        }
    }
}
