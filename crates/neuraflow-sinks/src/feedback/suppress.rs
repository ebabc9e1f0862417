//! What is not published: windows that come too late, and windows that were published before.
//!
//! What a window makes a program show or do to a person belongs to that moment. Late, or a second time after a restart, it is
//! worse than nothing.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use neuraflow_core::dataflow::StreamMarker;
use neuraflow_core::model::{StreamKey, Timestamp, WindowInfo};
use neuraflow_core::sink::SinkError;
use serde::Serialize;

use super::once::{Met, Once};

/// Windows that a session did not publish, and why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Suppressed {
    /// They were older than the sink's `max_age`.
    pub stale: u64,
    /// They were published before, by this process or one before it.
    pub repeat: u64,
}

/// The same, as workers count it.
#[derive(Debug, Default)]
pub(super) struct Suppressions {
    stale: AtomicU64,
    repeat: AtomicU64,
}

impl Suppressions {
    pub(super) fn counts(&self) -> Suppressed {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Suppressed { stale: read(&self.stale), repeat: read(&self.repeat) }
    }
}

/// What an item is about, as far as it matters here.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    stream: StreamKey,
    /// A window's end, a marker's begin.
    time: Timestamp,
    /// In nanoseconds of the pipeline's clock; a marker has none.
    arrival: Option<u64>,
}

impl Moment {
    pub(super) fn of_window(info: &WindowInfo) -> Self {
        Self { stream: info.stream.key, time: info.end, arrival: Some(info.arrival) }
    }

    pub(super) fn of_marker(item: &StreamMarker) -> Self {
        Self { stream: item.stream.key, time: item.marker.time, arrival: None }
    }
}

/// What a sink's windows have to pass.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules {
    /// Nanoseconds.
    pub(super) max_age: Option<u64>,
    pub(super) once: Option<Arc<Mutex<Once>>>,
}

/// One writer's view of its sink's rules.
#[derive(Debug)]
pub(super) struct Gate {
    rules: Rules,
    met: Met,
}

impl Gate {
    pub(super) fn new(rules: Rules) -> Self {
        Self { rules, met: Met::default() }
    }

    /// For a batch of items at `now`. Other writers of the sink wait meanwhile, if it publishes once.
    pub(super) fn begin(&mut self, now: u64) -> Passage<'_> {
        let lock = |once| Mutex::lock(once).unwrap_or_else(PoisonError::into_inner);
        let once = self.rules.once.as_deref().map(lock);
        let earliest = self.rules.max_age.map(|age| now.saturating_sub(age));
        Passage { earliest, once, met: &mut self.met, count: Suppressed::default() }
    }
}

/// A batch of items on its way through a gate.
pub(super) struct Passage<'a> {
    /// What arrived before is too old.
    earliest: Option<u64>,
    once: Option<MutexGuard<'a, Once>>,
    met: &'a mut Met,
    count: Suppressed,
}

impl Passage<'_> {
    /// Whether an item is to be published.
    pub(super) fn admits(&mut self, moment: &Moment) -> bool {
        if let (Some(earliest), Some(arrival)) = (self.earliest, moment.arrival)
            && arrival < earliest
        {
            self.count.stale += 1;
            return false;
        }
        let first =
            self.once.as_mut().is_none_or(|once| once.is_first(&moment.stream, moment.time, self.met));
        self.count.repeat += u64::from(!first);
        first
    }

    /// All were looked at: notes what will be published, before it is.
    pub(super) fn end(self, sink: &str, counts: &Suppressions) -> Result<(), SinkError> {
        if self.count != Suppressed::default() {
            counts.stale.fetch_add(self.count.stale, Ordering::Relaxed);
            counts.repeat.fetch_add(self.count.repeat, Ordering::Relaxed);
        }
        let Some(mut once) = self.once else { return Ok(()) };
        let target = once.path().display().to_string();
        once.write().map_err(|source| SinkError::Io { sink: sink.into(), action: "write", target, source })
    }
}
