//! Records that nobody can read go to a topic of their own, as they are, with where they were and what is wrong.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use neuraflow_core::source::SourceError;
use rdkafka::Message;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, ProducerContext, ThreadedProducer};

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
    on_the_way: Arc<OnTheWay>,
}

/// How many letters are neither in the topic nor refused for good. The client's own waiting looks every tenth of a second, and a
/// source, with all the devices behind it, would stand still as long for each record that nobody can read.
#[derive(Default)]
struct OnTheWay {
    letters: Mutex<u64>,
    fewer: Condvar,
}

impl OnTheWay {
    fn letters(&self) -> MutexGuard<'_, u64> {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn done(&self) {
        *self.letters() -= 1;
        self.fewer.notify_all();
    }
}

struct Context {
    watch: KafkaWatch,
    on_the_way: Arc<OnTheWay>,
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(%error, reason, "dead letters");
        self.watch.change(|stats| stats.trouble = Some(reason.to_owned()));
    }
}

impl ProducerContext for Context {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        match result {
            Ok(_) => self.watch.change(|stats| stats.dead_letters += 1),
            Err((error, _)) => tracing::error!(%error, "a dead letter did not arrive"),
        }
        self.on_the_way.done();
    }
}

impl DeadLetters {
    pub(super) fn new(topic: &KafkaTopic, watch: KafkaWatch) -> Result<Self, SourceError> {
        let name = topic.dead_letters();
        let mut config = topic.client();
        config
            .set("enable.idempotence", "true")
            .set("compression.type", "lz4")
            .set("linger.ms", "0")
            .set("message.max.bytes", MAX_LETTER.to_string())
            // One waits for brokers as long as it takes, and its source with it.
            .set("message.timeout.ms", "0");
        let on_the_way = Arc::<OnTheWay>::default();
        let context = Context { watch, on_the_way: Arc::clone(&on_the_way) };
        let client = config.create_with_context(context);
        let client = client.map_err(|error| io_error("make a producer for", &name, error))?;
        Ok(Self { client, topic: name, on_the_way })
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
        *self.on_the_way.letters() += 1;
        if let Err((error, _)) = self.client.send(record) {
            self.on_the_way.done();
            tracing::error!(%error, partition, offset, reason, "a malformed record that is no dead letter");
        }
    }

    /// Waits until what was sent has arrived, or brokers refuse it for good; false if it is `stopped` before.
    pub(super) fn arrived(&self, stopped: impl Fn() -> bool) -> bool {
        let mut letters = self.on_the_way.letters();
        while *letters > 0 {
            if stopped() {
                return false;
            }
            let fewer = self.on_the_way.fewer.wait_timeout(letters, PATIENCE);
            letters = fewer.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}
