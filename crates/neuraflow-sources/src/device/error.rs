//! What a push comes to.

use std::io;

use neuraflow_core::model::StreamKey;
use thiserror::Error;

/// What became of pushed samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// They are queued, and nothing was given up for them.
    Queued,
    /// They are queued; so many older samples were dropped to make room, and are reported as dropped.
    Displaced {
        /// Samples of any stream.
        samples: u64,
    },
    /// The queue was full: they were dropped, and are reported as dropped.
    Refused {
        /// All samples of the push.
        samples: u64,
    },
}

/// Why nothing was pushed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PushError {
    /// The pipeline has ended, or its source was dropped before it ran.
    #[error(
        "device: the pipeline is gone; stop pushing, or keep the source and the pipeline alive for as long as the device runs"
    )]
    Disconnected,
    /// The stream was never opened.
    #[error(
        "device: expected a stream that was opened, found {key:?}; call open with the stream's header first"
    )]
    Unknown {
        /// The key that was given.
        key: StreamKey,
    },
    /// The stream was ended.
    #[error("device: expected an open stream, found that {key:?} was ended; call open again to resume it")]
    Ended {
        /// The key that was given.
        key: StreamKey,
    },
    /// The values are not a whole number of samples, or none.
    #[error(
        "device: expected one or more samples of {channels} values each, found {found} values; push [sample][channel]"
    )]
    Shape {
        /// Channels of the stream.
        channels: usize,
        /// Values that were given.
        found: usize,
    },
    /// One push holds more than the queue could ever hold.
    #[error(
        "device: expected at most {capacity} samples (the queue's capacity), found {found}; push less at a time or raise DeviceConfig::capacity"
    )]
    TooLarge {
        /// The queue's capacity in samples.
        capacity: u64,
        /// Samples that were given.
        found: u64,
    },
    /// The queue is full and blocks, and the call does not wait.
    #[error(
        "device: the queue of {capacity} samples is full; try again once the pipeline caught up, or use push or push_async to wait"
    )]
    Full {
        /// The queue's capacity in samples.
        capacity: u64,
    },
    /// The journal has no room for what is never dropped.
    #[error(
        "device: the journal is full ({max_bytes} bytes); a pipeline with checkpoints makes room in it, or raise JournalConfig::max_bytes"
    )]
    JournalFull {
        /// Bytes it may have.
        max_bytes: u64,
    },
    /// The journal could not be written; nothing was pushed.
    #[error("device: cannot write the journal: {message}; nothing was pushed")]
    Journal {
        /// What kind of failure it is.
        kind: io::ErrorKind,
        /// What the system said.
        message: String,
    },
    /// Too many unread opens, markers, controls and ends; these are never dropped, so more are refused.
    #[error(
        "device: {limit} control packets (opens, markers, ends) are waiting; run the pipeline, or send fewer"
    )]
    TooManyControls {
        /// How many may wait.
        limit: usize,
    },
}
