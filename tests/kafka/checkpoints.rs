//! A pipeline that reads a topic is suspended and goes on, while its broker is killed: not a bit differs.

use std::sync::Arc;
use std::time::Duration;

use neuraflow::checkpoint::Config;
use neuraflow::dataflow::Checkpointing;
use neuraflow::prelude::*;
use neuraflow::sinks::Callback;
use neuraflow::sources::kafka::{IngestConfig, KafkaIngest, KafkaSource};
use neuraflow::telemetry::OutputDigest;
use neuraflow::testing::MemoryStore;
use std::sync::Mutex;

use super::kit::{Service, topic, until};

fn headsets() -> Synthetic {
    Synthetic::new(8, SamplingRate::hz(250).unwrap()).streams(6).seed(4).seconds(60.0)
}

type Shared = Arc<Mutex<OutputDigest>>;

fn pipeline(source: impl Source, digest: &Shared) -> Pipeline {
    let digest = Arc::clone(digest);
    Pipeline::from(source)
        .stage(|| Butterworth::bandpass(4, 1.0..40.0))
        .window(Tumbling::millis(50))
        .feature(|| BandPower::bands([("alpha", 8.0..13.0)]).over_millis(1_000))
        .sink(Callback::new(move |features: &Features| digest.lock().unwrap().features(0, features)))
        .build()
        .unwrap()
}

#[test]
fn a_pipeline_goes_on_from_offsets_to_the_same_bits_while_the_broker_is_killed() {
    let Some(mut broker) = Service::start("kafka") else { return };
    let expected = Shared::default();
    let direct = pipeline(headsets(), &expected).run().unwrap();

    let topic = topic(&broker, 3);
    let written = KafkaIngest::start(&topic, IngestConfig::default(), headsets()).unwrap().join().unwrap();
    let (found, store) = (Shared::default(), Arc::new(MemoryStore::default()));
    let mut suspended = 0;
    let report = loop {
        // Left alone it ends where the topic does. A run that is to be suspended must not: it would flush the last windows and leave
        // nothing to go on from, were it quicker than the broker is back.
        let alone = suspended == 4;
        let source = KafkaSource::new(topic.clone());
        let source = if alone { source.bounded() } else { source };
        let watch = source.watch();
        let checkpoints =
            Checkpointing::new(store.clone()).with_config(Config::every(Duration::from_secs(3_600)).unwrap());
        let running = pipeline(source, &found).checkpoints(checkpoints).unwrap();
        let running = running.spawn(Workers::new(1 + suspended % 2)).unwrap();
        if alone {
            break running.join().unwrap();
        }
        until("an eighth is read", Duration::from_secs(60), || {
            assert!(!running.is_finished(), "{:?}", watch.stats());
            watch.stats().records >= written.records / 8
        });
        if suspended == 1 {
            let read = watch.stats().records;
            broker.kill();
            broker.restart();
            println!("killed at record {read}, back at record {}", watch.stats().records);
        }
        let left = running.suspend().unwrap();
        assert!(left.checkpoints.suspended, "{:?}", left.checkpoints);
        suspended += 1;
    };
    println!("suspended {suspended} times");
    assert_eq!(found.lock().unwrap().finish(), expected.lock().unwrap().finish());
    assert_eq!(report.accounting(), direct.accounting());
}
