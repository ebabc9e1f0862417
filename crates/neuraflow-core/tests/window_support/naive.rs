//! Windows the slow way: everything is known, and each sample is looked at on its own.
//!
//! Nothing here knows packets, buffers or state. When a sample was given up follows from the list of all arrivals.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use neuraflow_core::model::{SamplingRate, WindowStatus};
use neuraflow_core::window::Accounting;

use super::{Closed, Event};

pub struct Model {
    pub rate: SamplingRate,
    pub t0: i64,
    pub hop: i64,
    pub lateness: i64,
    /// Gaps of up to this many nanoseconds are interpolated.
    pub up_to: i64,
}

impl Model {
    /// Event time of sample `n` by the definition: `t0 + round(n · den · 10⁹ / num)`, ties up.
    fn time(&self, n: i128) -> i128 {
        let twice = 2 * n * i128::from(self.rate.den()) * 1_000_000_000;
        let num = i128::from(self.rate.num());
        i128::from(self.t0) + (twice + num).div_euclid(2 * num)
    }

    fn window(&self, n: i128) -> i128 {
        self.time(n).div_euclid(i128::from(self.hop))
    }

    /// All samples of a window, also those before sample 0, by looking at every candidate.
    fn members(&self, index: i128) -> Vec<i128> {
        let period = self.rate.den() as f64 * 1e9 / self.rate.num() as f64;
        let from = ((index * i128::from(self.hop) - i128::from(self.t0)) as f64 / period).floor() as i128;
        let most = (self.hop as f64 / period) as i128;
        (from - 3..from + most + 4).filter(|n| self.window(*n) == index).collect()
    }

    /// Windows and books of a stream that ends after these events, without jumps and silences.
    pub fn run(&self, events: &[Event]) -> (Vec<Closed>, Accounting) {
        // Every arrival of a sample, in order; `true` where it was dropped on the way.
        let mut arrivals: Vec<(u64, bool)> = Vec::new();
        for event in events {
            let (range, dropped): (Range<u64>, bool) = match event {
                Event::Samples(range) => (range.clone(), false),
                Event::Dropped(range) => (range.clone(), true),
                other => unreachable!("{other:?}"),
            };
            arrivals.extend(range.map(|n| (n, dropped)));
        }
        // The moment at which each of the highest samples so far arrived.
        let mut records: Vec<(u64, usize)> = Vec::new();
        for (moment, (n, _)) in arrivals.iter().enumerate() {
            if records.last().is_none_or(|(highest, _)| n > highest) {
                records.push((*n, moment));
            }
        }
        let end = records.last().map_or(0, |(n, _)| n + 1);
        let given_up = |n: u64| {
            let over = (self.window(i128::from(n)) + 1) * i128::from(self.hop) + i128::from(self.lateness);
            let i = records.partition_point(|(highest, _)| self.time(i128::from(*highest)) < over);
            records.get(i).map_or(usize::MAX, |(_, moment)| *moment)
        };

        let mut books = Accounting { samples_in: arrivals.len() as u64, ..Accounting::default() };
        let (mut received, mut seen, mut dropped) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for (moment, (n, was_dropped)) in arrivals.iter().enumerate() {
            if *was_dropped {
                books.dropped += 1;
                dropped.insert(*n);
            } else if !seen.insert(*n) {
                books.duplicate += 1;
            } else if moment < given_up(*n) {
                books.windowed += 1;
                received.insert(*n);
            } else {
                books.late += 1;
            }
        }
        books.lost = (0..end).filter(|n| !seen.contains(n) && !dropped.contains(n)).count() as u64;

        // Values: a received sample's value is its number, and so is that of one on a line between two.
        let mut values: BTreeMap<u64, (f32, bool)> =
            received.iter().map(|n| (*n, (*n as f32, true))).collect();
        let gone: Vec<u64> = (0..end).filter(|n| !received.contains(n)).collect();
        for gap in gone.chunk_by(|a, b| a + 1 == *b) {
            let (first, last) = (gap[0], gap[gap.len() - 1]);
            let duration = gap.len() as i128 * i128::from(self.rate.den()) * 1_000_000_000;
            let short = duration <= i128::from(self.up_to) * i128::from(self.rate.num());
            let between = first > 0 && last + 1 < end;
            for n in gap {
                let made_up = short && between;
                values.insert(*n, (if made_up { *n as f32 } else { f32::NAN }, false));
                books.imputed += u64::from(made_up);
            }
        }

        let mut windows = Vec::new();
        if end > 0 {
            // The stream lasts until its next sample would have come: windows that are over by then and expect none count.
            let last = self.window(i128::from(end) - 1).max(self.window(i128::from(end)) - 1);
            for index in self.window(0)..=last {
                let members = self.members(index);
                let own: Vec<u64> =
                    members.iter().filter(|n| (0..i128::from(end)).contains(*n)).map(|n| *n as u64).collect();
                let received = own.iter().filter(|n| received.contains(n)).count();
                let values: Vec<f32> = own.iter().map(|n| values[n].0).collect();
                let imputed = own.iter().filter(|n| !values_nan(&values, &own, **n)).count() - received;
                windows.push(Closed {
                    index: index as i64,
                    first: own.first().copied().unwrap_or_default(),
                    expected: members.len() as u32,
                    received: received as u32,
                    imputed: imputed as u32,
                    status: match () {
                        () if received < own.len() => WindowStatus::Gap,
                        () if own.len() < members.len() => WindowStatus::Partial,
                        () => WindowStatus::Complete,
                    },
                    values,
                });
            }
        }
        (windows, books)
    }
}

fn values_nan(values: &[f32], own: &[u64], n: u64) -> bool {
    own.iter().position(|m| *m == n).is_some_and(|i| values[i].is_nan())
}
