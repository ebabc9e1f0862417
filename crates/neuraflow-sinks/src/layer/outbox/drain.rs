//! The thread that hands on what waits.

use std::io;
use std::iter;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use bincode::Options;
use neuraflow_core::resilience::{Breaker, Concurrency, Jitter, Outcome, Permit};
use neuraflow_core::sink::{Sink, SinkContext};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::config::OutboxConfig;
use super::desk::{Desk, NAP, nanos};
use super::hand::{Hand, Offered};
use super::lane::{Lane, deal};
use super::options;
use super::reader::Reader;
use super::refused::Refused;

/// Items that are handed on together, and up to where they lie.
struct Batch<T> {
    items: Vec<T>,
    /// What lies among them whole, and is no such item.
    foreign: Vec<Vec<u8>>,
    end: u64,
}

pub(super) struct Drain<S: Sink> {
    inner: Arc<S>,
    /// One for each lane that there ever was.
    hands: Vec<Hand<S>>,
    context: SinkContext,
    config: OutboxConfig,
    desk: Arc<Desk>,
    reader: Reader,
    refused: Refused,
    breaker: Breaker,
    concurrency: Concurrency,
    jitter: Jitter,
}

/// An offer that was made, and what came of it.
struct Offer<T> {
    offered: usize,
    left: Vec<T>,
    outcome: Offered,
    took: Duration,
}

