//! The producer behind an ingest: what is on its way, what arrived, and what did not.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use neuraflow_core::model::{Positions, StreamKey};
use neuraflow_core::source::SourceError;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer};

use super::envelope::MAX_RECORD;
use super::packer::Record;
use super::topic::{KafkaTopic, io_error};
use super::wait::Signal;
use super::watch::IngestWatch;

/// Bytes that batches of a partition have, and how long one waits to be filled.
const BATCH: &str = "65536";
const LINGER_MS: &str = "10";

/// What goes with a record until it has arrived.
pub(super) struct Ticket {
    turn: u64,
    stream: StreamKey,
    bytes: u64,
    samples: u64,
}

/// What is on its way.
#[derive(Debug, Default)]
pub(super) struct Deliveries {
    inside: Mutex<Inside>,
    /// Raised whenever something has arrived or failed.
    pub(super) news: Signal,
    watch: IngestWatch,
}

#[derive(Debug, Default)]
struct Inside {
    /// Bytes on their way.
    bytes: u64,
    /// Turns that have records on their way: number, how many, and the source's positions once they are known.
    turns: VecDeque<Turn>,
    /// Streams with a record that did not arrive, which the packer was not told of yet.
    lost: Vec<StreamKey>,
    failed: bool,
}

impl Inside {
    /// Turns follow each other without a hole.
    fn turn(&mut self, number: u64) -> Option<&mut Turn> {
        let first = self.turns.front()?.number;
        self.turns.get_mut(usize::try_from(number.checked_sub(first)?).ok()?)
    }
}

#[derive(Debug)]
struct Turn {
    number: u64,
    records: u64,
    positions: Option<Positions>,
}

impl Deliveries {
    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sent(&self, ticket: &Ticket) {
        let mut inside = self.lock();
        inside.bytes += ticket.bytes;
        match inside.turns.back_mut() {
            Some(turn) if turn.number == ticket.turn => turn.records += 1,
            _ => inside.turns.push_back(Turn { number: ticket.turn, records: 1, positions: None }),
        }
    }

    /// A record has arrived, or will not any more.
    fn done(&self, ticket: &Ticket, fault: Option<String>) {
        let mut inside = self.lock();
        inside.bytes = inside.bytes.saturating_sub(ticket.bytes);
        if let Some(turn) = inside.turn(ticket.turn) {
            turn.records = turn.records.saturating_sub(1);
        }
        if fault.is_some() {
            inside.lost.push(ticket.stream);
            inside.failed = true;
        }
        drop(inside);
        self.watch.change(|stats| match fault {
            None => {
                stats.delivered += 1;
                stats.trouble = None;
            }
            Some(reason) => {
                stats.failed += 1;
                stats.failed_samples += ticket.samples;
                stats.first_failure.get_or_insert(reason);
            }
        });
        self.news.raise();
    }

    /// The turn is over, with the source at these positions: where they are is returned once everything up to there has arrived.
    pub(super) fn end_turn(&self, number: u64, positions: Option<Positions>) -> Option<Positions> {
        let mut inside = self.lock();
        match inside.turns.back_mut() {
            Some(turn) if turn.number == number => turn.positions = positions,
            _ => inside.turns.push_back(Turn { number, records: 0, positions }),
        }
        let mut arrived = None;
        while inside.turns.front().is_some_and(|turn| turn.records == 0) {
            arrived = inside.turns.pop_front().and_then(|turn| turn.positions).or(arrived);
        }
        // What did not arrive must be given again by whoever can.
        arrived.filter(|_| !inside.failed)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.lock().bytes
    }

    pub(super) fn take_lost(&self) -> Vec<StreamKey> {
        std::mem::take(&mut self.lock().lost)
    }
}

/// What librdkafka calls.
pub(super) struct Context(Arc<Deliveries>);

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        super::watch::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.0.watch.change(|stats| {
            stats.connection_errors += 1;
            stats.trouble = Some(reason.to_owned());
        });
        tracing::warn!(%error, reason, "ingest into Kafka");
    }
}

impl ProducerContext for Context {
    type DeliveryOpaque = Box<Ticket>;

