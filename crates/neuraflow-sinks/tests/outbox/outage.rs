//! A sink that is away, and an outbox that fills up.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use neuraflow_core::resilience::{Backoff, BreakerConfig, BreakerState, Clock};
use neuraflow_core::sink::{Sink, SinkContext, SinkWriter};
use neuraflow_core::testing::{FakeClock, Scratch};
use neuraflow_sinks::layer::{Outbox, OutboxConfig, OutboxStats};

use crate::table::Table;
use crate::{files, hurried, row};

fn wait_for(what: &str, clock: &FakeClock, mut met: impl FnMut() -> bool) {
    for _ in 0..20_000 {
        if met() {
            return;
        }
        clock.advance(1_000_000);
        std::thread::yield_now();
        std::thread::park_timeout(Duration::from_micros(200)); // lets the other thread run
    }
    panic!("{what}");
}

#[test]
fn a_sink_that_is_away_is_left_alone_and_what_waited_arrives_once_it_is_back() {
    let (scratch, table, clock) = (Scratch::new().unwrap(), Table::default(), Arc::new(FakeClock::new()));
    let config = OutboxConfig {
        breaker: BreakerConfig::default(),
        retry: Backoff::new(Duration::from_millis(50), Duration::from_millis(200)),
        ..OutboxConfig::default()
    };
    let outbox = Outbox::new(table.clone(), scratch.file("outbox"), config).unwrap();
    let watch = outbox.watch();
    let context = SinkContext { clock: Arc::clone(&clock) as Arc<dyn Clock>, from: None };
    let mut writer = outbox.open(&context).unwrap();
    table.rows().down = true;
    writer.write(&mut (0..100).map(row).collect()).unwrap();
    wait_for("the breaker opens", &clock, || watch.stats().breaker == BreakerState::Open);
    assert_eq!(table.rows().calls, 5, "after five failures");
    assert!(clock.now() < 3_000_000_000, "within three seconds: {} ns", clock.now());
    wait_for("it is tried again, and stays open", &clock, || watch.stats().transitions.opened > 3);
    let OutboxStats { failures, waiting_bytes, age, trouble, .. } = watch.stats();
    assert!(failures <= 5 + 3 && waiting_bytes > 0 && age > Duration::from_secs(1), "{failures} {age:?}");
    assert!(trouble.unwrap().contains("far away"));
    table.rows().down = false;
    wait_for("all is handed on", &clock, || watch.stats().waiting_bytes == 0);
    let stats = watch.stats();
    assert_eq!((stats.handed_on, stats.trouble, stats.age), (100, None, Duration::ZERO));
    assert_eq!(table.rows().order, (0..100).collect::<Vec<_>>());
    assert!(table.rows().opened > 1, "its writer was opened anew");
}

#[test]
fn a_full_outbox_holds_back_whoever_writes_and_stays_within_its_bound() {
    let (scratch, table) = (Scratch::new().unwrap(), Table::default());
    let dir = scratch.file("outbox");
    table.rows().down = true;
    let outbox = Outbox::new(table.clone(), &dir, hurried()).unwrap();
    let (watch, mut writer) = (outbox.watch(), outbox.open(&SinkContext::default()).unwrap());
    let writing = std::thread::spawn(move || {
        (0..2_000).for_each(|index| writer.write(&mut vec![row(index)]).unwrap());
        writer.finish().unwrap();
    });
    while watch.stats().waiting_bytes < 63 << 10 {
        std::thread::yield_now();
    }
    let on_disk = || files(&dir).iter().map(|path| fs::metadata(path).unwrap().len()).sum::<u64>();
    assert!(!writing.is_finished() && on_disk() <= (64 + 8) << 10, "{} bytes", on_disk());
    table.rows().down = false;
    writing.join().unwrap();
    assert_eq!(table.rows().order, (0..2_000).collect::<Vec<_>>());
    assert!(on_disk() <= 8 << 10, "what was handed on is removed: {} bytes", on_disk());
}
