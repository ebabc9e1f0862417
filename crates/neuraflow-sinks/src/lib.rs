//! Sinks of NeuraFlow: callbacks, channels, files, and the report of a run (feature `report`).

mod callback;
mod channel;
pub mod local;
#[cfg(feature = "report")]
pub mod report;

pub use callback::{Callback, CallbackWriter};
pub use channel::{ChannelSink, ChannelWriter, Receiver, bounded};
