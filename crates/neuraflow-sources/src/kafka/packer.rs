//! From packets to records: frames of each stream, and a key record at least once a second.

use std::collections::BTreeMap;

use neuraflow_core::codec::{CodecError, Config, Encoder, Layout, Profile, Samples, ValueType, Values};
use neuraflow_core::model::{Chunk, Packet, PacketBody, Sequence, Span, StreamHeader, StreamKey};

use super::envelope::{self, Body, Envelope};
use super::error::IngestError;

/// Packets that arrive together become one frame of up to this.
const FRAME: Span = Span::millis(50);
/// Key records are no further apart, in the stream's time and in the clock's.
const KEY_INTERVAL: Span = Span::secs(1);
/// Values that a frame holds at most: half a record, which leaves as much for a header.
const MAX_FRAME: usize = 1 << 17;

/// How samples are encoded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Encoding {
    /// As 32-bit floats, bit by bit.
    Floats,
    /// As whole numbers of a converter's least significant bit, which takes about a third of the room. A stream whose values are
    /// something else goes on as floats: nothing is rounded.
    Counts {
        /// How wide a count is.
        values: ValueType,
        /// What a count is worth, in the channel's unit.
        lsb: f64,
    },
}

/// One record, on its way to a producer.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) stream: StreamKey,
    pub(super) value: Vec<u8>,
    /// Samples in it; one of all channels counts once.
    pub(super) samples: u64,
}

/// Makes records of packets.
#[derive(Debug)]
pub(super) struct Packer {
    encoding: Encoding,
    profile: Profile,
    streams: BTreeMap<StreamKey, Stream>,
    /// Samples that could not be encoded: no whole number of them in a packet.
    pub(super) rejected: u64,
}

impl Packer {
    pub(super) fn new(encoding: Encoding, profile: Profile) -> Self {
        Self { encoding, profile, streams: BTreeMap::new(), rejected: 0 }
    }

    /// Takes up a stream that was opened before: its next frame is a key record, which tells its header.
    pub(super) fn resume(&mut self, header: &StreamHeader) -> Result<(), IngestError> {
        if !self.streams.contains_key(&header.key) {
            let stream = Stream::open(header.clone(), self.encoding, self.profile)?;
            self.streams.insert(header.key, stream);
        }
        Ok(())
    }

    /// A packet that is there at `now`. Samples may wait for others until [`flush`](Self::flush).
    pub(super) fn packet(
        &mut self,
        packet: Packet,
        now: u64,
        out: &mut Vec<Record>,
    ) -> Result<(), IngestError> {
        let Packet { stream: key, body } = packet;
        if let PacketBody::Open(header) = body {
            if let Some(mut before) = self.streams.remove(&key) {
                before.flush(now, out)?;
            }
            let stream = Stream::open(*header, self.encoding, self.profile)?;
            out.push(stream.control(Body::Open)?);
            self.streams.insert(key, stream);
            return Ok(());
        }
        let Some(stream) = self.streams.get_mut(&key) else { return Ok(()) };
        let body = match body {
            PacketBody::Samples { sequence, values } => {
                let channels = stream.header.channels.len();
                if values.is_empty() || !values.len().is_multiple_of(channels) {
                    self.rejected += values.len().div_ceil(channels) as u64;
                    return Ok(());
                }
                return stream.samples(sequence, &values, now, out);
            }
            PacketBody::Marker(marker) => Body::Marker { marker },
            PacketBody::Dropped { sequence, samples } => Body::Dropped { sequence, samples },
            PacketBody::Silent => Body::Silent,
            PacketBody::End { next } => Body::End { next },
            PacketBody::Control(control) => Body::Control { control },
            _ => return Ok(()),
        };
        stream.flush(now, out)?;
        let ended = matches!(body, Body::End { .. });
        out.push(stream.control(body)?);
        if ended {
            self.streams.remove(&key);
        }
        Ok(())
    }

    /// Makes records of all that waits.
    pub(super) fn flush(&mut self, now: u64, out: &mut Vec<Record>) -> Result<(), IngestError> {
        self.streams.values_mut().try_for_each(|stream| stream.flush(now, out))
    }

    /// A record of the stream did not arrive: what follows must not continue it.
    pub(super) fn lost(&mut self, key: &StreamKey) {
        if let Some(stream) = self.streams.get_mut(key) {
            stream.key_record = None;
        }
    }
}

#[derive(Debug)]
struct Stream {
    header: StreamHeader,
    profile: Profile,
    encoder: Encoder,
    /// Index and counter of the sample after the last that was encoded.
    next: (u64, Sequence),
    /// When the last key record was made, and of which sample.
    key_record: Option<(u64, u64)>,
    /// Counter of the first sample that waits, and all their values.
    waiting: (Sequence, Vec<f32>),
}

