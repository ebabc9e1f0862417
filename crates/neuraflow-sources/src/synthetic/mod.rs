//! Synthetic headsets: EEG-like signals from a seed, with faults on demand and their ground truth.

mod faults;
mod headset;
mod injected;
mod montage;
mod script;
mod signal;

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use neuraflow_core::ingest::Ingest;
use neuraflow_core::model::{Positions, SamplingRate, SequenceBits, Span, StreamHeader, StreamKey};
use neuraflow_core::source::{Polled, Source, SourceContext, SourceError, SourceReader};

pub use faults::{Fault, FaultPlan, UnknownFault};
pub use injected::Injected;

use crate::pace::{Pacer, Speed};
use headset::Headset;
use script::Script;
use signal::{Signal, mix};

/// Most channels of one headset: beyond what any recording system has.
const MAX_CHANNELS: usize = 65_536;

/// Headsets with an EEG-like signal in microvolts: 1/f background, alpha bursts (strongest at the back of the head),
/// blinks (strongest at the front), line noise. The same seed gives the same bits on every machine, whatever the
/// packet size, the number of workers and the speed. Event time starts at the Unix epoch.
///
/// It goes on from a checkpoint with the next packet, also on another worker. Its noise is filtered, so what came before is
/// gone through, for its noise only: some 3 ns for each channel and sample, 0.2 s for 64 channels after a million samples.
///
/// ```
/// use std::sync::Arc;
/// use neuraflow_core::model::{PacketBody, SamplingRate};
/// use neuraflow_core::testing::{FakeClock, collect_packets};
/// use neuraflow_sources::synthetic::Synthetic;
///
/// let source = Synthetic::new(8, SamplingRate::hz(250)?).seed(7).seconds(2.0).packet(13);
/// let packets = collect_packets(&source, &Arc::new(FakeClock::new()))?;
/// let samples: usize = packets.iter().map(|(_, packet)| match &packet.body {
///     PacketBody::Samples { values, .. } => values.len() / 8,
///     _ => 0,
/// }).sum();
/// assert_eq!(samples, 500);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Synthetic {
    channels: usize,
    rate: SamplingRate,
    streams: usize,
    seed: u64,
    until: Result<Option<Span>, String>,
    speed: Speed,
    packet: usize,
    faults: FaultPlan,
    line_hz: f64,
}

impl Synthetic {
    /// One endless headset of `channels` channels (`Fp1 Fp2 C3 C4 P7 P8 O1 O2`, the other 10-20 and 10-10 names, `E65`, …), seed 0, as
    /// fast as possible, 8 samples a packet, 50 Hz line noise, no faults.
    pub fn new(channels: usize, rate: SamplingRate) -> Self {
        Self {
            channels,
            rate,
            streams: 1,
            seed: 0,
            until: Ok(None),
            speed: Speed::Max,
            packet: 8,
            faults: FaultPlan::NONE,
            line_hz: 50.0,
        }
    }

    /// So many headsets, spread over the workers.
    #[must_use]
    pub fn streams(mut self, streams: usize) -> Self {
        self.streams = streams;
        self
    }

    /// The seed of everything random.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Ends after so many seconds of event time.
    #[must_use]
    pub fn seconds(mut self, seconds: f64) -> Self {
        self.until = match Span::from_secs_f64(seconds) {
            Some(span) if span >= Span::ZERO => Ok(Some(span)),
            _ => Err(seconds.to_string()),
        };
        self
    }

    /// Ends with the last sample before `end`, counted from the first sample.
    #[must_use]
    pub fn until(mut self, end: Span) -> Self {
        self.until = if end >= Span::ZERO { Ok(Some(end)) } else { Err(end.as_secs_f64().to_string()) };
        self
    }

    /// How fast event time passes.
    #[must_use]
    pub fn speed(mut self, speed: Speed) -> Self {
        self.speed = speed;
        self
    }

    /// Samples in a packet.
    #[must_use]
    pub fn packet(mut self, samples: usize) -> Self {
        self.packet = samples;
        self
    }

    /// What goes wrong.
    #[must_use]
    pub fn faults(mut self, faults: FaultPlan) -> Self {
        self.faults = faults;
        self
    }

    /// Frequency of the line noise in Hz: 50 or 60 where people live; 0 for none.
    #[must_use]
    pub fn line(mut self, hz: f64) -> Self {
        self.line_hz = hz;
        self
    }

    /// What its faults amount to in one stream, or `None` if there is no such stream, or it never ends. Computed
    /// from the script of the faults, without a look at any packet.
    pub fn injected(&self, stream: usize) -> Option<Injected> {
        let end = self.until.as_ref().ok().copied().flatten()?;
        if stream >= self.streams {
            return None;
        }
        let header = self.header(stream);
        let total = self.rate.first_at_or_after(end);
        let mut injected = Injected::default();
        self.script(stream, &header, total).for_each(|step| injected.add(&step));
        let last = header.first_sequence.saturating_add(total.saturating_sub(1));
        injected.wraps = last / header.sequence.modulus();
        Some(injected)
    }

