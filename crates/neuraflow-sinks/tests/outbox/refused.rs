//! What the sink behind refuses for good.

use std::sync::{Arc, Mutex};

use neuraflow_core::model::{Decision, Features, Positions};
use neuraflow_core::sink::{Placement, Sink, SinkContext, SinkError, SinkWriter};
use neuraflow_core::testing::Scratch;
use neuraflow_sinks::Callback;
use neuraflow_sinks::layer::{Outbox, OutboxConfig, Timeout};

use crate::table::{Mood, Table};
use crate::{hurried, quietly, row};

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
fn who_brings_the_sink_to_panic_is_found_and_refused_and_the_others_arrive() {
    let (scratch, table) = (Scratch::new().unwrap(), Table::default());
    let dir = scratch.file("outbox");
    table.rows().poison = Some(40);
    let outbox = Outbox::new(table.clone(), &dir, hurried()).unwrap();
    let (watch, mut writer) = (outbox.watch(), outbox.open(&SinkContext::default()).unwrap());
    quietly(|| {
        writer.write(&mut (0..100).map(row).collect()).unwrap();
        writer.finish().unwrap();
    });
    drop(writer);
    assert_eq!((watch.stats().handed_on, watch.stats().refused), (99, 1));
    assert_eq!(table.rows().order, (0..100).filter(|index| *index != 40).collect::<Vec<_>>());
    let refused = Outbox::<Table>::refused(&dir).unwrap();
    assert_eq!(refused.iter().map(|item| item.info.index).collect::<Vec<_>>(), [40]);
}

#[test]
fn one_panic_refuses_nobody() {
    let (scratch, table) = (Scratch::new().unwrap(), Table::default());
    table.rows().mood = vec![Mood::Panics; 3];
    let outbox = Outbox::new(table.clone(), scratch.file("outbox"), hurried()).unwrap();
    let (watch, mut writer) = (outbox.watch(), outbox.open(&SinkContext::default()).unwrap());
    quietly(|| {
        writer.write(&mut (0..20).map(row).collect()).unwrap();
        writer.finish().unwrap();
    });
    assert_eq!((watch.stats().handed_on, watch.stats().refused), (20, 0));
}

#[test]
fn where_no_more_of_what_is_refused_can_be_kept_nothing_is_thrown_away() {
    let (scratch, table) = (Scratch::new().unwrap(), Table::default());
    let dir = scratch.file("outbox");
    let config =
        OutboxConfig { max_refused_bytes: 1_000, linger: std::time::Duration::from_millis(100), ..hurried() };
    let outbox = Outbox::new(table.clone(), &dir, config).unwrap();
    let (watch, mut writer) = (outbox.watch(), outbox.open(&SinkContext::default()).unwrap());
    let items = (0..40).map(|index| {
        let mut item: Features = row(index);
        item.values[0] = if index < 20 { f64::NAN } else { 1.0 };
        item
    });
    writer.write(&mut items.collect()).unwrap();
    writer.finish().unwrap();
    drop(writer);
    let stats = watch.stats();
    let kept = Outbox::<Table>::refused(&dir).unwrap();
    assert!(stats.trouble.as_ref().is_some_and(|said| said.contains("remove the folder")), "{stats:?}");
    assert!(stats.refused > 0 && stats.refused < 20 && kept.len() as u64 == stats.refused, "{stats:?}");
    assert!(stats.waiting_bytes > 0, "what cannot be kept waits");

    // Once they were read, the rest comes.
    std::fs::remove_dir_all(dir.join("refused")).unwrap();
    let outbox = Outbox::new(table.clone(), &dir, hurried()).unwrap();
    outbox.open(&SinkContext::default()).unwrap().finish().unwrap();
    let rest = Outbox::<Table>::refused(&dir).unwrap();
    let all: std::collections::BTreeSet<i64> = kept.iter().chain(&rest).map(|item| item.info.index).collect();
    assert_eq!(all, (0..20).collect());
    assert_eq!(table.rows().rows.keys().copied().collect::<Vec<_>>(), (20..40).collect::<Vec<_>>());
}

/// However many items the sink behind takes before it: who brings it to panic is found without a failure for each of them, which
/// would let the breaker open again and again.
#[test]
fn who_brings_the_sink_to_panic_is_found_at_the_end_of_a_batch_as_soon_as_at_its_beginning() {
    let (scratch, table) = (Scratch::new().unwrap(), Table::default());
    let dir = scratch.file("outbox");
    table.rows().poison = Some(90);
    let outbox = Outbox::new(table.clone(), &dir, OutboxConfig { batch: 100, ..hurried() }).unwrap();
    let (watch, mut writer) = (outbox.watch(), outbox.open(&SinkContext::default()).unwrap());
    quietly(|| {
        writer.write(&mut (0..100).map(row).collect()).unwrap();
        writer.finish().unwrap();
    });
    let stats = watch.stats();
    assert_eq!((stats.handed_on, stats.refused), (99, 1));
    assert!(stats.failures <= 5, "{stats:?}");
}

