//! One channel's artifact detector: slices in, flags out.

use serde::{Deserialize, Serialize};

/// What is wrong with one channel in one window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// A value is too far from the baseline.
    pub amplitude: bool,
    /// Two consecutive values are too far apart.
    pub gradient: bool,
    /// The window does not move.
    pub flat: bool,
    /// The value rests at the end of its range.
    pub rail: bool,
}

impl Flags {
    /// The names of the flags, in their order.
    pub const NAMES: [&'static str; 4] = ["amplitude", "gradient", "flat", "rail"];

    /// The flags in the order of [`NAMES`](Self::NAMES).
    pub fn as_array(self) -> [bool; 4] {
        [self.amplitude, self.gradient, self.flat, self.rail]
    }

    /// Whether any flag is set.
    pub fn any(self) -> bool {
        self.as_array().contains(&true)
    }
}

/// The limits of one channel, in its unit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Greatest distance from the baseline.
    pub(super) amplitude: f64,
    /// Greatest difference of consecutive samples.
    pub(super) step: f64,
    /// Greatest peak-to-peak of a flat window.
    pub(super) flat: f64,
    /// The ends of the range, if known.
    pub(super) rails: Option<(f64, f64)>,
    /// Consecutive samples at an end that make a rail.
    pub(super) rail_samples: u32,
}

/// The summary of one past window.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Past {
    median: f64,
    low: f64,
    high: f64,
}

const NOTHING: Past = Past { median: f64::NAN, low: f64::NAN, high: f64::NAN };

/// What one channel remembers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Detector {
    /// The sample before this one; none if it was missing.
    last: Option<f64>,
    /// How many samples in a row have had the same value, or have been beyond a known rail.
    run: u32,
    /// The last windows, this one included, as a ring.
    past: Vec<Past>,
    next: usize,
}

impl Detector {
    /// A detector whose baseline covers this many windows.
    pub(super) fn new(windows: usize) -> Self {
        Self { last: None, run: 0, past: vec![NOTHING; windows.max(1)], next: 0 }
    }

    /// Forgets the signal.
    pub(super) fn reset(&mut self) {
        (self.last, self.run, self.next) = (None, 0, 0);
        self.past.fill(NOTHING);
    }

    /// Windows it remembers, if its parts agree with each other.
    pub(super) fn windows(&self) -> Option<usize> {
        (self.next < self.past.len()).then_some(self.past.len())
    }

