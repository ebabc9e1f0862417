//! Timeout: whoever writes waits for so long, and no longer.

use std::io;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use neuraflow_core::model::Positions;
use neuraflow_core::sink::{Placement, Sink, SinkContext, SinkError, SinkWriter};

use super::retry::off_the_worker;

/// How long to nap at most: the pipeline's clock need not be the machine's.
const NAP: Duration = Duration::from_millis(20);
/// Calls that have not come back, at most. A thread cannot be killed; beyond them nobody is called until one of them returns, but for a trial
/// now and then.
const MOST_HUNG: usize = 8;
/// How long before the first trial, and the longest between two of them: twice as long each time that one hangs too.
const TRIAL: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(3_600);

/// A sink in front of another that gives each call to it so long: a call that takes longer has failed, for a reason that may pass.
///
/// The call itself goes on, on a thread of its own, until it returns; whether it has written is not known, and the next call goes to a
/// writer that is opened anew. So the sink behind is given items again, and must write the same thing to the same place, as a
/// table with keys does. While eight calls hang, further ones fail at once and say so, except for one after a minute, the next after two,
/// and so on up to an hour: calls that never return keep nobody from a sink that is well again, and few threads are lost to one that is not. A
/// panic of the sink behind is whoever's calls, as it is without a timeout between.
///
/// ```
/// use std::time::Duration;
/// use neuraflow_core::model::Features;
/// use neuraflow_sinks::Callback;
/// use neuraflow_sinks::layer::{Outbox, OutboxConfig, Timeout};
/// # let scratch = neuraflow_core::testing::Scratch::new()?;
/// # let folder = scratch.file("outbox");
/// let table = Callback::new(|features: &Features| println!("{:?}", features.info.start));
/// let sink = Outbox::new(Timeout::new(table, Duration::from_secs(5)), folder, OutboxConfig::default())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Timeout<S> {
    inner: Arc<S>,
    limit: Duration,
    hung: Arc<Hung>,
}

impl<S> Timeout<S> {
    /// In front of `inner`; each call has so long.
    pub fn new(inner: S, limit: Duration) -> Self {
        Self { inner: Arc::new(inner), limit, hung: Arc::default() }
    }
}

/// The calls that were given up and have not come back.
#[derive(Debug, Default)]
struct Hung(Mutex<Calls>);

#[derive(Debug, Default)]
struct Calls {
    count: usize,
    /// While there are too many: when one more is made all the same, in nanoseconds of the pipeline's clock.
    trial: u64,
    /// How long the one after it waits.
    wait: Duration,
}

impl Hung {
    fn lock(&self) -> MutexGuard<'_, Calls> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether one more may be made now; if not, how long until one may.
    fn admit(&self, now: u64) -> Result<(), Duration> {
        let mut calls = self.lock();
        if calls.count < MOST_HUNG {
            return Ok(());
        }
        if now < calls.trial {
            return Err(Duration::from_nanos(calls.trial - now));
        }
        calls.put_off(now); // nobody else's turn meanwhile
        Ok(())
    }

    /// One more was given up.
    fn add(&self, now: u64) {
        let mut calls = self.lock();
        calls.count += 1;
        if calls.count == MOST_HUNG {
            calls.wait = TRIAL;
            calls.put_off(now);
        }
    }

    /// One has come back.
    fn remove(&self) {
        self.lock().count -= 1;
    }
}

impl Calls {
    fn put_off(&mut self, now: u64) {
        self.trial = now.saturating_add(u64::try_from(self.wait.as_nanos()).unwrap_or(u64::MAX));
        self.wait = self.wait.saturating_mul(2).min(LONGEST);
    }
}

impl<S: Sink> Sink for Timeout<S> {
    type Item = S::Item;
    type Writer = TimeoutWriter<S>;

    fn name(&self) -> String {
        self.inner.name()
    }

    fn placement(&self) -> Placement {
        off_the_worker(self.inner.placement())
    }

    fn open(&self, context: &SinkContext) -> Result<TimeoutWriter<S>, SinkError> {
        let mut writer = TimeoutWriter {
            inner: Arc::clone(&self.inner),
            limit: self.limit,
            hung: Arc::clone(&self.hung),
            context: context.clone(),
            line: None,
            dirty: false,
            lost: false,
        };
        writer.connect()?;
        // One that is opened anew goes on, it does not go back to the checkpoint.
        writer.context.from = None;
        Ok(writer)
    }
}

/// What is asked of the thread that has the writer.
enum Call<T> {
    Write(Vec<T>),
    Barrier(u64),
    Finish,
}

/// What it answers: what is left of the items, and what the writer said.
type Answer<T> = (Vec<T>, Result<Positions, SinkError>);

/// The way to the thread that has the writer.
#[derive(Debug)]
struct Line<T> {
    calls: Sender<Call<T>>,
    answers: Receiver<Answer<T>>,
    thread: JoinHandle<()>,
}

/// Writes through a [`Timeout`].
#[derive(Debug)]
pub struct TimeoutWriter<S: Sink> {
    inner: Arc<S>,
    limit: Duration,
    hung: Arc<Hung>,
    context: SinkContext,
    /// None after a call that took too long.
    line: Option<Line<S::Item>>,
    /// Something was written that no barrier has made durable yet.
    dirty: bool,
    /// And the writer that has it was given up: no other one's barrier can speak for it.
    lost: bool,
}

