//! The outbox: whatever befalls the sink behind, the process or the files, everything arrives, in order, and nothing else.

#![allow(clippy::unwrap_used, clippy::panic)] // helpers outside #[test]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use neuraflow_core::model::{Channel, Features, Positions};
use neuraflow_core::resilience::{Backoff, BreakerConfig, BreakerState, Clock};
use neuraflow_core::sink::{Placement, Sink, SinkContext, SinkError, SinkWriter};
use neuraflow_core::testing::{FakeClock, Random, Scratch};
use neuraflow_sinks::layer::{Outbox, OutboxConfig, OutboxStats, OutboxWriter};

/// A table behind a network: what was written under which number, and what befalls those who write.
#[derive(Clone, Debug, Default)]
struct Table(Arc<Mutex<Rows>>);

#[derive(Debug, Default)]
struct Rows {
    rows: BTreeMap<i64, f64>,
    /// The order in which rows came first.
    order: Vec<i64>,
    calls: u64,
    opened: u64,
    /// What happens to the next writes; nothing once they are used up.
    mood: Vec<Mood>,
    /// Fails as long as it is down.
    down: bool,
    /// What was written last is lost, as the next barrier says.
    lost: bool,
}

#[derive(Clone, Copy, Debug)]
enum Mood {
    Takes,
    Fails,
    /// Takes so many, and then fails.
    TakesSome(usize),
    /// Takes all, and fails all the same.
    Forgets,
    /// Takes all, keeps nothing of it, and says so at the barrier.
    Loses,
    /// Takes all out of what it is given, writes nothing, and panics.
    Panics,
}

impl Table {
    fn rows(&self) -> std::sync::MutexGuard<'_, Rows> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Sink for Table {
    type Item = Features;
    type Writer = Self;

    fn name(&self) -> String {
        "table".into()
    }

    fn placement(&self) -> Placement {
        Placement::Inline
    }

    fn open(&self, _: &SinkContext) -> Result<Self, SinkError> {
        self.rows().opened += 1;
        Ok(self.clone())
    }
}

fn refused_connection() -> SinkError {
    let source = io::Error::from(io::ErrorKind::ConnectionRefused);
    SinkError::Io { sink: "table".into(), action: "write", target: "far away".into(), source }
}

impl SinkWriter for Table {
    type Item = Features;

    fn write(&mut self, items: &mut Vec<Features>) -> Result<(), SinkError> {
        let mut rows = self.rows();
        rows.calls += 1;
        let mood = rows.mood.pop().unwrap_or(Mood::Takes);
        if rows.down {
            return Err(refused_connection());
        }
        if let Some(bad) = items.iter().position(|item| item.values[0].is_nan()) {
            items.swap(0, bad);
            for item in items.drain(1..) {
                rows.put(&item);
            }
            return Err(SinkError::Layout {
                sink: "table".into(),
                what: "value",
                expected: "a number".into(),
                found: "none".into(),
            });
        }
        let take = match mood {
            Mood::Panics => {
                items.clear();
                panic!("as told");
            }
            Mood::Loses => {
                rows.lost = true;
                items.clear();
                0
            }
            Mood::Fails => 0,
            Mood::TakesSome(some) => some.min(items.len()),
            _ => items.len(),
        };
        for item in items.drain(..take) {
            rows.put(&item);
        }
        match mood {
            Mood::Takes | Mood::Loses => Ok(()),
            _ => Err(refused_connection()),
        }
    }

    fn barrier(&mut self, _: u64) -> Result<Positions, SinkError> {
        if std::mem::take(&mut self.rows().lost) {
            Err(refused_connection())
        } else {
            Ok(Positions::default())
        }
    }
}

impl Rows {
    fn put(&mut self, item: &Features) {
        let known = self.rows.insert(item.info.index, item.values[0]);
        assert!(known.is_none_or(|known| known == item.values[0]), "another value for {}", item.info.index);
        if known.is_none() {
            self.order.push(item.info.index);
        }
    }
}

