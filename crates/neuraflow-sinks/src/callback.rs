//! A function that sees every item.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use neuraflow_core::operator::Item;
use neuraflow_core::sink::{Placement, Sink, SinkContext, SinkError, SinkWriter};

/// Calls a function with each item, on the worker that made it: it must not block, and take microseconds. With
/// several workers it is called from several threads at once; items of one stream come in order.
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicUsize, Ordering};
/// use neuraflow_core::model::Chunk;
/// use neuraflow_core::sink::{Sink, SinkContext, SinkWriter};
/// use neuraflow_sinks::Callback;
///
/// let seen = Arc::new(AtomicUsize::new(0));
/// let count = Arc::clone(&seen);
/// let sink = Callback::new(move |chunk: &Chunk| {
///     count.fetch_add(chunk.channels(), Ordering::Relaxed);
/// });
/// sink.open(&SinkContext::default())?.write(&mut vec![Chunk::new(0, 8)])?;
/// assert_eq!(seen.load(Ordering::Relaxed), 8);
/// # Ok::<(), neuraflow_core::sink::SinkError>(())
/// ```
pub struct Callback<T, F> {
    name: String,
    function: Arc<F>,
    item: PhantomData<fn(&T)>,
}

impl<T: Item, F: Fn(&T) + Send + Sync + 'static> Callback<T, F> {
    /// A sink that calls `function`.
    pub fn new(function: F) -> Self {
        Self { name: "callback".into(), function: Arc::new(function), item: PhantomData }
    }

    /// Gives it a name, to tell it from others in reports and errors.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }
}

impl<T, F> fmt::Debug for Callback<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Callback")
    }
}

impl<T: Item, F: Fn(&T) + Send + Sync + 'static> Sink for Callback<T, F> {
    type Item = T;
    type Writer = CallbackWriter<T, F>;

    fn name(&self) -> String {
        self.name.clone()
    }

    fn placement(&self) -> Placement {
        Placement::Inline
    }

    fn open(&self, _: &SinkContext) -> Result<Self::Writer, SinkError> {
        Ok(CallbackWriter { function: Arc::clone(&self.function), spent: Vec::new() })
    }
}

/// One worker's share of a [`Callback`].
pub struct CallbackWriter<T, F> {
    function: Arc<F>,
    spent: Vec<T>,
}

impl<T, F> fmt::Debug for CallbackWriter<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CallbackWriter")
    }
}

impl<T: Item, F: Fn(&T) + Send + Sync + 'static> SinkWriter for CallbackWriter<T, F> {
    type Item = T;

    fn write(&mut self, items: &mut Vec<T>) -> Result<(), SinkError> {
        self.spent.clear(); // what nobody took back
        items.iter().for_each(|item| (self.function)(item));
        std::mem::swap(items, &mut self.spent);
        Ok(())
    }

    fn spent(&mut self) -> Option<&mut Vec<T>> {
        Some(&mut self.spent)
    }
}
