//! The client that reads a topic.

use neuraflow_core::source::SourceError;
use rdkafka::Statistics;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use rdkafka::error::KafkaError;

use super::topic::{KafkaTopic, io_error};
use super::watch::{KafkaWatch, log};

pub(super) type Client = BaseConsumer<Context>;

/// A client that is told which partitions to read, and from where: no group decides that.
pub(super) fn open(topic: &KafkaTopic, watch: &KafkaWatch) -> Result<Client, SourceError> {
    let mut config = topic.client();
    config
        .set("group.id", "neuraflow") // librdkafka wants one
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "error")
        .set("isolation.level", "read_committed")
        .set("enable.partition.eof", "true")
        .set("fetch.min.bytes", "1")
        .set("fetch.error.backoff.ms", "100")
        .set("queued.min.messages", "10000")
        .set("queued.max.messages.kbytes", "16384")
        .set("statistics.interval.ms", "1000");
    let consumer = config.create_with_context(Context(watch.clone(), topic.name().to_owned()));
    consumer.map_err(|error| io_error("make a consumer for", &topic.to_string(), error))
}

/// What librdkafka calls.
pub(super) struct Context(KafkaWatch, String);

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(%error, reason, "source from Kafka waits");
        self.0.change(|stats| {
            stats.connection_errors += 1;
            stats.trouble = Some(reason.to_owned());
        });
    }

    fn stats(&self, statistics: Statistics) {
        let Some(topic) = statistics.topics.get(&self.1) else { return };
        for (number, known) in &topic.partitions {
            self.0.ends(*number, known.ls_offset);
        }
        // One below 0 is none: what has no partition yet.
        self.0.has_partitions(topic.partitions.keys().filter(|number| **number >= 0).count());
    }
}

impl ConsumerContext for Context {}
