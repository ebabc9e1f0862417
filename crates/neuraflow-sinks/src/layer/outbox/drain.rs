//! The thread that hands on what waits.

use std::io;
use std::iter;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use neuraflow_core::resilience::{Breaker, Concurrency, Jitter, Outcome, Permit};
use neuraflow_core::sink::{Sink, SinkContext};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::config::OutboxConfig;
use super::desk::{Desk, NAP, nanos};
use super::gather::{Gather, Round};
use super::hand::{Hand, Offered};
use super::lane::{Lane, deal};
use super::refused::Refused;

pub(super) struct Drain<S: Sink> {
    inner: Arc<S>,
    /// One for each lane that there ever was.
    hands: Vec<Hand<S>>,
    context: SinkContext,
    config: OutboxConfig,
    desk: Arc<Desk<S::Item>>,
    gather: Gather<S::Item>,
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
        desk: Arc<Desk<S::Item>>,
        refused: Refused,
        context: &SinkContext,
    ) -> Self {
        let gather = Gather::new(Arc::clone(&desk), Arc::clone(&context.clock), config.round_bytes);
        let breaker = Breaker::new(config.breaker, Jitter::new(config.seed));
        let context = SinkContext { clock: Arc::clone(&context.clock), from: None };
        let (jitter, concurrency) = (Jitter::new(!config.seed), Concurrency::new(config.concurrency));
        let hands = Vec::new();
        Self { inner, hands, context, config, desk, gather, refused, breaker, concurrency, jitter }
    }

    pub(super) fn run(mut self) {
        while let Some(round) = self.gather.next(self.most()) {
            if !self.hand_on(round) {
                break;
            }
        }
        self.hands.iter_mut().for_each(Hand::finish);
    }

    fn now(&self) -> u64 {
        self.context.clock.now()
    }

    /// Items of a round.
    fn most(&self) -> usize {
        self.config.batch.saturating_mul(self.concurrency.now())
    }

    /// Offers a round until all of it is taken or refused; false if the end comes first.
    fn hand_on(&mut self, round: Round<S::Item>) -> bool {
        let end = round.end();
        let full = round.items.len().div_ceil(self.config.batch);
        let mut lanes = deal(round.items, full.clamp(1, self.concurrency.now()));
        let (mut taken, mut tries) = (0, 0);
        while let Err(reason) = self.set_aside(&round.foreign) {
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
        self.pass(end, taken)
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

    /// Offers what is at the front of each lane, all at the same time. Meanwhile the next round is read.
    fn offer(&mut self, lanes: &[Lane<S::Item>]) -> Vec<Offer<S::Item>> {
        while self.hands.len() < lanes.len() {
            self.hands.push(Hand::new(Arc::clone(&self.inner), self.context.clone()));
        }
        let (most, clock, gather) = (self.most(), &self.context.clock, &mut self.gather);
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
            if gather.is_behind() {
                // Where no thread is to be had, it is read afterwards.
                let _ = thread::Builder::new().spawn_scoped(scope, move || gather.read_ahead(most));
            }
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
        let passed = inside.log.pass(end);
        desk.tell(&inside, self.now());
        desk.changed.notify_all();
        desk.watch.change(|stats| stats.handed_on += count);
        let stop = inside.stop;
        drop(inside);
        let removed = match passed {
            Ok(false) => desk.sync().and_then(|_| desk.lock().log.pass(end).map(drop)),
            passed => passed.map(drop),
        };
        if let Err(error) = removed {
            self.trouble(format!("cannot note what was handed on: {error}"));
        }
        !stop
    }

    fn trouble(&self, reason: String) {
        self.desk.watch.trouble(reason);
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
