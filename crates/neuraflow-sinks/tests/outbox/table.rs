//! A table behind a network, and what befalls it.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use neuraflow_core::model::{Features, Positions};
use neuraflow_core::sink::{Placement, Sink, SinkContext, SinkError, SinkWriter};

/// A table behind a network: what was written under which number, and what befalls those who write.
#[derive(Clone, Debug, Default)]
pub struct Table {
    rows: Arc<Mutex<Rows>>,
    /// What this writer wrote last is lost, as its next barrier says, and no other's.
    lost: bool,
}

#[derive(Debug, Default)]
pub struct Rows {
    pub rows: BTreeMap<i64, f64>,
    /// The order in which rows came first.
    pub order: Vec<i64>,
    pub calls: u64,
    pub opened: u64,
    /// What happens to the next writes; nothing once they are used up.
    pub mood: Vec<Mood>,
    /// How often it has panicked over a row that it was given alone.
    pub panics: BTreeMap<i64, u32>,
    /// Panics whenever it is given this one.
    pub poison: Option<i64>,
    /// Fails as long as it is down.
    pub down: bool,
}

#[derive(Clone, Copy, Debug)]
pub enum Mood {
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
    pub fn rows(&self) -> std::sync::MutexGuard<'_, Rows> {
        self.rows.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
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
        let table = Arc::clone(&self.rows);
        let mut rows = table.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        rows.calls += 1;
        let mood = rows.mood.pop().unwrap_or(Mood::Takes);
        if rows.poison.is_some_and(|poison| items.iter().any(|item| item.info.index == poison)) {
            panic!("as told");
        }
        if rows.down {
            return Err(refused_connection());
        }
        let (bad, good): (Vec<Features>, _) = items.iter().cloned().partition(|item| item.values[0].is_nan());
        if !bad.is_empty() {
            good.iter().for_each(|item| rows.put(item));
            *items = bad;
            return Err(SinkError::Layout {
                sink: "table".into(),
                what: "value",
                expected: "a number".into(),
                found: "none".into(),
            });
        }
        let take = match mood {
            Mood::Panics => {
                if let [alone] = items.as_slice() {
                    *rows.panics.entry(alone.info.index).or_default() += 1;
                }
                items.clear();
                panic!("as told");
            }
            Mood::Loses => {
                self.lost = true;
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
        if std::mem::take(&mut self.lost) { Err(refused_connection()) } else { Ok(Positions::default()) }
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
