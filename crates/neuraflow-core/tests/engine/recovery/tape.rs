//! A source that can be read again from any packet, and dies when it is told to.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use neuraflow_core::ingest::Ingest;
use neuraflow_core::model::{Control, Marker, Packet, PacketBody, Positions, Span, StreamHeader, Timestamp};
use neuraflow_core::source::{Polled, Source, SourceContext, SourceError, SourceReader};

use super::super::parts::header;

/// A small generator of random numbers, the same everywhere.
#[derive(Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11
    }

    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.next() % n.max(1)
    }

    pub(crate) fn chance(&mut self, one_in: u64) -> bool {
        self.below(one_in) == 0
    }
}

/// How a part dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Death {
    Fails,
    Panics,
}

/// Dies at certain steps of all its holders together, or from one step on for ever.
#[derive(Clone)]
pub(crate) struct Fuse {
    steps: Arc<AtomicI64>,
    at: Arc<[i64]>,
    for_ever: bool,
    death: Death,
}

impl Fuse {
    /// From step `step` on, whoever takes one dies.
    pub(crate) fn of(step: i64, death: Death) -> Self {
        Self { steps: Arc::default(), at: [step].into(), for_ever: true, death }
    }

    /// Only who takes one of these steps.
    pub(crate) fn at(steps: &[i64], death: Death) -> Self {
        Self { steps: Arc::default(), at: steps.into(), for_ever: false, death }
    }

    pub(crate) fn never() -> Self {
        Self::at(&[], Death::Fails)
    }

    /// One step: whether it is the last one. Panics if that is how it ends.
    pub(crate) fn burns(&self) -> bool {
        let step = self.steps.fetch_add(1, Ordering::SeqCst);
        let out = self.at.contains(&step) || (self.for_ever && step >= self.at[0]);
        assert!(!out || self.death != Death::Panics, "told to panic");
        out
    }
}

/// A stream's packets, eventful: gaps, duplicates, packets out of order and late, jumps, missing values, markers, controls, silence,
/// ends and new beginnings.
pub(crate) fn eventful(header: &StreamHeader, samples: u64, random: &mut Random) -> Vec<Packet> {
    let body = |body| Packet { stream: header.key, body };
    let width = header.channels.len();
    let mut packets = vec![body(PacketBody::Open(Box::new(header.clone())))];
    let (mut n, mut all, mut held) = (0u64, 0, Vec::<Packet>::new());
    let mut aside = random.clone();
    while all < samples {
        let count = 1 + random.below(17);
        let mut values: Vec<f32> =
            (0..count as usize * width).map(|_| (random.below(20_000) as f32 - 10_000.0) / 7.0).collect();
        if random.chance(20) {
            let at = random.below(values.len() as u64) as usize;
            values[at] = f32::NAN;
        }
        let packet = body(PacketBody::Samples { sequence: header.sequence.wrap(n), values });
        match random.below(40) {
            0 => {} // lost
            1 => packets.extend([packet.clone(), packet]),
            2 | 3 => held.push(packet),
            4 => {
                packets.push(body(PacketBody::Dropped { sequence: header.sequence.wrap(n), samples: count }))
            }
            _ => packets.push(packet),
        }
        if !held.is_empty() && random.chance(4) {
            packets.append(&mut held);
        }
        (n, all) = (n + count, all + count);
        if random.chance(12) {
            let time = header.time_of(n.saturating_sub(random.below(40)));
            let label = ["cue", "press"][random.below(2) as usize];
            packets.push(body(PacketBody::Marker(Marker::new(time, label))));
        }
        if aside.chance(12) {
            let time = header.time_of((n + aside.below(80)).saturating_sub(40));
            let target = if aside.chance(8) { "nobody" } else { "running" };
            packets.push(body(PacketBody::Control(Control::new(time, target, [aside.below(4) as u8]))));
        }
        match random.below(150) {
            0 => packets.push(body(PacketBody::Silent)),
            1 => n += 30_000, // longer than a gap may be
            2 => {
                packets.push(body(PacketBody::End { next: None }));
                let mut again = header.clone();
                again.t0 = header.t0 + Span::secs(100) + Span::millis(random.below(5_000) as i64);
                packets.push(body(PacketBody::Open(Box::new(again))));
                n = 0;
                if random.chance(8) {
                    break; // and that was all of it
                }
            }
            3 => packets.push(body(PacketBody::Open(Box::new(header.clone())))),
            _ => {}
        }
    }
    packets.append(&mut held);
    if random.chance(2) {
        packets.push(body(PacketBody::End { next: None }));
    }
    packets
}