    /// The flags of the next window. `scratch` is room for sorting.
    pub(super) fn judge(&mut self, window: &[f64], limits: &Limits, scratch: &mut Vec<f64>) -> Flags {
        let before = self.last;
        let mut flags = Flags::default();
        let (mut resting_low, mut resting_high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in window.iter().copied() {
            if !value.is_finite() {
                (self.last, self.run) = (None, 0);
                continue;
            }
            if let Some(last) = self.last {
                flags.gradient |= (value - last).abs() > limits.step;
            }
            let rests = match limits.rails {
                Some((low, high)) => value <= low || value >= high,
                None => self.last == Some(value),
            };
            self.run = match (rests, limits.rails) {
                (true, _) => self.run.saturating_add(1),
                (false, Some(_)) => 0,
                (false, None) => 1,
            };
            if self.run >= limits.rail_samples {
                (resting_low, resting_high) = (resting_low.min(value), resting_high.max(value));
            }
            self.last = Some(value);
        }
        scratch.clear();
        scratch.extend(window.iter().filter(|value| value.is_finite()));
        let median = median(scratch);
        let (low, high) = match (scratch.first(), scratch.last()) {
            (Some(low), Some(high)) => (*low, *high),
            _ => (f64::NAN, f64::NAN),
        };
        let valid = scratch.len();
        self.past[self.next] = Past { median, low, high };
        self.next = (self.next + 1) % self.past.len();
        if valid == 0 {
            return flags;
        }
        flags.flat = match (valid, before) {
            (1, Some(before)) => (high - before).abs() <= limits.flat,
            (1, None) => false,
            _ => high - low <= limits.flat,
        };
        scratch.clear();
        scratch.extend(self.past.iter().map(|past| past.median).filter(|median| median.is_finite()));
        let baseline = self::median(scratch);
        flags.amplitude = high - baseline > limits.amplitude || baseline - low > limits.amplitude;
        flags.rail = if limits.rails.is_some() {
            resting_low <= resting_high
        } else {
            let lowest = self.past.iter().map(|past| past.low).fold(f64::INFINITY, f64::min);
            let highest = self.past.iter().map(|past| past.high).fold(f64::NEG_INFINITY, f64::max);
            highest - lowest > limits.flat && (resting_low == lowest || resting_high == highest)
        };
        flags
    }
}

/// Sorts `values` and gives their median; NaN if there is none.
fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    match (values.len(), values.len() / 2) {
        (0, _) => f64::NAN,
        (length, middle) if length % 2 == 1 => values[middle],
        (_, middle) => (values[middle - 1] + values[middle]) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { amplitude: 150.0, step: 200.0, flat: 0.5, rails: None, rail_samples: 4 };

    fn run(windows: &[&[f64]], limits: &Limits) -> Vec<Flags> {
        let mut detector = Detector::new(20);
        windows.iter().map(|window| detector.judge(window, limits, &mut Vec::new())).collect()
    }

    #[test]
    fn an_offset_is_no_artifact_but_a_deviation_from_it_is() {
        let quiet = [15_000.0, 15_010.0, 14_990.0];
        let blink = [15_040.0, 15_170.0, 15_100.0];
        let flags = run(&[&quiet, &quiet, &blink, &quiet], &LIMITS);
        assert_eq!(flags.iter().map(|f| f.amplitude).collect::<Vec<_>>(), [false, false, true, false]);
        assert!(flags.iter().all(|f| !f.gradient && !f.flat && !f.rail));
    }

    #[test]
    fn a_step_between_windows_is_seen_and_one_across_a_gap_is_not() {
        let flags = run(&[&[0.0, 1.0], &[300.0, 301.0], &[f64::NAN], &[1.0, 0.0]], &LIMITS);
        assert_eq!(flags.iter().map(|f| f.gradient).collect::<Vec<_>>(), [false, true, false, false]);
    }

    #[test]
    fn a_window_of_one_sample_is_flat_if_it_equals_the_one_before() {
        let flags = run(&[&[3.0], &[3.2], &[9.0], &[], &[9.0], &[f64::NAN], &[9.0]], &LIMITS);
        let flat: Vec<bool> = flags.iter().map(|f| f.flat).collect();
        assert_eq!(flat, [false, true, false, false, true, false, false]);
    }

    #[test]
    fn resting_at_the_greatest_value_is_a_rail_and_elsewhere_it_is_not() {
        let top = run(&[&[1.0, 7.0, 9.0, 9.0], &[9.0, 9.0, 3.0]], &LIMITS);
        assert_eq!((top[0].rail, top[1].rail), (false, true)); // the fourth in a row is in the second window
        assert!(!run(&[&[1.0, 5.0, 5.0, 5.0, 5.0, 9.0]], &LIMITS)[0].rail);
    }

    #[test]
    fn known_rails_are_judged_by_themselves() {
        let limits = Limits { rails: Some((-100.0, 100.0)), rail_samples: 3, ..LIMITS };
        let flags = run(&[&[100.0, 101.0], &[100.0, 0.0], &[5.0, 5.0, 5.0], &[-100.0; 3]], &limits);
        assert_eq!(flags.iter().map(|f| f.rail).collect::<Vec<_>>(), [false, true, false, true]);
    }

    #[test]
    fn missing_values_never_flag() {
        let nothing = [f64::NAN; 20];
        assert_eq!(run(&[&nothing, &[], &[f64::INFINITY; 3]], &LIMITS), [Flags::default(); 3]);
    }
}
