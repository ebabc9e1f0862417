//! The script of a faulty stream: which samples are sent, lost, sent again, swapped, delayed or spoiled, and when.
//!
//! It speaks of samples only. Packets are cut from it afterwards, so their size cannot change what happens. Each
//! kind of fault has a slot of its own in every round, so that faults never overlap and can be counted apart.

use std::collections::VecDeque;
use std::ops::Range;

use neuraflow_core::model::{SamplingRate, SequenceBits, Span};
use rand_xoshiro::Xoshiro256Plus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

use super::faults::{Fault, FaultPlan};
use super::signal::{between, mix};

/// What happens to a run of samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// They are sent.
    Send,
    /// They are sent, with this channel NaN or infinite.
    Spoil { channel: usize },
    /// They are never sent.
    Lose(Fault),
    /// They are held back.
    Hold,
    /// They are sent, and kept to be sent again.
    Keep,
    /// What was held back or kept is sent; no new sample is taken meanwhile.
    Release(Release),
}

/// Why samples are sent out of turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Release {
    Duplicate,
    Swap,
    Delay,
}

impl Act {
    /// Whether new samples are taken for it.
    pub(super) fn takes(self) -> bool {
        !matches!(self, Self::Release(_))
    }
}

/// One line of the script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) samples: Range<u64>,
    pub(super) act: Act,
}

/// The steps of one stream, in order.
pub(super) struct Script {
    rate: SamplingRate,
    channels: u64,
    /// No fault spans more samples than the counter can tell apart from a step back.
    longest: u64,
    kinds: Vec<Fault>,
    rng: Xoshiro256Plus,
    round: u64,
    queue: Vec<Fault>,
    at: u64,
    total: u64,
    steps: VecDeque<Step>,
}

impl Script {
    /// `total` samples, or `u64::MAX` for an endless stream.
    pub(super) fn new(
        plan: FaultPlan,
        seed: u64,
        rate: SamplingRate,
        channels: usize,
        sequence: SequenceBits,
        total: u64,
    ) -> Self {
        let kinds = plan.faults().filter(|fault| !matches!(fault, Fault::Jitter | Fault::Wrap)).collect();
        Self {
            rate,
            channels: channels as u64,
            longest: sequence.modulus() / 4,
            kinds,
            rng: Xoshiro256Plus::seed_from_u64(mix(seed, 6)),
            round: 0,
            queue: Vec::new(),
            at: 0,
            total,
            steps: VecDeque::new(),
        }
    }

    fn slot(&mut self) {
        if self.queue.is_empty() {
            self.queue.clone_from(&self.kinds);
            for i in (1..self.queue.len()).rev() {
                let j = self.below(i as u64 + 1) as usize;
                self.queue.swap(i, j);
            }
            self.round += 1;
        }
        let Some(fault) = self.queue.pop() else {
            self.push(self.total, Act::Send);
            return;
        };
        let millis = if fault == Fault::Dropout { 5_000 } else { 1_500 };
        let end = self.at.saturating_add(self.rate.samples_in(Span::millis(millis)).max(1));
        // (act, samples) of the fault itself; a release takes no sample.
        let acts: Vec<(Act, u64)> = match fault {
            Fault::Gap => vec![(Act::Lose(fault), self.draw(20.0, 300.0))],
            Fault::Dropout => vec![(Act::Lose(fault), self.draw(500.0, 3_000.0))],
            Fault::Nan => {
                let channel = self.below(self.channels) as usize;
                vec![(Act::Spoil { channel }, self.draw(50.0, 500.0))]
            }
            Fault::Duplicate => vec![
                (Act::Keep, self.draw(20.0, 100.0)),
                (Act::Send, self.draw(20.0, 300.0)),
                (Act::Release(Release::Duplicate), 0),
            ],
            _ if self.round % 2 == 1 => {
                let run = self.rate.samples_in(Span::millis(4)).clamp(1, self.longest);
                vec![(Act::Hold, run), (Act::Send, run), (Act::Release(Release::Swap), 0)]
            }
            _ => vec![
                (Act::Hold, self.draw(20.0, 60.0)),
                (Act::Send, self.draw(200.0, 400.0)),
                (Act::Release(Release::Delay), 0),
            ],
        };
        let length: u64 = acts.iter().map(|(_, samples)| samples).sum();
        let room = (end - self.at).saturating_sub(length + 2);
        if end > self.total || room == 0 {
            self.push(end.min(self.total), Act::Send);
            return;
        }
        let start = self.at + 1 + self.below(room);
        self.push(start, Act::Send);
        let mut kept = start..start;
        for (act, samples) in acts {
            if act.takes() {
                self.push(self.at + samples, act);
                if matches!(act, Act::Hold | Act::Keep) {
                    kept = start..self.at;
                }
            } else {
                self.steps.push_back(Step { samples: kept.clone(), act });
            }
        }
        self.push(end, Act::Send);
    }

    fn push(&mut self, to: u64, act: Act) {
        if to > self.at {
            self.steps.push_back(Step { samples: self.at..to, act });
            self.at = to;
        }
    }

    /// So many milliseconds in samples, at least one.
    fn draw(&mut self, low: f64, high: f64) -> u64 {
        let millis = between(&mut self.rng, low, high);
        self.rate.samples_in(Span::nanos((millis * 1e6) as i64)).clamp(1, self.longest)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.rng.next_u64() % bound.max(1)
    }
}

impl Iterator for Script {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        while self.steps.is_empty() && self.at < self.total {
            self.slot();
        }
        self.steps.pop_front()
    }
}
