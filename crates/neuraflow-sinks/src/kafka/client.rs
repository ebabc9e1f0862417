//! The client behind a writer: records go out, and what became of each comes back.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use neuraflow_core::model::StreamKey;
use neuraflow_core::sink::SinkError;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, Message, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};

use super::sink::Settings;
use super::watch::KafkaSinkWatch;

/// The header that says which sink has written a record.
pub(super) const SINK: &str = "sink";
/// How long something is waited for before it is tried again.
pub(super) const NAP: Duration = Duration::from_millis(100);

/// A record on its way.
#[derive(Clone, Debug)]
pub(super) struct Outgoing {
    pub(super) stream: StreamKey,
    pub(super) value: Vec<u8>,
}

/// Where each record lies that has arrived, as partition and offset, and what was said of the first that has not.
pub(super) type Answers = (Vec<Option<(i32, i64)>>, Option<String>);

/// What became of the records that were sent together.
#[derive(Debug, Default)]
struct Deliveries {
    inside: Mutex<Inside>,
    news: Condvar,
}

#[derive(Debug, Default)]
struct Inside {
    /// Where each lies.
    at: Vec<Option<(i32, i64)>>,
    waiting: usize,
    fault: Option<String>,
}

impl Deliveries {
    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) struct Context {
    deliveries: Arc<Deliveries>,
    watch: KafkaSinkWatch,
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            RDKafkaLogLevel::Emerg
            | RDKafkaLogLevel::Alert
            | RDKafkaLogLevel::Critical
            | RDKafkaLogLevel::Error => tracing::error!(facility, "{message}"),
            RDKafkaLogLevel::Warning => tracing::warn!(facility, "{message}"),
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => tracing::info!(facility, "{message}"),
            RDKafkaLogLevel::Debug => tracing::debug!(facility, "{message}"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(%error, reason, "sink into Kafka");
        self.watch.change(|stats| {
            stats.connection_errors += 1;
            stats.trouble = Some(reason.to_owned());
        });
    }
}

impl ProducerContext for Context {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, number: usize) {
        let mut inside = self.deliveries.lock();
        inside.waiting = inside.waiting.saturating_sub(1);
        match result {
            Ok(message) => {
                if let Some(at) = inside.at.get_mut(number) {
                    *at = Some((message.partition(), message.offset()));
                }
            }
            Err((error, _)) => drop(inside.fault.get_or_insert(error.to_string())),
        }
        drop(inside);
        self.deliveries.news.notify_all();
    }
}

/// A producer that has found its topic. It is let go of where anything is left of what it was to send.
pub(super) struct Client {
    pub(super) producer: ThreadedProducer<Context>,
    pub(super) partitions: u32,
    deliveries: Arc<Deliveries>,
}

impl Client {
    /// Connects, as the only writer with the transactional id of the settings, if they have one.
    pub(super) fn connect(settings: &Settings, watch: &KafkaSinkWatch) -> Result<Self, SinkError> {
        let mut config = settings.client();
        let timeout = settings.timeout.as_millis().to_string();
        config
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("compression.type", "lz4")
            .set("batch.size", "65536")
            .set("linger.ms", "5")
            .set("message.timeout.ms", &timeout);
        if let Some(id) = &settings.transactional {
            config.set("transactional.id", id).set("transaction.timeout.ms", &timeout);
        }
        let deliveries = Arc::new(Deliveries::default());
        let context = Context { deliveries: Arc::clone(&deliveries), watch: watch.clone() };
        let made: Result<ThreadedProducer<Context>, _> = config.create_with_context(context);
        let producer = made.map_err(|error| settings.failed("make a producer for", error))?;
        let metadata = producer.client().fetch_metadata(Some(&settings.topic), settings.timeout);
        let metadata = metadata.map_err(|error| settings.failed("reach", error))?;
        let partitions = metadata.topics().first().map_or(0, |topic| topic.partitions().len());
        if partitions == 0 {
            let unknown = KafkaError::MetadataFetch(RDKafkaErrorCode::UnknownTopicOrPartition);
            return Err(settings.failed("find", unknown));
        }
        if settings.transactional.is_some() {
            let begun = producer.init_transactions(settings.timeout);
            begun.map_err(|error| settings.failed("begin transactions in", error))?;
        }
        Ok(Self { producer, partitions: u32::try_from(partitions).unwrap_or(u32::MAX), deliveries })
    }

