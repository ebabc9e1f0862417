//! Exactly once: records are committed in transactions, and what is in the topic already is not written again.
//!
//! A checkpoint keeps how far the topic was when its results were committed. Whoever goes on from there first shuts out the writer before,
//! which decides what becomes of its last transaction, and then counts for each stream what lies beyond: so many of its next results are in the
//! topic already, since a pipeline that goes on from a checkpoint computes the same results in the same order. So it does not matter
//! whether a crash comes before or after a commit, or between the commit and the checkpoint, and a commit of which nobody knows how it ended is
//! dealt with in the same way. The first run begins at the end of the topic, and commits that as the offsets of the group that is named as
//! its transactional id: where it crashes before it has a checkpoint, the next one begins there.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use neuraflow_core::model::{Positions, StreamKey};
use neuraflow_core::sink::SinkError;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::Headers;
use rdkafka::producer::Producer;
use rdkafka::{Message, Offset, TopicPartitionList};

use super::client::{Client, NAP, Outgoing, SINK};
use super::sink::Settings;
use super::watch::KafkaSinkWatch;
use super::writer::unanswered;

/// Bytes of results that wait for a checkpoint, before a transaction is committed without one.
const ROOM: usize = 8 << 20;
/// What positions call results that are in the topic already, before their stream's key.
const AGAIN: &str = "again ";

pub(super) struct Transactions {
    settings: Arc<Settings>,
    watch: KafkaSinkWatch,
    client: Option<Client>,
    /// What was taken and is not known to be committed.
    pending: Vec<Outgoing>,
    bytes: usize,
    /// Up to where the topic is accounted for, by partition.
    ends: BTreeMap<i32, i64>,
    /// How many of a stream's next results are in the topic already.
    again: BTreeMap<StreamKey, u64>,
}

impl Transactions {
    pub(super) fn open(
        settings: &Arc<Settings>,
        watch: &KafkaSinkWatch,
        from: Option<&Positions>,
    ) -> Result<Self, SinkError> {
        let (settings, watch) = (Arc::clone(settings), watch.clone());
        let (mut ends, mut again) = (BTreeMap::new(), BTreeMap::new());
        for (part, at) in from.into_iter().flat_map(Positions::iter) {
            if let Some(stream) = part.strip_prefix(AGAIN).and_then(stream_of) {
                again.insert(stream, at);
            } else if let (Some(number), Ok(at)) = (partition_of(&settings.topic, part), i64::try_from(at)) {
                ends.insert(number, at);
            }
        }
        let mut open = Self { settings, watch, client: None, pending: Vec::new(), bytes: 0, ends, again };
        open.connect()?;
        Ok(open)
    }

    /// Takes records, but for those that are in the topic already.
    pub(super) fn take(&mut self, records: Vec<Outgoing>) -> Result<(), SinkError> {
        for record in records {
            if self.is_there(&record.stream) {
                continue;
            }
            self.bytes += record.value.len();
            self.pending.push(record);
        }
        // What is pending is taken, whether it can be committed now or not.
        if self.bytes > ROOM && self.commit().is_err() && self.bytes > 8 * ROOM {
            return Err(unanswered(&self.settings, &self.watch, "no transaction could be committed".into()));
        }
        Ok(())
    }

    /// Whether the stream's next result is in the topic already; counts it, if so.
    fn is_there(&mut self, stream: &StreamKey) -> bool {
        let Some(left) = self.again.get_mut(stream) else { return false };
        *left -= 1;
        if *left == 0 {
            self.again.remove(stream);
        }
        self.watch.change(|stats| stats.skipped += 1);
        true
    }

    /// Commits what was taken: how far the topic is then.
    pub(super) fn commit(&mut self) -> Result<Positions, SinkError> {
        let client = match self.client.take() {
            Some(client) => client,
            None => {
                self.connect()?;
                return self.commit();
            }
        };
        if !self.pending.is_empty() {
            // Without the client, if anything fails: the next one looks how it ended.
            self.transact(&client)?;
        }
        self.client = Some(client);
        Ok(self.positions())
    }

    fn transact(&mut self, client: &Client) -> Result<(), SinkError> {
        let settings = Arc::clone(&self.settings);
        let failed = |error| {
            self.watch.change(|stats| stats.failures += 1);
            settings.failed("commit to", error)
        };
        client.producer.begin_transaction().map_err(failed)?;
        let (at, fault) = client.send(&self.pending, &settings);
        if let Some(reason) = fault {
            let _ = client.producer.abort_transaction(settings.timeout);
            return Err(unanswered(&settings, &self.watch, reason));
        }
        client.producer.commit_transaction(settings.timeout).map_err(failed)?;
        for (partition, offset) in at.into_iter().flatten() {
            let end = self.ends.entry(partition).or_insert(0);
            *end = (*end).max(offset + 1);
        }
        let count = self.pending.len() as u64;
        self.pending.clear();
        self.bytes = 0;
        self.watch.change(|stats| {
            stats.delivered += count;
            stats.transactions += 1;
            stats.trouble = None;
        });
        Ok(())
    }

    fn positions(&self) -> Positions {
        let mut positions = Positions::default();
        for (partition, end) in &self.ends {
            positions.set(format!("{}/{partition}", self.settings.topic), end.unsigned_abs());
        }
        for (stream, left) in &self.again {
            let hex: String = stream.to_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
            positions.set(format!("{AGAIN}{hex}"), *left);
        }
        positions
    }

