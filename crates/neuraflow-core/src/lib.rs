//! Time, windows and the dataflow of NeuraFlow.
//!
//! | module | what is in it |
//! |---|---|
//! | [`model`] | the nouns, plain data: time, sampling rate, channel, chunk, packet, stream, window, marker, features |
//! | [`window`] | from packets to windows: pure state machines without a clock, a thread or Timely |
//! | [`operator`], [`source`], [`sink`] | the three traits that integrators implement, with their errors |
//! | [`ingest`] | what a source puts its packets into |
//! | [`codec`] | chunk ↔ bytes: frames of samples, compressed, each checked and bounded |
//! | [`dataflow`] | the builder [`Pipeline`](dataflow::Pipeline), the engine on Timely, and the report of a run |
//! | [`checkpoint`] | what survives a crash: snapshots, checkpoints, and where they are kept |
//! | [`resilience`] | the injected clock |
//! | [`telemetry`] | the digest of a run's output |
//! | `testing` | the conformance kit, a fake clock and collectors (feature `testing`) |
//!
//! Applications depend on the facade `neuraflow`, which re-exports all of this with operators, sources and sinks.

pub mod checkpoint;
pub mod codec;
pub mod dataflow;
pub mod ingest;
pub mod model;
pub mod operator;
pub mod resilience;
pub mod sink;
pub mod source;
pub mod telemetry;
#[cfg(feature = "testing")]
pub mod testing;
pub mod window;