    fn header(&self, stream: usize) -> StreamHeader {
        let name = format!("headset-{stream}");
        let key = StreamKey::of_names(&format!("synthetic-{}", self.seed), &name);
        let mut header = StreamHeader::new(key, name, self.rate, montage::channels(self.channels));
        if self.faults.has(Fault::Wrap)
            && let Some(bits) = SequenceBits::new(16)
        {
            let ahead = self.rate.samples_in(Span::millis(500)).clamp(1, bits.modulus() / 2);
            header.sequence = bits;
            header.first_sequence = bits.modulus() - ahead;
        }
        header
    }

    fn stream_seed(&self, stream: usize) -> u64 {
        mix(mix(self.seed, 0), stream as u64)
    }

    fn script(&self, stream: usize, header: &StreamHeader, total: u64) -> Script {
        let seed = self.stream_seed(stream);
        Script::new(self.faults, seed, self.rate, self.channels, header.sequence, total)
    }

    fn headset(&self, stream: usize, total: u64) -> Headset {
        let header = self.header(stream);
        let seed = self.stream_seed(stream);
        let signal = Signal::new(seed, self.rate, &header.channels, self.line_hz);
        let script = self.script(stream, &header, total);
        Headset::new(header, signal, script, self.packet, self.faults, seed)
    }

    fn check(&self) -> Result<Option<Span>, SourceError> {
        let wrong = |setting, expected: &str, found: String| {
            Err(SourceError::Setting { setting, expected: expected.into(), found })
        };
        self.speed.check()?;
        if !(1..=MAX_CHANNELS).contains(&self.channels) {
            return wrong("synthetic channels", "1 to 65536", self.channels.to_string());
        }
        if self.streams == 0 {
            return wrong("synthetic streams", "at least 1", "0".into());
        }
        if !(1..=1 << 30).contains(&self.packet) {
            return wrong("synthetic packet", "1 to 2^30 samples", self.packet.to_string());
        }
        if !(self.line_hz.is_finite() && self.line_hz >= 0.0) {
            return wrong(
                "synthetic line noise",
                "a frequency in Hz, or 0 for none",
                self.line_hz.to_string(),
            );
        }
        match &self.until {
            Ok(until) => Ok(*until),
            Err(found) => wrong("synthetic length", "0 s or more, at most 292 years", format!("{found} s")),
        }
    }
}

impl Source for Synthetic {
    fn name(&self) -> String {
        format!("synthetic-{}", self.seed)
    }

    fn streams(&self) -> Vec<StreamHeader> {
        (0..self.streams).map(|stream| self.header(stream)).collect()
    }

    fn open(&self, context: SourceContext) -> Result<Option<Box<dyn SourceReader>>, SourceError> {
        let total = self.check()?.map_or(u64::MAX, |end| self.rate.first_at_or_after(end));
        let mine = (context.worker..self.streams).step_by(context.workers.max(1));
        let mut headsets: Vec<_> = mine.map(|stream| self.headset(stream, total)).collect();
        if headsets.is_empty() {
            return Ok(None);
        }
        for headset in &mut headsets {
            if let Some(at) = context.from.as_ref().and_then(|from| from.get(&headset.part())) {
                headset.resume(at).map_err(|end| SourceError::Malformed {
                    target: self.name(),
                    field: format!("position of {}", headset.part()),
                    expected: format!("at most {end}, its end; go on with the settings of the run before"),
                    found: at.to_string(),
                })?;
            }
        }
        let over = headsets.iter().map(Headset::last_due).max().unwrap_or(Span::ZERO);
        let pacer = Pacer::new(context.clock.now(), self.speed).after(over);
        let open = headsets.iter().enumerate().filter(|(_, headset)| !headset.has_ended());
        let due = open.map(|(i, headset)| Reverse((headset.due(), i))).collect();
        Ok(Some(Box::new(Reader { headsets, due, pacer, opened: false })))
    }
}

/// One worker's headsets, in the order of event time.
struct Reader {
    headsets: Vec<Headset>,
    due: BinaryHeap<Reverse<(Span, usize)>>,
    pacer: Pacer,
    opened: bool,
}

impl SourceReader for Reader {
    fn poll(&mut self, out: &mut Ingest, budget: usize) -> Result<Polled, SourceError> {
        if !self.opened {
            self.headsets.iter_mut().for_each(|headset| headset.open(out));
            self.opened = true;
        }
        let mut spent = 0;
        while let Some(&Reverse((due, i))) = self.due.peek() {
            if let Some(wait) = self.pacer.wait(due, out.arrival()) {
                return Ok(Polled::After(wait));
            }
            if spent >= budget {
                return Ok(Polled::Ready);
            }
            self.due.pop();
            if let Some(samples) = self.headsets[i].emit(out) {
                spent += samples;
                self.due.push(Reverse((self.headsets[i].due(), i)));
            }
        }
        Ok(Polled::Ended)
    }

    fn positions(&self) -> Option<Positions> {
        let mut positions = Positions::default();
        for headset in self.headsets.iter().filter(|headset| self.opened || headset.was_resumed()) {
            positions.set(headset.part(), headset.position());
        }
        Some(positions)
    }
}
