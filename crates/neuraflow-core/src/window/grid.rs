//! The grid: which window a sample belongs to, computed from its number alone.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::error::WindowError;
use super::walk::Walk;
use crate::model::{SamplingRate, Span, StreamHeader, Timestamp};

const NANOS: i128 = 1_000_000_000;

/// No sample and no window lies further from the Unix epoch than this: 126 years. It keeps every number below
/// within its type, whatever a packet claims.
pub(super) const EDGE: i64 = 4_000_000_000_000_000_000;

/// Tumbling windows of event time over one stream: sample *n* belongs to window `⌊(t(n) − origin) / hop⌋`.
///
/// All arithmetic is exact, so windows are `hop` long for ever, whatever the sampling rate; what varies
/// is the number of samples in them. Streams with the same origin and hop share one grid.
///
/// ```
/// use neuraflow_core::model::{SamplingRate, Span, Timestamp};
/// use neuraflow_core::window::WindowGrid;
/// let grid = WindowGrid::new(Timestamp::EPOCH, SamplingRate::hz(250)?, Timestamp::EPOCH, Span::millis(50))?;
/// assert_eq!(grid.samples(0), 0..13);
/// assert_eq!(grid.samples(1), 13..25);
/// assert_eq!(grid.index_of(15_000), 1200); // one minute in
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Parts")]
pub struct WindowGrid {
    t0: Timestamp,
    rate: SamplingRate,
    origin: Timestamp,
    hop: Span,
}

/// The grid as it is stored, not yet checked.
#[derive(Deserialize)]
struct Parts {
    t0: Timestamp,
    rate: SamplingRate,
    origin: Timestamp,
    hop: Span,
}

impl TryFrom<Parts> for WindowGrid {
    type Error = WindowError;
    fn try_from(parts: Parts) -> Result<Self, WindowError> {
        Self::new(parts.t0, parts.rate, parts.origin, parts.hop)
    }
}

impl WindowGrid {
    /// A grid of windows `hop` long, one of which starts at `origin`, over a stream whose sample 0 is at `t0`.
    ///
    /// # Errors
    /// A `hop` that is not positive or holds more than `u32::MAX` samples, and instants before 1844 or after 2096.
    pub fn new(t0: Timestamp, rate: SamplingRate, origin: Timestamp, hop: Span) -> Result<Self, WindowError> {
        if hop <= Span::ZERO || hop.as_nanos() > EDGE {
            return Err(WindowError::Length { what: "the hop", found: hop });
        }
        for (what, found) in [("the stream's start", t0), ("the grid's origin", origin)] {
            if !(-EDGE..EDGE).contains(&found.as_nanos()) {
                return Err(WindowError::Instant { what, found });
            }
        }
        let most = rate.samples_in(hop).saturating_add(1);
        if most > u64::from(u32::MAX) {
            return Err(WindowError::Samples { found: most });
        }
        Ok(Self { t0, rate, origin, hop })
    }

    /// The grid of a stream, with the Unix epoch as its origin.
    ///
    /// # Errors
    /// As for [`new`](Self::new).
    pub fn of(header: &StreamHeader, hop: Span) -> Result<Self, WindowError> {
        Self::new(header.t0, header.rate, Timestamp::EPOCH, hop)
    }

    /// Event time of sample 0.
    pub fn t0(&self) -> Timestamp {
        self.t0
    }

    /// Samples per second.
    pub fn rate(&self) -> SamplingRate {
        self.rate
    }

    /// An instant at which a window starts: window 0.
    pub fn origin(&self) -> Timestamp {
        self.origin
    }

    /// Length of every window.
    pub fn hop(&self) -> Span {
        self.hop
    }

    /// The window that sample `n` belongs to.
    pub fn index_of(&self, n: u64) -> i64 {
        let t = time_at(self.t0, self.rate, i128::from(n)) - i128::from(self.origin.as_nanos());
        saturate(t.div_euclid(i128::from(self.hop.as_nanos())))
    }

