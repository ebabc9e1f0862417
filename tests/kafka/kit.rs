//! A broker, topics, and the same pipeline on any source.

use std::sync::atomic::{AtomicU32, Ordering};

use neuraflow::prelude::*;
use neuraflow::sinks::bounded;
use neuraflow::sources::kafka::KafkaTopic;
use neuraflow::telemetry::OutputDigest;

#[path = "../support/service.rs"]
mod service;
#[path = "../support/until.rs"]
mod until;

pub use service::Service;
pub use until::until;

/// A new topic of a running broker.
pub fn topic(broker: &Service, partitions: u32) -> KafkaTopic {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("signals-{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let topic = KafkaTopic::new(broker.address(), name).partitions(partitions);
    topic.create().unwrap();
    topic
}

/// What the pipeline makes of a source, in one number; and its report.
pub fn digest(source: impl Source, workers: usize) -> (u128, Report) {
    let (sink, features) = bounded(65_536, Overflow::Block);
    let pipeline = Pipeline::from(source)
        .stage(|| Butterworth::bandpass(4, 1.0..40.0))
        .stage(CommonAverage::new)
        .window(Tumbling::millis(50))
        .feature(|| BandPower::bands([("alpha", 8.0..13.0), ("beta", 13.0..30.0)]).over_millis(1_000))
        .sink(sink)
        .build()
        .unwrap();
    let running = pipeline.spawn(Workers::new(workers)).unwrap();
    let mut digest = OutputDigest::default();
    features.iter().for_each(|features: Features| digest.features(0, &features));
    (digest.finish(), running.join().unwrap())
}
