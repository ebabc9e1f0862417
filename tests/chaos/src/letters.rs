//! Records that nobody can read: put among those that can be, and looked for among the dead letters.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use neuraflow::model::StableHasher;
use neuraflow::sources::kafka::KafkaTopic;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Headers;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};

/// Puts malformed records into a topic.
pub struct Writer {
    client: BaseProducer,
    topic: String,
    partitions: u32,
    seed: u64,
    /// How many were sent.
    pub sent: u64,
}

impl Writer {
    /// Into all partitions of `topic`.
    pub fn new(brokers: &str, topic: &KafkaTopic, partitions: u32, seed: u64) -> Self {
        // Brokers come and go here: a letter waits for them as long as it takes, and looks for them often.
        let mut config = client(brokers);
        config.set("enable.idempotence", "true").set("message.timeout.ms", "0");
        let client = config.set("topic.metadata.refresh.interval.ms", "5000").create().unwrap();
        Self { client, topic: topic.name().to_owned(), partitions, seed, sent: 0 }
    }

    /// Sends as many as bring their number to `count`.
    pub fn send_up_to(&mut self, count: u64) {
        while self.sent < count {
            let random = StableHasher::default().u64(self.seed).u64(self.sent).finish() as u64;
            let payload = payload(self.sent, random);
            let partition = i32::try_from(random % u64::from(self.partitions)).unwrap();
            // Keys of all lengths, that of a stream's key among them.
            let key = vec![7; (random >> 32) as usize % 52];
            let record = BaseRecord::to(&self.topic).partition(partition).key(&key).payload(&payload);
            if self.client.send(record).is_err() {
                break; // the queue is full while the brokers are away: later
            }
            self.sent += 1;
        }
        self.client.poll(Duration::ZERO);
    }

    /// Waits until the brokers have all of them.
    pub fn finish(&self) {
        let flushed = self.client.flush(Duration::from_secs(240));
        assert!(
            flushed.is_ok(),
            "{flushed:?}: {} letters are still on their way",
            self.client.in_flight_count()
        );
    }
}

/// The number of the record, after a beginning that is wrong in one way or another.
fn payload(number: u64, random: u64) -> Vec<u8> {
    let beginnings: [&[u8]; 5] = [&[], &[0x92], &[0x92, 1], &[0x92, 9, 0x81], b"{\"json\":"];
    let beginning = beginnings[(random >> 16) as usize % beginnings.len()];
    [beginning, format!("malformed {number}").as_bytes()].concat()
}

/// What is among the dead letters.
#[derive(Debug, Default)]
pub struct Found {
    /// The numbers of the malformed records.
    pub numbers: BTreeSet<u64>,
    /// Letters that were no malformed record of ours.
    pub others: Vec<String>,
    /// Letters by partition and offset: how often each is there. A process that was killed may have written one twice.
    pub places: BTreeMap<(String, String), u64>,
}

/// Reads all dead letters of a topic.
pub fn read(brokers: &str, topic: &KafkaTopic) -> Found {
    let consumer: BaseConsumer =
        client(brokers).set("group.id", "storm").set("enable.partition.eof", "false").create().unwrap();
    let name = topic.dead_letters();
    let (first, end) = consumer.fetch_watermarks(&name, 0, Duration::from_secs(30)).unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&name, 0, Offset::Offset(first)).unwrap();
    consumer.assign(&list).unwrap();
    let mut found = Found::default();
    let mut next = first;
    while next < end {
        let message = consumer.poll(Duration::from_secs(30)).expect("a record before the end").unwrap();
        next = message.offset() + 1;
        let header = |name: &str| {
            let headers = message.headers()?;
            let header = headers.iter().find(|header| header.key == name)?;
            Some(String::from_utf8_lossy(header.value?).into_owned())
        };
        let place = (header("partition").unwrap_or_default(), header("offset").unwrap_or_default());
        *found.places.entry(place).or_default() += 1;
        let payload = message.payload().unwrap_or_default();
        let text = String::from_utf8_lossy(payload);
        let number = text.rsplit_once("malformed ").and_then(|(_, number)| number.parse().ok());
        match number {
            Some(number) => drop(found.numbers.insert(number)),
            None => found.others.push(format!("{:?}: {}", header("reason"), text.escape_debug())),
        }
    }
    found
}

fn client(brokers: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers);
    config
}
