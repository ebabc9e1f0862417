//! Chunk ↔ bytes: samples of a stream as frames, compressed.
//!
//! A frame holds some samples of one stream, 50 ms of them for example. It is compressed against the frame before, unless it is a *key frame*,
//! which has all that a reader needs to begin. Whoever has missed a frame is told so
//! ([`NeedsKeyFrame`](CodecError::NeedsKeyFrame)) and goes on at the next key frame.
//!
//! - **Lossless** on the counts of a converter (16, 24 or 32 bits, with what a count is worth in the header) and on
//!   floats, whose every bit is kept. Or **near-lossless** on request: no value is off by more than a bound, NaN and infinities are kept.
//! - **Two profiles**: [`Small`](Profile::Small) for storage and slow links, [`Fast`](Profile::Fast) for a thousand channels
//!   at 30 kHz. Any decoder reads both.
//! - **Hostile bytes** are an error that says what was expected and what was found. Memory is bounded by the bytes there
//!   are, never by what they claim.
//!
//! ```
//! use neuraflow_core::codec::{Config, Decoded, Decoder, Encoder, Frame, Layout, Samples, ValueType, Values};
//! use neuraflow_core::model::{SamplingRate, StreamKey};
//!
//! let key = StreamKey::of_names("S001", "headset");
//! let layout = Layout::counts(key, SamplingRate::hz(250)?, 2, ValueType::I16, 0.5); // a count is 0.5 µV
//! let mut encoder = Encoder::new(layout, Config::default())?;
//! let (mut bytes, counts) = (Vec::new(), [100i16, -7, 103, -6, 99, -9]); // [sample][channel]
//! encoder.encode(Samples { sequence: 0, first: 0, values: Values::I16(&counts), missing: &[] }, &mut bytes)?;
//!
//! let (mut decoder, mut frame) = (Decoder::new(), Frame::default());
//! decoder.decode(&bytes, &mut frame)?;
//! assert_eq!(frame.values(), &Decoded::I16(counts.to_vec()));
//! assert_eq!((frame.first(), frame.len(), frame.channels()), (0, 3, 2));
//! assert_eq!(decoder.layout().map(|layout| layout.lsb), Some(0.5));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The format is in docs/reference/codec.md, byte by byte, with what it costs and saves beside others.

mod bytes;
mod chain;
mod chunk;
mod decoder;
mod encoder;
mod error;
mod golomb;
mod grid;
mod header;
mod layout;
mod pack;
mod pack16;
mod plain;
mod residual;
mod tree;
mod values;

pub use decoder::{Decoder, Frame};
pub use encoder::{Encoder, Samples};
pub use error::CodecError;
pub use header::{Coding, FrameHeader};
pub use layout::{Config, Layout, MAX_CHANNELS, MAX_VALUES, Profile};
pub use values::{Decoded, ValueType, Values};
