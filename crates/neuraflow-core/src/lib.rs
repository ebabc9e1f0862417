//! Time, windows and the dataflow of NeuraFlow.

pub mod checkpoint;
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
