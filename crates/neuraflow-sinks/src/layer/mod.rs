//! Layers: sinks in front of other sinks.
//!
//! | layer | what it adds |
//! |---|---|
//! | [`Outbox`] | results are on the disk before they count as written, and are handed on in order, by a thread that backs off and has a breaker, as long as the sink behind is away |
//!
//! The sink behind an outbox may be given something twice, after a crash, so it has to be one that does not mind: it writes the
//! same under the same key (stream, window, stage), as tables do.

mod outbox;

pub use outbox::{Outbox, OutboxConfig, OutboxStats, OutboxWatch, OutboxWriter};
