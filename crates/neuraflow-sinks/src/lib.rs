//! Sinks of NeuraFlow: callbacks, channels, files.
//!
//! | sink | where items go | where it runs |
//! |---|---|---|
//! | [`Callback`] | a function of yours | on the worker: it must not block |
//! | [`bounded`] | a channel to a thread of yours | on the worker, or on its own thread where it waits for room |
//! | [`local::Csv`] | a table for each stream | on its own thread |
//! | [`local::Npy`] | a matrix for NumPy for each stream | on its own thread |
//! | `feedback` (feature `feedback`) | browsers and programs, over WebSockets | on the worker; sockets on the server's thread |
//! | `metrics` (feature `metrics`) | latency and quality, as a monitoring system asks for them | on the worker |
//! | `kafka` (feature `kafka`) | a topic, at least once or exactly once | on its own thread |
//! | `layer::Outbox` (feature `layer`) | files, and from there to the sink behind it | on threads of its own |
//! | `table::TableSink` (features `store`, `bigtable`) | a table: a file on this machine, or Google Bigtable | on its own thread |
//! | `report` (feature `report`) | one HTML page about the whole run | on the worker |
//!
//! With checkpoints, files and tables hold each result exactly once. Callbacks, channels and reports hold nothing that could be made
//! durable: they answer a barrier at once, and a run that goes on from a checkpoint gives them again what came after it.

#[cfg(feature = "bigtable")]
pub mod bigtable;
mod callback;
mod channel;
#[cfg(feature = "feedback")]
pub mod feedback;
#[cfg(feature = "kafka")]
pub mod kafka;
#[cfg(feature = "layer")]
pub mod layer;
pub mod local;
#[cfg(feature = "metrics")]
pub mod metrics;
#[cfg(feature = "report")]
pub mod report;
#[cfg(feature = "store")]
pub mod store;
#[cfg(feature = "table")]
pub mod table;

pub use callback::{Callback, CallbackWriter};
pub use channel::{ChannelSink, ChannelWriter, Receiver, bounded};