fn row(index: i64) -> Features {
    let header = support::header("device", vec![Channel::new("Cz")]);
    support::features(support::info(header, index), &["p"], vec![index as f64 / 3.0])
}

fn hurried() -> OutboxConfig {
    OutboxConfig {
        max_bytes: 64 << 10,
        segment_bytes: 4 << 10,
        batch: 7,
        retry: Backoff::new(Duration::ZERO, Duration::ZERO),
        breaker: BreakerConfig {
            open: Backoff::new(Duration::from_millis(1), Duration::from_millis(2)),
            ..BreakerConfig::default()
        },
        linger: Duration::from_secs(60),
        ..OutboxConfig::default()
    }
}

fn open(table: &Table, dir: &Path, from: Option<Positions>) -> OutboxWriter<Table> {
    let context = SinkContext { from, ..SinkContext::default() };
    Outbox::new(table.clone(), dir, hurried()).unwrap().open(&context).unwrap()
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let all = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        all.filter(|path| path.extension().is_some_and(|e| e == "outbox")).collect();
    files.sort();
    files
}

/// A run of random writes, moods, barriers and ends of the process, without a power failure.
fn life(seed: u64) {
    let (mut random, scratch, table) = (Random::new(seed), Scratch::new().unwrap(), Table::default());
    let (dir, mut from, mut kept, mut next) = (scratch.file("outbox"), None, 0, 0);
    let mut writer = open(&table, &dir, None);
    for _ in 0..30 {
        let mood = match random.below(9) {
            8 => Mood::Loses,
            0 => Mood::Fails,
            1 => Mood::TakesSome(random.below(7)),
            2 => Mood::Forgets,
            3 => Mood::Panics,
            _ => Mood::Takes,
        };
        table.rows().mood.push(mood);
        match random.below(10) {
            0 | 1 => {
                from = Some(writer.barrier(1).unwrap());
                kept = next;
            }
            2 => {
                drop(writer); // killed
                if from.is_some() {
                    next = kept; // a checkpoint is restored
                }
                writer = open(&table, &dir, from.clone());
            }
            _ => {
                let count = random.below(20) as i64;
                writer.write(&mut (next..next + count).map(row).collect()).unwrap();
                next += count;
            }
        }
    }
    writer.finish().unwrap();
    let rows = table.rows();
    for index in 0..next {
        assert_eq!(rows.rows.get(&index), Some(&(index as f64 / 3.0)), "seed {seed}: row {index}");
    }
    // A restored checkpoint takes the sink back, but never makes it go on out of order.
    assert!(rows.order.is_sorted(), "seed {seed}: {:?}", rows.order);
}

/// Panics of the table are part of the test.
fn quietly(run: impl FnOnce()) {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if info.payload_as_str().is_none_or(|said| said != "as told") {
            before(info);
        }
    }));
    run();
}

#[test]
fn whatever_befalls_the_sink_and_the_process_everything_arrives_in_order() {
    quietly(|| (0..40).for_each(life));
}

#[test]
#[ignore = "takes minutes, most of it waiting for the disk"]
fn a_thousand_lives() {
    quietly(|| (0..1_000).for_each(life));
}

