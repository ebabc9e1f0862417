//! Records that nobody can read.

use std::sync::Arc;
use std::time::{Duration, Instant};

use neuraflow_core::model::{SamplingRate, StreamKey};
use neuraflow_core::testing::{FakeClock, Probe, Random};
use neuraflow_sources::kafka::{IngestConfig, KafkaIngest, KafkaSource, KafkaTopic};
use neuraflow_sources::synthetic::Synthetic;
use rdkafka::Message;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::message::Headers;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use super::kit::{self, PATIENCE, Service, topic, until};

#[test]
fn one_record_in_a_hundred_is_malformed_and_all_of_them_are_dead_letters() {
    let Some(broker) = Service::start("kafka") else { return };
    let topic = topic(&broker, 4);
    let headsets =
        || Synthetic::new(4, SamplingRate::hz(200).unwrap()).streams(20).seed(3).seconds(6.0).packet(10);
    let ingest = KafkaIngest::start(&topic, IngestConfig::default(), headsets()).unwrap();

    // Meanwhile somebody else writes into the topic.
    let producer: BaseProducer = kit::client(&broker).create().unwrap();
    let key = StreamKey::of_names("a", "b");
    let key: Vec<u8> = [key.tenant, key.session, key.device]
        .iter()
        .flat_map(|id| id.as_u128().to_be_bytes())
        .chain([0, 0])
        .collect();
    let seed = std::process::id().into();
    println!("seed {seed}");
    let mut random = Random::new(seed);
    let mut sent = Vec::new();
    for n in 0..24 {
        let value: Vec<u8> = match n % 4 {
            0 => b"{\"sensor\": 1}".to_vec(),
            1 => vec![0x92, 9, 0x80],
            2 => Vec::new(),
            _ => [0x92, 1].into_iter().chain((0..40).map(|_| random.below(256) as u8)).collect(),
        };
        let record = BaseRecord::to(topic.name()).partition(n % 4).payload(&value);
        let record = if n % 3 == 0 { record } else { record.key(&key) };
        producer.send(record).map_err(|(error, _)| error).unwrap();
        producer.flush(Duration::from_secs(10)).unwrap();
        sent.push(value);
    }
    let written = ingest.join().unwrap();
    println!("{} records, {} of them malformed", written.records, sent.len());
    assert!((2_000..=2_600).contains(&written.records));

    let source = KafkaSource::new(topic.clone()).bounded();
    let watch = source.watch();
    assert_eq!(kit::streams(kit::packets(&source)), kit::streams(kit::packets(&headsets())));
    let stats = watch.stats();
    assert_eq!(stats.records, written.records + 24);
    assert_eq!((stats.malformed, stats.dead_letters, stats.undecodable), (24, 24, 0));

    let there = kit::records(&broker, topic.name(), 4);
    let mut letters = Vec::new();
    for letter in kit::records(&broker, &topic.dead_letters(), 1) {
        let headers = letter.headers().unwrap();
        let of = |name: &str| {
            let header = headers.iter().find(|header| header.key == name).unwrap();
            String::from_utf8(header.value.unwrap().to_vec()).unwrap()
        };
        let (partition, offset): (i32, i64) =
            (of("partition").parse().unwrap(), of("offset").parse().unwrap());
        let original = there.iter().find(|r| (r.partition(), r.offset()) == (partition, offset)).unwrap();
        assert_eq!(
            (letter.payload().unwrap_or_default(), letter.key()),
            (original.payload().unwrap_or_default(), original.key())
        );
        assert_eq!(of("topic"), topic.name());
        assert!(of("reason").starts_with("envelope") || of("reason").starts_with("key"), "{}", of("reason"));
        letters.push(letter.payload().unwrap_or_default().to_vec());
    }
    sent.sort();
    letters.sort();
    assert_eq!(letters, sent);
}

