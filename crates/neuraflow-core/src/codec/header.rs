//! What stands before the samples of a frame. docs/reference/codec.md has it byte by byte.

use super::bytes::{Cursor, put_varint};
use super::error::CodecError;
use super::grid::Grid;
use super::layout::{Layout, MAX_CHANNELS, MAX_VALUES};
use super::tree::Tree;
use super::values::ValueType;
use crate::model::{Id, SamplingRate, StreamKey, Unit};

/// Begins with a byte that is no text.
const MAGIC: [u8; 2] = [0xce, b'N'];

/// The version this release writes, and the newest it reads.
pub(super) const VERSION: u8 = 1;

/// Bytes of the checksum at the end.
const CHECKSUM: usize = 4;

/// The frame can be decoded by itself and carries the layout.
const KEY: u8 = 1;
/// Values are rounded to a grid.
const NEAR: u8 = 2;
/// Some samples are missing.
const GAPS: u8 = 4;
/// Some floats are kept beside the grid.
const EXCEPTIONS: u8 = 8;
/// Channels are predicted from each other.
const TREE: u8 = 16;

/// How the residuals of a frame are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// As whole bytes.
    Plain,
    /// Adaptive Golomb codes.
    Golomb,
    /// Bit-packed blocks of eight samples.
    Packed,
    /// Whole bytes through LZ4.
    Lz4,
}

impl Coding {
    fn code(self) -> u8 {
        match self {
            Self::Plain => 0,
            Self::Golomb => 1,
            Self::Packed => 2,
            Self::Lz4 => 3,
        }
    }

    fn from_code(code: u8) -> Result<Self, CodecError> {
        match code {
            0 => Ok(Self::Plain),
            1 => Ok(Self::Golomb),
            2 => Ok(Self::Packed),
            3 => Ok(Self::Lz4),
            other => Err(CodecError::Invalid { what: "coding", expected: "0 to 3", found: u64::from(other) }),
        }
    }
}

/// What a frame says of itself, to be read without decoding it.
#[derive(Clone, Debug, PartialEq)]
pub struct FrameHeader {
    /// The device's counter at the first sample.
    pub sequence: u64,
    /// Index of the first sample in the stream.
    pub first: u64,
    /// Samples, missing ones included.
    pub samples: u64,
    /// How the residuals are written.
    pub coding: Coding,
    /// The layout, which key frames carry.
    pub layout: Option<Layout>,
    /// Checksum of the frame that has to be decoded before; none for key frames.
    pub continues: Option<u32>,
}

impl FrameHeader {
    /// Reads the header of a frame and checks the frame's checksum.
    pub fn read(frame: &[u8]) -> Result<Self, CodecError> {
        Ok(Parts::read(frame)?.0.header)
    }

    /// Whether the frame can be decoded by itself.
    pub fn is_key(&self) -> bool {
        self.layout.is_some()
    }
}

/// A header with what only the decoder needs.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) header: FrameHeader,
    /// Of key frames.
    pub(super) grid: Option<Grid>,
    /// Of key frames.
    pub(super) tree: Option<Tree>,
    pub(super) has_gaps: bool,
    pub(super) has_exceptions: bool,
    pub(super) checksum: u32,
}

/// What a key frame carries beside the layout.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key<'a> {
    pub(super) layout: &'a Layout,
    pub(super) grid: Grid,
    pub(super) tree: &'a Tree,
}

/// What is the same for every frame, as it is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head<'a> {
    pub(super) sequence: u64,
    pub(super) first: u64,
    pub(super) samples: u64,
    pub(super) coding: Coding,
    /// A key frame's, or the checksum of the frame before.
    pub(super) key: Result<Key<'a>, u32>,
    pub(super) has_gaps: bool,
    pub(super) has_exceptions: bool,
}

impl Head<'_> {
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let mut flags = 0;
        let mut set = |flag, is_set| flags |= if is_set { flag } else { 0 };
        set(KEY, self.key.is_ok());
        set(GAPS, self.has_gaps);
        set(EXCEPTIONS, self.has_exceptions);
        if let Ok(key) = &self.key {
            set(NEAR, !key.grid.is_exact());
            set(TREE, !key.tree.is_flat());
        }
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&[VERSION, flags, self.coding.code()]);
        match &self.key {
            Ok(key) => {
                write_layout(key.layout, out);
                key.grid.write(out);
                if !key.tree.is_flat() {
                    key.tree.write(out);
                }
            }
            Err(before) => out.extend_from_slice(&before.to_le_bytes()),
        }
        for number in [self.sequence, self.first, self.samples] {
            put_varint(out, number);
        }
    }
}

/// Puts the checksum at the end of the frame that begins at `start`.
pub(super) fn seal(out: &mut Vec<u8>, start: usize) -> u32 {
    let checksum = crc32c::crc32c(&out[start..]);
    out.extend_from_slice(&checksum.to_le_bytes());
    checksum
}