impl Stream {
    fn open(header: StreamHeader, encoding: Encoding, profile: Profile) -> Result<Self, IngestError> {
        let (key, rate, channels) = (header.key, header.rate, header.channels.len());
        let layout = match encoding {
            Encoding::Floats => Layout::floats(key, rate, channels),
            Encoding::Counts { values, lsb } => Layout::counts(key, rate, channels, values, lsb),
        };
        let encoder = encoder(layout, profile).map_err(|error| IngestError::codec(&header, error))?;
        let next = (0, header.first_sequence);
        Ok(Self { header, profile, encoder, next, key_record: None, waiting: (0, Vec::new()) })
    }

    fn samples(
        &mut self,
        sequence: Sequence,
        values: &[f32],
        now: u64,
        out: &mut Vec<Record>,
    ) -> Result<(), IngestError> {
        let channels = self.header.channels.len();
        let whole = (self.header.rate.samples_in(FRAME).max(1) as usize).min((MAX_FRAME / channels).max(1));
        let (first, waiting) = (self.waiting.0, self.waiting.1.len() / channels);
        if waiting > 0 && sequence != self.header.sequence.wrap(first.wrapping_add(waiting as u64)) {
            self.flush(now, out)?;
        }
        if self.waiting.1.is_empty() {
            self.waiting.0 = sequence;
        }
        self.waiting.1.extend_from_slice(values);
        if self.waiting.1.len() >= whole * channels {
            self.flush(now, out)?;
        }
        Ok(())
    }

    fn flush(&mut self, now: u64, out: &mut Vec<Record>) -> Result<(), IngestError> {
        let (mut sequence, values) = (self.waiting.0, std::mem::take(&mut self.waiting.1));
        let channels = self.header.channels.len();
        for part in values.chunks((MAX_FRAME / channels).max(1) * channels) {
            let samples = (part.len() / channels) as u64;
            self.frame(sequence, samples, part, now, out)?;
            sequence = self.header.sequence.wrap(sequence.wrapping_add(samples));
        }
        self.waiting.1 = values;
        self.waiting.1.clear();
        Ok(())
    }

    fn frame(
        &mut self,
        sequence: Sequence,
        samples: u64,
        values: &[f32],
        now: u64,
        out: &mut Vec<Record>,
    ) -> Result<(), IngestError> {
        let ahead = self.header.sequence.difference(sequence, self.next.1);
        let first = self.next.0.saturating_add_signed(ahead);
        let fresh = self.key_record.is_some_and(|(at, sample)| {
            let interval = self.header.rate.samples_in(KEY_INTERVAL).max(1);
            now.saturating_sub(at) < KEY_INTERVAL.as_nanos().unsigned_abs()
                && first.checked_sub(sample).is_some_and(|since| since < interval)
        });
        if !fresh {
            self.encoder.restart();
            self.key_record = Some((now, first));
        }
        let mut frame = Vec::new();
        let encoded = encode(&mut self.encoder, sequence, first, values, &mut frame);
        if let Err(CodecError::OffGrid { .. } | CodecError::OutOfRange { .. }) = encoded {
            tracing::warn!(stream = %self.header.name, error = ?encoded, "goes on as floats");
            let floats = Layout::floats(self.header.key, self.header.rate, self.header.channels.len());
            self.encoder = encoder(floats, self.profile).map_err(|e| IngestError::codec(&self.header, e))?;
            self.key_record = None;
            return self.frame(sequence, samples, values, now, out);
        }
        encoded.map_err(|error| IngestError::codec(&self.header, error))?;
        self.next = (first + samples, self.header.sequence.wrap(sequence.wrapping_add(samples)));
        out.push(self.record(Body::Samples { frame: &frame }, !fresh, samples)?);
        Ok(())
    }

    fn control(&self, body: Body<'_>) -> Result<Record, IngestError> {
        self.record(body, true, 0)
    }

    fn record(&self, body: Body<'_>, is_key: bool, samples: u64) -> Result<Record, IngestError> {
        let header = is_key.then(|| self.header.clone());
        let value = envelope::encode(&Envelope { header, body });
        let value = value.map_err(|error| IngestError::envelope(&self.header, error))?;
        if value.len() > envelope::MAX_RECORD {
            return Err(IngestError::TooLarge {
                stream: self.header.name.clone(),
                expected: envelope::MAX_RECORD,
                found: value.len(),
            });
        }
        Ok(Record { stream: self.header.key, value, samples })
    }
}

fn encoder(layout: Layout, profile: Profile) -> Result<Encoder, CodecError> {
    // Key frames are made where key records are.
    Encoder::new(layout, Config::of(profile).with_key_interval(u32::MAX))
}

fn encode(
    encoder: &mut Encoder,
    sequence: Sequence,
    first: u64,
    values: &[f32],
    out: &mut Vec<u8>,
) -> Result<(), CodecError> {
    if encoder.layout().values == ValueType::F32 {
        return encoder.encode(Samples { sequence, first, values: Values::F32(values), missing: &[] }, out);
    }
    let mut chunk = Chunk::new(first, encoder.layout().channels);
    chunk.extend(values);
    encoder.encode_chunk(&chunk, sequence, out)
}
