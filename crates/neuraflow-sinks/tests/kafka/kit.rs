//! A broker, results, and what any consumer finds in a topic.

use std::sync::Arc;
use std::time::{Duration, Instant};

use neuraflow_core::model::{
    Channel, FeatureSpec, Features, SamplingRate, StreamHeader, StreamKey, Timestamp, WindowInfo,
    WindowStatus,
};
use neuraflow_sinks::kafka::KafkaRecord;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};

#[path = "../../../../tests/support/service.rs"]
mod service;

pub use service::Service;

pub const TOPIC: &str = "features";
pub const PARTITIONS: i32 = 3;

fn client(broker: &Service) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker.address());
    config
}

/// A broker with the topic.
pub fn broker() -> Option<Service> {
    let broker = Service::start("kafka")?;
    let admin: AdminClient<DefaultClientContext> = client(&broker).create().unwrap();
    let topic = NewTopic::new(TOPIC, PARTITIONS, TopicReplication::Fixed(1));
    let (topics, options) = ([topic], AdminOptions::new());
    let mut created = std::pin::pin!(admin.create_topics(&topics, &options));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    while created.as_mut().poll(&mut context).is_pending() {
        std::thread::sleep(Duration::from_millis(1));
    }
    Some(broker)
}

pub fn stream(n: usize) -> Arc<StreamHeader> {
    let key = StreamKey::of_names("monday", &format!("headset {n}"));
    let rate = SamplingRate::hz(250).unwrap();
    Arc::new(StreamHeader::new(
        key,
        format!("headset {n}"),
        rate,
        vec![Channel::new("C3"), Channel::new("C4")],
    ))
}

/// The features of a stream's window.
pub fn features(stream: &Arc<StreamHeader>, index: i64) -> Features {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let spec = FeatureSpec { rows: names(&["C3", "C4"]), columns: names(&["alpha"]), unit: "µV²".into() };
    let info = WindowInfo {
        stream: Arc::clone(stream),
        index,
        start: Timestamp::from_nanos(index * 50_000_000),
        end: Timestamp::from_nanos((index + 1) * 50_000_000),
        expected: 13,
        received: 13,
        imputed: 0,
        status: WindowStatus::Complete,
        warm_up: index < 20,
        arrival: 0,
        marker: None,
    };
    Features { info, spec: Arc::new(spec), values: vec![index as f64, f64::NAN] }
}

/// The streams' windows `from..to`, window by window.
pub fn batch(streams: &[Arc<StreamHeader>], from: i64, to: i64) -> Vec<Features> {
    (from..to).flat_map(|index| streams.iter().map(move |stream| features(stream, index))).collect()
}

/// What a consumer finds that reads what is committed: partition, key and record, in the order of each partition.
pub fn found(broker: &Service) -> Vec<(i32, StreamKey, KafkaRecord)> {
    let mut config = client(broker);
    config
        .set("group.id", "a test")
        .set("enable.partition.eof", "true")
        .set("isolation.level", "read_committed");
    let consumer: BaseConsumer = config.create().unwrap();
    let mut all = TopicPartitionList::new();
    for number in 0..PARTITIONS {
        all.add_partition_offset(TOPIC, number, Offset::Beginning).unwrap();
    }
    consumer.assign(&all).unwrap();
    decided(broker, &consumer);
    let (mut records, mut ends) = (Vec::new(), 0);
    while ends < PARTITIONS {
        match consumer.poll(Duration::from_secs(30)).expect("an answer within half a minute") {
            Ok(message) => {
                let key = StreamKey::from_bytes(message.key().unwrap()).unwrap();
                let record = KafkaRecord::read(message.payload().unwrap()).unwrap();
                records.push((message.partition(), key, record));
            }
            Err(rdkafka::error::KafkaError::PartitionEOF(_)) => ends += 1,
            Err(error) => println!("{error}"),
        }
    }
    records
}

/// Waits until no transaction is undecided: a commit is answered before it is seen in every partition.
fn decided(broker: &Service, committed: &BaseConsumer) {
    let all: BaseConsumer = client(broker).set("isolation.level", "read_uncommitted").create().unwrap();
    let begun = Instant::now();
    let high = |consumer: &BaseConsumer, number| {
        consumer.fetch_watermarks(TOPIC, number, Duration::from_secs(30)).unwrap().1
    };
    while (0..PARTITIONS).any(|number| high(committed, number) < high(&all, number)) {
        assert!(begun.elapsed() < Duration::from_secs(30), "a transaction that nobody ends");
    }
}

/// Checks that every stream has the windows `0..to`, each once and in order.
pub fn check(broker: &Service, streams: &[Arc<StreamHeader>], to: i64) {
    let found = found(broker);
    for stream in streams {
        let own = found.iter().filter(|(_, key, _)| *key == stream.key);
        let indices: Vec<i64> = own.map(|(_, _, record)| record.index).collect();
        assert_eq!(indices, (0..to).collect::<Vec<_>>(), "{}", stream.name);
    }
    assert_eq!(found.len(), streams.len() * usize::try_from(to).unwrap());
}
