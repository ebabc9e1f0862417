//! Layers: sinks in front of other sinks.
//!
//! | layer | what it adds |
//! |---|---|
//! | [`Timeout`] | a call that takes too long has failed |
//! | [`Retry`] | what failed for a passing reason is tried again, a few times, within a budget |
//! | [`Outbox`] | results are on the disk before they count as written, and are handed on in order, by a thread that backs off and has a breaker, as long as the sink behind is away |
//!
//! They are put around each other: `Outbox::new(Timeout::new(table, limit), …)`. An outbox tries again by itself, for as long as it
//! takes; [`Retry`] is for a sink without one.
//!
//! The sink behind may be given something twice, after a crash or a failure, so it has to be one that does not mind: it writes the
//! same under the same key (stream, window, stage), as tables do.

mod outbox;
mod retry;
mod timeout;

pub use outbox::{Outbox, OutboxConfig, OutboxStats, OutboxWatch, OutboxWriter};
pub use retry::{Retry, RetryConfig, RetryWriter};
pub use timeout::{Timeout, TimeoutWriter};
