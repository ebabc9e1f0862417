//! No room: what the declared policy does, counted where it happens and told to whoever reads the topic.

use neuraflow_core::model::{Channel, PacketBody, SamplingRate, StreamHeader, StreamKey};
use neuraflow_core::sink::Overflow;
use neuraflow_core::testing::Random;
use neuraflow_sources::device::DeviceConfig;
use neuraflow_sources::kafka::{IngestConfig, KafkaIngest, KafkaSource};

use super::kit::{self, PATIENCE, Service, topic, until};

const CHANNELS: usize = 64;
const PUSH: u64 = 250;

fn samples_and_drops(overflow: Overflow) {
    let Some(mut broker) = Service::start("kafka") else { return };
    let topic = topic(&broker, 2);
    let config = IngestConfig { queue_bytes: 2 << 20, ..IngestConfig::default() };
    let device = DeviceConfig { capacity: 2_000, overflow, ..DeviceConfig::default() };
    let (headset, ingest) = KafkaIngest::device(&topic, config, device).unwrap();
    let key = StreamKey::of_names("monday", "headset");
    let channels = (0..CHANNELS).map(|n| Channel::new(format!("ch{n}"))).collect();
    headset.open(StreamHeader::new(key, "headset", SamplingRate::hz(1_000).unwrap(), channels)).unwrap();
    let mut random = Random::new(1);
    let mut push = |n: u64| {
        let values: Vec<f32> = (0..PUSH as usize * CHANNELS).map(|_| random.unit() as f32).collect();
        headset.push(&key, n * PUSH, &values).unwrap();
    };
    push(0);
    until("its beginning is delivered", PATIENCE, || ingest.watch().stats().delivered >= 2);
    broker.kill();
    let mut pushes = 1;
    while headset.stats().dropped < 10 * PUSH {
        push(pushes);
        pushes += 1;
        // Nothing is dropped for being pushed faster than it is encoded.
        until("it is encoded, or finds no room", PATIENCE, || {
            headset.stats().queued == 0 || ingest.watch().stats().stalled > 0
        });
    }
    let dropped = headset.stats().dropped;
    broker.restart();
    push(pushes);
    pushes += 1;
    let dropped = headset.stats().dropped.max(dropped);
    drop(headset);
    let stats = ingest.join().unwrap();
    println!("{overflow:?}: {pushes} pushes, {dropped} samples dropped, {stats:?}");
    assert_eq!((stats.delivered, stats.failed, stats.samples), (stats.records, 0, pushes * PUSH - dropped));
    assert!(stats.stalled > 0 && stats.slowed > 0 && stats.connection_errors > 0, "{stats:?}");

    let (mut given, mut told) = (0, 0);
    for packet in kit::packets(&KafkaSource::new(topic).bounded()) {
        match packet.body {
            PacketBody::Samples { values, .. } => given += values.len() as u64 / CHANNELS as u64,
            PacketBody::Dropped { samples, .. } => told += samples,
            _ => {}
        }
    }
    assert_eq!((given, told), (stats.samples, dropped));
}

#[test]
fn the_newest_are_dropped_counted_and_told() {
    samples_and_drops(Overflow::DropNewest);
}

#[test]
fn the_oldest_are_dropped_counted_and_told() {
    samples_and_drops(Overflow::DropOldest);
}
