//! Live feedback: what a pipeline computes, within the window, to browsers, stimulus programs and games.
//!
//! The protocol is docs/reference/feedback.md. A [`Session`] makes the sinks that a graph ends in; a [`Server`] sends what
//! they publish over WebSockets, and a [`Subscriber`] reads the same in this process. Publishing is appending to a bounded
//! log: it costs the same however many clients there are, and however slow they are.
//!
//! ```
//! use neuraflow_core::sink::{Sink, SinkContext};
//! use neuraflow_sinks::feedback::{Body, Feedback, FeedbackConfig, Subscription};
//!
//! let feedback = Feedback::new(FeedbackConfig::default())?;
//! let session = feedback.session("P01");
//! let server = feedback.serve("127.0.0.1:0".parse()?)?; // http://127.0.0.1:8787/ shows the live page
//! let mut reader = feedback.subscribe("P01", Subscription::all())?;
//!
//! // In a pipeline: `.feature(..).sink(session.features("bands"))`
//! let sink = session.features("bands");
//! assert_eq!(sink.name(), "feedback P01/bands");
//!
//! assert!(matches!(reader.recv().map(|m| m.body.clone()), Some(Body::Hello(_))));
//! session.ended();
//! assert!(reader.last().is_some_and(|m| matches!(&m.body, Body::Status(status) if status.state.is_final())));
//! server.stop();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod budget;
mod channel;
mod client;
mod config;
mod encode;
mod error;
mod guard;
mod hub;
mod life;
mod message;
mod metrics;
mod once;
mod pulse;
mod reader;
mod ring;
mod routes;
mod select;
mod server;
mod session;
mod signal;
mod sink;
mod status;
mod subscriber;
mod subscription;
mod suppress;
mod vitals;

pub use config::FeedbackConfig;
pub use error::FeedbackError;
pub use hub::Feedback;
pub use life::State;
pub use message::{
    Body, DecisionBody, Grid, Hello, Kind, LatencyBody, MarkerBody, Message, Quantiles, SignalBody, Stamp,
    StatusBody, StreamBody, Table, WindowsBody,
};
pub use reader::Received;
pub use server::Server;
pub use session::Session;
pub use sink::{FeedbackSink, FeedbackWriter};
pub use subscriber::Subscriber;
pub use subscription::Subscription;
pub use suppress::Suppressed;
pub use vitals::{CheckpointsBody, PipelineBody};