    /// A window's first instant, and the first instant after it.
    pub fn interval(&self, index: i64) -> (Timestamp, Timestamp) {
        (Timestamp::from_nanos(self.start(index)), Timestamp::from_nanos(self.start(index.saturating_add(1))))
    }

    /// The samples inside a window, from sample 0 on. Empty before the stream's start, and where
    /// the sampling rate is lower than the windows' and none falls into this one.
    pub fn samples(&self, index: i64) -> Range<u64> {
        Walk::at(*self, index).samples()
    }

    /// How many samples a window's interval holds on a grid without bounds, so also those
    /// that it would hold before the stream's start.
    pub fn expected(&self, index: i64) -> u32 {
        Walk::at(*self, index).expected()
    }

    /// Refuses a grid on which one sample could bring about more windows than it is worth: a header that claims a
    /// sample a year must not cost millions of empty windows for each.
    ///
    /// # Errors
    /// More than 4,096 windows from one sample to the next; at 50 ms that is a sample in 204 s.
    pub fn dense_enough(&self) -> Result<(), WindowError> {
        const MOST: u64 = 4_096;
        let period = i128::from(self.rate.den()) * NANOS / i128::from(self.rate.num());
        let found = u64::try_from(period / i128::from(self.hop.as_nanos())).unwrap_or(u64::MAX);
        if found > MOST {
            return Err(WindowError::Sparse { most: MOST, found, rate: self.rate });
        }
        Ok(())
    }

    /// The first sample, from 0 on, at or after an instant.
    pub fn first_at_or_after(&self, time: Timestamp) -> u64 {
        from_zero(first_at(self.t0, self.rate, time))
    }

    /// The first sample that lies too far in the future to be counted in windows (in the year 2096).
    pub fn end_of_time(&self) -> u64 {
        self.first_at_or_after(Timestamp::from_nanos(EDGE))
    }

    fn start(&self, index: i64) -> i64 {
        saturate(i128::from(self.origin.as_nanos()) + i128::from(index) * i128::from(self.hop.as_nanos()))
    }
}

pub(super) fn from_zero(n: i128) -> u64 {
    u64::try_from(n.max(0)).unwrap_or(u64::MAX)
}

pub(super) fn saturate(value: i128) -> i64 {
    value.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64
}

/// Event time of sample `n`, which may lie before sample 0, in nanoseconds since the Unix epoch.
pub(super) fn time_at(t0: Timestamp, rate: SamplingRate, n: i128) -> i128 {
    let (p, q) = (i128::from(rate.den()) * NANOS, i128::from(rate.num()));
    i128::from(t0.as_nanos()) + (2 * n * p + q).div_euclid(2 * q)
}

/// The first sample at or after an instant, which may lie before sample 0.
pub(super) fn first_at(t0: Timestamp, rate: SamplingRate, time: Timestamp) -> i128 {
    let (dividend, divisor) = first_as_quotient(t0, rate, time);
    floor_div(dividend, divisor)
}

/// The same as a dividend and its positive divisor, which are to be divided and rounded down.
pub(super) fn first_as_quotient(t0: Timestamp, rate: SamplingRate, time: Timestamp) -> (i128, i128) {
    // t(n) ≥ time  ⇔  ⌊n·p/q + 1/2⌋ ≥ s  ⇔  n·p/q ≥ s − 1/2, with p/q the exact period in nanoseconds.
    let (p, q) = (i128::from(rate.den()) * NANOS, i128::from(rate.num()));
    let s = i128::from(time.as_nanos()) - i128::from(t0.as_nanos());
    ((2 * s - 1) * q + 2 * p - 1, 2 * p)
}

