//! Sinks of NeuraFlow: callbacks, channels, files.

mod callback;
mod channel;
pub mod local;

pub use callback::{Callback, CallbackWriter};
pub use channel::{ChannelSink, ChannelWriter, Receiver, bounded};
