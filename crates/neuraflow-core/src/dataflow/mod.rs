//! The only room that knows Timely: graphs, workers, and the way from packets to sinks.
//!
//! | file | its story |
//! |---|---|
//! | `pipeline`, `flow`, `draft` | the builder; `plan` and `graph` are what it makes |
//! | `ingress` → `slab` → `keyed` → `outlet`, `deliver` | the way of the data |
//! | `streams`, `books`, `stream`, `chain` | what a worker has of its streams: their seats, and each one's state; `ahead` has it at hand in time |
//! | `cut`, `capture`, `align` | what divides the data at a checkpoint: at sources, in streams, at sinks |
//! | `coordinator`, `flight`, `checkpointing` | the thread that makes checkpoints, the one it makes, and what it is told |
//! | `news`, `relay`, `naming` | checkpoints over several processes: what one tells the others, what these tell it, and whose is what |
//! | `launch`, `base` | how a run is made ready, and what it goes on from |
//! | `runtime`, `life`, `pace`, `shared`, `pressure` | the threads, and what they have in common |
//! | `cluster` | several processes that run one pipeline together |
//! | `supervisor`, `watchdog` | what is done where one fails or hangs |
//! | `report`, `watch` | what is known of a run |
//! | `planted`, `stepped` | for tests: bugs to switch on, and a run without any thread that does what it likes |

mod ahead;
mod align;
mod base;
mod books;
mod capture;
mod chain;
mod checkpointing;
mod cluster;
mod coordinator;
mod cut;
mod deliver;
mod delivery;
mod draft;
mod error;
mod flight;
mod flow;
mod graph;
mod ingress;
mod items;
mod keyed;
mod launch;
mod life;
mod naming;
mod news;
mod outbox;
mod outlet;
mod pace;
mod pipeline;
mod plan;
mod planted;
mod pressure;
mod queue;
pub mod raw;
mod relay;
mod report;
mod runtime;
mod shared;
mod slab;
#[cfg(feature = "testing")]
mod stepped;
mod stream;
mod streams;
mod supervisor;
mod watch;
mod watchdog;

pub use checkpointing::{CheckpointReport, Checkpointing};
pub use cluster::{Cluster, ClusterError};
pub use error::{BuildError, PipelineError, RestoreFault};
pub use flow::{Branch, Flow, Tumbling};
pub use items::{ControlError, LateSamples, StreamControl, StreamMarker};
pub use pipeline::{Complete, Pipeline};
#[cfg(feature = "testing")]
pub use planted::Planted;
pub use report::{LatencyHistogram, PathLatency, Report, SinkReport, StreamReport, WindowCounts};
pub use runtime::{Progress, Running, Stopper, Workers};
#[cfg(feature = "testing")]
pub use stepped::Stepped;
pub use supervisor::{Restarts, Supervised};
pub use watch::{Health, LatencySplit, State, Status, StreamStatus, Watch};
