//! Why an ingest ended.

use neuraflow_core::codec::CodecError;
use neuraflow_core::model::StreamHeader;
use neuraflow_core::source::SourceError;
use thiserror::Error;

/// Why an ingest ended before its source did, or without all of it in the topic.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum IngestError {
    /// Its source failed, or the brokers refuse for good.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The samples of a stream cannot be encoded as was asked for.
    #[error("stream {stream}: {source}")]
    Codec {
        /// The stream's name.
        stream: String,
        /// What the codec says.
        source: CodecError,
    },
    /// A record cannot be written in MessagePack.
    #[error("stream {stream}: {source}")]
    Envelope {
        /// The stream's name.
        stream: String,
        /// What MessagePack says.
        source: rmp_serde::encode::Error,
    },
    /// A record is larger than any may be.
    #[error(
        "stream {stream}: expected records of at most {expected} bytes, found {found}; shorten the labels in its header, or split its channels over several signals"
    )]
    TooLarge {
        /// The stream's name.
        stream: String,
        /// The most there may be.
        expected: usize,
        /// Bytes of the record.
        found: usize,
    },
    /// Records were given up by the brokers or the client: what they held is not in the topic.
    #[error(
        "{target}: expected all records to arrive, found {records} with {samples} samples that did not ({reason})"
    )]
    Undelivered {
        /// The topic.
        target: String,
        /// How many records.
        records: u64,
        /// Samples in them.
        samples: u64,
        /// What was said of the first.
        reason: String,
    },
}

impl IngestError {
    pub(super) fn codec(header: &StreamHeader, source: CodecError) -> Self {
        Self::Codec { stream: header.name.clone(), source }
    }

    pub(super) fn envelope(header: &StreamHeader, source: rmp_serde::encode::Error) -> Self {
        Self::Envelope { stream: header.name.clone(), source }
    }
}
