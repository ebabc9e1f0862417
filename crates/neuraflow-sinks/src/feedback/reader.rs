//! One client's way through a session's messages: filter, rate, and the count of what it missed. A pure state machine.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::Arc;

use neuraflow_core::model::StreamKey;

use super::encode::{Published, Totals};
use super::message::{Body, Kind, Message};
use super::ring::Ring;
use super::select::select;
use super::subscription::Subscription;

/// A message as a client gets it.
#[derive(Clone, Debug)]
pub struct Received {
    /// Messages of the kinds asked for that this client missed since the one before, because it was too slow or away.
    pub skipped: u64,
    pub(super) published: Arc<Published>,
}

impl Deref for Received {
    type Target = Message;

    fn deref(&self) -> &Message {
        &self.published.message
    }
}

/// What a reader has for its client.
pub(super) enum Next {
    Message(Received),
    /// Nothing; if nothing new comes, ask again at this time.
    Wait(Option<u64>),
}

type Source = (Kind, Option<Arc<str>>, StreamKey);

/// What was sent of one kind, name and stream, and what waits for its turn.
#[derive(Default)]
struct Slot {
    next: u64,
    waiting: Option<Arc<Published>>,
}

pub(super) struct Reader {
    asked: Subscription,
    /// Number of the next message to look at.
    next: u64,
    /// Messages of each kind before that.
    totals: Totals,
    skipped: u64,
    slots: HashMap<Source, Slot>,
}

impl Reader {
    /// Begins with the next message that is published.
    pub(super) fn new(asked: Subscription, ring: &Ring) -> Self {
        let skipped = asked.seen().map_or(0, |seq| ring.since(seq, |kind| asked.wants(kind)));
        Self { next: ring.latest() + 1, totals: ring.totals(), skipped, asked, slots: HashMap::new() }
    }

    /// What this client missed before its hello.
    pub(super) fn take_skipped(&mut self) -> u64 {
        std::mem::take(&mut self.skipped)
    }

    /// From now on another part is wanted.
    pub(super) fn ask(&mut self, asked: Subscription) {
        self.asked = asked;
        self.slots.clear();
    }

    /// Whether everything that was published has been looked at.
    pub(super) fn is_done(&self, ring: &Ring) -> bool {
        self.next > ring.latest() && self.slots.values().all(|slot| slot.waiting.is_none())
    }

    pub(super) fn poll(&mut self, ring: &Ring, now: u64) -> Next {
        if let Some(published) = self.due(now) {
            return Next::Message(self.send(published));
        }
        while let Some(entry) = ring.at_or_after(self.next) {
            let Some((published, kind)) = self.advance(entry) else { continue };
            let Some(interval) = self.asked.interval() else { return Next::Message(self.send(published)) };
            let (name, stream) = published.message.body.source();
            let slot = self.slots.entry((kind, name.cloned(), stream)).or_default();
            if slot.next <= now {
                (slot.next, slot.waiting) = (now.saturating_add(interval), None);
                return Next::Message(self.send(published));
            }
            slot.waiting = Some(published);
        }
        Next::Wait(self.slots.values().filter(|slot| slot.waiting.is_some()).map(|slot| slot.next).min())
    }

    /// The message that has waited longest for its turn, if that has come.
    fn due(&mut self, now: u64) -> Option<Arc<Published>> {
        let interval = self.asked.interval()?;
        let ready = self.slots.values_mut().filter(|slot| slot.waiting.is_some() && slot.next <= now);
        let slot = ready.min_by_key(|slot| slot.next)?;
        slot.next = now.saturating_add(interval);
        slot.waiting.take()
    }

    /// Steps over a message, counting those that are gone; answers it if it is wanted, cut to the wanted channels.
    fn advance(&mut self, entry: &Arc<Published>) -> Option<(Arc<Published>, Kind)> {
        let (seq, kind) = (entry.message.seq?, entry.message.body.kind()?);
        if seq > self.next {
            let gone = Kind::ALL.into_iter().filter(|kind| self.asked.wants(*kind));
            self.skipped += gone.map(|k| entry.before[k as usize] - self.totals[k as usize]).sum::<u64>();
        }
        self.next = seq + 1;
        self.totals = entry.before;
        self.totals[kind as usize] += 1;
        if !self.asked.wants(kind) {
            return None;
        }
        let Some(channels) = self.asked.wanted_channels() else { return Some((Arc::clone(entry), kind)) };
        Some((select(entry, channels)?, kind))
    }

    fn send(&mut self, published: Arc<Published>) -> Received {
        Received { skipped: self.take_skipped(), published }
    }
}

/// A message that only one client gets.
pub(super) fn private(body: Body, seq: Option<u64>, skipped: u64) -> Received {
    Received { skipped, published: Published::new(Message { seq, body }, Totals::default()) }
}
