//! Lanes: what is handed on side by side. All items of a stream are in one lane, so that their order is kept.

use std::collections::VecDeque;

use neuraflow_core::operator::Item;

/// Items that are handed on one after another.
#[derive(Debug)]
pub(super) struct Lane<T> {
    items: VecDeque<T>,
    /// Offers of the first of them in a row in which somebody panicked.
    panics: u32,
    /// How many of the first were offered together when somebody panicked: each of them is offered alone.
    suspects: usize,
}

/// An item is refused if it brings the sink behind to panic once more than so often in a row: all but the first time it was alone.
const MOST_PANICS: u32 = 3;

/// Deals items to so many lanes.
pub(super) fn deal<T: Item>(items: Vec<T>, lanes: usize) -> Vec<Lane<T>> {
    let lane = |_| Lane { items: VecDeque::new(), panics: 0, suspects: 0 };
    let mut dealt: Vec<Lane<T>> = (0..lanes).map(lane).collect();
    for item in items {
        // Its upper half: the lower one says which worker a stream is on, and those of one worker would share a lane.
        let stream = item.info().map_or(0, |info| info.stream.key.stable_hash() >> 32);
        dealt[(stream % lanes as u64) as usize].items.push_back(item);
    }
    dealt.retain(|lane| !lane.items.is_empty());
    dealt
}

impl<T: Clone> Lane<T> {
    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// What to offer next: so many at most; one alone where it is looked for who brings the sink behind to panic.
    pub(super) fn front(&self, most: usize) -> Vec<T> {
        let most = if self.suspects > 0 { 1 } else { most };
        self.items.iter().take(most).cloned().collect()
    }

    /// Of the first `offered` items, `left` have to be offered again.
    pub(super) fn replace(&mut self, offered: usize, left: Vec<T>) {
        self.items.drain(..offered.min(self.items.len()));
        self.suspects = self.suspects.saturating_sub(offered - left.len().min(offered));
        left.into_iter().rev().for_each(|item| self.items.push_front(item));
        self.panics = 0;
    }

    /// An offer of so many has ended in a panic; true if the first item has done that too often, and is to be refused.
    pub(super) fn panicked(&mut self, offered: usize) -> bool {
        self.suspects = self.suspects.max(offered);
        self.panics += 1;
        self.panics > MOST_PANICS
    }
}