    fn delivery(&self, result: &DeliveryResult<'_>, ticket: Box<Ticket>) {
        self.0.done(&ticket, result.as_ref().err().map(|(error, _)| error.to_string()));
    }
}

/// An idempotent producer of records.
pub(super) struct Producer {
    client: ThreadedProducer<Context>,
    topic: String,
    target: String,
    partitions: u32,
    pub(super) deliveries: Arc<Deliveries>,
    turn: u64,
}

impl Producer {
    pub(super) fn new(topic: &KafkaTopic, queue_bytes: u64, watch: IngestWatch) -> Result<Self, SourceError> {
        let target = topic.to_string();
        let deliveries = Arc::new(Deliveries { watch, ..Deliveries::default() });
        let mut config = topic.client();
        config
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("compression.type", "lz4")
            .set("batch.size", BATCH)
            .set("linger.ms", LINGER_MS)
            .set("message.max.bytes", (MAX_RECORD + (16 << 10)).to_string())
            // Records wait for brokers as long as it takes: what cannot wait is decided where samples enter.
            .set("message.timeout.ms", "0")
            .set("queue.buffering.max.kbytes", (queue_bytes >> 10).to_string())
            .set("queue.buffering.max.messages", "1000000");
        let client = config.create_with_context(Context(Arc::clone(&deliveries)));
        let client = client.map_err(|error| io_error("make a producer for", &target, error))?;
        Ok(Self { client, topic: topic.name().to_owned(), target, partitions: 0, deliveries, turn: 0 })
    }

    /// Asks how many partitions the topic has; false while no broker says.
    pub(super) fn connect(&mut self, patience: Duration) -> bool {
        let trouble = match self.client.client().fetch_metadata(Some(&self.topic), patience) {
            Ok(metadata) => {
                let partitions = metadata.topics().first().map_or(0, |topic| topic.partitions().len());
                self.partitions = u32::try_from(partitions).unwrap_or(u32::MAX);
                if self.partitions > 0 {
                    return true;
                }
                // Or a broker that is still loading does not know of it yet.
                format!("{} does not exist; KafkaTopic::create makes it", self.target)
            }
            Err(error) => error.to_string(),
        };
        self.deliveries.watch.change(|stats| stats.trouble = Some(trouble));
        false
    }

    /// Queues a record; false where there is no room for it now.
    pub(super) fn send(&self, record: &Record) -> Result<bool, SourceError> {
        let ticket = Box::new(Ticket {
            turn: self.turn,
            stream: record.stream,
            bytes: record.value.len() as u64,
            samples: record.samples,
        });
        self.deliveries.sent(&ticket);
        let key = record.stream.to_bytes();
        let partition = record.stream.partition(self.partitions);
        let sent = BaseRecord::with_opaque_to(&self.topic, ticket)
            .partition(i32::try_from(partition).unwrap_or(i32::MAX))
            .key(key.as_slice())
            .payload(record.value.as_slice())
            .timestamp(wall_ms());
        match self.client.send(sent) {
            Ok(()) => Ok(true),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), record)) => {
                self.deliveries.unsent(&record.delivery_opaque);
                Ok(false)
            }
            Err((error, record)) => {
                self.deliveries.unsent(&record.delivery_opaque);
                Err(io_error("write to", &self.target, error))
            }
        }
    }

    /// Whether anything has not arrived yet.
    pub(super) fn under_way(&self) -> bool {
        self.client.in_flight_count() > 0
    }

    pub(super) fn target(&self) -> &str {
        &self.target
    }

    /// The turn is over; see [`Deliveries::end_turn`].
    pub(super) fn end_turn(&mut self, positions: Option<Positions>) -> Option<Positions> {
        let arrived = self.deliveries.end_turn(self.turn, positions);
        self.turn += 1;
        arrived
    }
}

impl Deliveries {
    /// A record was not taken after all.
    fn unsent(&self, ticket: &Ticket) {
        let mut inside = self.lock();
        inside.bytes = inside.bytes.saturating_sub(ticket.bytes);
        if let Some(turn) = inside.turns.back_mut() {
            turn.records = turn.records.saturating_sub(1);
        }
    }
}

/// Milliseconds since the Unix epoch: what a record's age is told by, in whichever process.
fn wall_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
