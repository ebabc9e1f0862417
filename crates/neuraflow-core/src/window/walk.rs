//! A walk along the grid: window after window, without a division for each.

use std::ops::Range;

use super::grid::{WindowGrid, first_as_quotient, from_zero, saturate};
use crate::model::Timestamp;

/// A window of a grid with the samples in it, and the way to the next one.
///
/// The first sample after a window is a quotient, see [`first_at`](super::grid::first_at). From one window to the next its
/// dividend grows by the same amount, so quotient and remainder are carried on instead of divided anew.
#[derive(Clone, Copy, Debug)]
pub(super) struct Walk {
    grid: WindowGrid,
    index: i64,
    start: Timestamp,
    end: Timestamp,
    /// The first sample in it and the first after it, on a grid without bounds. Within 64 bits: the calendar is
    /// 10¹⁹ ns long, and a nanosecond has at most a tenth of a sample.
    first: i64,
    past: i64,
    /// What remained of the division that gave `past`.
    remainder: i64,
    /// What each window adds to the quotient and the remainder.
    samples: i64,
    rest: i64,
    divisor: i64,
}

impl Walk {
    /// Begins at a window.
    pub(super) fn at(grid: WindowGrid, index: i64) -> Self {
        let (start, end) = grid.interval(index);
        let (_, divisor) = first_as_quotient(grid.t0(), grid.rate(), start);
        let added = 2 * i128::from(grid.hop().as_nanos()) * i128::from(grid.rate().num());
        let [first, past] = [start, end].map(|time| first_as_quotient(grid.t0(), grid.rate(), time).0);
        Self {
            grid,
            index,
            start,
            end,
            first: saturate(first.div_euclid(divisor)),
            past: saturate(past.div_euclid(divisor)),
            remainder: saturate(past.rem_euclid(divisor)),
            samples: saturate(added / divisor),
            rest: saturate(added % divisor),
            divisor: saturate(divisor), // 2 · 10⁹ times a denominator of at most 10⁹
        }
    }

    /// Goes to another window.
    pub(super) fn go_to(&mut self, index: i64) {
        *self = Self::at(self.grid, index);
    }

    /// Goes to the next window; stays at the last one that can be numbered.
    pub(super) fn go_on(&mut self) {
        let Some(index) = self.index.checked_add(1) else { return };
        let hop = self.grid.hop().as_nanos();
        // At the edges of the calendar instants saturate, and do not lie a hop apart.
        let lasts = self.end.as_nanos().checked_sub(self.start.as_nanos());
        let (true, Some(end)) = (lasts == Some(hop), self.end.as_nanos().checked_add(hop)) else {
            return self.go_to(index);
        };
        (self.index, self.start, self.end) = (index, self.end, Timestamp::from_nanos(end));
        self.first = self.past;
        self.past += self.samples;
        self.remainder += self.rest;
        if self.remainder >= self.divisor {
            self.remainder -= self.divisor;
            self.past += 1;
        }
    }

    /// The window's number.
    pub(super) fn index(&self) -> i64 {
        self.index
    }

    /// The window's first instant, and the first after it.
    pub(super) fn interval(&self) -> (Timestamp, Timestamp) {
        (self.start, self.end)
    }

    /// Its samples from sample 0 on.
    pub(super) fn samples(&self) -> Range<u64> {
        from_zero(i128::from(self.first))..from_zero(i128::from(self.past))
    }

    /// All of its samples.
    pub(super) fn expected(&self) -> u32 {
        u32::try_from((self.past - self.first).max(0)).unwrap_or(u32::MAX)
    }

    /// The grid that it goes along.
    pub(super) fn grid(&self) -> &WindowGrid {
        &self.grid
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{SamplingRate, Span};
    use crate::window::grid::EDGE;
    use proptest::prelude::*;

    fn same(walk: &Walk, other: &Walk) -> Result<(), TestCaseError> {
        let all = |w: &Walk| (w.index, w.interval(), w.first, w.past, w.remainder);
        prop_assert_eq!(all(walk), all(other));
        Ok(())
    }

    proptest! {
        #[test]
        fn step_by_step_as_by_number(
            num in 1u64..200_000, den in prop_oneof![1u64..100, 1u64..=1_000_000_000],
            t0 in prop_oneof![-EDGE..EDGE, 0..1_000_000_000i64], origin in prop_oneof![-EDGE..EDGE, 0..=0i64],
            hop in prop_oneof![1_000i64..3_000_000_000, 1_000_000_000_000_000..EDGE],
            index in prop_oneof![-1_000i64..1_000_000_000, any::<i64>(), i64::MAX - 3..=i64::MAX],
        ) {
            let Ok(rate) = SamplingRate::ratio(num, den) else { return Ok(()) };
            let (t0, origin) = (Timestamp::from_nanos(t0), Timestamp::from_nanos(origin));
            let Ok(grid) = WindowGrid::new(t0, rate, origin, Span::nanos(hop)) else { return Ok(()) };
            let mut walk = Walk::at(grid, index);
            for further in 1..200i64 {
                walk.go_on();
                same(&walk, &Walk::at(grid, index.saturating_add(further)))?;
            }
        }
    }
}
