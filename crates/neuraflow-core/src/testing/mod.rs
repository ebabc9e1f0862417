//! What tests of operators, sources and sinks are made of (feature `testing`).

mod clock;
mod collect;
pub mod conformance;
pub mod data;
mod memory_store;
mod random;
mod scratch;
mod simulated_disk;

pub use clock::FakeClock;
pub use collect::{Probe, collect_packets, collect_worker};
pub use memory_store::MemoryStore;
pub use random::Random;
pub use scratch::Scratch;
pub use simulated_disk::SimulatedDisk;
