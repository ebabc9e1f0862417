//! What feedback notices of a table that is away.

use std::thread;
use std::time::Duration;

use neuraflow::prelude::*;
use neuraflow::sources::kafka::{IngestConfig, KafkaIngest};
use neuraflow::testing::Scratch;
use neuraflow_chaos::journal::{now, read};
use neuraflow_chaos::process::JOURNAL;
use neuraflow_chaos::settings::headsets;
use neuraflow_chaos::verdict::feedback_p99;

use crate::world::{Process, Servers};

#[test]
#[ignore = "a measurement: on a machine that is otherwise idle"]
fn feedback_does_not_notice_a_table_that_is_away() {
    let scratch = Scratch::new().unwrap();
    let Some(servers) = Servers::start(scratch.file("process")) else { return };
    let (headset, seconds) = (50, 130.0);
    let source = headsets(headset, seconds).speed(Speed::RealTime);
    let ingest = KafkaIngest::start(&servers.settings.kafka(), IngestConfig::default(), source).unwrap();
    let _process = Process::start(&servers.settings);
    let lasts = |seconds| {
        let begun = now();
        thread::sleep(Duration::from_secs(seconds));
        (begun, now())
    };
    lasts(10); // until all streams are open, and code and connections are warm
    let mut times = Vec::new();
    for _ in 0..3 {
        times.push((false, lasts(15)));
        servers.proxy.enabled(false);
        times.push((true, lasts(15)));
        servers.proxy.clear();
        lasts(8); // until the outbox is drained
    }
    drop(ingest);
    let notes = read(&servers.settings.folder.join(JOURNAL));
    let p99 = |away: bool| -> Vec<f64> {
        let these = times.iter().filter(|time| time.0 == away);
        these.map(|(_, time)| feedback_p99(&notes, &[*time])).collect()
    };
    let (calm, away) = (p99(false), p99(true));
    println!("feedback p99 in µs: calm {calm:?}, while the table is away {away:?}");
    let middle = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let shift = middle(away) - middle(calm);
    println!("shift_us={shift:.0}");
    assert!(shift < 1_000.0, "feedback is {shift} µs later while the table is away");
}
