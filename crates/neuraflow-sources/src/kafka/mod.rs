//! Through Kafka: what devices and recordings give goes into a topic, and comes out of it as a source (feature `kafka`).
//!
//! A record is a MessagePack envelope around a frame of the [signal codec](neuraflow_core::codec). Topics, format, offsets and guarantees are in
//! docs/reference/kafka.md.
//!
//! | file | its story |
//! |---|---|
//! | `topic` | which topic on which brokers |
//! | `envelope` | one record ↔ bytes |
//! | `packer`, `producer`, `ingest` | packets of a source into the topic |
//! | `unpacker`, `consumer`, `fetch`, `source` | the topic as a source |
//! | `dead_letters` | what nobody can read |
//! | `watch` | what others may know of it |

mod consumer;
mod dead_letters;
mod envelope;
mod error;
mod fetch;
mod ingest;
mod packer;
mod producer;
mod source;
#[cfg(test)]
mod tests;
mod topic;
mod unpacker;
mod wait;
mod watch;

pub use error::IngestError;
pub use ingest::{IngestConfig, KafkaIngest};
pub use packer::Encoding;
pub use source::KafkaSource;
pub use topic::KafkaTopic;
pub use watch::{IngestStats, IngestWatch, KafkaStats, KafkaWatch};
