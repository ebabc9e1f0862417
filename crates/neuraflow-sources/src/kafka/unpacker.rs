//! From the records of one partition to packets, and which record a reader must begin at.
//!
//! What follows from a record depends on the records of the partition before it, and on nothing else: not on the clock, and not on where
//! reading began, as long as that was at or before [`base`](Unpacker::base).

use std::collections::BTreeMap;

use neuraflow_core::codec::{CodecError, Decoder, Frame, FrameHeader};
use neuraflow_core::model::{Chunk, PacketBody, StreamHeader, StreamKey};

use super::envelope::{self, Body, Envelope, EnvelopeError};

/// A stream of which so many records have had nothing is forgotten, and what would continue it cannot be decoded. It bounds how far back a
/// reader must begin for a stream that just ceased; one that goes on is not forgotten, however many others there are in the partition.
const FORGET: i64 = 65_536;

/// What a record comes to.
#[derive(Debug, PartialEq)]
pub(super) enum Unpacked {
    /// The stream's header is known from here on.
    Known(StreamHeader),
    Packet(PacketBody),
}

/// A stream that is not forgotten.
#[derive(Debug)]
struct Stream {
    header: StreamHeader,
    decoder: Decoder,
    /// Offset of its latest key record, and of its latest record.
    key: i64,
    latest: i64,
}

/// The records of one partition, in their order.
#[derive(Debug, Default)]
pub(super) struct Unpacker {
    streams: BTreeMap<StreamKey, Stream>,
    /// Which stream has its latest key record where.
    keys: BTreeMap<i64, StreamKey>,
    /// And its latest record.
    latest: BTreeMap<i64, StreamKey>,
    frame: Frame,
    chunk: Chunk,
    /// Samples that could not be decoded since the last record was.
    pub(super) undecodable: u64,
}

impl Unpacker {
    /// The offset of the oldest record that is needed to understand those from `next` on.
    pub(super) fn base(&self, next: i64) -> i64 {
        self.keys.first_key_value().map_or(next, |(oldest, _)| *oldest).min(next)
    }

    /// The headers of streams that may be continued.
    pub(super) fn headers(&self) -> impl Iterator<Item = &StreamHeader> {
        self.streams.values().map(|stream| &stream.header)
    }

    /// The record at `offset`: whose it is and what it comes to, appended to `out`.
    pub(super) fn record(
        &mut self,
        offset: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        out: &mut Vec<Unpacked>,
    ) -> Result<StreamKey, EnvelopeError> {
        self.undecodable = 0;
        self.forget(offset - FORGET);
        let key = envelope::key_of(key)?;
        let Envelope { header, body } = envelope::decode(&key, value)?;
        // A frame that cannot be decoded changes nothing but its decoder.
        match body {
            Body::Samples { frame } => self.samples(offset, key, header, frame, out)?,
            other => {
                let Some(header) = header else { return Ok(key) };
                self.control(offset, key, header, other, out);
            }
        }
        self.touch(offset, key);
        Ok(key)
    }

    fn samples(
        &mut self,
        offset: i64,
        key: StreamKey,
        header: Option<StreamHeader>,
        frame: &[u8],
        out: &mut Vec<Unpacked>,
    ) -> Result<(), EnvelopeError> {
        if let Some(header) = header {
            let mut decoder = Decoder::new();
            decoder.decode(frame, &mut self.frame)?;
            self.learn(offset, key, header, decoder, out);
        } else {
            let Some(stream) = self.streams.get_mut(&key) else {
                self.undecodable = FrameHeader::read(frame)?.samples;
                return Ok(());
            };
            match stream.decoder.decode(frame, &mut self.frame) {
                Ok(()) => {}
                Err(CodecError::NeedsKeyFrame { .. }) => {
                    let FrameHeader { sequence, samples, .. } = FrameHeader::read(frame)?;
                    self.undecodable = samples;
                    out.push(Unpacked::Packet(PacketBody::Dropped { sequence, samples }));
                    return Ok(());
                }
                Err(error) => return Err(error.into()),
            }
        }
        self.frame.to_chunk(&mut self.chunk)?;
        let (sequence, values) = (self.frame.sequence(), self.chunk.values().to_vec());
        out.push(Unpacked::Packet(PacketBody::Samples { sequence, values }));
        Ok(())
    }

    fn control(
        &mut self,
        offset: i64,
        key: StreamKey,
        header: StreamHeader,
        body: Body<'_>,
        out: &mut Vec<Unpacked>,
    ) {
        let body = match body {
            Body::Open => {
                self.set(offset, key, header.clone(), Decoder::new());
                out.push(Unpacked::Packet(PacketBody::Open(Box::new(header))));
                return;
            }
            Body::Marker { marker } => PacketBody::Marker(marker),
            Body::Dropped { sequence, samples } => PacketBody::Dropped { sequence, samples },
            Body::Silent => PacketBody::Silent,
            Body::End { next } => PacketBody::End { next },
            Body::Control { control } => PacketBody::Control(control),
            Body::Samples { .. } => return,
        };
        let ended = matches!(body, PacketBody::End { .. });
        if self.streams.get(&key).is_none_or(|stream| stream.header != header) {
            self.learn(offset, key, header, Decoder::new(), out);
        }
        out.push(Unpacked::Packet(body));
        if ended {
            self.remove(&key);
        }
    }

    /// A key record: says so if the header is news.
    fn learn(
        &mut self,
        offset: i64,
        key: StreamKey,
        header: StreamHeader,
        decoder: Decoder,
        out: &mut Vec<Unpacked>,
    ) {
        if self.streams.get(&key).is_none_or(|stream| stream.header != header) {
            out.push(Unpacked::Known(header.clone()));
        }
        self.set(offset, key, header, decoder);
    }

    fn set(&mut self, offset: i64, key: StreamKey, header: StreamHeader, decoder: Decoder) {
        self.remove(&key);
        self.streams.insert(key, Stream { header, decoder, key: offset, latest: offset });
        self.keys.insert(offset, key);
        self.latest.insert(offset, key);
    }

    /// The stream, if it is known, has a record at `offset`.
    fn touch(&mut self, offset: i64, key: StreamKey) {
        if let Some(stream) = self.streams.get_mut(&key) {
            self.latest.remove(&std::mem::replace(&mut stream.latest, offset));
            self.latest.insert(offset, key);
        }
    }

    fn remove(&mut self, key: &StreamKey) {
        if let Some(stream) = self.streams.remove(key) {
            self.keys.remove(&stream.key);
            self.latest.remove(&stream.latest);
        }
    }

    fn forget(&mut self, before: i64) {
        while let Some((offset, key)) = self.latest.first_key_value().map(|(offset, key)| (*offset, *key))
            && offset < before
        {
            self.remove(&key);
        }
    }
}
