//! What the brokers do not have any more.

use std::sync::Arc;

use neuraflow_core::model::{Positions, SamplingRate};
use neuraflow_core::source::SourceError;
use neuraflow_core::testing::{FakeClock, Probe};
use neuraflow_sources::kafka::KafkaSource;
use neuraflow_sources::synthetic::Synthetic;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::{Offset, TopicPartitionList};

use super::kit::{self, Service, topic};

#[test]
fn records_that_are_gone_stop_the_source_and_are_named() {
    let Some(broker) = Service::start("kafka") else { return };
    let topic = topic(&broker, 1);
    let headset = || Synthetic::new(2, SamplingRate::hz(100).unwrap()).seconds(5.0).packet(5);
    kit::write(&topic, headset());
    let at = |next, base| {
        let mut positions = Positions::default();
        positions.set(format!("{}/0", topic.name()), next);
        positions.set(format!("{}/0 from", topic.name()), base);
        positions
    };
    let read = |positions| {
        let source = KafkaSource::new(topic.clone()).bounded();
        let clock = Arc::new(FakeClock::new());
        Probe::open_from(&source, &clock, 0, 1, Some(positions)).unwrap().unwrap().finish()
    };
    let admin: AdminClient<DefaultClientContext> = kit::client(&broker).create().unwrap();
    let mut gone = TopicPartitionList::new();
    gone.add_partition_offset(topic.name(), 0, Offset::Offset(50)).unwrap();
    kit::block_on(admin.delete_records(&gone, &AdminOptions::new())).unwrap();

    let error = read(at(30, 21)).unwrap_err();
    println!("{error}");
    let SourceError::DataLoss { target, wanted, found } = error else { panic!("{error}") };
    assert_eq!((wanted, found.as_str()), (30, "50 to 101"));
    assert!(target.contains(topic.name()) && target.ends_with("partition 0"), "{target}");

    // Of a topic that was made anew there is less than was read.
    assert!(matches!(read(at(200, 200)).unwrap_err(), SourceError::DataLoss { wanted: 200, .. }));

    // Where only the beginning of a chain is gone, what cannot be decoded is counted, up to the next key record.
    let source = KafkaSource::new(topic.clone()).bounded();
    let watch = source.watch();
    let clock = Arc::new(FakeClock::new());
    let packets =
        Probe::open_from(&source, &clock, 0, 1, Some(at(50, 41))).unwrap().unwrap().finish().unwrap();
    let stats = watch.stats();
    assert_eq!(
        (stats.records, stats.undecodable),
        (52, 55),
        "from sample 245 to the key record of sample 300"
    );
    assert_eq!(packets.len(), 52 - 11);
}
