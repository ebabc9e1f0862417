//! Into Kafka: features, windows and decisions as records of a topic (feature `kafka`).
//!
//! What a record is, and what its readers may rely on, is in docs/reference/kafka.md.
//!
//! | file | its story |
//! |---|---|
//! | `item` | what a record says |
//! | `sink`, `writer` | where results are taken, and how they are written at least once |
//! | `transaction` | how they are written exactly once |
//! | `committed` | what of it is seen by whoever reads what is committed |
//! | `client` | the client behind both |
//! | `watch` | what others may know of it |

mod client;
mod committed;
mod item;
mod sink;
mod transaction;
mod watch;
mod writer;

pub use item::{KafkaItem, KafkaRecord, KafkaResult};
pub use sink::KafkaSink;
pub use watch::{KafkaSinkStats, KafkaSinkWatch};
pub use writer::KafkaWriter;
