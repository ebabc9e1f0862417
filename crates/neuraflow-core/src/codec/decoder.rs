//! From frames to samples.

use super::bytes::Cursor;
use super::chain::{Chain, Read, Scratch};
use super::error::CodecError;
use super::grid::{Exception, Grid};
use super::header::{Coding, Parts};
use super::layout::{Layout, MAX_VALUES};
use super::tree::Tree;
use super::values::{Decoded, ValueType};

/// One decoded frame. Used again for the next, it keeps its memory.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Frame {
    pub(super) sequence: u64,
    pub(super) first: u64,
    pub(super) samples: usize,
    pub(super) channels: usize,
    pub(super) lsb: f64,
    pub(super) missing: Vec<bool>,
    pub(super) values: Decoded,
}

impl Frame {
    /// The device's counter at the first sample.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Index of the first sample in the stream.
    pub fn first(&self) -> u64 {
        self.first
    }

    /// Samples, missing ones included.
    pub fn len(&self) -> usize {
        self.samples
    }

    /// Whether it holds no sample, as only a frame does that nothing was decoded into.
    pub fn is_empty(&self) -> bool {
        self.samples == 0
    }

    /// Values in each sample.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// For every sample whether it is missing; empty where none is.
    pub fn missing(&self) -> &[bool] {
        &self.missing
    }

    /// `[sample][channel]`, of the samples that are not missing.
    pub fn values(&self) -> &Decoded {
        &self.values
    }
}

/// Decodes the frames of one stream, in their order, beginning with a key frame.
///
/// Bytes may be anything. What decoding allocates is bounded by the bytes there are (a byte gives at most 16 values, or 255 bytes of values
/// through LZ4), by [`MAX_VALUES`] and by [`MAX_CHANNELS`](super::MAX_CHANNELS), never by what they claim; and so is the time it takes.
#[derive(Clone, Debug, Default)]
pub struct Decoder {
    /// Of the frame decoded last, with its checksum.
    chain: Option<(Chain, u32)>,
    exceptions: Vec<Exception>,
    whole: Vec<i32>,
    scratch: Scratch,
}

impl Decoder {
    /// A decoder that waits for a key frame.
    pub fn new() -> Self {
        Self::default()
    }

    /// The layout of the stream, once a key frame has been decoded.
    pub fn layout(&self) -> Option<&Layout> {
        self.chain.as_ref().map(|(chain, _)| &chain.layout)
    }

    /// By how much a value may be off at most, in the layout's unit, as the last key frame says.
    pub fn max_error(&self) -> Option<f64> {
        self.chain.as_ref().map(|(chain, _)| chain.grid.max_error(&chain.layout))
    }

    /// Decodes one frame, which is all of `bytes`.
    ///
    /// After [`NeedsKeyFrame`](CodecError::NeedsKeyFrame) go on with the next frame, until one is a key frame
    /// ([`FrameHeader`](super::FrameHeader) tells). Damaged bytes change nothing: the frame may be fetched again. `frame` holds nothing of use after
    /// an error.
    pub fn decode(&mut self, bytes: &[u8], frame: &mut Frame) -> Result<(), CodecError> {
        let (parts, rest) = Parts::read(bytes)?;
        let checksum = parts.checksum;
        let chain = self.chain_for(&parts)?;
        // A frame that is sealed and wrong all the same leaves nothing to go on from; a key frame leaves what was.
        let before = if parts.header.is_key() { self.chain.take() } else { None };
        match self.samples(chain, parts, rest, frame) {
            Ok(chain) => {
                self.chain = Some((chain, checksum));
                Ok(())
            }
            Err(error) => {
                self.chain = before;
                Err(error)
            }
        }
    }

    /// The chain that the frame goes on with.
    fn chain_for(&mut self, parts: &Parts) -> Result<Chain, CodecError> {
        let header = &parts.header;
        match (&header.layout, header.continues) {
            (Some(layout), _) => {
                let tree = parts.tree.clone().unwrap_or_else(|| Tree::flat(layout.channels));
                let grid = parts.grid.unwrap_or(Grid::Exact(layout.values));
                Ok(Chain::new(layout.clone(), grid, tree))
            }
            (None, continues) => {
                let found = self.chain.as_ref().map(|(_, checksum)| *checksum);
                match self.chain.take() {
                    Some((chain, checksum)) if Some(checksum) == continues => Ok(chain),
                    other => {
                        self.chain = other;
                        let expected = continues.unwrap_or_default();
                        Err(CodecError::NeedsKeyFrame { first: header.first, expected, found })
                    }
                }
            }
        }
    }

    /// What follows the header.
    fn samples(
        &mut self,
        mut chain: Chain,
        parts: Parts,
        mut rest: Cursor<'_>,
        frame: &mut Frame,
    ) -> Result<Chain, CodecError> {
        let (header, channels) = (&parts.header, chain.layout.channels);
        let samples = header.samples as usize;
        if samples == 0 {
            return Err(CodecError::Invalid { what: "samples", expected: "at least 1", found: 0 });
        }
        if samples * channels > MAX_VALUES {
            let (expected, found) = (MAX_VALUES as u64, (samples * channels) as u64);
            return Err(CodecError::TooLarge { what: "values of a frame", expected, found });
        }
        frame.missing.clear();
        if parts.has_gaps {
            let bits = rest.take("gap bitmap", samples.div_ceil(8))?;
            frame.missing.extend((0..samples).map(|n| bits[n / 8] >> (n % 8) & 1 == 1));
        }
        let present = samples - frame.missing.iter().filter(|missing| **missing).count();
        self.exceptions.clear();
        if parts.has_exceptions {
            if !matches!(chain.grid, Grid::Floats { .. }) {
                let (expected, found) = ("only where floats are rounded", 1);
                return Err(CodecError::Invalid { what: "exceptions", expected, found });
            }
            read_exceptions(&mut rest, present * channels, &mut self.exceptions)?;
        }
        let is_key = header.is_key();
        let mut narrow = frame.values.take_i16();
        let read = Read { narrow: &mut narrow, wide: &mut self.whole };
        chain.decode(rest, present, is_key, header.coding, &mut self.scratch, read)?;
        let was_narrow = header.coding == Coding::Packed && chain.grid.whole() == ValueType::I16;
        if was_narrow && chain.grid.is_exact() {
            frame.values = Decoded::I16(narrow);
        } else {
            if was_narrow {
                self.whole.extend(narrow.iter().map(|value| i32::from(*value)));
            }
            chain.grid.to_values(&self.whole, &self.exceptions, &mut frame.values);
        }
        frame.sequence = header.sequence;
        frame.first = header.first;
        frame.samples = samples;
        frame.channels = channels;
        frame.lsb = chain.layout.lsb;
        Ok(chain)
    }
}

/// Reads what the encoder wrote, at most one exception for each of `values` values.
fn read_exceptions(
    bytes: &mut Cursor<'_>,
    values: usize,
    exceptions: &mut Vec<Exception>,
) -> Result<(), CodecError> {
    let count = bytes.varint("exceptions")?;
    let invalid = |found| CodecError::Invalid {
        what: "place of an exception",
        expected: "one of the frame's values",
        found,
    };
    let mut next = 0u64;
    for _ in 0..count {
        let at = next.saturating_add(bytes.varint("exceptions")?);
        let place = usize::try_from(at).ok().filter(|at| *at < values).ok_or(invalid(at))?;
        exceptions.push(Exception { at: place, bits: bytes.u32("exceptions")? });
        next = at + 1;
    }
    Ok(())
}