/// The quotient rounded down, of a positive divisor. Days of signal fit into 64 bits, where a division costs a tenth.
fn floor_div(dividend: i128, divisor: i128) -> i128 {
    match (i64::try_from(dividend), i64::try_from(divisor)) {
        (Ok(dividend), Ok(divisor)) => i128::from(dividend.div_euclid(divisor)),
        _ => dividend.div_euclid(divisor),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn grid(rate: SamplingRate) -> WindowGrid {
        WindowGrid::new(Timestamp::EPOCH, rate, Timestamp::EPOCH, Span::millis(50)).unwrap()
    }

    fn counts(hz: f64, windows: i64) -> Vec<u64> {
        let grid = grid(SamplingRate::from_hz(hz).unwrap());
        (0..windows).map(|w| grid.samples(w).end - grid.samples(w).start).collect()
    }

    #[test]
    fn fifty_milliseconds_are_fifty_milliseconds() {
        assert_eq!(counts(250.0, 4), [13, 12, 13, 12]);
        assert_eq!(counts(256.0, 5).iter().sum::<u64>(), 64);
        assert!(counts(19_531.25, 1000).iter().all(|n| [976, 977].contains(n)));
        assert_eq!(counts(30_000.0, 100), [1500; 100]);
        assert_eq!(counts(250.0, 1200).iter().sum::<u64>(), 15_000);
        assert_eq!(counts(12.8, 16).iter().sum::<u64>(), 11);
        assert_eq!(counts(12.8, 4), [1, 1, 0, 1]);
    }

    #[test]
    fn counts_before_the_start_too() {
        let rate = SamplingRate::hz(250).unwrap();
        let grid =
            WindowGrid::new(Timestamp::from_nanos(30_000_000), rate, Timestamp::EPOCH, Span::millis(50))
                .unwrap();
        assert_eq!(grid.samples(0), 0..5);
        assert_eq!(grid.expected(0), 12);
        assert_eq!(grid.samples(-1), 0..0);
        assert_eq!(grid.index_of(0), 0);
    }

    #[test]
    fn refuses_what_is_no_grid() {
        let rate = SamplingRate::hz(250).unwrap();
        let new = |t0, origin, hop| {
            WindowGrid::new(Timestamp::from_nanos(t0), rate, Timestamp::from_nanos(origin), hop)
        };
        assert!(matches!(new(0, 0, Span::ZERO), Err(WindowError::Length { .. })));
        assert!(matches!(new(0, 0, Span::millis(-1)), Err(WindowError::Length { .. })));
        assert!(matches!(new(i64::MAX, 0, Span::millis(50)), Err(WindowError::Instant { .. })));
        assert!(matches!(new(0, i64::MIN, Span::millis(50)), Err(WindowError::Instant { .. })));
        let fast = SamplingRate::hz(100_000_000).unwrap();
        let long = WindowGrid::new(Timestamp::EPOCH, fast, Timestamp::EPOCH, Span::secs(60));
        assert!(matches!(long, Err(WindowError::Samples { .. })));
    }

    proptest! {
        #[test]
        fn samples_and_windows_agree(
            num in 1u64..200_000, den in 1u64..100, t0 in -EDGE / 2..EDGE / 2, origin in -EDGE / 2..EDGE / 2,
            hop in 1_000i64..3_000_000_000, n in 0u64..1_000_000_000,
        ) {
            let rate = SamplingRate::ratio(num, den).unwrap();
            let (t0, origin) = (Timestamp::from_nanos(t0), Timestamp::from_nanos(origin));
            let grid = WindowGrid::new(t0, rate, origin, Span::nanos(hop)).unwrap();
            prop_assume!(n < grid.end_of_time());
            let w = grid.index_of(n);
            let (start, end) = grid.interval(w);
            let time = t0 + rate.offset(n);
            prop_assert!(start <= time && time < end);
            prop_assert_eq!(grid.first_at_or_after(time), n);
            prop_assert_eq!(grid.first_at_or_after(time + Span::nanos(1)), n + 1);
            prop_assert_eq!((end - start).as_nanos(), hop);
            let range = grid.samples(w);
            prop_assert!(range.contains(&n));
            prop_assert_eq!(range.end, grid.samples(w + 1).start);
            if range.start > 0 {
                prop_assert_eq!(u64::from(grid.expected(w)), range.end - range.start);
            }
        }
    }
}
