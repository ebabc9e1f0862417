//! What tests of operators, sources and sinks are made of (feature `testing`).

mod clock;
mod collect;
pub mod conformance;
pub mod data;
mod scratch;

pub use clock::FakeClock;
pub use collect::{Probe, collect_packets, collect_worker};
pub use scratch::Scratch;
