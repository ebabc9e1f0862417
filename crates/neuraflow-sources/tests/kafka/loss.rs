//! What the brokers do not have any more.

use std::sync::Arc;
use std::time::{Duration, Instant};

use neuraflow_core::model::{Positions, SamplingRate};
use neuraflow_core::source::{Polled, SourceError};
use neuraflow_core::testing::{FakeClock, Probe};
use neuraflow_sources::kafka::KafkaSource;
use neuraflow_sources::synthetic::Synthetic;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::{Offset, TopicPartitionList};

use super::kit::{self, PATIENCE, Service, topic, until};

/// Removes the records of a partition up to one, as retention does.
fn remove(broker: &Service, topic: &str, up_to: i64) {
    let admin: AdminClient<DefaultClientContext> = kit::client(broker).create().unwrap();
    let mut gone = TopicPartitionList::new();
    gone.add_partition_offset(topic, 0, Offset::Offset(up_to)).unwrap();
    kit::block_on(admin.delete_records(&gone, &AdminOptions::new())).unwrap();
}

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
    remove(&broker, topic.name(), 50);

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

#[test]
fn records_that_go_while_they_are_read_stop_the_source_once_what_it_has_is_read() {
    let Some(broker) = Service::start("kafka") else { return };
    let topic = topic(&broker, 1);
    // More than the client reads ahead, so that it comes to the gap while it runs.
    let headsets = || Synthetic::new(1, SamplingRate::hz(100).unwrap()).streams(100).seconds(20.0).packet(5);
    let all = kit::write(&topic, headsets());
    let source = KafkaSource::new(topic.clone()).bounded();
    let watch = source.watch();
    let mut probe = Probe::open(&source, &Arc::new(FakeClock::new()), 0, 1).unwrap().unwrap();
    // Nobody polls: it reads ahead as far as it may, and waits. That is some batches, however long it has.
    until("something is decoded", PATIENCE, || watch.stats().records > 0);
    remove(&broker, topic.name(), all as i64 - 10);

    let before = watch.stats().records;
    println!("{all} records, of which {before} are decoded");
    assert!(before < all / 4);
    let (begun, mut packets) = (Instant::now(), 0);
    let error = loop {
        match probe.poll(500) {
            Ok((polled, more)) => {
                packets += more.len() as u64;
                assert_ne!(polled, Polled::Ended, "as if nothing were missing");
                if polled == Polled::Idle {
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
            Err(error) => break error,
        }
        assert!(begun.elapsed() < Duration::from_secs(90), "{:?}", watch.stats());
    };
    let at = probe.positions().unwrap().get(&format!("{}/0", topic.name())).unwrap();
    let SourceError::DataLoss { target, wanted, found } = error else { panic!("{error}") };
    println!("{packets} packets, then {wanted} of {target} is wanted and found {found}");
    assert_eq!(found, format!("{} to {}", all - 10, all - 1));
    // All that came before was given, and a checkpoint goes back to what is missing.
    assert_eq!((packets, at), (wanted, wanted));
    assert!(wanted >= before && wanted < all - 10);
}
