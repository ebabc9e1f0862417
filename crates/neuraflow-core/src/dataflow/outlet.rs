//! Outlets: where a graph's paths end, and the sinks behind them.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use timely::container::NoopBuilder;
use timely::dataflow::Stream;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;

use super::deliver::{Thread, in_line, into_queue};
use super::delivery::{Delivery, Tally};
use super::error::PipelineError;
use super::ingress::Tick;
use super::outbox::{Outbox, Outboxes};
use super::queue::SinkQueue;
use super::report::SinkReport;
use super::shared::Shared;
use crate::model::Positions;
use crate::operator::Item;
use crate::sink::{Placement, Sink, SinkContext, SinkError};

/// Sends what an outbox holds on its way, under a capability.
pub(super) type Flush = Box<dyn FnMut(&Capability<Tick>)>;

/// One outlet of the graph, whatever its item type. Shared by all workers of a run.
pub(super) trait Outlet: Send + Sync {
    /// Gives the keyed operator an output for this outlet, and connects what follows.
    fn attach(
        &self,
        builder: &mut OperatorBuilder<'_, Tick>,
        outboxes: &Outboxes,
        shared: &Arc<Shared>,
    ) -> Flush;

    /// The name of its sink, if checkpoints wait for it: it has a thread, and what it made durable is kept.
    fn answers(&self) -> Option<Arc<str>> {
        None
    }

    /// The checkpoint with this number is given up: nothing waits for it any more.
    fn release(&self, number: u64) {
        let _ = number;
    }

    /// What its sink has done so far.
    fn report(&self) -> Option<SinkReport>;

    /// After all workers are gone: waits for the sink to finish.
    fn finish(&self);
}

/// Makes an outlet ready to run on a number of workers.
pub(super) type OpenOutlet =
    Box<dyn Fn(usize, usize, &Arc<Shared>) -> Result<Arc<dyn Outlet>, SinkError> + Send + Sync>;

/// The output of the keyed operator that an outbox is emptied into.
pub(super) fn output<'scope, T: Item>(
    builder: &mut OperatorBuilder<'scope, Tick>,
    outbox: Rc<RefCell<Outbox<T>>>,
) -> (Flush, Stream<'scope, Tick, Vec<T>>) {
    let (output, stream) = builder.new_output::<Vec<T>>();
    let mut output = OutputBuilder::<_, NoopBuilder<Vec<T>>>::from(output);
    let flush = move |capability: &Capability<Tick>| {
        let mut outbox = outbox.borrow_mut();
        let items = outbox.items();
        if !items.is_empty() {
            output.activate().session_with_builder(capability).give_container(items);
            items.clear();
        }
    };
    (Box::new(flush), stream)
}

/// An outlet with a sink behind it.
pub(super) struct SinkOutlet<S: Sink> {
    outlet: usize,
    name: Arc<str>,
    /// What each worker opens its writer from, where the sink runs in line. A worker takes its own, so that the sink is
    /// let go with the last writer: a receiver at its other end then knows that all is over.
    sinks: Mutex<Vec<Arc<S>>>,
    queue: Option<Arc<SinkQueue<S::Item>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    tally: Arc<Tally>,
}

impl<S: Sink> SinkOutlet<S> {
    /// Opens the sink for a run; a sink with a thread is opened, and its thread started, here.
    pub(super) fn open(
        sink: &Arc<S>,
        outlet: usize,
        workers: usize,
        shared: &Arc<Shared>,
    ) -> Result<Arc<dyn Outlet>, SinkError> {
        let tally = Arc::new(Tally::default());
        let name: Arc<str> = sink.name().into();
        let mut open =
            Self { outlet, name, sinks: Mutex::default(), queue: None, thread: Mutex::new(None), tally };
        if let Placement::Thread { capacity, overflow } = sink.placement() {
            let queue = Arc::new(SinkQueue::new(capacity, overflow, workers));
            let writer = sink.open(&context(shared, shared.resume.sink(&open.name)))?;
            let delivery = Delivery::new(writer, Arc::clone(shared), Arc::clone(&open.tally));
            let (queue_of_thread, name) = (Arc::clone(&queue), Arc::clone(&open.name));
            let line = Thread { name, queue: queue_of_thread, workers, shared: Arc::clone(shared) };
            let thread = std::thread::Builder::new()
                .name(format!("sink {}", open.name))
                .spawn(move || line.run(delivery))
                .map_err(|source| SinkError::Io {
                    sink: open.name.to_string(),
                    action: "start a thread for",
                    target: "its writer".into(),
                    source,
                })?;
            open.queue = Some(queue);
            open.thread = Mutex::new(Some(thread));
        } else {
            open.sinks = Mutex::new(vec![Arc::clone(sink); workers]);
        }
        Ok(Arc::new(open))
    }
}

fn context(shared: &Shared, from: Option<Positions>) -> SinkContext {
    SinkContext { clock: Arc::clone(&shared.clock), from }
}

impl<S: Sink> Outlet for SinkOutlet<S> {
    fn attach(
        &self,
        builder: &mut OperatorBuilder<'_, Tick>,
        outboxes: &Outboxes,
        shared: &Arc<Shared>,
    ) -> Flush {
        let (flush, stream) = output(builder, outboxes.of::<S::Item>(self.outlet));
        match &self.queue {
            Some(queue) => into_queue(stream, queue, outboxes.flushed(), shared),
            None => match self.take_sink().map(|sink| sink.open(&context(shared, None))).transpose() {
                Ok(writer) => {
                    let tally = Arc::clone(&self.tally);
                    let delivery = writer.map(|writer| Delivery::new(writer, Arc::clone(shared), tally));
                    let outbox = outboxes.of::<S::Item>(self.outlet);
                    in_line(stream, delivery, outbox, outboxes.flushed(), shared);
                }
                Err(error) => shared.fail(PipelineError::Sink(error)),
            },
        }
        flush
    }

    fn answers(&self) -> Option<Arc<str>> {
        self.queue.as_ref().map(|_| Arc::clone(&self.name))
    }

    fn release(&self, number: u64) {
        self.queue.iter().for_each(|queue| queue.release(number));
    }

    fn report(&self) -> Option<SinkReport> {
        let counts = self.tally.counts();
        Some(SinkReport {
            name: Arc::clone(&self.name),
            written: counts.written,
            dropped: self.queue.as_ref().map_or(0, |queue| queue.dropped()),
            skipped: counts.skipped,
            output: counts.output,
            latency: counts.total,
        })
    }

    fn finish(&self) {
        while self.take_sink().is_some() {} // of workers that never came
        if let Some(queue) = &self.queue {
            queue.end();
        }
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // The thread catches its own panics: joining it cannot fail.
            let _ = thread.join();
        }
    }
}

impl<S: Sink> SinkOutlet<S> {
    fn take_sink(&self) -> Option<Arc<S>> {
        self.sinks.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }
}
