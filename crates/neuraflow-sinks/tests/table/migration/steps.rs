//! Step by step, forward and back.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use neuraflow_core::model::{Features, Positions, Timestamp};
use neuraflow_core::sink::{Placement, Sink, SinkContext, SinkError, SinkWriter};
use neuraflow_core::testing::Scratch;
use neuraflow_sinks::store::LocalTable;
use neuraflow_sinks::table::Query;
use neuraflow_sinks::table::migration::{DualSink, Migration, MigrationError, Phase};

use super::super::kit::*;
use super::*;

fn local(scratch: &Scratch) -> Tables<LocalTable> {
    let table = |name: &str| LocalTable::open(scratch.file(name)).unwrap();
    let migration = Migration::open(scratch.file("migration.json")).unwrap();
    Tables { old: table("old"), new: table("new"), migration }
}

#[test]
fn every_step_goes_forward_and_back() {
    let scratch = Scratch::new().unwrap();
    let tables = local(&scratch);
    let migration = &tables.migration;
    write_past(&tables.old);
    let live: Vec<i64> = (0..40).map(|n| 500 * MINUTE + n * HOP).collect();
    let span = (Timestamp::from_nanos(0), Timestamp::from_nanos(1_000 * MINUTE));
    let reader = tables.reader();
    let served =
        || numbers(SESSIONS.iter().flat_map(|session| reader.read(session, span.0, span.1).unwrap()));

    tables.write(live[..10].iter().copied());
    assert!(everything(&tables.new).is_empty(), "the new table is not written to yet");
    assert!(matches!(tables.backfill().run(|_| true), Err(MigrationError::NotReady { .. })));
    assert!(migration.go(Phase::Shadow).is_err());

    migration.go(Phase::Both).unwrap();
    tables.write(live[10..20].iter().copied());
    assert!(migration.go(Phase::Shadow).is_err(), "nothing is copied yet");
    let mut hours = Vec::new();
    // Stopped after an hour, and gone on with, twice.
    for _ in 0..2 {
        tables
            .backfill()
            .run(|hour| {
                hours.push(hour.clone());
                false
            })
            .unwrap();
    }
    assert!(migration.go(Phase::Shadow).is_err(), "not all is copied yet");
    tables
        .backfill()
        .run(|hour| {
            hours.push(hour.clone());
            true
        })
        .unwrap();
    let of =
        |session: &str| hours.iter().filter(|h| h.session == session).map(|h| h.hour).collect::<Vec<_>>();
    assert_eq!((of("Anna"), of("Bo 3")), (vec![8, 3, 1, 0], vec![8, 3, 1, 0]));
    let counts: Vec<(usize, usize)> = hours.iter().map(|hour| (hour.windows, hour.copied)).collect();
    assert_eq!(counts[..4], [(20, 10), (80, 80), (80, 80), (160, 160)]);
    let expected = wanted(past().chain(live[..20].iter().copied()).collect::<Vec<_>>());
    assert_eq!(in_new(&tables.new), expected);
    // What both sinks had written knows more than old rows do, and was left alone.
    let latest: Vec<Features> = read(&tables.new, Query::stream(stream("Anna").key).latest(11));
    assert_eq!((latest[0].info.received, latest[10].info.received), (12, latest[10].info.expected));

    migration.go(Phase::Shadow).unwrap();
    tables.write(live[20..30].iter().copied());
    let (old, _) = (served(), migration.go(Phase::New).unwrap());
    assert_eq!(served(), old);
    assert_eq!((reader.stats().equal, reader.stats().different), (4, 0));

    // Somebody changes their mind, and changes it again: nothing that was written meanwhile is missing.
    migration.go(Phase::Old).unwrap();
    tables.write(live[30..].iter().copied());
    let migration = &Migration::open(scratch.file("migration.json")).unwrap();
    assert_eq!(migration.phase(), Phase::Old);
    let tables = Tables { migration: migration.clone(), ..tables };
    migration.go(Phase::Both).unwrap();
    tables.backfill().run(|_| true).unwrap();
    migration.go(Phase::Shadow).unwrap();
    migration.go(Phase::New).unwrap();
    assert_eq!(in_new(&tables.new), wanted(past().chain(live).collect::<Vec<_>>()));
}

