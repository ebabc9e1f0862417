//! Order, partitions, and a restart from every record.

use std::collections::BTreeMap;
use std::sync::Arc;

use neuraflow_core::model::{PacketBody, Positions, SamplingRate};
use neuraflow_core::source::Polled;
use neuraflow_core::testing::{FakeClock, Probe};
use neuraflow_sources::kafka::{KafkaSource, KafkaTopic};
use neuraflow_sources::synthetic::Synthetic;
use rdkafka::Message;

use super::kit::{self, Service, topic};

fn headsets(streams: usize, seconds: f64) -> Synthetic {
    Synthetic::new(4, SamplingRate::hz(100).unwrap()).streams(streams).seed(11).seconds(seconds).packet(5)
}

#[test]
fn a_stream_keeps_its_partition_and_its_order() {
    let Some(broker) = Service::start("kafka") else { return };
    let topic = topic(&broker, 7);
    kit::write(&topic, headsets(40, 2.0));
    let sent = kit::packets(&headsets(40, 2.0));
    let source = KafkaSource::new(topic.clone()).bounded();
    assert_eq!(kit::streams(kit::packets(&source)), kit::streams(sent.clone()));

    let mut partitions = BTreeMap::new();
    for record in kit::records(&broker, topic.name(), 7) {
        let key = record.key().unwrap().to_vec();
        assert_eq!(*partitions.entry(key).or_insert(record.partition()), record.partition());
    }
    let expected: BTreeMap<_, _> =
        sent.iter().map(|packet| (packet.stream, packet.stream.partition(7))).collect();
    let mut found: Vec<_> = partitions.into_values().map(|number| number as u32).collect();
    let mut expected: Vec<_> = expected.into_values().collect();
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);
}

/// Reads record by record, to the end.
fn steps(
    topic: &KafkaTopic,
    from: Option<Positions>,
) -> Vec<(Positions, Vec<neuraflow_core::model::Packet>)> {
    let source = KafkaSource::new(topic.clone()).bounded();
    let mut probe = Probe::open_from(&source, &Arc::new(FakeClock::new()), 0, 1, from).unwrap().unwrap();
    let mut steps = Vec::new();
    loop {
        let (polled, packets) = probe.poll(1).unwrap();
        let packets: Vec<_> = packets.into_iter().map(|(_, packet)| packet).collect();
        if !packets.is_empty() {
            steps.push((probe.positions().unwrap(), packets));
        }
        match polled {
            Polled::Ended => return steps,
            Polled::Ready => {}
            // Nobody but the broker knows when it answers.
            _ => std::thread::sleep(std::time::Duration::from_millis(1)),
        }
    }
}

#[test]
fn a_restart_from_every_record_gives_what_an_unbroken_run_gives() {
    let Some(broker) = Service::start("kafka") else { return };
    let topic = topic(&broker, 2);
    kit::write(&topic, headsets(3, 1.5));
    let unbroken = steps(&topic, None);
    assert_eq!(unbroken.len(), 3 * 32, "30 frames, an opening and an end for each");
    let all = kit::streams(unbroken.iter().flat_map(|(_, packets)| packets.clone()));
    let mut back = 0;
    for (at, (positions, _)) in unbroken.iter().enumerate() {
        let before = unbroken[..=at].iter().flat_map(|(_, packets)| packets.clone());
        let after = steps(&topic, Some(positions.clone())).into_iter().flat_map(|(_, packets)| packets);
        assert_eq!(kit::streams(before.chain(after)), all, "from {positions:?}");
        let of = |part: &str| positions.get(&format!("{}/{part}", topic.name())).unwrap();
        back = back.max(of("0") - of("0 from")).max(of("1") - of("1 from"));
    }
    println!("at most {back} records are read again");
    assert!(back > 20, "a chain is longer than that");
}

#[test]
fn partitions_are_split_over_the_workers() {
    let Some(broker) = Service::start("kafka") else { return };
    let topic = topic(&broker, 5);
    kit::write(&topic, headsets(20, 0.5));
    let mut found = Vec::new();
    for worker in 0..3 {
        let source = KafkaSource::new(topic.clone()).bounded();
        let clock = Arc::new(FakeClock::new());
        let part = neuraflow_core::testing::collect_worker(&source, &clock, worker, 3).unwrap();
        let own = part.iter().map(|(_, packet)| packet.stream.partition(5) as usize % 3);
        assert!(own.clone().all(|of| of == worker) && own.count() > 0);
        found.extend(part.into_iter().map(|(_, packet)| packet));
    }
    assert_eq!(kit::streams(found), kit::streams(kit::packets(&headsets(20, 0.5))));
}

#[test]
fn what_was_there_before_is_left_out_where_only_the_latest_is_wanted() {
    let Some(broker) = Service::start("kafka") else { return };
    let topic = topic(&broker, 1);
    kit::write(&topic, headsets(1, 0.5));
    let source = KafkaSource::new(topic.clone()).latest().bounded();
    assert_eq!(kit::packets(&source), []);
    // Where a stream is met in its middle, it begins with its next key record: nothing is made up.
    let source = KafkaSource::new(topic).bounded();
    let opened = |packet: &&neuraflow_core::model::Packet| matches!(packet.body, PacketBody::Open(_));
    assert_eq!(kit::packets(&source).iter().filter(opened).count(), 1);
}
