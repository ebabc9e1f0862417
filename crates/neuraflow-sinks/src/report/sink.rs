//! The report's sinks: each gives what it sees to the one report.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use neuraflow_core::operator::Item;
use neuraflow_core::sink::{Placement, Sink, SinkContext, SinkError, SinkWriter};

use super::gather::Gathered;

/// What is done with an item.
type Take<T> = fn(&mut Gathered, &T) -> Result<(), SinkError>;

/// A sink of an [`HtmlReport`](super::HtmlReport). It runs on the workers: an item costs a lock and some additions.
pub struct ReportSink<T> {
    name: &'static str,
    gathered: Arc<Mutex<Gathered>>,
    take: Take<T>,
}

impl<T> ReportSink<T> {
    pub(super) fn new(name: &'static str, gathered: &Arc<Mutex<Gathered>>, take: Take<T>) -> Self {
        Self { name, gathered: Arc::clone(gathered), take }
    }
}

impl<T> fmt::Debug for ReportSink<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ReportSink").field(&self.name).finish()
    }
}

impl<T: Item> Sink for ReportSink<T> {
    type Item = T;
    type Writer = ReportWriter<T>;

    fn name(&self) -> String {
        self.name.into()
    }

    fn placement(&self) -> Placement {
        Placement::Inline
    }

    fn open(&self, _: &SinkContext) -> Result<ReportWriter<T>, SinkError> {
        Ok(ReportWriter { gathered: Arc::clone(&self.gathered), take: self.take })
    }
}

/// One worker's share of a [`ReportSink`].
pub struct ReportWriter<T> {
    gathered: Arc<Mutex<Gathered>>,
    take: Take<T>,
}

impl<T> fmt::Debug for ReportWriter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReportWriter")
    }
}

impl<T: Item> SinkWriter for ReportWriter<T> {
    type Item = T;

    /// Items that do not fit are left out and the first of them is reported; all others are taken.
    fn write(&mut self, items: &mut Vec<T>) -> Result<(), SinkError> {
        let mut gathered = self.gathered.lock().unwrap_or_else(PoisonError::into_inner);
        let mut refused = Ok(());
        for item in items.drain(..) {
            if let Err(error) = (self.take)(&mut gathered, &item) {
                refused = refused.and(Err(error));
            }
        }
        refused
    }
}
