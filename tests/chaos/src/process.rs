//! The process that is killed: a topic through a filter and windows into a table, with an outbox and checkpoints, and a
//! feedback that must not notice any of it.

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use neuraflow::checkpoint::Config;
use neuraflow::dataflow::Checkpointing;
use neuraflow::prelude::*;
use neuraflow::resilience::{Clock, SystemClock};
use neuraflow::sinks::layer::{Outbox, OutboxConfig};
use neuraflow::sinks::table::{Stage, TableSink};
use neuraflow::sources::kafka::{IngestConfig, KafkaIngest, KafkaSource};

use crate::journal::{Journal, Note, now};
use crate::settings::{STAGE, Settings, filter, headsets};

/// Where its notes are.
pub const JOURNAL: &str = "journal";

/// Runs until it is killed, or the topic is read to where it ends now if it is `bounded`.
pub fn run(settings: &Settings, bounded: bool) {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let source = KafkaSource::new(settings.kafka());
    let source = if bounded { source.bounded() } else { source };
    let sink = TableSink::new(settings.bigtable(&settings.table), Stage::new(STAGE).unwrap());
    let outbox = Outbox::new(sink, settings.folder.join("outbox"), OutboxConfig::default()).unwrap();
    let waiting = outbox.watch();
    let ages = Arc::new(Mutex::new(Vec::new()));
    let feedback = Callback::new({
        let (ages, clock) = (Arc::clone(&ages), Arc::clone(&clock));
        move |features: &Features| {
            ages.lock().unwrap().push(clock.now().saturating_sub(features.info.arrival))
        }
    });
    let every = Config::every(Duration::from_millis(500)).unwrap();
    let checkpoints =
        Checkpointing::in_folder(settings.folder.join("checkpoints")).unwrap().with_config(every);
    let pipeline = Pipeline::from(source)
        .stage(filter)
        .window(Tumbling::millis(50))
        .feature(Rms::new)
        .branch(|rms| rms.sink(feedback))
        .sink(outbox)
        .build()
        .unwrap()
        .with_clock(clock)
        .checkpoints(checkpoints)
        .unwrap();
    let running = pipeline.spawn(Workers::new(1)).unwrap();
    let mut journal = Journal::open(&settings.folder.join(JOURNAL));
    let mut note = move || {
        let stats = waiting.stats();
        journal.note(&Note {
            at: now(),
            waiting_bytes: stats.waiting_bytes,
            age: u64::try_from(stats.age.as_millis()).unwrap(),
            handed_on: stats.handed_on,
            failures: stats.failures,
            openings: stats.transitions.opened,
            feedback: std::mem::take(&mut *ages.lock().unwrap()),
        });
    };
    while !running.is_finished() {
        thread::sleep(Duration::from_millis(50));
        note();
    }
    let report = running.join().unwrap();
    note();
    assert!(report.balances());
    println!(
        "{}",
        serde_json::json!({ "windows": report.windows().total(), "accounting": format!("{:?}", report.accounting()) })
    );
}

/// The other process of a measurement: so many headsets into the topic, in real time, for so many seconds.
pub fn ingest(settings: &Settings, count: usize, seconds: f64) {
    let source = headsets(count, seconds).speed(Speed::RealTime);
    let written =
        KafkaIngest::start(&settings.kafka(), IngestConfig::default(), source).unwrap().join().unwrap();
    assert_eq!((written.failed, written.rejected), (0, 0), "{written:?}");
    println!("{}", written.records);
}