#[test]
fn who_brings_the_sink_to_panic_is_found_behind_a_timeout_too() {
    let (scratch, table) = (Scratch::new().unwrap(), Table::default());
    let dir = scratch.file("outbox");
    table.rows().poison = Some(40);
    let config = OutboxConfig { linger: std::time::Duration::from_secs(5), ..hurried() };
    let behind = Timeout::new(table.clone(), std::time::Duration::from_secs(60));
    let outbox = Outbox::new(behind, &dir, config).unwrap();
    let (watch, mut writer) = (outbox.watch(), outbox.open(&SinkContext::default()).unwrap());
    quietly(|| {
        writer.write(&mut (0..100).map(row).collect()).unwrap();
        writer.finish().unwrap();
    });
    assert_eq!((watch.stats().handed_on, watch.stats().refused), (99, 1), "{:?}", watch.stats());
}

/// A sink that keeps what it was given only once it has answered a barrier, and refuses what is no number.
#[derive(Clone, Debug, Default)]
struct Careful(Arc<Mutex<(Vec<i64>, Vec<i64>)>>);

impl Sink for Careful {
    type Item = Features;
    type Writer = Self;

    fn name(&self) -> String {
        "careful".into()
    }

    fn placement(&self) -> Placement {
        Placement::Inline
    }

    fn open(&self, _: &SinkContext) -> Result<Self, SinkError> {
        Ok(self.clone())
    }
}

impl SinkWriter for Careful {
    type Item = Features;

    fn write(&mut self, items: &mut Vec<Features>) -> Result<(), SinkError> {
        let (bad, good): (Vec<Features>, _) = items.drain(..).partition(|item| item.values[0].is_nan());
        self.0.lock().unwrap().0.extend(good.iter().map(|item| item.info.index));
        *items = bad;
        let (what, expected, found) = ("value", "a number".into(), "none".into());
        if items.is_empty() {
            Ok(())
        } else {
            Err(SinkError::Layout { sink: self.name(), what, expected, found })
        }
    }

    fn barrier(&mut self, _: u64) -> Result<Positions, SinkError> {
        let (given, kept) = &mut *self.0.lock().unwrap();
        kept.append(given);
        Ok(Positions::default())
    }
}

#[test]
fn what_was_taken_beside_what_is_refused_is_durable_before_it_counts() {
    let (scratch, sink) = (Scratch::new().unwrap(), Careful::default());
    let outbox = Outbox::new(sink.clone(), scratch.file("outbox"), hurried()).unwrap();
    let (watch, mut writer) = (outbox.watch(), outbox.open(&SinkContext::default()).unwrap());
    let mut items: Vec<Features> = (0..7).map(row).collect();
    items[3].values[0] = f64::NAN;
    writer.write(&mut items).unwrap();
    writer.finish().unwrap();
    assert_eq!((watch.stats().handed_on, watch.stats().refused), (6, 1));
    let kept = sink.0.lock().unwrap().1.clone();
    assert_eq!(kept, [0, 1, 2, 4, 5, 6]);
}

#[test]
fn what_was_written_of_another_kind_is_kept_and_not_thrown_away() {
    let (scratch, table) = (Scratch::new().unwrap(), Table::default());
    let dir = scratch.file("outbox");
    // Another pipeline, or another release, has left something in the folder.
    let other = Callback::new((|_| panic!("as told")) as fn(&Decision<String>));
    let config = OutboxConfig { linger: std::time::Duration::ZERO, ..hurried() };
    let outbox = Outbox::new(other, &dir, config).unwrap();
    let mut writer = outbox.open(&SinkContext::default()).unwrap();
    let decision = |index| Decision { info: row(index).info, outcome: Ok(("left".to_owned(), 0.5)) };
    quietly(|| {
        writer.write(&mut (0..3).map(decision).collect()).unwrap();
        drop(writer);
    });
    let outbox = Outbox::new(table.clone(), &dir, hurried()).unwrap();
    let (watch, mut writer) = (outbox.watch(), outbox.open(&SinkContext::default()).unwrap());
    writer.write(&mut (0..3).map(row).collect()).unwrap();
    writer.finish().unwrap();
    drop(writer);
    assert_eq!(table.rows().order, [0, 1, 2]);
    let stats = watch.stats();
    assert_eq!((stats.refused, stats.damaged_bytes), (3, 0), "{stats:?}");
    let kept = Outbox::<Callback<_, fn(&Decision<String>)>>::refused(&dir).unwrap();
    assert_eq!(kept, (0..3).map(decision).collect::<Vec<_>>());
}
