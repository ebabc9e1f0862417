//! The thread that looks after a journal: makes it durable at its interval, and removes the segments that nobody needs. No
//! worker and no device waits for either.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use neuraflow_core::source::SourceError;

use super::writer::{io_error, sync_folder};
use super::{Journal, SharedJournal};

/// How often it looks without an interval: what waits to be written down is not kept waiting.
const LOOK: Duration = Duration::from_millis(200);

/// What it is to do.
#[derive(Debug, Default)]
struct Orders {
    /// No checkpoint goes back behind this place.
    passed: u64,
    /// There is a new one.
    news: bool,
    over: bool,
}

#[derive(Debug, Default)]
struct Bell {
    orders: Mutex<Orders>,
    ring: Condvar,
}

impl Bell {
    fn lock(&self) -> MutexGuard<'_, Orders> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread, as the device's reader and handles see it. When it is dropped, all that was pushed is durable.
#[derive(Debug)]
pub(in crate::device) struct Keeper {
    bell: Arc<Bell>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    /// `look` is called each time, before anything is made durable; `made_room` when segments were removed.
    pub(in crate::device) fn start(
        journal: SharedJournal,
        interval: Option<Duration>,
        look: impl Fn() + Send + 'static,
        made_room: impl Fn() + Send + 'static,
    ) -> Result<Self, SourceError> {
        let bell = Arc::new(Bell::default());
        let heard = Arc::clone(&bell);
        let target = journal.dir.clone();
        let work = move || {
            let mut synced = Instant::now();
            loop {
                let (passed, over) = wait(&heard, interval.unwrap_or(LOOK));
                look();
                if remove(&journal, passed) {
                    made_room();
                }
                if over || interval.is_some_and(|interval| synced.elapsed() >= interval) {
                    sync(&journal);
                    synced = Instant::now();
                }
                if over {
                    return;
                }
            }
        };
        let thread = thread::Builder::new().name("device journal".into()).spawn(work);
        let thread = thread.map_err(|error| io_error("start a thread for", &target, error))?;
        Ok(Self { bell, thread: Some(thread) })
    }

    /// Nobody goes back behind this place any more.
    pub(in crate::device) fn passed(&self, position: u64) {
        let mut orders = self.bell.lock();
        if position > orders.passed {
            (orders.passed, orders.news) = (position, true);
            self.bell.ring.notify_one();
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.bell.lock().over = true;
        self.bell.ring.notify_one();
        if let Some(thread) = self.thread.take() {
            // The last to let go of a device may be the thread itself, when it has told of room.
            if thread.thread().id() != thread::current().id() {
                let _ = thread.join();
            }
        }
    }
}

fn wait(bell: &Bell, interval: Duration) -> (u64, bool) {
    let orders = bell.lock();
    let quiet = |orders: &mut Orders| !orders.over && !orders.news;
    let waited = bell.ring.wait_timeout_while(orders, interval, quiet);
    let (mut orders, _) = waited.unwrap_or_else(PoisonError::into_inner);
    orders.news = false;
    (orders.passed, orders.over)
}

/// Removes what nobody goes back to; whether there was anything.
fn remove(journal: &Journal, passed: u64) -> bool {
    let segments = journal.writer().passed(passed);
    let mut gone = 0;
    for segment in segments {
        match std::fs::remove_file(&segment.path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                let path = segment.path.display().to_string();
                tracing::warn!(%error, path, "a segment of a device's journal cannot be removed");
                break;
            }
            _ => gone += 1,
        }
    }
    journal.writer().forget(gone);
    gone > 0
}

fn sync(journal: &Journal) {
    let files = journal.writer().take_unsynced();
    let several = files.len() > 1;
    for file in files {
        if let Err(error) = file.sync_data() {
            tracing::error!(%error, "a device's journal cannot be made durable");
        }
    }
    if several && let Err(error) = sync_folder(&journal.dir) {
        tracing::error!(%error, "a device's journal cannot be made durable");
    }
}