    /// Sends all, and waits until each has arrived, has failed, or the time is over.
    pub(super) fn send(&self, records: &[Outgoing], settings: &Settings) -> Answers {
        *self.deliveries.lock() = Inside { at: vec![None; records.len()], waiting: 0, fault: None };
        let deadline = Instant::now() + settings.timeout;
        for (number, record) in records.iter().enumerate() {
            if let Err(reason) = self.send_one(number, record, settings, deadline) {
                self.deliveries.lock().fault.get_or_insert(reason);
                break;
            }
        }
        self.answers(settings, deadline)
    }

    /// Puts a record into each partition, in a transaction that is aborted: with it ends whatever an earlier writer has left undecided
    /// there, and nobody sees either.
    pub(super) fn sweep(&self, settings: &Settings) -> Result<Answers, SinkError> {
        let failed = |error| settings.failed("end earlier transactions in", error);
        let deadline = Instant::now() + settings.timeout;
        let count = self.partitions as usize;
        *self.deliveries.lock() = Inside { at: vec![None; count], waiting: count, fault: None };
        self.producer.begin_transaction().map_err(failed)?;
        for number in 0..count {
            let partition = i32::try_from(number).unwrap_or(i32::MAX);
            // With a key, since a topic that is compacted takes none without.
            let record = BaseRecord::<_, (), usize>::with_opaque_to(&settings.topic, number);
            if let Err((error, _)) = self.producer.send(record.partition(partition).key(&*settings.name)) {
                let _ = self.producer.abort_transaction(settings.timeout);
                return Err(failed(error));
            }
        }
        let answers = self.answers(settings, deadline);
        self.producer.abort_transaction(settings.timeout).map_err(failed)?;
        Ok(answers)
    }

    /// Waits until everything was answered, or the time is over.
    fn answers(&self, settings: &Settings, deadline: Instant) -> Answers {
        let mut inside = self.deliveries.lock();
        while inside.waiting > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                inside.fault.get_or_insert(format!("no answer within {:?}", settings.timeout));
                break;
            }
            inside =
                self.deliveries.news.wait_timeout(inside, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        let fault = inside.fault.take();
        (std::mem::take(&mut inside.at), fault)
    }

    fn send_one(
        &self,
        number: usize,
        record: &Outgoing,
        settings: &Settings,
        deadline: Instant,
    ) -> Result<(), String> {
        let key = record.stream.to_bytes();
        let partition = i32::try_from(record.stream.partition(self.partitions)).unwrap_or(i32::MAX);
        loop {
            self.deliveries.lock().waiting += 1;
            let headers = OwnedHeaders::new().insert(Header { key: SINK, value: Some(&*settings.name) });
            let sent = BaseRecord::with_opaque_to(&settings.topic, number)
                .partition(partition)
                .key(key.as_slice())
                .payload(record.value.as_slice())
                .headers(headers);
            let Err((error, _)) = self.producer.send(sent) else { return Ok(()) };
            let mut inside = self.deliveries.lock();
            inside.waiting -= 1;
            let full = matches!(error, KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull));
            if !full || Instant::now() >= deadline {
                return Err(error.to_string());
            }
            drop(self.deliveries.news.wait_timeout(inside, NAP));
        }
    }
}

/// What librdkafka says, as the error of a sink: what may pass is offered again.
pub(super) fn io_error(sink: &str, action: &'static str, target: &str, error: KafkaError) -> SinkError {
    let lasting = [
        RDKafkaErrorCode::Fatal,
        RDKafkaErrorCode::Fenced,
        RDKafkaErrorCode::ProducerFenced,
        RDKafkaErrorCode::InvalidProducerEpoch,
        RDKafkaErrorCode::TopicAuthorizationFailed,
        RDKafkaErrorCode::ClusterAuthorizationFailed,
        RDKafkaErrorCode::TransactionalIdAuthorizationFailed,
        RDKafkaErrorCode::SaslAuthenticationFailed,
        RDKafkaErrorCode::InvalidConfig,
        RDKafkaErrorCode::InvalidTransactionTimeout,
    ];
    let config = matches!(error, KafkaError::ClientConfig(..) | KafkaError::ClientCreation(_));
    let code = match &error {
        KafkaError::Transaction(error) => Some(error.code()),
        error => error.rdkafka_error_code(),
    };
    let kind = match code {
        Some(code) if lasting.contains(&code) => io::ErrorKind::PermissionDenied,
        _ if config => io::ErrorKind::InvalidInput,
        _ => io::ErrorKind::TimedOut,
    };
    SinkError::Io {
        sink: sink.to_owned(),
        action,
        target: target.to_owned(),
        source: io::Error::new(kind, error),
    }
}
