//! Numbers over time in bounded memory: when the slots are full, neighbours are joined and each becomes twice as long.

use neuraflow_core::model::{Timestamp, WindowInfo, WindowStatus};

/// Slots of a timeline at most, and numbers in all its slots together.
const SLOTS: usize = 960;
const CELLS: usize = 400_000;
/// Slots that even the widest layout gets.
const FEWEST: usize = 64;

/// Sum and count of what was finite.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Mean {
    sum: f64,
    count: u32,
}

impl Mean {
    pub(super) fn add(&mut self, value: f64) {
        if value.is_finite() {
            self.sum += value;
            self.count += 1;
        }
    }

    fn join(&mut self, other: Self) {
        self.sum += other.sum;
        self.count += other.count;
    }

    /// NaN where nothing was added.
    pub(super) fn value(&self) -> f64 {
        self.sum / f64::from(self.count)
    }
}

/// How many windows of a slot ended in which status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Statuses {
    pub(super) complete: u32,
    pub(super) gap: u32,
    pub(super) partial: u32,
}

impl Statuses {
    pub(super) fn total(&self) -> u32 {
        self.complete + self.gap + self.partial
    }

    fn join(&mut self, other: Self) {
        self.complete += other.complete;
        self.gap += other.gap;
        self.partial += other.partial;
    }
}

/// The means of `width` numbers, and the statuses of windows, slot by slot. A slot is at first as long as a window.
///
/// A mean over all windows of a slot hides no window: each is counted in exactly one slot. Which slot depends on the
/// windows' times alone, so the same run gives the same slots.
#[derive(Clone, Debug)]
pub(super) struct Timeline {
    width: usize,
    most: usize,
    origin: Timestamp,
    /// Nanoseconds in a slot.
    stride: i64,
    statuses: Vec<Statuses>,
    /// `[slot][number]`.
    means: Vec<Mean>,
}

impl Timeline {
    /// Begins with the first window.
    pub(super) fn new(width: usize, first: &WindowInfo) -> Self {
        // Even, so that all slots have a neighbour to be joined with.
        let most = (CELLS / width.max(1)).clamp(FEWEST, SLOTS) & !1;
        let stride = (first.end - first.start).as_nanos().max(1);
        Self { width, most, origin: first.start, stride, statuses: Vec::new(), means: Vec::new() }
    }

    /// The slot of a window. One that begins before the first (a clock was set back) goes into the first.
    fn slot(&mut self, info: &WindowInfo) -> usize {
        let after = (info.start - self.origin).as_nanos().max(0);
        while after / self.stride >= self.most as i64 {
            self.join_neighbours();
        }
        let slot = (after / self.stride) as usize;
        if slot >= self.statuses.len() {
            self.statuses.resize(slot + 1, Statuses::default());
            self.means.resize((slot + 1) * self.width, Mean::default());
        }
        slot
    }

    fn join_neighbours(&mut self) {
        self.stride = self.stride.saturating_mul(2);
        for slot in 0..self.statuses.len() {
            let (from, into) = (slot, slot / 2);
            let statuses = std::mem::take(&mut self.statuses[from]);
            self.statuses[into].join(statuses);
            for number in 0..self.width {
                let mean = std::mem::take(&mut self.means[from * self.width + number]);
                self.means[into * self.width + number].join(mean);
            }
        }
        let slots = self.statuses.len().div_ceil(2);
        self.statuses.truncate(slots);
        self.means.truncate(slots * self.width);
    }

    /// Adds a window and its numbers; those that are not finite are no part of a mean.
    pub(super) fn add(&mut self, info: &WindowInfo, numbers: impl IntoIterator<Item = f64>) {
        let slot = self.slot(info);
        let statuses = &mut self.statuses[slot];
        match info.status {
            WindowStatus::Complete => statuses.complete += 1,
            WindowStatus::Gap => statuses.gap += 1,
            WindowStatus::Partial => statuses.partial += 1,
        }
        let means = self.means.iter_mut().skip(slot * self.width).take(self.width);
        means.zip(numbers).for_each(|(mean, number)| mean.add(number));
    }

    /// Where the first window begins.
    pub(super) fn start(&self) -> Timestamp {
        self.origin
    }

    /// Slots there are.
    pub(super) fn len(&self) -> usize {
        self.statuses.len()
    }

    /// Seconds in a slot.
    pub(super) fn slot_seconds(&self) -> f64 {
        self.stride as f64 / 1e9
    }

    pub(super) fn statuses(&self) -> &[Statuses] {
        &self.statuses
    }

    /// How many slots each of at most `most` equally long parts has.
    pub(super) fn together(&self, most: usize) -> usize {
        self.len().div_ceil(most.max(1)).max(1)
    }

    /// The means of a number over time, in at most `most` equally long parts.
    pub(super) fn means(&self, number: usize, most: usize) -> Vec<f64> {
        let together = self.together(most);
        let parts = (0..self.len()).step_by(together);
        parts
            .map(|first| {
                let mut joined = Mean::default();
                for slot in first..(first + together).min(self.len()) {
                    joined.join(self.means[slot * self.width + number]);
                }
                joined.value()
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::info;

    #[test]
    fn a_run_of_any_length_fits_and_no_window_is_lost() {
        let mut timeline = Timeline::new(64 * 5, &info(0, WindowStatus::Complete));
        // 8 hours of 50 ms windows, of which one in a thousand is kept: memory depends on the time that passes.
        let windows = (0..576_000).step_by(1_000);
        for index in windows.clone() {
            timeline.add(&info(index, WindowStatus::Complete), (0..320).map(|n| n as f64));
        }
        assert!(timeline.len() <= SLOTS, "{}", timeline.len());
        assert!(timeline.means.capacity() * size_of::<Mean>() < 12_000_000);
        assert_eq!(timeline.statuses.iter().map(Statuses::total).sum::<u32>(), windows.count() as u32);
        let filled = (0..timeline.len()).filter(|slot| timeline.statuses[*slot].total() > 0);
        assert!(filled.clone().count() > 400);
        let means = timeline.means(17, SLOTS);
        assert!(filled.into_iter().all(|slot| means[slot] == 17.0));
        assert_eq!(timeline.means(319, 100).len(), timeline.len().div_ceil(timeline.len().div_ceil(100)));
    }

    #[test]
    fn joining_keeps_the_mean_of_all_windows() {
        let mut timeline = Timeline::new(1, &info(0, WindowStatus::Complete));
        for index in 0..2_000 {
            timeline.add(&info(index, WindowStatus::Gap), [index as f64]);
        }
        assert_eq!((timeline.len(), timeline.slot_seconds()), (500, 0.2));
        let means = timeline.means(0, SLOTS);
        assert_eq!((means[0], means[499]), (1.5, 1_997.5));
        assert_eq!(timeline.statuses()[3], Statuses { gap: 4, ..Statuses::default() });
        assert_eq!(timeline.means(0, 1), [999.5]);
    }

    #[test]
    fn leaps_of_time_and_numbers_that_are_none_do_no_harm() {
        let mut timeline = Timeline::new(1, &info(0, WindowStatus::Complete));
        for (index, value) in [(0, 1.0), (-50, f64::NAN), (i64::MAX / 100_000_000, f64::INFINITY)] {
            timeline.add(&info(index, WindowStatus::Partial), [value]);
        }
        assert!(timeline.len() <= SLOTS);
        let means = timeline.means(0, SLOTS);
        assert!(means[0] == 1.0 && means[timeline.len() - 1].is_nan());
        assert_eq!(timeline.statuses().iter().map(|s| s.partial).sum::<u32>(), 3);
    }
}
