//! One synthetic headset: its script cut into packets, each due when its last sample was taken.

use std::ops::Range;

use neuraflow_core::ingest::{Ingest, StreamSlot};
use neuraflow_core::model::{Span, StreamHeader};
use rand_xoshiro::Xoshiro256Plus;
use rand_xoshiro::rand_core::SeedableRng;

use super::faults::{Fault, FaultPlan};
use super::script::{Act, Script, Step};
use super::signal::{Signal, between, mix};
use crate::part::part;

/// Latest that jitter lets a packet be, in ms.
const JITTER_MS: f64 = 30.0;

pub(super) struct Headset {
    header: StreamHeader,
    slot: Option<StreamSlot>,
    signal: Signal,
    script: Script,
    step: Option<Step>,
    packet: u64,
    jitter: Option<Xoshiro256Plus>,
    /// The packet that comes next, and when.
    next: Option<(Range<u64>, Act)>,
    due: Span,
    /// Samples taken by the packets cut so far.
    taken: u64,
    /// How much of the script was acted out: samples of all acts, sent or not or again, and one more for the end.
    done: u64,
    /// When what was emitted last was due.
    last: Span,
    /// Whether it was opened before the checkpoint that it goes on from.
    resumed: bool,
    /// Whether its end was emitted.
    ended: bool,
    /// Samples held back or kept, from this one on.
    kept: (u64, Vec<f32>),
    scratch: Vec<f32>,
}

impl Headset {
    pub(super) fn new(
        header: StreamHeader,
        signal: Signal,
        script: Script,
        packet: usize,
        faults: FaultPlan,
        seed: u64,
    ) -> Self {
        let jitter = faults.has(Fault::Jitter).then(|| Xoshiro256Plus::seed_from_u64(mix(seed, 7)));
        let mut headset = Self {
            header,
            slot: None,
            signal,
            script,
            step: None,
            packet: packet as u64,
            jitter,
            next: None,
            due: Span::ZERO,
            taken: 0,
            done: 0,
            last: Span::ZERO,
            resumed: false,
            ended: false,
            kept: (0, Vec::new()),
            scratch: Vec::new(),
        };
        headset.cut();
        headset
    }

    /// Announces the stream.
    pub(super) fn open(&mut self, out: &mut Ingest) {
        let header = self.header.clone();
        self.slot = Some(if self.resumed { out.resume(header) } else { out.open(header) });
    }

    /// What positions call the stream.
    pub(super) fn part(&self) -> String {
        part(&self.header)
    }

    /// How far it is.
    pub(super) fn position(&self) -> u64 {
        self.done
    }

    /// Whether it goes on from a position.
    pub(super) fn was_resumed(&self) -> bool {
        self.resumed
    }

    /// Whether its end was emitted.
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// When what was emitted last was due.
    pub(super) fn last_due(&self) -> Span {
        self.last
    }

    /// Goes on from a position as if all before it had been emitted; `Err` with the last position there is if it lies beyond.
    pub(super) fn resume(&mut self, position: u64) -> Result<(), u64> {
        self.resumed = true;
        let (mut taken, mut kept) = (0, 0..0);
        while self.done < position {
            let Some((samples, act)) = self.next.take() else {
                (self.ended, self.done) = (true, self.done + 1);
                break;
            };
            // A position within a packet is one of another packet size.
            let end = samples.end.min(samples.start.saturating_add(position - self.done));
            let now = samples.start..end;
            self.done += end - now.start;
            if matches!(act, Act::Hold | Act::Keep) {
                kept = if kept.end == now.start { kept.start..end } else { now.clone() };
            }
            if act.takes() {
                taken = end;
            }
            if end < samples.end {
                self.next = Some((end..samples.end, act));
            } else {
                self.last = self.due;
                self.cut();
            }
        }
        self.signal.skip_to(kept.start);
        self.kept.0 = kept.start;
        kept.for_each(|_| self.signal.sample(&mut self.kept.1));
        self.signal.skip_to(taken);
        if self.done == position { Ok(()) } else { Err(self.done) }
    }

    /// When its next packet, or its end, is due: event time since its beginning.
    pub(super) fn due(&self) -> Span {
        self.due
    }

    /// Emits what is due next: how many samples that was, or `None` after its end.
    pub(super) fn emit(&mut self, out: &mut Ingest) -> Option<usize> {
        let slot = self.slot?;
        self.last = self.due;
        let Some((samples, act)) = self.next.take() else {
            out.end(slot, Some(self.sequence(self.taken)));
            (self.ended, self.done) = (true, self.done + 1);
            return None;
        };
        self.scratch.clear();
        let count = (samples.end - samples.start) as usize;
        if act.takes() {
            while self.signal.next() < samples.end {
                self.signal.sample(&mut self.scratch);
            }
        }
        let sequence = self.sequence(samples.start);
        match act {
            Act::Send => out.samples(slot, sequence, &self.scratch),
            Act::Spoil { channel } => {
                self.spoil(samples.start, channel);
                out.samples(slot, sequence, &self.scratch);
            }
            Act::Lose(_) => {}
            Act::Hold => self.keep(samples.start),
            Act::Keep => {
                self.keep(samples.start);
                out.samples(slot, sequence, &self.scratch);
            }
            Act::Release(_) => {
                let width = self.header.channels.len();
                let from = (samples.start - self.kept.0) as usize * width;
                out.samples(slot, sequence, &self.kept.1[from..from + count * width]);
            }
        }
        self.done += samples.end - samples.start;
        self.cut();
        Some(count)
    }

    fn sequence(&self, n: u64) -> u64 {
        self.header.sequence.wrap(self.header.first_sequence.wrapping_add(n))
    }

    fn keep(&mut self, first: u64) {
        // A run that does not continue the one kept so far begins a new one.
        let width = self.header.channels.len().max(1);
        if self.kept.0 + (self.kept.1.len() / width) as u64 != first {
            self.kept.0 = first;
            self.kept.1.clear();
        }
        self.kept.1.extend_from_slice(&self.scratch);
    }

    fn spoil(&mut self, first: u64, channel: usize) {
        for (i, sample) in self.scratch.chunks_exact_mut(self.header.channels.len().max(1)).enumerate() {
            if let Some(value) = sample.get_mut(channel) {
                *value = match (first + i as u64) % 4 {
                    0 | 1 => f32::NAN,
                    2 => f32::INFINITY,
                    _ => f32::NEG_INFINITY,
                };
            }
        }
    }

    /// Cuts the next packet from the script.
    fn cut(&mut self) {
        let Some(step) = self.step.take().or_else(|| self.script.next()) else { return };
        let usual = self.packet;
        let samples = match &mut self.jitter {
            Some(rng) => 1 + between(rng, 0.0, (2 * usual - 1) as f64) as u64,
            None => usual,
        };
        let first = step.samples.start;
        let end = step.samples.end.min(first + samples);
        if end < step.samples.end {
            self.step = Some(Step { samples: end..step.samples.end, act: step.act });
        }
        if step.act.takes() {
            self.taken = end;
        }
        let late = match &mut self.jitter {
            Some(rng) => Span::nanos((between(rng, 0.0, JITTER_MS) * 1e6) as i64),
            None => Span::ZERO,
        };
        let ready = self.header.rate.offset(self.taken.saturating_sub(1)) + late;
        self.due = self.due.max(ready);
        self.next = Some((first..end, step.act));
    }
}