impl<S: Sink> Drain<S>
where
    S::Item: Serialize + DeserializeOwned,
{
    pub(super) fn new(
        inner: Arc<S>,
        config: OutboxConfig,
        desk: Arc<Desk>,
        refused: Refused,
        context: &SinkContext,
    ) -> Self {
        let reader = Reader::new(desk.lock().log.passed());
        let breaker = Breaker::new(config.breaker, Jitter::new(config.seed));
        let context = SinkContext { clock: Arc::clone(&context.clock), from: None };
        let (jitter, concurrency) = (Jitter::new(!config.seed), Concurrency::new(config.concurrency));
        let hands = Vec::new();
        Self { inner, hands, context, config, desk, reader, refused, breaker, concurrency, jitter }
    }

    pub(super) fn run(mut self) {
        while let Some(batch) = self.gather() {
            if !self.hand_on(batch) {
                break;
            }
        }
        self.hands.iter_mut().for_each(Hand::finish);
    }

    fn now(&self) -> u64 {
        self.context.clock.now()
    }

    /// Waits for something to hand on; none once the end has come.
    fn gather(&mut self) -> Option<Batch<S::Item>> {
        let (mut items, mut foreign, mut end, mut damaged) = (Vec::new(), Vec::new(), None, 0);
        let most = self.config.batch.saturating_mul(self.concurrency.now());
        loop {
            while items.len() < most
                && let Some((payload, until)) = self.reader.next(&mut damaged)
            {
                end = Some(until);
                match options().deserialize::<S::Item>(payload) {
                    Ok(item) => items.push(item),
                    Err(_) => foreign.push(payload.to_vec()),
                }
            }
            if damaged > 0 {
                tracing::warn!(bytes = damaged, "damaged items in an outbox are looked past");
                self.desk.watch.change(|stats| stats.damaged_bytes += damaged);
                damaged = 0;
            }
            if let Some(end) = end {
                return Some(Batch { items, foreign, end });
            }
            let desk = Arc::clone(&self.desk);
            let mut inside = desk.lock();
            loop {
                if inside.stop {
                    return None;
                }
                match self.reader.fill(&mut inside.log, &mut damaged) {
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
        }
    }

    /// Offers a batch until all of it is taken or refused; false if the end comes first.
    fn hand_on(&mut self, batch: Batch<S::Item>) -> bool {
        let full = batch.items.len().div_ceil(self.config.batch);
        let mut lanes = deal(batch.items, full.clamp(1, self.concurrency.now()));
        let (mut taken, mut tries) = (0, 0);
        while let Err(reason) = self.set_aside(&batch.foreign) {
            self.trouble(reason);
            if !self.pause(self.config.retry.wait(u32::MAX)) {
                return false;
            }
        }
        while !lanes.is_empty() {
            let permits = match self.permits(lanes.len()) {
                Ok(permits) => permits,
                Err(wait) => {
                    self.show();
                    if !self.pause(wait) {
                        return false;
                    }
                    continue;
                }
            };
            let offers = self.offer(&lanes[..permits.len()]);
            let before = taken;
            let failed = self.settle(&mut lanes, permits, offers, &mut taken);
            lanes.retain(|lane| !lane.is_empty());
            if failed {
                if taken > before {
                    tries = 0;
                }
                let wait = self.config.retry.spread(tries, &mut self.jitter);
                tries += 1;
                if !self.pause(wait) {
                    return false;
                }
            }
        }
        self.pass(batch.end, taken)
    }

    /// As many calls as the breaker and the limit let through, or how long to wait for the first. The lanes' order is that of
    /// what waits: trials carry the oldest.
    fn permits(&mut self, lanes: usize) -> Result<Vec<Permit>, Duration> {
        let now = self.now();
        let mut permits = vec![self.breaker.admit(now)?];
        while permits.len() < lanes.min(self.concurrency.now())
            && let Ok(permit) = self.breaker.admit(now)
        {
            permits.push(permit);
        }
        Ok(permits)
    }

    /// Offers what is at the front of each lane, all at the same time.
    fn offer(&mut self, lanes: &[Lane<S::Item>]) -> Vec<Offer<S::Item>> {
        while self.hands.len() < lanes.len() {
            self.hands.push(Hand::new(Arc::clone(&self.inner), self.context.clone()));
        }
        let clock = &self.context.clock;
        let offer = |hand: &mut Hand<S>, mut left: Vec<S::Item>| {
            let (offered, begun) = (left.len(), clock.now());
            let outcome = hand.offer(&mut left);
            Offer { offered, left, outcome, took: Duration::from_nanos(clock.now().saturating_sub(begun)) }
        };
        let not_made = |reason: String| {
            let outcome = Offered::Unsure(reason);
            Offer { offered: 0, left: Vec::new(), outcome, took: Duration::ZERO }
        };
        let mut work = self.hands.iter_mut().zip(lanes.iter().map(|lane| lane.front(self.config.batch)));
        let Some((first, items)) = work.next() else { return Vec::new() };
        thread::scope(|scope| {
            let side_by_side: Vec<_> = work
                .map(|(hand, items)| thread::Builder::new().spawn_scoped(scope, move || offer(hand, items)))
                .collect();
            let here = offer(first, items);
            let others = side_by_side.into_iter().map(|thread| match thread.map(|thread| thread.join()) {
                Ok(Ok(offer)) => offer,
                Ok(Err(_)) => not_made("a thread of the outbox panicked".to_owned()),
                Err(error) => not_made(format!("cannot start a thread: {error}")),
            });
            iter::once(here).chain(others).collect()
        })
    }

    /// What came of the offers, for the lanes, the breaker and the limit; true if one is to be made again.
    fn settle(
        &mut self,
        lanes: &mut [Lane<S::Item>],
        permits: Vec<Permit>,
        offers: Vec<Offer<S::Item>>,
        taken: &mut u64,
    ) -> bool {
        let (openings, now) = (self.breaker.transitions().opened, self.now());
        let (mut failures, mut slow, count) = (0, false, permits.len());
        for ((lane, permit), offer) in lanes.iter_mut().zip(permits).zip(offers) {
            let Offer { offered, left, outcome, took } = offer;
            self.breaker.done(
                permit,
                match &outcome {
                    Offered::Taken => Outcome::Success(took),
                    Offered::Refused(_) => Outcome::Misuse,
                    Offered::Failed(_) | Offered::Unsure(_) | Offered::Panicked => Outcome::Failure,
                },
                now,
            );
            slow |= took > self.config.breaker.slow_after;
            let failed = match outcome {
                Offered::Taken => {
                    *taken += offered as u64;
                    lane.replace(offered, Vec::new());
                    continue;
                }
                Offered::Refused(error) => {
                    *taken += offered.saturating_sub(left.len()) as u64;
                    match self.refuse(&left, &error.to_string()) {
                        Ok(()) => {
                            lane.replace(offered, Vec::new());
                            continue;
                        }
                        // They are offered, and refused, again.
                        Err(reason) => {
                            lane.replace(offered, left);
                            reason
                        }
                    }
                }
                Offered::Failed(reason) => {
                    *taken += offered.saturating_sub(left.len()) as u64;
                    lane.replace(offered, left);
                    reason
                }
                Offered::Unsure(reason) => reason,
                Offered::Panicked => {
                    let reason = "the sink behind panicked".to_owned();
                    if lane.panicked(offered) && self.refuse(&lane.front(1), &reason).is_ok() {
                        lane.replace(1, Vec::new());
                    }
                    reason
                }
            };
            self.trouble(failed);
            failures += 1;
        }
        if self.breaker.transitions().opened > openings {
            self.hands.iter_mut().for_each(Hand::let_go);
        }
        if failures > 0 || slow {
            self.concurrency.shrink();
        } else if count >= self.concurrency.now() {
            self.concurrency.grow();
        }
        self.show();
        self.desk.watch.change(|stats| {
            stats.failures += failures;
            if failures == 0 {
                stats.trouble = None;
            }
        });
        failures > 0
    }

    /// Keeps what is refused for good, or says why it cannot.
    fn refuse(&mut self, items: &[S::Item], why: &str) -> Result<(), String> {
        let kept = self.refused.keep(items);
        self.kept(kept, items.len(), why)
    }

    /// The same for what another release, or another pipeline, has written: nobody here can tell what it is.
    fn set_aside(&mut self, foreign: &[Vec<u8>]) -> Result<(), String> {
        if foreign.is_empty() {
            return Ok(());
        }
        let kept = self.refused.keep_bytes(foreign);
        self.kept(kept, foreign.len(), "they are no items of this outbox")
    }

    fn kept(&self, kept: io::Result<()>, count: usize, why: &str) -> Result<(), String> {
        kept.map_err(|error| format!("cannot keep what was refused: {error}"))?;
        tracing::warn!(why, count, "refused for good by the sink behind an outbox, and kept");
        self.desk.watch.change(|stats| stats.refused += count as u64);
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

    fn show(&self) {
        let (breaker, transitions) = (self.breaker.state(), self.breaker.transitions());
        let concurrency = self.concurrency.now();
        self.desk.watch.change(|stats| {
            (stats.breaker, stats.transitions, stats.concurrency) = (breaker, transitions, concurrency);
        });
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