#[test]
fn a_step_back_while_rows_are_copied_leaves_nothing_out() {
    let scratch = Scratch::new().unwrap();
    let tables = local(&scratch);
    let migration = &tables.migration;
    write_past(&tables.old);
    migration.go(Phase::Both).unwrap();
    // Somebody goes back while it copies, which is written to the old table only, and then forward again.
    let live: Vec<i64> = (0..10).map(|n| 500 * MINUTE + n * HOP).collect();
    let mut hours = 0;
    let outcome = tables.backfill().run(|_| {
        hours += 1;
        if hours == 2 {
            migration.go(Phase::Old).unwrap();
            tables.write(live.iter().copied());
            migration.go(Phase::Both).unwrap();
        }
        true
    });
    assert!(matches!(outcome, Err(MigrationError::NotReady { .. })), "{outcome:?}");
    assert!(migration.go(Phase::Shadow).is_err(), "not all is copied");
    tables.backfill().run(|_| true).unwrap();
    migration.go(Phase::Shadow).unwrap();
    assert_eq!(in_new(&tables.new), wanted(past().chain(live).collect::<Vec<_>>()));
}

#[test]
fn what_differs_stops_the_copying_and_shows_in_the_reads() {
    let scratch = Scratch::new().unwrap();
    let tables = local(&scratch);
    write_past(&tables.old);
    tables.migration.go(Phase::Both).unwrap();
    let wrong = Features { values: vec![0.5; 4], ..computed("Anna", 0) };
    write(&tables.new, "power", &[wrong]).unwrap();
    let error = tables.backfill().run(|_| true).unwrap_err();
    assert!(
        matches!(&error, MigrationError::Differs(hour) if hour.hour == 0 && hour.session == "Anna"),
        "{error}"
    );
    assert!(tables.migration.go(Phase::Shadow).is_err());
    // Put right, it goes on from there.
    write(&tables.new, "power", &[computed("Anna", 0)]).unwrap();
    tables.backfill().run(|_| true).unwrap();
    assert!(tables.backfill().compare("Anna", 0).unwrap().is_equal());
    tables.migration.go(Phase::Shadow).unwrap();
    write(&tables.new, "power", &[Features { values: vec![0.5; 4], ..computed("Anna", HOP) }]).unwrap();
    let reader = tables.reader();
    let at = Timestamp::from_nanos;
    reader.read("Anna", at(0), at(HOP)).unwrap();
    reader.read("Anna", at(0), at(2 * HOP)).unwrap();
    let stats = reader.stats();
    assert_eq!((stats.equal, stats.different), (1, 1));
    assert_eq!(stats.first_different, Some(("Anna".into(), at(0), at(2 * HOP))));
}

/// A sink that says when a write has begun, and takes it once it is told to.
#[derive(Clone, Debug)]
struct Hangs(SyncSender<()>, Arc<Mutex<Receiver<()>>>);

impl Sink for Hangs {
    type Item = Features;
    type Writer = Self;

    fn name(&self) -> String {
        "hangs".into()
    }

    fn placement(&self) -> Placement {
        Placement::Inline
    }

    fn open(&self, _: &SinkContext) -> Result<Self, SinkError> {
        Ok(self.clone())
    }
}

impl SinkWriter for Hangs {
    type Item = Features;

    fn write(&mut self, items: &mut Vec<Features>) -> Result<(), SinkError> {
        self.0.send(()).unwrap();
        self.1.lock().unwrap().recv().unwrap();
        items.clear();
        Ok(())
    }

    fn barrier(&mut self, _: u64) -> Result<Positions, SinkError> {
        Ok(Positions::default())
    }
}

#[test]
fn a_write_that_hangs_holds_a_step_up_for_so_long_and_no_longer() {
    let scratch = Scratch::new().unwrap();
    let migration = Migration::open(scratch.file("migration.json")).unwrap();
    let ((begun, begins), (go_on, told)) = (sync_channel(8), sync_channel(8));
    let sink = Hangs(begun, Arc::new(Mutex::new(told)));
    let dual = DualSink::new(sink.clone(), sink, migration.clone());
    let item = || vec![computed(SESSIONS[0], 0)];
    let write = || {
        let mut writer = dual.open(&SinkContext::default()).unwrap();
        std::thread::spawn(move || writer.write(&mut item()).unwrap())
    };
    let writing = write();
    begins.recv().unwrap();
    let error = migration.go_within(Phase::Both, Duration::from_millis(20)).unwrap_err();
    assert!(matches!(error, MigrationError::NotReady { .. }), "{error}");
    assert!(error.to_string().contains("writes under way to end, found 1"), "{error}");
    assert_eq!(migration.phase(), Phase::Old);
    // Others write meanwhile, to the old table alone.
    let another = write();
    begins.recv().unwrap();
    go_on.send(()).unwrap();
    go_on.send(()).unwrap();
    writing.join().unwrap();
    another.join().unwrap();
    migration.go(Phase::Both).unwrap();
}
