//! The last messages of a session, which all its readers read: publishing costs the same however many they are.

use std::collections::VecDeque;
use std::sync::Arc;

use super::encode::{Published, Totals};
use super::message::{Body, Kind, Message};

/// How far back the kinds of messages are remembered, for clients that come back.
const HISTORY: usize = 65_536;

/// A bounded log. Numbers start at 1.
#[derive(Debug)]
pub(super) struct Ring {
    capacity: usize,
    entries: VecDeque<Arc<Published>>,
    history: VecDeque<Kind>,
    totals: Totals,
    latest: u64,
}

impl Ring {
    pub(super) fn new(capacity: usize) -> Self {
        let capacity = capacity.max(1);
        Self {
            capacity,
            entries: VecDeque::new(),
            history: VecDeque::new(),
            totals: Totals::default(),
            latest: 0,
        }
    }

    /// Number of the latest message.
    pub(super) fn latest(&self) -> u64 {
        self.latest
    }

    /// How many messages of each kind there were.
    pub(super) fn totals(&self) -> Totals {
        self.totals
    }

    /// Appends a message; answers the one that made room.
    pub(super) fn push(&mut self, body: Body) -> Option<Arc<Published>> {
        let kind = body.kind()?;
        self.latest += 1;
        let published = Published::new(Message { seq: Some(self.latest), body }, self.totals);
        self.totals[kind as usize] += 1;
        if self.history.len() == HISTORY {
            self.history.pop_front();
        }
        self.history.push_back(kind);
        let old = if self.entries.len() == self.capacity { self.entries.pop_front() } else { None };
        self.entries.push_back(published);
        old
    }

    /// The message numbered `seq`, or the oldest after it that is still here.
    pub(super) fn at_or_after(&self, seq: u64) -> Option<&Arc<Published>> {
        let oldest = self.latest + 1 - self.entries.len() as u64;
        self.entries.get(usize::try_from(seq.saturating_sub(oldest)).ok()?)
    }

    /// How many messages of these kinds came after number `seq`. What is beyond memory counts as one of them.
    pub(super) fn since(&self, seq: u64, wants: impl Fn(Kind) -> bool) -> u64 {
        let missed = self.latest.saturating_sub(seq);
        let known = (self.history.len() as u64).min(missed);
        let recent = self.history.iter().rev().take(usize::try_from(known).unwrap_or(usize::MAX));
        missed - known + recent.filter(|kind| wants(**kind)).count() as u64
    }
}
