//! What comes out of the topic is what went in: the pipeline's output has the same bits.

use neuraflow::codec::ValueType;
use neuraflow::prelude::*;
use neuraflow::sources::kafka::{Encoding, IngestConfig, KafkaIngest, KafkaSource};
use neuraflow::testing::data::recording;

use super::kit::{Service, digest, topic};

#[test]
fn a_recording_through_kafka_has_the_digest_of_its_replay() {
    let Some(broker) = Service::start("kafka") else { return };
    let Some(path) = recording("edf/S001R04.edf") else { return };
    let replay = || Replay::open(&path).unwrap().speed(Speed::Max);
    let (expected, direct) = digest(replay(), 1);
    let counts = Encoding::Counts { values: ValueType::I16, lsb: 1.0 };
    for encoding in [Encoding::Floats, counts] {
        let topic = topic(&broker, 4);
        let config = IngestConfig { encoding, ..IngestConfig::default() };
        let written = KafkaIngest::start(&topic, config, replay()).unwrap().join().unwrap();
        assert_eq!((written.samples, written.delivered, written.failed), (20_000, written.records, 0));
        println!("{encoding:?}: {} records, {} bytes", written.records, written.bytes);
        for workers in [1, 2] {
            let source = KafkaSource::new(topic.clone()).bounded();
            let watch = source.watch();
            let (found, report) = digest(source, workers);
            assert_eq!((report.accounting(), report.windows()), (direct.accounting(), direct.windows()));
            assert_eq!(found, expected, "{encoding:?}, {workers} workers");
            let read = watch.stats();
            assert_eq!((read.records, read.malformed, read.undecodable), (written.records, 0, 0));
        }
    }
}
