//! One hand of the thread that hands on: a writer of the sink behind, and what comes of an offer.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use neuraflow_core::model::Recovery;
use neuraflow_core::sink::{Sink, SinkContext, SinkError, SinkWriter};

/// Offers items to the sink behind, through a writer of its own.
pub(super) struct Hand<S: Sink> {
    inner: Arc<S>,
    /// None before it was opened, and after it was let go: a connection may need to be made anew.
    writer: Option<S::Writer>,
    context: SinkContext,
}

/// What came of an offer.
#[derive(Debug)]
pub(super) enum Offered {
    /// All of it, and it is durable.
    Taken,
    /// What is left of it is refused for good; the rest is durable.
    Refused(SinkError),
    /// What is left of it has to be offered again; the rest is durable.
    Failed(String),
    /// How far it came is not known: all of it has to be offered again.
    Unsure(String),
    /// The same, and whoever looked at it panicked.
    Panicked,
}

impl<S: Sink> Hand<S> {
    pub(super) fn new(inner: Arc<S>, context: SinkContext) -> Self {
        Self { inner, writer: None, context }
    }

    /// Offers items once. They are taken once the sink behind has made them durable.
    pub(super) fn offer(&mut self, items: &mut Vec<S::Item>) -> Offered {
        let (writer, inner, context) = (&mut self.writer, &self.inner, &self.context);
        let offered = items.len();
        let write = AssertUnwindSafe(|| {
            let writer = match writer {
                Some(writer) => writer,
                None => match inner.open(context) {
                    Ok(opened) => writer.insert(opened),
                    Err(error) => return Offered::Failed(error.to_string()),
                },
            };
            let said = writer.write(items);
            if items.len() < offered
                && let Err(error) = writer.barrier(0)
            {
                return Offered::Unsure(error.to_string());
            }
            match said {
                Ok(()) if items.is_empty() => Offered::Taken,
                Ok(()) => Offered::Refused(SinkError::Layout {
                    sink: inner.name(),
                    what: "items",
                    expected: "all taken where there is no error".into(),
                    found: format!("{} left", items.len()),
                }),
                Err(error) if error.recovery() == Recovery::Skip => Offered::Refused(error),
                Err(error) => Offered::Failed(error.to_string()),
            }
        });
        catch_unwind(write).unwrap_or_else(|_| {
            self.let_go();
            Offered::Panicked
        })
    }

    /// Lets the writer go: a new one is opened for the next offer.
    pub(super) fn let_go(&mut self) {
        let writer = self.writer.take();
        let _ = catch_unwind(AssertUnwindSafe(|| drop(writer))); // what it was given is durable, or is given again
    }

    /// Nothing more is offered.
    pub(super) fn finish(&mut self) {
        let finish = AssertUnwindSafe(|| self.writer.iter_mut().try_for_each(SinkWriter::finish));
        if let Ok(Err(error)) = catch_unwind(finish) {
            tracing::warn!(%error, "the sink behind an outbox");
        }
    }
}