    /// Shuts out whoever wrote before, and finds out what of it is in the topic.
    fn connect(&mut self) -> Result<(), SinkError> {
        let client = Client::connect(&self.settings, &self.watch)?;
        let looked = Look::open(&self.settings, client.partitions)?.run(&mut self.ends)?;
        for (stream, count) in looked {
            *self.again.entry(stream).or_insert(0) += count;
        }
        // What is pending was taken before anything else will be.
        for record in std::mem::take(&mut self.pending) {
            if !self.is_there(&record.stream) {
                self.pending.push(record);
            }
        }
        self.bytes = self.pending.iter().map(|record| record.value.len()).sum();
        self.client = Some(client);
        Ok(())
    }
}

/// Looks what a sink has committed.
struct Look<'a> {
    settings: &'a Settings,
    consumer: BaseConsumer,
    partitions: i32,
}

impl<'a> Look<'a> {
    fn open(settings: &'a Settings, partitions: u32) -> Result<Self, SinkError> {
        let mut config = settings.client();
        config
            .set("group.id", settings.transactional.as_deref().unwrap_or_default())
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "error")
            .set("isolation.level", "read_committed")
            .set("enable.partition.eof", "true");
        let consumer = config.create().map_err(|error| settings.failed("make a consumer for", error))?;
        Ok(Self { settings, consumer, partitions: i32::try_from(partitions).unwrap_or(i32::MAX) })
    }

    /// How many records of each stream lie beyond `ends`, which are moved to the end of the topic.
    fn run(&self, ends: &mut BTreeMap<i32, i64>) -> Result<BTreeMap<StreamKey, u64>, SinkError> {
        if ends.is_empty() {
            *ends = self.beginning()?;
        }
        let mut assigned = TopicPartitionList::new();
        for number in 0..self.partitions {
            let (low, high) = self.watermarks(number)?;
            let at = ends.get(&number).copied();
            let Some(at) =
                at.filter(|at| (low..=high).contains(at) && ends.len() == self.partitions as usize)
            else {
                return Err(SinkError::Position {
                    sink: self.settings.name.to_string(),
                    target: format!("{}, partition {number} of {}", self.settings.target(), self.partitions),
                    expected: format!("record {at:?}, of {} partitions", ends.len()),
                    found: format!("records {low} to {high}"),
                });
            };
            let added = assigned.add_partition_offset(&self.settings.topic, number, Offset::Offset(at));
            added.map_err(|error| self.settings.failed("read from an offset of", error))?;
        }
        let failed = |error| self.settings.failed("read", error);
        self.consumer.assign(&assigned).map_err(failed)?;
        let (mut counts, mut done) = (BTreeMap::new(), 0);
        let mut reached = ends.clone();
        while done < self.partitions {
            match self.consumer.poll(self.settings.timeout) {
                None => return Err(failed(KafkaError::NoMessageReceived)),
                Some(Err(KafkaError::PartitionEOF(_))) => done += 1,
                Some(Err(error)) => return Err(failed(error)),
                Some(Ok(message)) => {
                    reached.insert(message.partition(), message.offset() + 1);
                    let own = |header: rdkafka::message::Header<'_, &[u8]>| {
                        header.key == SINK && header.value == Some(self.settings.name.as_bytes())
                    };
                    let own = message.headers().is_some_and(|headers| headers.iter().any(own));
                    if let (true, Some(stream)) = (own, message.key().and_then(StreamKey::from_bytes)) {
                        *counts.entry(stream).or_insert(0) += 1;
                    }
                }
            }
        }
        *ends = reached;
        Ok(counts)
    }

    /// Where the first run under this id began; here and now, if this is the first.
    fn beginning(&self) -> Result<BTreeMap<i32, i64>, SinkError> {
        let failed = |error| self.settings.failed("look where the first run began in", error);
        let mut asked = TopicPartitionList::new();
        for number in 0..self.partitions {
            asked.add_partition(&self.settings.topic, number);
        }
        let committed = self.patiently(|patience| self.consumer.committed_offsets(asked.clone(), patience));
        let committed = committed.map_err(failed)?;
        let (mut ends, mut fresh) = (BTreeMap::new(), TopicPartitionList::new());
        for known in committed.elements() {
            let end = match known.offset() {
                Offset::Offset(offset) => offset,
                _ => {
                    let (_, high) = self.watermarks(known.partition())?;
                    let end = Offset::Offset(high);
                    fresh.add_partition_offset(known.topic(), known.partition(), end).map_err(failed)?;
                    high
                }
            };
            ends.insert(known.partition(), end);
        }
        if fresh.count() > 0 {
            self.patiently(|_| self.consumer.commit(&fresh, CommitMode::Sync)).map_err(failed)?;
        }
        Ok(ends)
    }

    /// Asks again while the time lasts: a group's broker may have only just become that, and answer that it is not yet.
    fn patiently<R>(&self, ask: impl Fn(Duration) -> KafkaResult<R>) -> KafkaResult<R> {
        let deadline = Instant::now() + self.settings.timeout;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match ask(left.max(NAP)) {
                Err(_) if left > NAP => std::thread::sleep(NAP),
                answer => return answer,
            }
        }
    }

    fn watermarks(&self, partition: i32) -> Result<(i64, i64), SinkError> {
        let marks = self.consumer.fetch_watermarks(&self.settings.topic, partition, self.settings.timeout);
        marks.map_err(|error| self.settings.failed("ask for the offsets of", error))
    }
}

fn partition_of(topic: &str, part: &str) -> Option<i32> {
    part.strip_prefix(topic)?.strip_prefix('/')?.parse().ok()
}

fn stream_of(hex: &str) -> Option<StreamKey> {
    let bytes = (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok());
    StreamKey::from_bytes(&bytes.collect::<Option<Vec<u8>>>()?)
}
