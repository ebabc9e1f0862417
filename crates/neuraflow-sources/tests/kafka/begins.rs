//! What is not there yet when an ingest or a source begins, what is larger than any record, and partitions that come later.

use std::time::Duration;

use neuraflow_core::model::{Channel, Control, SamplingRate, StreamHeader, StreamKey, Timestamp};
use neuraflow_core::testing::{FakeClock, Probe, Random};
use neuraflow_sources::device::DeviceConfig;
use neuraflow_sources::kafka::{
    IngestConfig, IngestError, IngestStats, KafkaIngest, KafkaSource, KafkaTopic,
};
use neuraflow_sources::synthetic::Synthetic;
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions};
use rdkafka::client::DefaultClientContext;

use super::kit::{PATIENCE, Service, block_on, client, packets, topic, until};

#[test]
fn an_ingest_waits_for_a_topic_that_nobody_knows_of_yet() {
    let Some(broker) = Service::start("kafka") else { return };
    let topic = KafkaTopic::new(broker.address(), "later").partitions(2);
    let source = Synthetic::new(2, SamplingRate::hz(100).unwrap()).seconds(5.0);
    let ingest = KafkaIngest::start(&topic, IngestConfig::default(), source).unwrap();
    let watch = ingest.watch();
    let told = || watch.stats().trouble.is_some_and(|said| said.contains("does not exist"));
    until("it says that there is no such topic", PATIENCE, told);
    topic.create().unwrap();
    let stats = ingest.join().unwrap();
    assert_eq!((stats.samples, stats.delivered, stats.failed), (500, stats.records, 0));
}

/// Sends a control of so many bytes that nothing compresses.
fn control(topic: &KafkaTopic, bytes: usize) -> Result<IngestStats, IngestError> {
    let (handle, ingest) =
        KafkaIngest::device(topic, IngestConfig::default(), DeviceConfig::default()).unwrap();
    let key = StreamKey::of_names("monday", "headset");
    let header = StreamHeader::new(key, "headset", SamplingRate::hz(100).unwrap(), vec![Channel::new("C3")]);
    let mut random = Random::new(1);
    // MessagePack has a byte for each number below 128, and two for the others.
    let noise: Vec<u8> = (0..bytes).map(|_| random.below(128) as u8).collect();
    handle.open(header).unwrap();
    handle.control(&key, Control::new(Timestamp::from_nanos(0), "decoder", noise)).unwrap();
    drop(handle);
    ingest.join()
}

#[test]
fn the_largest_record_arrives_and_one_byte_more_is_told_as_too_large() {
    let Some(broker) = Service::start("kafka") else { return };
    let topic = topic(&broker, 1);
    let Err(IngestError::TooLarge { expected, found, .. }) = control(&topic, 1 << 20) else {
        panic!("expected an error");
    };
    let most = (1 << 20) - (found - expected);
    let error = control(&topic, most + 1).unwrap_err();
    assert!(matches!(error, IngestError::TooLarge { .. }), "{error}");
    let stats = control(&topic, most).unwrap();
    assert_eq!((stats.delivered, stats.failed), (stats.records, 0));
    let read = packets(&KafkaSource::new(topic).bounded());
    println!("{expected} bytes at most; {} packets", read.len());
    assert!(read.iter().any(|packet| format!("{:?}", packet.body).len() > most));
}

#[test]
fn partitions_that_are_added_are_told_of() {
    let Some(broker) = Service::start("kafka") else { return };
    let topic = topic(&broker, 2);
    // librdkafka looks every five minutes unless it is told otherwise.
    let source = KafkaSource::new(topic.clone().property("topic.metadata.refresh.interval.ms", "200"));
    let watch = source.watch();
    let mut probe = Probe::open(&source, &std::sync::Arc::new(FakeClock::new()), 0, 1).unwrap().unwrap();
    let mut read = || probe.poll(1_000).map(drop).unwrap();
    until("its partitions are read", PATIENCE, || {
        read();
        watch.stats().lag.len() == 2
    });
    assert_eq!(watch.stats().added_partitions, 0);
    let admin: AdminClient<DefaultClientContext> = client(&broker).create().unwrap();
    let options = AdminOptions::new().operation_timeout(Some(Duration::from_secs(30)));
    let more = block_on(admin.create_partitions(&[NewPartitions::new(topic.name(), 5)], &options)).unwrap();
    assert!(more.iter().all(Result::is_ok), "{more:?}");
    until("it tells of the new ones", PATIENCE, || {
        read();
        watch.stats().added_partitions == 3
    });
}
