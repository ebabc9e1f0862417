//! Chunks of the engine, in physical units, to frames of counts and back.

use super::decoder::Frame;
use super::encoder::{Encoder, Samples};
use super::error::CodecError;
use super::layout::MAX_VALUES;
use super::values::{Decoded, ValueType, Values};
use crate::model::Chunk;

impl Encoder {
    /// Appends a chunk as one frame. Samples of which every value is NaN are missing.
    ///
    /// Where the layout is of counts, a value must be what a count times the least significant bit is as a float; then the
    /// frame holds counts, and decoding gives the chunk's bits. Any other value is [`CodecError::OffGrid`], or
    /// [`CodecError::OutOfRange`] where the count is too large for its type.
    pub fn encode_chunk(
        &mut self,
        chunk: &Chunk,
        sequence: u64,
        out: &mut Vec<u8>,
    ) -> Result<(), CodecError> {
        let (channels, lsb) = (self.layout().channels, self.layout().lsb);
        if chunk.channels() != channels {
            let found = chunk.values().len() as u64;
            return Err(CodecError::Shape { expected: (chunk.len() * channels) as u64, channels, found });
        }
        let missing: Vec<bool> =
            chunk.samples().map(|sample| sample.iter().all(|value| value.is_nan())).collect();
        let present = || chunk.samples().zip(&missing).enumerate().filter(|(_, (_, missing))| !**missing);
        let first = chunk.first();
        let values = self.layout().values;
        if values == ValueType::F32 {
            let floats: Vec<f32> = present().flat_map(|(_, (sample, _))| sample).copied().collect();
            let values = Values::F32(&floats);
            return self.encode(Samples { sequence, first, values, missing: &missing }, out);
        }
        let (low, high) = values.range();
        let mut counts = Vec::with_capacity(chunk.values().len());
        for (n, (sample, _)) in present() {
            for (channel, value) in sample.iter().enumerate() {
                let count = (f64::from(*value) / lsb).round();
                if !value.is_finite() || physical(count, lsb).to_bits() != (value + 0.0).to_bits() {
                    let sample = first + n as u64;
                    return Err(CodecError::OffGrid { sample, channel, found: *value, lsb });
                }
                if !(low as f64..=high as f64).contains(&count) {
                    let index = n * channels + channel;
                    return Err(CodecError::OutOfRange { index, expected: values, found: count as i64 });
                }
                counts.push(count as i32);
            }
        }
        let narrow: Vec<i16>;
        let values = if values == ValueType::I16 {
            narrow = counts.iter().map(|count| *count as i16).collect();
            Values::I16(&narrow)
        } else {
            Values::I32(&counts)
        };
        self.encode(Samples { sequence, first, values, missing: &missing }, out)
    }
}

impl Frame {
    /// Makes `chunk` hold the frame in the layout's unit: counts times the least significant bit, NaN where a sample is missing.
    pub fn to_chunk(&self, chunk: &mut Chunk) -> Result<(), CodecError> {
        chunk.restart(self.first, self.channels);
        let size = self.samples.saturating_mul(self.channels);
        if size > MAX_VALUES {
            let (expected, found) = (MAX_VALUES as u64, size as u64);
            return Err(CodecError::TooLarge { what: "values of a frame", expected, found });
        }
        let out = chunk.extend_missing(self.samples);
        let rows = out.chunks_exact_mut(self.channels.max(1)).enumerate();
        let rows = rows.filter(|(n, _)| !self.missing.get(*n).copied().unwrap_or(false)).map(|(_, row)| row);
        let places = rows.flatten();
        match &self.values {
            Decoded::I16(counts) => {
                places.zip(counts).for_each(|(to, count)| *to = physical(f64::from(*count), self.lsb));
            }
            Decoded::I32(counts) => {
                places.zip(counts).for_each(|(to, count)| *to = physical(f64::from(*count), self.lsb));
            }
            Decoded::F32(values) => places.zip(values).for_each(|(to, value)| *to = *value),
        }
        Ok(())
    }
}

/// What a count is worth. Never negative zero, which no count is.
fn physical(count: f64, lsb: f64) -> f32 {
    (count * lsb + 0.0) as f32
}
