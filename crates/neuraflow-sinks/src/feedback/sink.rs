//! The sink behind every method of a session: makes a message of each item, and publishes it.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use neuraflow_core::operator::Item;
use neuraflow_core::resilience::Clock;
use neuraflow_core::sink::{Placement, Sink, SinkContext, SinkError, SinkWriter};

use super::channel::Draft;
use super::error::FeedbackError;
use super::once::Once;
use super::session::Session;
use super::suppress::{Gate, Moment, Rules};

/// Makes a message of an item, at a time of the pipeline's clock.
type Make<T> = Box<dyn FnMut(T, u64) -> Draft + Send>;
/// Says what an item is about, and makes the sign of life that is left of one that is not published.
pub(super) struct Look<T> {
    pub(super) moment: fn(&T) -> Moment,
    pub(super) untold: fn(&T) -> Draft,
}

impl<T> Clone for Look<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Look<T> {}

/// Publishes items in a session. Made by [`Session`].
///
/// What it does not publish, it counts: [`Session::suppressed`], the session's `status` and `/metrics` have the numbers.
pub struct FeedbackSink<T> {
    session: Session,
    name: String,
    rules: Rules,
    look: Look<T>,
    make: Arc<dyn Fn() -> Make<T> + Send + Sync>,
}

impl<T> FeedbackSink<T> {
    pub(super) fn new(
        session: &Session,
        name: &str,
        max_age: Option<Duration>,
        look: Look<T>,
        make: impl Fn() -> Make<T> + Send + Sync + 'static,
    ) -> Self {
        let name = format!("feedback {}/{name}", session.name());
        let sink =
            Self { session: session.clone(), name, rules: Rules::default(), look, make: Arc::new(make) };
        sink.max_age(max_age)
    }

    /// Does not publish windows whose closing packet arrived longer ago than this. `None` publishes them however late they are,
    /// as a page that shows a recording at full speed may want it. Unless set, see
    /// [`FeedbackConfig::max_age`](super::FeedbackConfig::max_age).
    #[must_use]
    pub fn max_age(mut self, limit: Option<Duration>) -> Self {
        self.rules.max_age = limit.map(|limit| u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX));
        self
    }

    /// Publishes each window at most once, however often the process is killed and goes on from a checkpoint. How far every
    /// stream was published stands in the file at `path`, which is this sink's alone and is kept from run to run: event times
    /// that were published once are not published again before the file is removed.
    ///
    /// The file is written before the windows are published, once for each batch: one or two microseconds. It survives the end of the
    /// process, `kill -9` included. It is not forced to the disk: after a power failure its last moments may be missing, and
    /// windows of that time may be published a second time, if they are still fresh. On a file system in memory
    /// (`/run`, `/dev/shm`) no write ever waits for a disk.
    ///
    /// # Errors
    /// [`FeedbackError::Mark`] where the system refuses the file, [`FeedbackError::Unfit`] where it is another sink's, in use, or
    /// damaged.
    pub fn once(mut self, path: impl AsRef<Path>) -> Result<Self, FeedbackError> {
        self.rules.once = Some(Arc::new(Mutex::new(Once::open(path.as_ref(), &self.name)?)));
        Ok(self)
    }
}

impl<T> fmt::Debug for FeedbackSink<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FeedbackSink").field("name", &self.name).finish()
    }
}

impl<T: Item> Sink for FeedbackSink<T> {
    type Item = T;
    type Writer = FeedbackWriter<T>;

    fn name(&self) -> String {
        self.name.clone()
    }

    fn placement(&self) -> Placement {
        Placement::Inline
    }

    fn open(&self, context: &SinkContext) -> Result<FeedbackWriter<T>, SinkError> {
        Ok(FeedbackWriter {
            session: self.session.clone(),
            name: self.name.clone(),
            clock: Arc::clone(&context.clock),
            gate: Gate::new(self.rules.clone()),
            look: self.look,
            make: (self.make)(),
        })
    }
}

/// One worker's share of a [`FeedbackSink`].
pub struct FeedbackWriter<T> {
    session: Session,
    name: String,
    clock: Arc<dyn Clock>,
    gate: Gate,
    look: Look<T>,
    make: Make<T>,
}

impl<T> fmt::Debug for FeedbackWriter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FeedbackWriter").field("session", &self.session).finish()
    }
}

impl<T: Item> SinkWriter for FeedbackWriter<T> {
    type Item = T;

    fn write(&mut self, items: &mut Vec<T>) -> Result<(), SinkError> {
        let now = self.clock.now();
        let channel = &self.session.channel;
        let mut passage = self.gate.begin(now);
        let draft = |item| {
            let admitted = passage.admits(&(self.look.moment)(&item));
            if admitted { (self.make)(item, now) } else { (self.look.untold)(&item) }
        };
        let drafts: Vec<Draft> = items.drain(..).map(draft).collect();
        passage.end(&self.name, &channel.suppressions)?;
        if channel.publish(drafts) {
            self.session.bell.ring();
        }
        Ok(())
    }
}
