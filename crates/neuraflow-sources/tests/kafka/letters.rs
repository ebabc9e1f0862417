//! Records that nobody can read.

use std::time::Duration;

use neuraflow_core::model::{SamplingRate, StreamKey};
use neuraflow_core::testing::Random;
use neuraflow_sources::kafka::{IngestConfig, KafkaIngest, KafkaSource};
use neuraflow_sources::synthetic::Synthetic;
use rdkafka::Message;
use rdkafka::message::Headers;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use super::kit::{self, Service, topic};

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
