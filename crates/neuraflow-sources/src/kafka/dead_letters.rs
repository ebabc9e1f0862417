//! Records that nobody can read go to a topic of their own, as they are, with where they were and what is wrong.

use std::time::Duration;

use neuraflow_core::source::SourceError;
use rdkafka::Message;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};

use super::envelope::MAX_RECORD;
use super::topic::{KafkaTopic, io_error};
use super::watch::{KafkaWatch, log};

/// How long a call waits before the end is looked for again.
const PATIENCE: Duration = Duration::from_millis(100);
/// The largest record in the topic: the largest that brokers take unless they are told otherwise, and room for what is said of it.
pub(super) const MAX_LETTER: usize = 2 * MAX_RECORD;

pub(super) struct DeadLetters {
    client: ThreadedProducer<Context>,
    topic: String,
}

struct Context(KafkaWatch);

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(%error, reason, "dead letters");
        self.0.change(|stats| stats.trouble = Some(reason.to_owned()));
    }
}

impl ProducerContext for Context {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        match result {
            Ok(_) => self.0.change(|stats| stats.dead_letters += 1),
            Err((error, _)) => tracing::error!(%error, "a dead letter did not arrive"),
        }
    }
}

impl DeadLetters {
    pub(super) fn new(topic: &KafkaTopic, watch: KafkaWatch) -> Result<Self, SourceError> {
        let name = topic.dead_letters();
        let mut config = topic.client();
        config
            .set("enable.idempotence", "true")
            .set("compression.type", "lz4")
            .set("linger.ms", "1")
            .set("message.max.bytes", MAX_LETTER.to_string())
            // One waits for brokers as long as it takes, and its source with it.
            .set("message.timeout.ms", "0");
        let client = config.create_with_context(Context(watch));
        let client = client.map_err(|error| io_error("make a producer for", &name, error))?;
        Ok(Self { client, topic: name })
    }

    /// Sends one on its way.
    pub(super) fn send(&self, message: &impl Message, reason: &str) {
        let header = |key, value| Header { key, value: Some(value) };
        let (partition, offset) = (message.partition().to_string(), message.offset().to_string());
        let headers = OwnedHeaders::new()
            .insert(header("topic", message.topic()))
            .insert(header("partition", &partition))
            .insert(header("offset", &offset))
            .insert(header("reason", reason));
        let (key, payload) = (message.key().unwrap_or_default(), message.payload().unwrap_or_default());
        let mut record = BaseRecord::to(&self.topic).headers(headers).payload(payload);
        if message.key().is_some() {
            record = record.key(key);
        }
        if let Some(at) = message.timestamp().to_millis() {
            record = record.timestamp(at);
        }
        if let Err((error, _)) = self.client.send(record) {
            tracing::error!(%error, partition, offset, reason, "a malformed record that is no dead letter");
        }
    }

    /// Waits until what was sent has arrived, or brokers refuse it for good; false if it is `stopped` before.
    pub(super) fn flush(&self, stopped: impl Fn() -> bool) -> bool {
        while self.client.in_flight_count() > 0 {
            if stopped() {
                return false;
            }
            let _ = self.client.flush(PATIENCE); // not all of it within that time
        }
        true
    }
}
