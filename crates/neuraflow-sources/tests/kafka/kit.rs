//! A broker, a topic, what is in it as any client sees it, and packets.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use neuraflow_core::model::{Packet, PacketBody, StreamKey};
use neuraflow_core::source::Source;
use neuraflow_core::testing::{FakeClock, collect_packets};
use neuraflow_sources::kafka::{IngestConfig, KafkaIngest, KafkaTopic};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::OwnedMessage;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

#[path = "../../../../tests/support/service.rs"]
mod service;
#[path = "../../../../tests/support/until.rs"]
mod until;

pub use service::Service;
pub use until::until;

/// How long what a broker, or a thread of ours, is to do is waited for.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A new topic of a running broker.
pub fn topic(broker: &Service, partitions: u32) -> KafkaTopic {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("signals-{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let topic = KafkaTopic::new(broker.address(), name).partitions(partitions);
    topic.create().unwrap();
    topic
}

pub fn client(broker: &Service) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker.address());
    config
}

/// Puts all of a source into the topic; how many records that are.
pub fn write(topic: &KafkaTopic, source: impl Source) -> u64 {
    let stats = KafkaIngest::start(topic, IngestConfig::default(), source).unwrap().join().unwrap();
    assert_eq!((stats.delivered, stats.failed), (stats.records, 0));
    stats.records
}

/// All records of a topic, as any consumer reads them, by partition and offset.
pub fn records(broker: &Service, topic: &str, partitions: i32) -> Vec<OwnedMessage> {
    let mut config = client(broker);
    config
        .set("group.id", "a test")
        .set("enable.partition.eof", "true")
        .set("isolation.level", "read_committed");
    let consumer: BaseConsumer = config.create().unwrap();
    let mut all = TopicPartitionList::new();
    for number in 0..partitions {
        all.add_partition_offset(topic, number, Offset::Beginning).unwrap();
    }
    consumer.assign(&all).unwrap();
    let (mut records, mut ends) = (Vec::new(), 0);
    while ends < partitions {
        match consumer.poll(Duration::from_secs(30)).expect("an answer within half a minute") {
            Ok(message) => records.push(message.detach()),
            Err(rdkafka::error::KafkaError::PartitionEOF(_)) => ends += 1,
            Err(error) => println!("{error}"),
        }
    }
    use rdkafka::Message;
    records.sort_by_key(|record| (record.partition(), record.offset()));
    records
}

/// What each stream was given, in order: packets of samples that follow each other are one, since an ingest may join them.
pub fn streams(packets: impl IntoIterator<Item = Packet>) -> BTreeMap<StreamKey, Vec<PacketBody>> {
    let mut streams: BTreeMap<StreamKey, Vec<PacketBody>> = BTreeMap::new();
    let mut channels = BTreeMap::new();
    for Packet { stream, body } in packets {
        if let PacketBody::Open(header) = &body {
            channels.insert(stream, header.channels.len());
        }
        let bodies = streams.entry(stream).or_default();
        if let (
            Some(PacketBody::Samples { sequence: first, values }),
            PacketBody::Samples { sequence, values: more },
        ) = (bodies.last_mut(), &body)
            && *sequence == *first + (values.len() / channels[&stream]) as u64
        {
            values.extend(more);
            continue;
        }
        bodies.push(body);
    }
    streams
}

/// All packets of a source.
pub fn packets(source: &dyn Source) -> Vec<Packet> {
    let packets = collect_packets(source, &Arc::new(FakeClock::new())).unwrap();
    packets.into_iter().map(|(_, packet)| packet).collect()
}

/// The outcome of a future that another thread drives.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    loop {
        match future.as_mut().poll(&mut context) {
            std::task::Poll::Ready(outcome) => return outcome,
            std::task::Poll::Pending => std::thread::sleep(Duration::from_millis(1)),
        }
    }
}
