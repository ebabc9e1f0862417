//! The thread that reads: it waits for brokers, decodes, sets aside what nobody can read, and hands on by the batch.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel::{SendTimeoutError, Sender};
use neuraflow_core::model::{PacketBody, StreamHeader, StreamKey};
use neuraflow_core::source::{SourceError, Waker};
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;
use rdkafka::{Message, Offset, TopicPartitionList};

use super::consumer::{self, Client};
use super::dead_letters::DeadLetters;
use super::topic::{KafkaTopic, io_error};
use super::unpacker::{Unpacked, Unpacker};
use super::watch::KafkaWatch;

/// How long a call waits before the end is looked for again.
const PATIENCE: Duration = Duration::from_millis(100);
/// How long a broker may take to answer.
const ANSWER: Duration = Duration::from_secs(2);
/// Records in a batch, at most.
const BATCH: usize = 512;

/// Where reading of a partition goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The next record to be emitted.
    pub(super) next: i64,
    /// The oldest that is needed to understand it.
    pub(super) base: i64,
}

/// What the reader does next.
#[derive(Debug)]
pub(super) enum Step {
    /// Takes up a stream.
    Resume(StreamHeader),
    /// Emits a packet of a stream, that was written so many milliseconds after the Unix epoch.
    Packet(StreamKey, PacketBody, Option<i64>),
    /// What came before was all of a partition up to here.
    Passed(i32, Place),
    /// Everything was read that was to be.
    Ended,
}

pub(super) type Batch = Result<Vec<Step>, SourceError>;

/// What the thread is told.
pub(super) struct Task {
    pub(super) topic: KafkaTopic,
    /// Which of the partitions are its own: every `workers`-th.
    pub(super) worker: usize,
    pub(super) workers: usize,
    /// Where a checkpoint has its partitions.
    pub(super) from: Option<BTreeMap<i32, Place>>,
    /// Partitions that nobody has read begin at their end instead of their beginning.
    pub(super) latest: bool,
    /// It ends where the topic ends now.
    pub(super) bounded: bool,
    pub(super) watch: KafkaWatch,
    pub(super) stop: Arc<AtomicBool>,
    pub(super) out: Sender<Batch>,
    pub(super) waker: Waker,
}

/// A partition that is read.
struct Partition {
    unpacker: Unpacker,
    /// Records before this one are decoded and not emitted.
    emit_from: i64,
    /// The streams known at `emit_from` were taken up.
    taken_up: bool,
    next: i64,
    /// Where it ends, if it does.
    end: Option<i64>,
}

