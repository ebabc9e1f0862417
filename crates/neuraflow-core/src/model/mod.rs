//! The nouns: plain data that every other room speaks about.
//!
//! Nothing here knows a clock, a file, a socket or Timely, and nothing here imports another room.

mod channel;
mod chunk;
mod control;
mod decision;
mod features;
mod hash;
mod marker;
mod packet;
mod positions;
mod rate;
mod recovery;
mod stream;
mod time;
mod window;

pub use channel::{Channel, ChannelKind, Unit, ten_twenty_name};
pub use chunk::Chunk;
pub use control::Control;
pub use decision::{Decision, NoDecision};
pub use features::{FeatureSpec, Features};
pub use hash::{StableHasher, stable_hash};
pub use marker::Marker;
pub use packet::{Packet, PacketBody, Sequence, SequenceBits};
pub use positions::Positions;
pub use rate::{RateError, SamplingRate};
pub use recovery::Recovery;
pub use stream::{Id, KEY_GROUPS, StreamHeader, StreamKey};
pub use time::{Span, Timestamp};
pub use window::{Window, WindowInfo, WindowStatus};
