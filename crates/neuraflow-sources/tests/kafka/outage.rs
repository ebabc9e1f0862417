//! The broker is killed while it is written to, and while it is read from.

use std::sync::Arc;
use std::time::Duration;

use neuraflow_core::model::{PacketBody, SamplingRate, StreamHeader};
use neuraflow_core::source::Polled;
use neuraflow_core::testing::{FakeClock, Probe};
use neuraflow_sources::device::DeviceConfig;
use neuraflow_sources::kafka::{IngestConfig, KafkaIngest, KafkaSource};
use neuraflow_sources::synthetic::Synthetic;
use rdkafka::Message;

use super::kit::{self, PATIENCE, Service, topic, until};

#[test]
fn a_broker_killed_while_it_is_written_to_and_read_from_loses_and_doubles_nothing() {
    let Some(mut broker) = Service::start("kafka") else { return };
    let topic = topic(&broker, 3);
    let headsets =
        Synthetic::new(8, SamplingRate::hz(250).unwrap()).streams(6).seed(8).seconds(20.0).packet(5);
    let packets = kit::packets(&headsets);
    let (handle, ingest) =
        KafkaIngest::device(&topic, IngestConfig::default(), DeviceConfig::default()).unwrap();
    let kills = [packets.len() / 4, packets.len() / 2];
    for (n, packet) in packets.iter().enumerate() {
        match &packet.body {
            PacketBody::Open(header) => handle.open(StreamHeader::clone(header)).unwrap(),
            PacketBody::Samples { sequence, values } => {
                handle.push(&packet.stream, *sequence, values).unwrap();
            }
            PacketBody::End { .. } => handle.end(&packet.stream).unwrap(),
            _ => {}
        }
        if kills.contains(&n) {
            // Some of it is on its way.
            broker.kill();
            broker.restart();
        }
    }
    drop(handle);
    let stats = ingest.join().unwrap();
    println!("{stats:?}");
    assert_eq!((stats.delivered, stats.failed), (stats.records, 0));
    assert_eq!(kit::records(&broker, topic.name(), 3).len() as u64, stats.records, "none twice");

    let source = KafkaSource::new(topic).bounded();
    let watch = source.watch();
    let mut probe = Probe::open(&source, &Arc::new(FakeClock::new()), 0, 1).unwrap().unwrap();
    let (mut found, mut killed) = (Vec::new(), false);
    loop {
        let (polled, more) = probe.poll(500).unwrap();
        found.extend(more.into_iter().map(|(_, packet)| packet));
        if found.len() > packets.len() / 20 && !killed {
            broker.kill();
            broker.restart();
            killed = true;
        }
        match polled {
            Polled::Ended => break,
            Polled::Ready => {}
            _ => std::thread::sleep(Duration::from_millis(1)),
        }
    }
    assert!(killed);
    assert_eq!(kit::streams(found), kit::streams(packets));
    println!("{:?}", watch.stats());
}

#[test]
fn a_source_waits_for_a_broker_that_is_not_there_and_says_so() {
    let Some(mut broker) = Service::start("kafka") else { return };
    let topic = topic(&broker, 1);
    let headset = || Synthetic::new(2, SamplingRate::hz(100).unwrap()).seconds(1.0);
    kit::write(&topic, headset());
    assert_eq!(kit::records(&broker, topic.name(), 1)[0].offset(), 0);
    broker.kill();
    let source = KafkaSource::new(topic).bounded();
    let watch = source.watch();
    let mut probe = Probe::open(&source, &Arc::new(FakeClock::new()), 0, 1).unwrap().unwrap();
    until("it says that it waits", PATIENCE, || {
        let (polled, packets) = probe.poll(500).unwrap();
        assert_eq!((polled, packets.len()), (Polled::Idle, 0));
        watch.stats().trouble.is_some()
    });
    println!("{:?}", watch.stats());
    broker.restart();
    let found = probe.finish().unwrap().into_iter().map(|(_, packet)| packet);
    assert_eq!(kit::streams(found), kit::streams(kit::packets(&headset())));
    assert_eq!(watch.stats().trouble, None);
}

#[test]
fn a_source_says_how_far_behind_it_is() {
    let Some(broker) = Service::start("kafka") else { return };
    let topic = topic(&broker, 2);
    let headset = Synthetic::new(2, SamplingRate::hz(100).unwrap()).seconds(1.0);
    kit::write(&topic, headset);
    let source = KafkaSource::new(topic);
    let watch = source.watch();
    let _probe = Probe::open(&source, &Arc::new(FakeClock::new()), 0, 1).unwrap().unwrap();
    until("nothing is left to read", PATIENCE, || watch.stats().lag == [(0, 0), (1, 0)].into());
}
