//! The only room that knows Timely: graphs, workers, and the way from packets to sinks.
//!
//! `pipeline`, `flow` and `draft` are the builder, `plan` and `graph` what it makes; `ingress` → `slab` → `keyed` → `deliver` is the way of the
//! data; `stream` and `chain` are one stream's part of it; `runtime` owns the threads.

mod chain;
mod deliver;
mod delivery;
mod draft;
mod error;
mod flow;
mod graph;
mod ingress;
mod items;
mod keyed;
mod outbox;
mod pipeline;
mod plan;
mod pressure;
mod queue;
pub mod raw;
mod report;
mod runtime;
mod shared;
mod slab;
mod stream;
mod watch;

pub use error::{BuildError, PipelineError};
pub use flow::{Branch, Flow, Tumbling};
pub use items::{LateSamples, StreamMarker};
pub use pipeline::{Complete, Pipeline};
pub use report::{LatencyHistogram, PathLatency, Report, SinkReport, StreamReport, WindowCounts};
pub use runtime::{Progress, Running, Stopper, Workers};
pub use watch::{LatencySplit, Status, StreamStatus, Watch};