/// Streams, each with its packets. A stream is read by one worker; positions count its packets.
#[derive(Clone)]
pub(crate) struct Tape {
    pub(crate) name: String,
    pub(crate) streams: Arc<Vec<(StreamHeader, Vec<Packet>)>>,
    pub(crate) fuse: Fuse,
    /// Packets in one poll, at most, and how long a reader rests afterwards.
    pub(crate) pace: (usize, Duration),
}

impl Tape {
    pub(crate) fn eventful(name: &str, streams: u64, samples: u64, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let mut all = Vec::new();
        for stream in 0..streams {
            let rates = [100, 250, 256, 1_000];
            let mut header = header(&format!("{name}/{stream}"), rates[random.below(4) as usize], 2);
            header.t0 = Timestamp::from_nanos(random.below(1_000_000_000) as i64);
            let packets = eventful(&header, samples, &mut random);
            all.push((header, packets));
        }
        let pace = (6, Duration::from_micros(50));
        Self { name: name.to_owned(), streams: Arc::new(all), fuse: Fuse::never(), pace }
    }
}

impl Source for Tape {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn streams(&self) -> Vec<StreamHeader> {
        self.streams.iter().map(|(header, _)| header.clone()).collect()
    }

    fn open(&self, context: SourceContext) -> Result<Option<Box<dyn SourceReader>>, SourceError> {
        let own = (0..self.streams.len()).filter(|stream| stream % context.workers == context.worker);
        let places: Vec<(usize, usize)> = own
            .map(|stream| {
                let name = &self.streams[stream].0.name;
                let from = context.from.as_ref().and_then(|from| from.get(name)).unwrap_or(0);
                (stream, from as usize)
            })
            .collect();
        let reader = TapeReader { tape: self.clone(), resumes: places.clone(), places, turn: 0 };
        Ok((!reader.places.is_empty()).then(|| Box::new(reader) as _))
    }
}

struct TapeReader {
    tape: Tape,
    /// Streams, and where reading them began.
    resumes: Vec<(usize, usize)>,
    /// Streams, and the next packet of each.
    places: Vec<(usize, usize)>,
    turn: usize,
}

impl SourceReader for TapeReader {
    fn poll(&mut self, out: &mut Ingest, _: usize) -> Result<Polled, SourceError> {
        for (stream, from) in self.resumes.drain(..) {
            let before = self.tape.streams[stream].1[..from].iter().rev();
            let opened = before.filter_map(|packet| match &packet.body {
                PacketBody::Open(header) => Some((**header).clone()),
                _ => None,
            });
            opened.take(1).for_each(|header| _ = out.resume(header));
        }
        if self.tape.fuse.burns() {
            let (setting, expected, found) = ("fuse", "a longer one".to_owned(), "its end".to_owned());
            return Err(SourceError::Setting { setting, expected, found });
        }
        let mut left = 0;
        for _ in 0..self.tape.pace.0 {
            self.turn = (self.turn + 1) % self.places.len();
            let (stream, next) = &mut self.places[self.turn];
            if let Some(packet) = self.tape.streams[*stream].1.get(*next) {
                out.packet(packet.clone());
                *next += 1;
            }
        }
        for (stream, next) in &self.places {
            left += self.tape.streams[*stream].1.len() - next;
        }
        let (_, rest) = self.tape.pace;
        Ok(match left {
            0 => Polled::Ended,
            _ if rest.is_zero() => Polled::Ready,
            _ => Polled::After(rest),
        })
    }

    fn positions(&self) -> Option<Positions> {
        let mut positions = Positions::default();
        for (stream, next) in &self.places {
            positions.set(self.tape.streams[*stream].0.name.clone(), *next as u64);
        }
        Some(positions)
    }
}
