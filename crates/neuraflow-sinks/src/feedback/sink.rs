//! The sink behind every method of a session: makes a message of each item, and publishes it.

use std::fmt;
use std::sync::Arc;

use neuraflow_core::operator::Item;
use neuraflow_core::resilience::Clock;
use neuraflow_core::sink::{Placement, Sink, SinkContext, SinkError, SinkWriter};

use super::channel::Draft;
use super::session::Session;

/// Makes a message of an item, at a time of the pipeline's clock.
type Make<T> = Box<dyn FnMut(T, u64) -> Draft + Send>;

/// Publishes items in a session. Made by [`Session`].
pub struct FeedbackSink<T> {
    session: Session,
    name: String,
    make: Arc<dyn Fn() -> Make<T> + Send + Sync>,
}

impl<T> FeedbackSink<T> {
    pub(super) fn new(
        session: &Session,
        name: &str,
        make: impl Fn() -> Make<T> + Send + Sync + 'static,
    ) -> Self {
        let name = format!("feedback {}/{name}", session.name());
        Self { session: session.clone(), name, make: Arc::new(make) }
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
            clock: Arc::clone(&context.clock),
            make: (self.make)(),
        })
    }
}

/// One worker's share of a [`FeedbackSink`].
pub struct FeedbackWriter<T> {
    session: Session,
    clock: Arc<dyn Clock>,
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
        let drafts: Vec<Draft> = items.drain(..).map(|item| (self.make)(item, now)).collect();
        if self.session.channel.publish(drafts) {
            self.session.bell.ring();
        }
        Ok(())
    }
}
