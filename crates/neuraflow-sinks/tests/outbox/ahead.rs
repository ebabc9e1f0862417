//! How much is read at a time, and when.

use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use neuraflow_core::model::Positions;
use neuraflow_core::operator::Item;
use neuraflow_core::sink::{Placement, Sink, SinkContext, SinkError, SinkWriter};
use neuraflow_core::testing::Scratch;
use neuraflow_sinks::Callback;
use neuraflow_sinks::layer::{Outbox, OutboxConfig};
use serde::{Deserialize, Deserializer, Serialize};

use crate::{hurried, until};

static READ: AtomicUsize = AtomicUsize::new(0);

/// An item that is counted when it is read from the disk.
#[derive(Clone, Debug, Serialize)]
struct Counted(u64);

impl Item for Counted {
    type Spec = ();
}

impl<'de> Deserialize<'de> for Counted {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let item = u64::deserialize(deserializer).map(Self);
        READ.fetch_add(1, Ordering::Relaxed);
        item
    }
}

/// A sink whose writes last until something more was read than it has been given, as long as there is more. At first it is away.
#[derive(Clone, Debug, Default)]
struct Patient(Arc<Known>);

#[derive(Debug, Default)]
struct Known {
    there: AtomicBool,
    /// What came, and how often it waited in vain.
    came: Mutex<(Vec<u64>, usize)>,
}

const ITEMS: usize = 100;

impl Sink for Patient {
    type Item = Counted;
    type Writer = Self;

    fn name(&self) -> String {
        "patient".into()
    }

    fn placement(&self) -> Placement {
        Placement::Inline
    }

    fn open(&self, _: &SinkContext) -> Result<Self, SinkError> {
        Ok(self.clone())
    }
}

impl SinkWriter for Patient {
    type Item = Counted;

    fn write(&mut self, items: &mut Vec<Counted>) -> Result<(), SinkError> {
        if !self.0.there.load(Ordering::Acquire) {
            let (sink, target) = (self.name(), "far away".into());
            return Err(SinkError::Io {
                sink,
                action: "write",
                target,
                source: ErrorKind::NotConnected.into(),
            });
        }
        let (came, in_vain) = &mut *self.0.came.lock().unwrap();
        came.extend(items.drain(..).map(|item| item.0));
        let begun = Instant::now();
        while READ.load(Ordering::Relaxed) <= came.len() && came.len() < ITEMS {
            if begun.elapsed() > Duration::from_secs(5) {
                *in_vain += 1;
                break;
            }
            std::thread::yield_now();
        }
        Ok(())
    }

    fn barrier(&mut self, _: u64) -> Result<Positions, SinkError> {
        Ok(Positions::default())
    }
}

#[test]
fn the_next_items_are_read_while_the_last_are_written() {
    let (scratch, sink) = (Scratch::new().unwrap(), Patient::default());
    let config = OutboxConfig { concurrency: 1, ..hurried() };
    let outbox = Outbox::new(sink.clone(), scratch.file("outbox"), config).unwrap();
    let mut writer = outbox.open(&SinkContext::default()).unwrap();
    writer.write(&mut (0..ITEMS as u64).map(Counted).collect()).unwrap();
    drop(writer);
    // What the run before has left is on the disk alone.
    READ.store(0, Ordering::Relaxed);
    sink.0.there.store(true, Ordering::Release);
    outbox.open(&SinkContext::default()).unwrap().finish().unwrap();
    let (came, in_vain) = &*sink.0.came.lock().unwrap();
    assert_eq!((came, *in_vain), (&(0..ITEMS as u64).collect(), 0));
}

#[test]
fn a_sink_that_keeps_up_is_handed_what_was_written_and_nothing_is_read_back() {
    // Its own type of item: others are counted at the same time.
    #[derive(Clone, Debug, Serialize)]
    struct Unread(u64);
    impl Item for Unread {
        type Spec = ();
    }
    impl<'de> Deserialize<'de> for Unread {
        fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
            panic!("it is read back")
        }
    }
    let (scratch, came) = (Scratch::new().unwrap(), Arc::new(Mutex::new(Vec::new())));
    let seen = Arc::clone(&came);
    let sink = Callback::new(move |item: &Unread| seen.lock().unwrap().push(item.0));
    let config = OutboxConfig { concurrency: 1, ..hurried() };
    let outbox = Outbox::new(sink, scratch.file("outbox"), config).unwrap();
    let (watch, mut writer) = (outbox.watch(), outbox.open(&SinkContext::default()).unwrap());
    for part in 0..20 {
        writer.write(&mut (10 * part..10 * part + 10).map(Unread).collect()).unwrap();
        until("all is handed on", Duration::from_secs(60), || watch.stats().waiting_bytes == 0);
    }
    writer.finish().unwrap();
    assert_eq!(*came.lock().unwrap(), (0..200).collect::<Vec<_>>());
}

/// A sink that notes how many items it is given at a time.
#[derive(Clone, Debug, Default)]
struct Sizes(Arc<Mutex<Vec<usize>>>);

/// An item of some bytes.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Bytes(Vec<u8>);

impl Item for Bytes {
    type Spec = ();
}

impl Sink for Sizes {
    type Item = Bytes;
    type Writer = Self;

    fn name(&self) -> String {
        "sizes".into()
    }

    fn placement(&self) -> Placement {
        Placement::Inline
    }

    fn open(&self, _: &SinkContext) -> Result<Self, SinkError> {
        Ok(self.clone())
    }
}

impl SinkWriter for Sizes {
    type Item = Bytes;

    fn write(&mut self, items: &mut Vec<Bytes>) -> Result<(), SinkError> {
        self.0.lock().unwrap().push(items.len());
        items.clear();
        Ok(())
    }

    fn barrier(&mut self, _: u64) -> Result<Positions, SinkError> {
        Ok(Positions::default())
    }
}

#[test]
fn large_items_are_read_few_at_a_time() {
    let (scratch, sink) = (Scratch::new().unwrap(), Sizes::default());
    let config = OutboxConfig { batch: 1_000, round_bytes: 3_000, max_bytes: 1 << 20, ..hurried() };
    let outbox = Outbox::new(sink.clone(), scratch.file("outbox"), config).unwrap();
    let mut writer = outbox.open(&SinkContext::default()).unwrap();
    let of = |bytes: usize| Bytes(vec![7; bytes]);
    writer.write(&mut (0..50).map(|_| of(1_000)).chain([of(50_000), of(1)]).collect()).unwrap();
    writer.finish().unwrap();
    let sizes = &*sink.0.lock().unwrap();
    assert_eq!(sizes.iter().sum::<usize>(), 52);
    assert!(sizes.iter().all(|size| *size <= 3), "{sizes:?}");
}
