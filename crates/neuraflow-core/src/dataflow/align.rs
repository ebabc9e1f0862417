//! Alignment: at a sink's end of the queue, what lies beyond a cut waits until all workers have crossed it.

use std::collections::BTreeSet;

/// What travels through a sink's queue.
pub(super) enum Entry<T> {
    /// An item, when it left the operators, and the last cut that it lies beyond (0: none that its worker knew).
    Item { item: T, flushed: u64, beyond: u64 },
    /// Nothing of this worker follows that lies before the cut with this number.
    Barrier { number: u64, worker: usize },
    /// The checkpoint with this number will not be: nobody waits for it any more.
    Release { number: u64 },
}

impl<T> Entry<T> {
    pub(super) fn is_item(&self) -> bool {
        matches!(self, Self::Item { .. })
    }
}

/// Puts the entries of several workers into the order that a sink writes them in.
pub(super) struct Alignment<T> {
    patient: bool,
    workers: usize,
    /// The newest cut that anything was heard of.
    number: u64,
    /// Whether it is over: crossed by all workers, or released.
    over: bool,
    crossed: BTreeSet<usize>,
    held: Vec<(T, u64)>,
}

impl<T> Alignment<T> {
    /// Of so many workers. One that is not `patient` has a planted bug.
    pub(super) fn new(workers: usize, patient: bool) -> Self {
        Self { patient, workers, number: 0, over: true, crossed: BTreeSet::new(), held: Vec::new() }
    }

    /// Takes an entry; what may be written now is appended to `out`. If all workers have crossed a cut now, the answer is
    /// its number: all in `out` lies before it, and [`release`](Self::release) gives what lies beyond.
    pub(super) fn take(&mut self, entry: Entry<T>, out: &mut Vec<(T, u64)>) -> Option<u64> {
        match entry {
            Entry::Item { item, flushed, beyond } => {
                self.hear_of(beyond, out);
                let waits = beyond >= self.number && !self.over && self.patient;
                if waits { &mut self.held } else { out }.push((item, flushed));
            }
            Entry::Barrier { number, worker } => {
                self.hear_of(number, out);
                if number == self.number && !self.over {
                    self.crossed.insert(worker);
                    if self.crossed.len() >= self.workers {
                        self.over = true;
                        return Some(number);
                    }
                }
            }
            Entry::Release { number } => {
                self.hear_of(number, out);
                if number == self.number {
                    self.over = true;
                    self.release(out);
                }
            }
        }
        None
    }

    /// What was held back.
    pub(super) fn release(&mut self, out: &mut Vec<(T, u64)>) {
        out.append(&mut self.held);
    }

    /// How many items are held back.
    pub(super) fn held(&self) -> usize {
        self.held.len()
    }

    /// A cut that is newer than the one that was waited for: that one's checkpoint was given up.
    fn hear_of(&mut self, number: u64, out: &mut Vec<(T, u64)>) {
        if number > self.number {
            self.release(out);
            (self.number, self.over) = (number, false);
            self.crossed.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(item: u32, beyond: u64) -> Entry<u32> {
        Entry::Item { item, flushed: 0, beyond }
    }

    fn items(out: &mut Vec<(u32, u64)>) -> Vec<u32> {
        out.drain(..).map(|(item, _)| item).collect()
    }

    #[test]
    fn what_lies_beyond_waits_for_the_last_worker() {
        let (mut alignment, mut out) = (Alignment::new(2, true), Vec::new());
        let mut take = |entry, out: &mut _| alignment.take(entry, out);
        assert_eq!(take(item(1, 0), &mut out), None);
        assert_eq!(take(item(2, 1), &mut out), None);
        assert_eq!(take(Entry::Barrier { number: 1, worker: 0 }, &mut out), None);
        assert_eq!(take(Entry::Barrier { number: 1, worker: 0 }, &mut out), None, "the same worker again");
        assert_eq!(take(item(3, 0), &mut out), None);
        assert_eq!(take(Entry::Barrier { number: 1, worker: 1 }, &mut out), Some(1));
        assert_eq!(items(&mut out), [1, 3]);
        alignment.release(&mut out);
        assert_eq!(items(&mut out), [2]);
        alignment.take(item(4, 1), &mut out);
        assert_eq!(items(&mut out), [4], "the cut is over");
    }

    #[test]
    fn a_checkpoint_that_is_given_up_holds_nothing_back() {
        let (mut alignment, mut out) = (Alignment::new(2, true), Vec::new());
        alignment.take(item(1, 1), &mut out);
        alignment.take(Entry::Release { number: 1 }, &mut out);
        alignment.take(item(2, 1), &mut out);
        alignment.take(Entry::Barrier { number: 1, worker: 0 }, &mut out);
        assert_eq!(alignment.take(Entry::Barrier { number: 1, worker: 1 }, &mut out), None);
        assert_eq!(items(&mut out), [1, 2]);
        alignment.take(item(3, 2), &mut out);
        alignment.take(item(4, 3), &mut out);
        assert_eq!((items(&mut out), alignment.held()), (vec![3], 1), "a newer cut releases the older");
    }
}