impl Task {
    pub(super) fn run(self) {
        let outcome = self.read();
        if let Err(error) = outcome {
            self.hand_on(Err(error));
        }
        let Self { out, waker, .. } = self;
        drop(out); // before the wake that tells of it
        waker.wake();
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// Gives the reader a batch, as soon as there is room for one. False where nobody wants it any more.
    fn hand_on(&self, mut batch: Batch) -> bool {
        loop {
            match self.out.send_timeout(batch, PATIENCE) {
                Ok(()) => {
                    self.waker.wake();
                    return true;
                }
                Err(SendTimeoutError::Timeout(back)) if !self.stopped() => batch = back,
                Err(_) => return false,
            }
        }
    }

    fn read(&self) -> Result<(), SourceError> {
        let consumer = consumer::open(&self.topic, &self.watch)?;
        let dead_letters = DeadLetters::new(&self.topic, self.watch.clone())?;
        let Some(mut partitions) = self.partitions(&consumer)? else { return Ok(()) };
        let mut steps = Vec::new();
        for (number, partition) in &partitions {
            let place = Place { next: partition.emit_from, base: partition.next };
            steps.push(Step::Passed(*number, place));
        }
        loop {
            let done = partitions.values().all(|p| p.end.is_some_and(|end| p.next >= end));
            if done {
                steps.push(Step::Ended);
            }
            if !steps.is_empty() && !self.hand_on(Ok(std::mem::take(&mut steps))) || done || self.stopped() {
                return Ok(());
            }
            let (mut patience, mut malformed) = (PATIENCE, false);
            for _ in 0..BATCH {
                match consumer.poll(patience) {
                    None => break,
                    Some(Ok(message)) => {
                        patience = Duration::ZERO;
                        if let Some(partition) = partitions.get_mut(&message.partition()) {
                            malformed |= self.record(&message, partition, &dead_letters, &mut steps);
                        }
                    }
                    Some(Err(KafkaError::PartitionEOF(number))) => {
                        // What lies before the end may be markers of transactions alone.
                        if let Some(partition) = partitions.get_mut(&number)
                            && let Some(end) = partition.end
                        {
                            partition.next = partition.next.max(end);
                        }
                        self.watch.at_end(number);
                    }
                    Some(Err(error)) => self.trouble(&consumer, &partitions, error)?,
                }
            }
            // No position passes a dead letter that has not arrived.
            if malformed && !dead_letters.arrived(|| self.stopped()) {
                return Ok(());
            }
        }
    }

    /// A record: what it comes to is appended to `steps`. Whether it is malformed.
    fn record(
        &self,
        message: &BorrowedMessage<'_>,
        partition: &mut Partition,
        dead_letters: &DeadLetters,
        steps: &mut Vec<Step>,
    ) -> bool {
        let offset = message.offset();
        let emitted = offset >= partition.emit_from;
        if emitted && !partition.taken_up {
            steps.extend(partition.unpacker.headers().cloned().map(Step::Resume));
            partition.taken_up = true;
        }
        let mut unpacked = Vec::new();
        let read = partition.unpacker.record(offset, message.key(), message.payload(), &mut unpacked);
        partition.next = offset + 1;
        self.watch.passed(message.partition(), partition.next);
        if !emitted {
            return false;
        }
        let undecodable = partition.unpacker.undecodable;
        self.watch.change(|stats| {
            stats.records += 1;
            stats.malformed += u64::from(read.is_err());
            stats.undecodable += undecodable;
            stats.trouble = None;
        });
        let written = message.timestamp().to_millis();
        match &read {
            Ok(key) => steps.extend(unpacked.into_iter().map(|unpacked| match unpacked {
                Unpacked::Known(header) => Step::Resume(header),
                Unpacked::Packet(body) => Step::Packet(*key, body, written),
            })),
            Err(error) => {
                let reason = error.to_string();
                tracing::warn!(partition = message.partition(), offset, reason, "a malformed record");
                dead_letters.send(message, &reason);
            }
        }
        let base = partition.unpacker.base(partition.next);
        steps.push(Step::Passed(message.partition(), Place { next: partition.next, base }));
        read.is_err()
    }

    /// Its partitions, assigned from where they go on; `None` where the end came before a broker did.
    fn partitions(&self, consumer: &Client) -> Result<Option<BTreeMap<i32, Partition>>, SourceError> {
        let count = loop {
            match consumer.fetch_metadata(Some(self.topic.name()), ANSWER) {
                Ok(metadata) => match metadata.topics().first().map_or(0, |topic| topic.partitions().len()) {
                    0 => self.wait(format!("{} does not exist; KafkaTopic::create makes it", self.topic)),
                    count => {
                        self.watch.opened(count);
                        break count;
                    }
                },
                Err(error) => self.wait(error.to_string()),
            }
            if self.stopped() {
                return Ok(None);
            }
        };
        let own = (0..count).filter(|number| number % self.workers.max(1) == self.worker);
        let mut partitions = BTreeMap::new();
        let mut assigned = TopicPartitionList::new();
        for number in own.filter_map(|number| i32::try_from(number).ok()) {
            let Some((low, high)) = self.watermarks(consumer, number) else { return Ok(None) };
            let place = match self.from.as_ref().and_then(|from| from.get(&number)) {
                Some(place) if (low..=high).contains(&place.next) => {
                    Place { base: place.base.max(low), ..*place }
                }
                Some(place) => return Err(self.data_loss(number, place.next, low, high)),
                None if self.latest && self.from.is_none() => Place { next: high, base: high },
                None => Place { next: low, base: low },
            };
            let added = assigned.add_partition_offset(self.topic.name(), number, Offset::Offset(place.base));
            added.map_err(|error| self.failed("begin at an offset of", error))?;
            self.watch.passed(number, place.base);
            self.watch.ends(number, high);
            let partition = Partition {
                unpacker: Unpacker::default(),
                emit_from: place.next,
                taken_up: false,
                next: place.base,
                end: self.bounded.then_some(high),
            };
            partitions.insert(number, partition);
        }
        consumer.assign(&assigned).map_err(|error| self.failed("read", error))?;
        Ok(Some(partitions))
    }

    fn watermarks(&self, consumer: &Client, partition: i32) -> Option<(i64, i64)> {
        loop {
            match consumer.fetch_watermarks(self.topic.name(), partition, ANSWER) {
                Ok(marks) => return Some(marks),
                Err(error) => self.wait(error.to_string()),
            }
            if self.stopped() {
                return None;
            }
        }
    }

    /// Something is not there yet.
    fn wait(&self, why: String) {
        tracing::warn!(why, "source from Kafka waits");
        self.watch.change(|stats| stats.trouble = Some(why));
        std::thread::sleep(PATIENCE);
    }

    /// What polling said: an error where reading cannot go on.
    fn trouble(
        &self,
        consumer: &Client,
        partitions: &BTreeMap<i32, Partition>,
        error: KafkaError,
    ) -> Result<(), SourceError> {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) => {
                for (number, partition) in partitions {
                    let Some((low, high)) = self.watermarks(consumer, *number) else { return Ok(()) };
                    if !(low..=high).contains(&partition.next) {
                        return Err(self.data_loss(*number, partition.next, low, high));
                    }
                }
                Err(self.failed("read", error))
            }
            Some(RDKafkaErrorCode::Fatal | RDKafkaErrorCode::TopicAuthorizationFailed) => {
                Err(self.failed("read", error))
            }
            _ => {
                tracing::warn!(%error, "source from Kafka");
                self.watch.change(|stats| stats.trouble = Some(error.to_string()));
                Ok(())
            }
        }
    }

    fn failed(&self, action: &'static str, error: KafkaError) -> SourceError {
        io_error(action, &self.topic.to_string(), error)
    }

    fn data_loss(&self, partition: i32, wanted: i64, low: i64, high: i64) -> SourceError {
        SourceError::DataLoss {
            target: format!("{}, partition {partition}", self.topic),
            wanted: wanted.unsigned_abs(),
            found: if low == high {
                format!("none, the next one is {high}")
            } else {
                format!("{low} to {}", high - 1)
            },
        }
    }
}
