//! By default: keyed, in order, and offered again where brokers do not answer.

use std::collections::BTreeSet;
use std::time::Duration;

use neuraflow_core::model::{Decision, Features, NoDecision, Recovery, Window};
use neuraflow_core::sink::{Sink, SinkContext, SinkWriter};
use neuraflow_sinks::kafka::{KafkaItem, KafkaResult, KafkaSink};

use super::kit::{TOPIC, batch, broker, check, features, found, stream};

#[test]
fn results_are_keyed_by_stream_and_keep_their_order() {
    let Some(broker) = broker() else { return };
    let streams: Vec<_> = (0..9).map(stream).collect();
    let sink = KafkaSink::<Features>::new(broker.address(), TOPIC, "band power");
    let mut writer = sink.open(&SinkContext::default()).unwrap();
    let mut items = batch(&streams, 0, 40);
    writer.write(&mut items).unwrap();
    assert!(items.is_empty());
    check(&broker, &streams, 40);
    let found = found(&broker);
    for (partition, key, record) in &found {
        assert_eq!(*partition as u32, key.partition(3));
        assert_eq!(
            (&*record.sink, record.status.as_str(), record.warm_up),
            ("band power", "complete", record.index < 20)
        );
        let KafkaResult::Features { rows, columns, unit, values } = &record.result else {
            panic!("{record:?}")
        };
        assert_eq!((rows.len(), &*columns[0], unit.as_str()), (2, "alpha", "µV²"));
        assert!(values[0] == record.index as f64 && values[1].is_nan());
    }
    assert_eq!((sink.watch().stats().delivered, sink.watch().stats().failures), (360, 0));
}

#[test]
fn windows_and_decisions_say_what_they_are() {
    let info = features(&stream(0), 7).info;
    let decision = |outcome| Decision::<&str> { info: info.clone(), outcome }.result();
    assert_eq!(
        decision(Ok(("left", 0.75))),
        KafkaResult::Decision { intent: Some("left".into()), confidence: Some(0.75), none: None }
    );
    assert_eq!(
        decision(Err(NoDecision::WarmUp)),
        KafkaResult::Decision { intent: None, confidence: None, none: Some("warm_up".into()) }
    );
    let mut samples = neuraflow_core::model::Chunk::new(0, 2);
    samples.extend(&[1.0, 2.0, 3.0, 4.0]);
    let KafkaResult::Window { channels, values } = (Window { info, samples }).result() else { panic!() };
    assert_eq!((channels, values), (vec!["C3".to_owned(), "C4".to_owned()], vec![1.0, 2.0, 3.0, 4.0]));
}

#[test]
fn what_a_broker_did_not_take_is_left_to_be_offered_again() {
    let Some(mut broker) = broker() else { return };
    let streams: Vec<_> = (0..3).map(stream).collect();
    let sink =
        KafkaSink::<Features>::new(broker.address(), TOPIC, "band power").timeout(Duration::from_secs(5));
    let mut writer = sink.open(&SinkContext::default()).unwrap();
    writer.write(&mut batch(&streams, 0, 5)).unwrap();
    broker.kill();
    let mut items = batch(&streams, 5, 9);
    for _ in 0..2 {
        let error = writer.write(&mut items).unwrap_err();
        println!("{error}");
        assert_eq!((error.recovery(), items.len()), (Recovery::Retry, 12));
    }
    assert!(sink.watch().stats().trouble.is_some());
    broker.restart();
    while writer.write(&mut items).is_err() {} // until it has its leaders again
    let found = found(&broker);
    for stream in &streams {
        let own = found.iter().filter(|(_, key, _)| *key == stream.key);
        let indices: BTreeSet<i64> = own.map(|(_, _, record)| record.index).collect();
        assert!(indices.into_iter().eq(0..9), "{}", stream.name);
    }
    assert_eq!(sink.watch().stats().trouble, None);
}

#[test]
fn a_result_too_large_for_a_record_is_left_out_and_no_other() {
    let Some(broker) = broker() else { return };
    let streams = [stream(0)];
    let sink = KafkaSink::<Features>::new(broker.address(), TOPIC, "band power");
    let mut writer = sink.open(&SinkContext::default()).unwrap();
    let mut items = batch(&streams, 0, 3);
    let mut large = features(&streams[0], 3);
    large.values = vec![0.5; 200_000];
    items.insert(1, large);
    let error = writer.write(&mut items).unwrap_err();
    assert_eq!((error.recovery(), items.len(), items[0].info.index), (Recovery::Skip, 1, 3), "{error}");
    check(&broker, &streams, 3);
}
