//! What was written last is in memory too: as long as the sink behind keeps up, nothing is read back from the disk.

use std::collections::VecDeque;

/// The last items of the log, as far as there is room for them and they were not taken.
pub(super) struct Fresh<T> {
    /// Each with where it ends, which is where the one after it begins.
    items: VecDeque<(u64, T)>,
    /// Where the first of them begins.
    begin: u64,
    /// The bytes that they have in the log, at most.
    most: u64,
}

impl<T> Fresh<T> {
    pub(super) fn new(most: u64) -> Self {
        Self { items: VecDeque::new(), begin: 0, most }
    }

    /// Items were written, the first of them at `begin`, each with where it ends. Where there is no room all are forgotten: they are read from
    /// the disk.
    pub(super) fn push(&mut self, begin: u64, items: impl Iterator<Item = (u64, T)>) {
        if self.items.is_empty() {
            self.begin = begin;
        }
        self.items.extend(items);
        if self.items.back().is_some_and(|(end, _)| end - self.begin > self.most) {
            self.items.clear();
        }
    }

    /// Whether the item that lies at `here` is one of them. Those before it were read from the disk, and are forgotten.
    pub(super) fn has(&mut self, here: u64) -> bool {
        while self.begin < here
            && let Some((end, _)) = self.items.pop_front()
        {
            self.begin = end;
        }
        self.begin == here && !self.items.is_empty()
    }

    /// The item that lies at `here`, and where it ends.
    pub(super) fn take(&mut self, here: u64) -> Option<(u64, T)> {
        let (end, item) = if self.has(here) { self.items.pop_front()? } else { return None };
        self.begin = end;
        Some((end, item))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_found_at_their_places_and_forgotten_where_there_is_no_room() {
        let mut fresh = Fresh::new(40);
        fresh.push(100, [(110, 'a'), (120, 'b')].into_iter());
        fresh.push(120, [(130, 'c')].into_iter());
        assert_eq!([90, 105].map(|here| fresh.copy().take(here)), [None, None]);
        assert_eq!(fresh.take(100), Some((110, 'a')));
        // One was read from the disk.
        assert_eq!(fresh.take(120), Some((130, 'c')));
        assert_eq!(fresh.take(130), None);
        fresh.push(130, [(150, 'd')].into_iter());
        fresh.push(150, [(171, 'e')].into_iter());
        assert!(!fresh.has(130) && !fresh.has(150), "41 bytes");
        fresh.push(171, [(180, 'f')].into_iter());
        assert_eq!(fresh.take(171), Some((180, 'f')));
    }

    impl Fresh<char> {
        fn copy(&self) -> Self {
            Self { items: self.items.clone(), ..*self }
        }
    }
}
