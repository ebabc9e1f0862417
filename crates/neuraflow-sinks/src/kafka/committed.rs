//! What is committed in the topic: how far its readers see, and what of the sink's own lies beyond a place.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use neuraflow_core::model::StreamKey;
use neuraflow_core::sink::SinkError;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::Headers;
use rdkafka::{Message, Offset, TopicPartitionList};

use super::client::{NAP, SINK};
use super::sink::Settings;

/// How long markers are waited for before they are looked for again.
const GLANCE: Duration = Duration::from_millis(5);

/// A reader of what is committed in the sink's topic.
pub(super) struct Committed {
    settings: Arc<Settings>,
    consumer: BaseConsumer,
    partitions: i32,
}

impl Committed {
    pub(super) fn connect(settings: &Arc<Settings>, partitions: u32) -> Result<Self, SinkError> {
        let settings = Arc::clone(settings);
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

    /// Waits until its readers see beyond these records, which is when the transactions that have them are decided in each partition.
    pub(super) fn wait_for(&self, records: &BTreeMap<i32, i64>) -> Result<(), SinkError> {
        let deadline = Instant::now() + self.settings.timeout;
        for (partition, record) in records {
            while self.watermarks(*partition)?.1 <= *record {
                if Instant::now() >= deadline {
                    return Err(SinkError::Io {
                        sink: self.settings.name.to_string(),
                        action: "see the end of a transaction in",
                        target: format!("{}, partition {partition}", self.settings.target()),
                        source: io::Error::new(
                            io::ErrorKind::TimedOut,
                            format!("none after record {record} within {:?}", self.settings.timeout),
                        ),
                    });
                }
                std::thread::sleep(GLANCE);
            }
        }
        Ok(())
    }

    /// How many records of each stream the sink has beyond `ends`, which are moved to the end of the topic.
    pub(super) fn count(&self, ends: &mut BTreeMap<i32, i64>) -> Result<BTreeMap<StreamKey, u64>, SinkError> {
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
        self.consumer.unassign().map_err(failed)?;
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