/// Writes bytes into a topic that no client of this crate would.
fn write_foreign(broker: &Service, topic: &str, value: &[u8]) {
    let mut config = kit::client(broker);
    let producer: BaseProducer = config.set("message.max.bytes", "2000000").create().unwrap();
    producer
        .send(BaseRecord::<(), _>::to(topic).partition(0).payload(value))
        .map_err(|(error, _)| error)
        .unwrap();
    producer.flush(Duration::from_secs(10)).unwrap();
}

#[test]
fn the_largest_record_that_a_topic_takes_is_a_dead_letter_too() {
    let Some(broker) = Service::start("kafka") else { return };
    let topic = topic(&broker, 1);
    let mut random = Random::new(3);
    // A broker takes batches of 1,048,588 bytes; what cannot be compressed fills them.
    let value: Vec<u8> = (0..1_048_500).map(|_| random.below(256) as u8).collect();
    write_foreign(&broker, topic.name(), &value);
    let source = KafkaSource::new(topic.clone()).bounded();
    let watch = source.watch();
    assert_eq!(kit::packets(&source), []);
    assert_eq!((watch.stats().malformed, watch.stats().dead_letters), (1, 1));
    assert_eq!(kit::records(&broker, &topic.dead_letters(), 1)[0].payload().unwrap(), value);
}

#[test]
fn where_there_is_no_topic_of_dead_letters_nothing_waits_for_it() {
    let Some(broker) = Service::start("kafka") else { return };
    let admin: AdminClient<DefaultClientContext> = kit::client(&broker).create().unwrap();
    let alone = NewTopic::new("alone", 1, TopicReplication::Fixed(1));
    kit::block_on(admin.create_topics(&[alone], &AdminOptions::new())).unwrap();
    // How long a new topic may take to be known; half a minute unless set.
    let topic =
        KafkaTopic::new(broker.address(), "alone").property("topic.metadata.propagation.max.ms", "500");
    let headset = || Synthetic::new(1, SamplingRate::hz(100).unwrap()).seconds(1.0);
    write_foreign(&broker, topic.name(), b"hello");
    kit::write(&topic, headset());
    let source = KafkaSource::new(topic).bounded();
    let watch = source.watch();
    assert_eq!(kit::streams(kit::packets(&source)), kit::streams(kit::packets(&headset())));
    assert_eq!((watch.stats().malformed, watch.stats().dead_letters), (1, 0));
}

#[test]
fn a_dead_letter_waits_for_a_broker_that_is_away_however_long_that_takes() {
    let Some(mut broker) = Service::start("kafka") else { return };
    let topic = topic(&broker, 1);
    // More than is decoded ahead of whoever polls, so that the malformed one is come to when it is to.
    let headsets = || Synthetic::new(1, SamplingRate::hz(100).unwrap()).streams(20).seconds(10.0).packet(5);
    kit::write(&topic, headsets());
    write_foreign(&broker, topic.name(), b"hello");
    let source = KafkaSource::new(topic.clone());
    let watch = source.watch();
    let mut probe = Probe::open(&source, &Arc::new(FakeClock::new()), 0, 1).unwrap().unwrap();
    // All of it is in one answer of the broker: what is there once the first is decoded is there without it.
    until("something is decoded", PATIENCE, || watch.stats().records > 0);
    broker.kill();
    assert_eq!(watch.stats().malformed, 0, "nobody has polled");
    let mut poll = || {
        probe.poll(500).unwrap();
        let place = format!("{}/0", topic.name());
        probe.positions().unwrap().get(&place).unwrap()
    };
    until("the malformed one is come to", PATIENCE, || {
        poll();
        watch.stats().malformed == 1
    });
    let begun = Instant::now();
    // Longer than any client waits that has been told nothing else.
    while begun.elapsed() < Duration::from_secs(15) {
        let at = poll();
        assert!(at < 4_041, "a checkpoint at {at} would pass a dead letter that has not arrived");
        std::thread::sleep(Duration::from_millis(1));
    }
    broker.restart();
    until("it has arrived", PATIENCE, || poll() == 4_041);
    assert_eq!(watch.stats().dead_letters, 1);
    assert_eq!(kit::records(&broker, &topic.dead_letters(), 1).len(), 1);
}
