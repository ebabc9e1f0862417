//! In transactions: whatever crashes when, a reader of what is committed finds every result once.

use std::time::Duration;

use neuraflow_core::model::{Features, Positions, Recovery};
use neuraflow_core::sink::{Sink, SinkContext, SinkWriter};
use neuraflow_core::testing::Random;
use neuraflow_sinks::kafka::{KafkaSink, KafkaWriter};

use super::kit::{PARTITIONS, TOPIC, batch, broker, check, found, stream};

fn open(sink: &KafkaSink<Features>, from: Option<Positions>) -> KafkaWriter<Features> {
    sink.open(&SinkContext { from, ..SinkContext::default() }).unwrap()
}

#[test]
fn nothing_is_seen_before_its_checkpoint_and_all_of_it_after() {
    let Some(broker) = broker() else { return };
    let streams: Vec<_> = (0..4).map(stream).collect();
    let sink = KafkaSink::<Features>::new(broker.address(), TOPIC, "a").exactly_once("a");
    let mut writer = open(&sink, None);
    writer.write(&mut batch(&streams, 0, 5)).unwrap();
    assert_eq!(found(&broker).len(), 0);
    let positions = writer.barrier(1).unwrap();
    assert_eq!(positions.iter().count() as i32, PARTITIONS);
    check(&broker, &streams, 5);
    writer.write(&mut batch(&streams, 5, 7)).unwrap();
    writer.finish().unwrap();
    check(&broker, &streams, 7);
    assert_eq!((sink.watch().stats().delivered, sink.watch().stats().transactions), (28, 2));
}

#[test]
fn a_crash_between_the_commit_and_the_checkpoint_doubles_and_loses_nothing() {
    let Some(broker) = broker() else { return };
    let streams: Vec<_> = (0..4).map(stream).collect();
    let sink = KafkaSink::<Features>::new(broker.address(), TOPIC, "a").exactly_once("a");
    // Another sink of the same topic, and a run before the first checkpoint: neither counts as what this one has written since.
    let other = KafkaSink::<Features>::new(broker.address(), TOPIC, "b").exactly_once("b");
    let mut others = open(&other, None);
    others.write(&mut batch(&streams[..1], 0, 3)).unwrap();
    others.barrier(1).unwrap();

    let mut writer = open(&sink, None);
    writer.write(&mut batch(&streams, 0, 5)).unwrap();
    writer.barrier(1).unwrap();
    drop(writer); // before there was a checkpoint: it all begins again
    let mut writer = open(&sink, None);
    writer.write(&mut batch(&streams, 0, 6)).unwrap();
    let first = writer.barrier(1).unwrap();
    writer.write(&mut batch(&streams, 6, 9)).unwrap();
    writer.barrier(2).unwrap();
    writer.write(&mut batch(&streams, 9, 10)).unwrap();
    drop(writer); // checkpoint 2 was never written

    let mut writer = open(&sink, Some(first));
    writer.write(&mut batch(&streams, 6, 7)).unwrap(); // part of what is there already
    let second = writer.barrier(2).unwrap();
    assert!(second.iter().any(|(part, left)| part.starts_with("again ") && left == 2), "{second:?}");
    drop(writer);
    let mut writer = open(&sink, Some(second));
    writer.write(&mut batch(&streams, 7, 12)).unwrap();
    writer.barrier(3).unwrap();

    let found = found(&broker);
    assert_eq!(found.iter().filter(|(_, _, record)| &*record.sink == "b").count(), 3);
    for stream in &streams {
        let own = found.iter().filter(|(_, key, record)| *key == stream.key && &*record.sink == "a");
        assert_eq!(own.map(|(_, _, record)| record.index).collect::<Vec<_>>(), (0..12).collect::<Vec<_>>());
    }
}

#[test]
fn a_writer_that_is_shut_out_commits_nothing() {
    let Some(broker) = broker() else { return };
    let streams: Vec<_> = (0..2).map(stream).collect();
    let sink = KafkaSink::<Features>::new(broker.address(), TOPIC, "a").exactly_once("a");
    let mut zombie = open(&sink, None);
    zombie.write(&mut batch(&streams, 0, 3)).unwrap();
    let mut writer = open(&sink, None);
    let error = zombie.barrier(1).unwrap_err();
    println!("{error}");
    writer.write(&mut batch(&streams, 0, 4)).unwrap();
    writer.barrier(1).unwrap();
    check(&broker, &streams, 4);
}

#[test]
fn crashes_at_random_double_and_lose_nothing() {
    lives(0, 400);
}

#[test]
fn crashes_and_a_broker_that_is_killed_at_random_double_and_lose_nothing() {
    lives(2, 400);
}

#[test]
#[ignore = "twenty minutes: cargo test --release -p neuraflow-sinks --features kafka --test kafka -- --ignored --nocapture"]
fn a_broker_is_killed_fifty_times_and_nothing_is_doubled_or_lost() {
    lives(50, 8_000);
}

/// Random writes and crashes until there are so many windows, and a broker that is killed so often.
fn lives(broker_kills: u32, windows: i64) {
    let Some(mut broker) = broker() else { return };
    let seed = std::process::id().into();
    println!("seed {seed}");
    let mut random = Random::new(seed);
    let streams: Vec<_> = (0..5).map(stream).collect();
    let sink = KafkaSink::<Features>::new(broker.address(), TOPIC, "a")
        .exactly_once("a")
        .timeout(Duration::from_secs(3));
    let watch = sink.watch();
    // What a store of checkpoints would have: the positions, and the next window.
    let (mut kept, mut number, mut kills, mut refused) = ((None, 0), 0, 0, 0);
    while kept.1 < windows {
        let opened = sink.open(&SinkContext { from: kept.0.clone(), ..SinkContext::default() });
        // A broker that has just been started may not answer yet; whatever else is wrong does not pass.
        let mut writer = match opened {
            Ok(writer) => writer,
            Err(error) => {
                refused += 1;
                assert_eq!(error.recovery(), Recovery::Retry, "{error}");
                assert!(refused < 30, "{error}");
                continue;
            }
        };
        refused = 0;
        let mut next = kept.1;
        loop {
            let to = next + 1 + random.below(20) as i64;
            writer.write(&mut batch(&streams, next, to)).unwrap();
            next = to;
            if kills < broker_kills && random.chance(5) {
                broker.kill();
                kills += 1;
                let failed = random.chance(50) && writer.barrier(number + 1).is_err();
                println!("killed at {next}, noticed: {failed}");
                broker.restart();
            }
            if random.chance(20) {
                break; // a crash before the barrier
            }
            number += 1;
            let Ok(positions) = writer.barrier(number) else { continue };
            if random.chance(20) {
                break; // a crash before the checkpoint is written
            }
            kept = (Some(positions), next);
            if kept.1 >= windows {
                break;
            }
        }
    }
    println!("kills={kills} {:?}", watch.stats());
    check_at_least(&broker, &streams, kept.1);
}

/// What was written after the last checkpoint that was kept may be there too.
fn check_at_least(
    broker: &super::kit::Service,
    streams: &[std::sync::Arc<neuraflow_core::model::StreamHeader>],
    to: i64,
) {
    let found = found(broker);
    for stream in streams {
        let own = found.iter().filter(|(_, key, _)| *key == stream.key);
        let indices: Vec<i64> = own.map(|(_, _, record)| record.index).collect();
        assert!(indices.len() as i64 >= to, "{} of {to}", indices.len());
        assert!(indices.iter().copied().eq(0..indices.len() as i64), "{indices:?}");
    }
}