impl Parts {
    /// The header, and what lies between it and the checksum.
    pub(super) fn read(frame: &[u8]) -> Result<(Self, Cursor<'_>), CodecError> {
        let mut start = Cursor::new(frame);
        let found = start.array("magic")?;
        if found != MAGIC {
            return Err(CodecError::Magic { expected: MAGIC, found });
        }
        // Before the checksum: a newer version may have another.
        let found = start.u8("version")?;
        if found != VERSION {
            return Err(CodecError::UnsupportedVersion { found, supported: VERSION });
        }
        let end = frame.len().saturating_sub(CHECKSUM);
        let (covered, mut checksum) = (frame.get(..end).unwrap_or_default(), Cursor::new(&frame[end..]));
        let (expected, found) = (checksum.u32("checksum")?, crc32c::crc32c(covered));
        if expected != found {
            return Err(CodecError::Checksum { expected, found });
        }
        let mut bytes = Cursor::new(covered);
        bytes.take("header", 3)?;
        let flags = bytes.u8("flags")?;
        let allowed = GAPS | EXCEPTIONS | if flags & KEY != 0 { KEY | NEAR | TREE } else { 0 };
        if flags & !allowed != 0 {
            let found = u64::from(flags);
            return Err(CodecError::Invalid { what: "flags", expected: "those of version 1", found });
        }
        let coding = Coding::from_code(bytes.u8("coding")?)?;
        let (mut layout, mut grid, mut tree, mut continues) = (None, None, None, None);
        if flags & KEY != 0 {
            let of = read_layout(&mut bytes)?;
            let read =
                if flags & NEAR != 0 { Grid::read(of.values, &mut bytes)? } else { Grid::Exact(of.values) };
            tree = Some(if flags & TREE != 0 {
                Tree::read(bytes.take("tree of channels", Tree::size(of.channels))?, of.channels)?
            } else {
                Tree::flat(of.channels)
            });
            (layout, grid) = (Some(of), Some(read));
        } else {
            continues = Some(bytes.u32("checksum of the frame before")?);
        }
        let header = FrameHeader {
            sequence: bytes.varint("sequence")?,
            first: bytes.varint("first sample")?,
            samples: bytes.varint("number of samples")?,
            coding,
            layout,
            continues,
        };
        if header.samples > MAX_VALUES as u64 {
            let (expected, found) = (MAX_VALUES as u64, header.samples);
            return Err(CodecError::TooLarge { what: "samples of a frame", expected, found });
        }
        let parts = Self {
            header,
            grid,
            tree,
            has_gaps: flags & GAPS != 0,
            has_exceptions: flags & EXCEPTIONS != 0,
            checksum: expected,
        };
        Ok((parts, bytes))
    }
}

fn write_layout(layout: &Layout, out: &mut Vec<u8>) {
    let StreamKey { tenant, session, device, signal } = layout.key;
    for id in [tenant, session, device] {
        out.extend_from_slice(&id.as_u128().to_le_bytes());
    }
    out.extend_from_slice(&signal.to_le_bytes());
    put_varint(out, layout.rate.num());
    put_varint(out, layout.rate.den());
    put_varint(out, layout.channels as u64);
    out.push(layout.values.code());
    out.extend_from_slice(&layout.lsb.to_le_bytes());
    // A microvolt is length 0 and a name has its length and one, so that an empty name can be told from it.
    match &layout.unit {
        Unit::Other(name) => {
            put_varint(out, name.len() as u64 + 1);
            out.extend_from_slice(name.as_bytes());
        }
        _ => put_varint(out, 0),
    }
}

fn read_layout(bytes: &mut Cursor<'_>) -> Result<Layout, CodecError> {
    let mut id = || Ok(Id::from_u128(u128::from_le_bytes(bytes.array("stream key")?)));
    let (tenant, session, device) = (id()?, id()?, id()?);
    let signal = u16::from_le_bytes(bytes.array("stream key")?);
    let key = StreamKey { tenant, session, device, signal };
    let (num, den) = (bytes.varint("sampling rate")?, bytes.varint("sampling rate")?);
    let invalid = |what, expected, found| CodecError::Invalid { what, expected, found };
    let rate =
        SamplingRate::ratio(num, den).map_err(|_| invalid("sampling rate", "above 0 and to 100 MHz", num))?;
    let found = bytes.varint("channels")?;
    let channels = usize::try_from(found)
        .ok()
        .filter(|channels| (1..=MAX_CHANNELS).contains(channels))
        .ok_or(invalid("channels", "1 to 65536", found))?;
    let values = ValueType::from_code(bytes.u8("value type")?)?;
    let lsb = bytes.f64("least significant bit")?;
    let unit = match bytes.varint("unit")? {
        0 => Unit::Microvolt,
        length => {
            let length = usize::try_from(length - 1).unwrap_or(usize::MAX);
            let name = std::str::from_utf8(bytes.take("unit", length)?)
                .map_err(|error| invalid("unit", "UTF-8", error.valid_up_to() as u64))?;
            Unit::Other(name.to_owned())
        }
    };
    let layout = Layout { key, rate, channels, values, lsb, unit };
    layout.check().map_err(|_| invalid("layout", "a positive bit and a unit of 64 bytes", lsb.to_bits()))?;
    Ok(layout)
}