impl<S: Sink> TimeoutWriter<S> {
    /// Opens the writer, on a thread of its own.
    fn connect(&mut self) -> Result<(), SinkError> {
        if let Err(wait) = self.hung.admit(self.context.clock.now()) {
            let what = format!(
                "{MOST_HUNG} calls to it hang; none is made until one of them returns, or for a trial in {} s",
                wait.as_secs() + 1
            );
            return Err(self.too_long("open", what));
        }
        let (calls, inbox) = bounded::<Call<S::Item>>(1);
        let (outbox, answers) = bounded(1);
        let (inner, context) = (Arc::clone(&self.inner), self.context.clone());
        let serve = move || {
            let mut writer = match inner.open(&context) {
                Ok(writer) => writer,
                Err(error) => return drop(outbox.send((Vec::new(), Err(error)))),
            };
            let mut answer = (Vec::new(), Ok(Positions::default()));
            // Ends with whoever asks, or who has given up.
            while outbox.send(answer).is_ok()
                && let Ok(call) = inbox.recv()
            {
                answer = match call {
                    Call::Write(mut items) => {
                        let said = writer.write(&mut items);
                        (items, said.map(|()| Positions::default()))
                    }
                    Call::Barrier(checkpoint) => (Vec::new(), writer.barrier(checkpoint)),
                    Call::Finish => (Vec::new(), writer.finish().map(|()| Positions::default())),
                };
            }
        };
        let thread = thread::Builder::new().name("timeout".to_owned()).spawn(serve);
        let thread = thread.map_err(|source| self.io("start a thread for", source))?;
        self.line = Some(Line { calls, answers, thread });
        let opened = self.answer("open")?.1;
        if opened.is_err() {
            self.line = None; // nobody is there to be called
        }
        opened.map(|_| ())
    }

    /// Asks, and waits for the answer.
    fn call(&mut self, action: &'static str, call: Call<S::Item>) -> Result<Answer<S::Item>, SinkError> {
        if self.line.is_none() {
            self.connect()?;
        }
        if let Some(line) = &self.line {
            let _ = line.calls.send(call); // one that is gone does not answer either
        }
        self.answer(action)
    }

    fn answer(&mut self, action: &'static str) -> Result<Answer<S::Item>, SinkError> {
        let Some(line) = self.line.take() else { return Err(self.gone(action)) };
        let limit = u64::try_from(self.limit.as_nanos()).unwrap_or(u64::MAX);
        let until = self.context.clock.now().saturating_add(limit);
        loop {
            match line.answers.recv_timeout(NAP.min(self.limit)) {
                Ok(answer) => {
                    self.line = Some(line);
                    return Ok(answer);
                }
                Err(RecvTimeoutError::Disconnected) => {
                    self.lost |= self.dirty;
                    // It has ended without an answer.
                    return line
                        .thread
                        .join()
                        .map_or_else(|panic| resume_unwind(panic), |()| Err(self.gone(action)));
                }
                Err(RecvTimeoutError::Timeout) if self.context.clock.now() < until => {}
                Err(RecvTimeoutError::Timeout) => {
                    self.lost |= self.dirty;
                    self.give_up(line);
                    return Err(self.too_long(action, format!("no answer within {:?}", self.limit)));
                }
            }
        }
    }

    /// Leaves a call to itself. It counts as hung until it returns.
    fn give_up(&self, line: Line<S::Item>) {
        let hung = Arc::clone(&self.hung);
        hung.add(self.context.clock.now());
        let Line { calls, answers, .. } = line;
        drop(calls);
        let watch = move || {
            let _ = answers.recv();
            hung.remove();
        };
        // Without a thread to watch it, it counts as hung for good.
        let _ = thread::Builder::new().name("timeout: hung".to_owned()).spawn(watch);
    }

    fn io(&self, action: &'static str, source: io::Error) -> SinkError {
        let target = self.inner.name();
        SinkError::Io { sink: "timeout".to_owned(), action, target, source }
    }

    fn too_long(&self, action: &'static str, what: String) -> SinkError {
        self.io(action, io::Error::new(io::ErrorKind::TimedOut, what))
    }

    fn gone(&self, action: &'static str) -> SinkError {
        self.io(action, io::Error::other("its thread has ended"))
    }
}

impl<S: Sink> SinkWriter for TimeoutWriter<S> {
    type Item = S::Item;

    fn write(&mut self, items: &mut Vec<S::Item>) -> Result<(), SinkError> {
        // A copy: of what is not answered, nothing comes back.
        let (left, said) = self.call("write", Call::Write(items.clone()))?;
        *items = left;
        self.dirty = true;
        said.map(|_| ())
    }

    fn barrier(&mut self, checkpoint: u64) -> Result<Positions, SinkError> {
        let said = self.call("flush", Call::Barrier(checkpoint))?.1?;
        self.settled().map(|()| said)
    }

    fn finish(&mut self) -> Result<(), SinkError> {
        self.call("finish", Call::Finish)?.1?;
        self.settled()
    }
}

impl<S: Sink> Drop for TimeoutWriter<S> {
    /// The writer is let go too when this returns, unless that takes too long: whoever opens another finds nobody in its place.
    fn drop(&mut self) {
        if let Some(Line { calls, answers, thread }) = self.line.take() {
            drop(calls);
            if matches!(answers.recv_timeout(self.limit), Err(RecvTimeoutError::Disconnected)) {
                let _ = thread.join();
            }
        }
    }
}

impl<S: Sink> TimeoutWriter<S> {
    /// All that was written is durable, unless a writer that was given up had some of it.
    fn settled(&mut self) -> Result<(), SinkError> {
        self.dirty = false;
        if std::mem::take(&mut self.lost) {
            let what = "a call took too long; what was written before it may not be durable";
            return Err(self.io("flush", io::Error::other(what)));
        }
        Ok(())
    }
}