#[test]
fn damage_takes_what_it_hits_and_nothing_else() {
    for seed in 0..100 {
        let (mut random, scratch, table) = (Random::new(seed), Scratch::new().unwrap(), Table::default());
        let dir = scratch.file("outbox");
        table.rows().down = true;
        let mut writer = open(&table, &dir, None);
        (0..60).for_each(|index| writer.write(&mut vec![row(index)]).unwrap());
        drop(writer);
        let files = files(&dir);
        assert!(files.len() > 2);
        let path = &files[random.below(files.len())];
        let mut bytes = fs::read(path).unwrap();
        let at = 16 + random.below(bytes.len() - 16);
        bytes[at] ^= 1 << random.below(8);
        fs::write(path, bytes).unwrap();
        table.rows().down = false;
        let outbox = Outbox::new(table.clone(), &dir, hurried()).unwrap();
        let (watch, mut writer) = (outbox.watch(), outbox.open(&SinkContext::default()).unwrap());
        writer.write(&mut vec![row(60)]).unwrap();
        writer.finish().unwrap();
        let (rows, stats) = (table.rows(), watch.stats());
        assert_eq!(rows.rows.len(), 60, "seed {seed}: one of 61 was hit, {stats:?}");
        assert!(rows.rows.contains_key(&60), "seed {seed}: what came after the damage");
        for (index, value) in &rows.rows {
            assert_eq!(*value, *index as f64 / 3.0, "seed {seed}");
        }
        // A torn end is cut off, as a process leaves it that is killed; damage before it is counted.
        let last_was_hit = !rows.rows.contains_key(&59);
        assert_eq!(stats.damaged_bytes == 0, last_was_hit, "seed {seed}: {stats:?}");
    }
}

#[test]
fn a_note_that_is_ahead_after_a_power_failure_passes_nothing_over() {
    let (scratch, table) = (Scratch::new().unwrap(), Table::default());
    let dir = scratch.file("outbox");
    let mut writer = open(&table, &dir, None);
    writer.write(&mut (0..5).map(row).collect()).unwrap();
    writer.finish().unwrap();
    drop(writer);
    // The power failure took the file's end, which was never forced to the disk, but not the note.
    let path = files(&dir).pop().unwrap();
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(100).unwrap();
    let mut writer = open(&table, &dir, None);
    writer.write(&mut (5..10).map(row).collect()).unwrap();
    writer.finish().unwrap();
    assert_eq!(table.rows().order, (0..10).collect::<Vec<_>>());
}

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

#[test]
fn what_is_refused_for_good_is_kept_and_holds_nobody_up() {
    let (scratch, table) = (Scratch::new().unwrap(), Table::default());
    let dir = scratch.file("outbox");
    let outbox = Outbox::new(table.clone(), &dir, hurried()).unwrap();
    let (watch, mut writer) = (outbox.watch(), outbox.open(&SinkContext::default()).unwrap());
    let mut items: Vec<Features> = (0..100).map(row).collect();
    items[40].values[0] = f64::NAN;
    writer.write(&mut items).unwrap();
    writer.finish().unwrap();
    drop(writer);
    let stats = watch.stats();
    assert_eq!((stats.handed_on, stats.refused, stats.transitions.opened), (99, 1, 0));
    let refused = Outbox::<Table>::refused(&dir).unwrap();
    assert_eq!(refused.iter().map(|item| item.info.index).collect::<Vec<_>>(), [40]);
}

#[test]
fn folders_that_are_in_use_or_not_as_the_checkpoint_left_them_are_typed_errors() {
    let (scratch, table) = (Scratch::new().unwrap(), Table::default());
    let dir = scratch.file("outbox");
    let outbox = Outbox::new(table.clone(), &dir, hurried()).unwrap();
    let mut writer = outbox.open(&SinkContext::default()).unwrap();
    let error = outbox.open(&SinkContext::default()).unwrap_err();
    assert!(error.to_string().contains("another process"), "{error}");
    writer.write(&mut vec![row(0)]).unwrap();
    let from = Some(writer.barrier(1).unwrap());
    drop(writer);
    fs::remove_dir_all(&dir).unwrap();
    let error = outbox.open(&SinkContext { from, ..SinkContext::default() }).unwrap_err();
    assert!(matches!(error, SinkError::Position { .. }), "{error}");
    let small = OutboxConfig { max_bytes: 4 << 10, segment_bytes: 4 << 10, ..hurried() };
    let error = Outbox::new(table, &dir, small).unwrap_err();
    assert!(matches!(error, SinkError::Layout { what: "max_bytes", .. }), "{error}");
}
