//! Why samples could not be encoded, or bytes not decoded.

use thiserror::Error;

use super::values::ValueType;
use crate::model::Recovery;

/// Why samples could not be encoded, or bytes not decoded.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum CodecError {
    /// The bytes end before what they announce.
    #[error("{what} of the frame needs {expected} bytes, found {found}; the frame was cut off")]
    Truncated {
        /// Which part of the frame.
        what: &'static str,
        /// Bytes it needs at least.
        expected: u64,
        /// Bytes there are.
        found: u64,
    },
    /// The bytes go on after the end of the frame.
    #[error("the frame ends {found} bytes before its bytes do, expected 0; was it cut where it should be?")]
    Trailing {
        /// Bytes too many.
        found: u64,
    },
    /// The bytes are no frame at all.
    #[error("a frame begins with {expected:02x?}, found {found:02x?}")]
    Magic {
        /// What a frame begins with.
        expected: [u8; 2],
        /// What was found.
        found: [u8; 2],
    },
    /// A newer release wrote it.
    #[error(
        "the frame has format version {found}, supported are versions up to {supported}; update the reader"
    )]
    UnsupportedVersion {
        /// Its version.
        found: u8,
        /// The newest version this release reads.
        supported: u8,
    },
    /// The bytes are not those that were written.
    #[error("checksum of the frame: expected {expected:08x}, found {found:08x}; its bytes have changed")]
    Checksum {
        /// As the frame says.
        expected: u32,
        /// As computed of its bytes.
        found: u32,
    },
    /// A delta frame continues a frame that was not the last one decoded. Go on to the next key frame.
    #[error(
        "the frame at sample {first} continues a frame that this decoder has not just decoded \
         (expected {expected:08x?}, found {found:08x?}); skip to the next key frame"
    )]
    NeedsKeyFrame {
        /// Index of the frame's first sample.
        first: u64,
        /// Checksum of the frame it continues.
        expected: u32,
        /// Checksum of the frame decoded last, if any.
        found: Option<u32>,
    },
    /// A field has a value that no encoder writes, though the checksum holds.
    #[error("{what} of the frame: expected {expected}, found {found}")]
    Invalid {
        /// Which field.
        what: &'static str,
        /// What it may be.
        expected: &'static str,
        /// What it is.
        found: u64,
    },
    /// More than this codec handles in one frame.
    #[error("{what}: expected at most {expected}, found {found}; encode shorter frames")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// The most there may be.
        expected: u64,
        /// How much was found.
        found: u64,
    },
    /// The values are of another type than the layout says.
    #[error("the layout says {expected}, found values of type {found}")]
    ValueType {
        /// The layout's type.
        expected: ValueType,
        /// The type of the values given.
        found: ValueType,
    },
    /// The values are no whole number of samples, or not as many as are not missing.
    #[error("expected {expected} values ({channels} for each sample that is not missing), found {found}")]
    Shape {
        /// Values of whole samples.
        expected: u64,
        /// Channels of the layout.
        channels: usize,
        /// Values given.
        found: u64,
    },
    /// A count is outside the range of its type.
    #[error("value {index} is {found}, expected {expected}")]
    OutOfRange {
        /// Place among the values.
        index: usize,
        /// The type that it should fit.
        expected: ValueType,
        /// The value.
        found: i64,
    },
    /// A value in physical units is no multiple of the least significant bit, so it cannot be coded as a count.
    #[error(
        "value {found} of channel {channel} at sample {sample} is no multiple of {lsb}; \
         expected whole counts, encode with a layout of 32-bit floats instead"
    )]
    OffGrid {
        /// Index of the sample in the stream.
        sample: u64,
        /// The channel.
        channel: usize,
        /// The value.
        found: f32,
        /// The least significant bit.
        lsb: f64,
    },
    /// A setting of the layout or of the encoder makes no sense.
    #[error("{what}: expected {expected}, found {found}")]
    Setting {
        /// Which setting.
        what: &'static str,
        /// What it may be.
        expected: &'static str,
        /// What it is.
        found: String,
    },
}

impl CodecError {
    /// What to do: skip a frame that cannot be read, or samples that cannot be written; stop where the layout or the
    /// release is wrong, since no other frame will fare better.
    pub fn recovery(&self) -> Recovery {
        match self {
            Self::UnsupportedVersion { .. } | Self::ValueType { .. } | Self::Setting { .. } => Recovery::Stop,
            _ => Recovery::Skip,
        }
    }
}
