//! Deliver: from an outlet of the graph into its sink.
//!
//! A sink in line is written on the worker. A sink with a thread of its own gets a bounded queue; where the queue
//! pushes back, the worker keeps the items, takes no more input, and goes on when there is room. It never waits.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use timely::container::NoopBuilder;
use timely::dataflow::Stream;
use timely::dataflow::channels::pact::Pipeline as Local;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;

use super::delivery::{Delivery, Tally};
use super::error::PipelineError;
use super::ingress::{Tick, waker};
use super::outbox::{Outbox, Outboxes};
use super::queue::SinkQueue;
use super::report::SinkReport;
use super::shared::Shared;
use crate::operator::Item;
use crate::sink::{Placement, Sink, SinkContext, SinkError, SinkWriter};

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

/// A queue of items and of when they left the operators.
type TimedQueue<T> = SinkQueue<(T, u64)>;

/// An outlet with a sink behind it.
pub(super) struct SinkOutlet<S: Sink> {
    outlet: usize,
    name: Arc<str>,
    /// What each worker opens its writer from, where the sink runs in line. A worker takes its own, so that the sink is
    /// let go with the last writer: a receiver at its other end then knows that all is over.
    sinks: Mutex<Vec<Arc<S>>>,
    queue: Option<Arc<TimedQueue<S::Item>>>,
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
            let writer = sink.open(&context(shared))?;
            let delivery = Delivery::new(writer, Arc::clone(shared), Arc::clone(&open.tally));
            let (fed, named, failing) = (Arc::clone(&queue), Arc::clone(&open.name), Arc::clone(shared));
            let thread = std::thread::Builder::new()
                .name(format!("sink {}", open.name))
                .spawn(move || run_thread(&named, delivery, &fed, &failing))
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

fn run_thread<W: SinkWriter>(
    name: &str,
    mut delivery: Delivery<W>,
    queue: &TimedQueue<W::Item>,
    shared: &Shared,
) where
    W::Item: Item,
{
    let run = catch_unwind(AssertUnwindSafe(|| {
        let (mut batch, mut items) = (Vec::new(), Vec::new());
        while queue.take(&mut batch) {
            // The oldest of a batch has waited the longest; it stands for the others.
            let flushed = batch.first().map_or(0, |(_, flushed)| *flushed);
            items.extend(batch.drain(..).map(|(item, _)| item));
            delivery.write(&mut items, flushed);
            if delivery.has_failed() {
                queue.close();
            }
        }
        delivery.finish();
    }));
    if let Err(panic) = run {
        queue.close();
        shared
            .fail(PipelineError::Panicked { place: format!("sink {name}"), message: panic_message(&*panic) });
    }
}

fn context(shared: &Shared) -> SinkContext {
    SinkContext { clock: Arc::clone(&shared.clock), from: None }
}

/// What a panic said.
pub(super) fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
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
            None => match self.take_sink().map(|sink| sink.open(&context(shared))).transpose() {
                Ok(writer) => {
                    let (shared, tally) = (Arc::clone(shared), Arc::clone(&self.tally));
                    let delivery = writer.map(|writer| Delivery::new(writer, shared, tally));
                    in_line(stream, delivery, outboxes.of::<S::Item>(self.outlet), outboxes.flushed());
                }
                Err(error) => shared.fail(PipelineError::Sink(error)),
            },
        }
        flush
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

/// Writes a stream's items on the worker.
fn in_line<W: SinkWriter>(
    stream: Stream<'_, Tick, Vec<W::Item>>,
    delivery: Option<Delivery<W>>,
    outbox: Rc<RefCell<Outbox<W::Item>>>,
    flushed: Rc<Cell<u64>>,
) where
    W::Item: Item,
{
    let mut line = InLine(delivery);
    let mut builder = OperatorBuilder::new("deliver".to_owned(), stream.scope());
    let mut input = builder.new_input(stream, Local);
    builder.build(move |_| {
        move |frontiers| {
            input.for_each(|_, items| {
                if let Some(delivery) = &mut line.0 {
                    delivery.write(items, flushed.get());
                    let mut outbox = outbox.borrow_mut();
                    if let Some(spent) = delivery.spent() {
                        outbox.take_back(spent);
                    }
                    outbox.take_memory(std::mem::take(items));
                }
            });
            if frontiers[0].is_empty()
                && let Some(delivery) = line.0.take()
            {
                delivery.finish();
            }
        }
    });
}

/// A writer on the worker. Where the pipeline fails before its input has ended, the writer is finished as the worker is
/// torn down: what it took is kept, as it is by a writer with a thread of its own.
struct InLine<W: SinkWriter>(Option<Delivery<W>>)
where
    W::Item: Item;

impl<W: SinkWriter> Drop for InLine<W>
where
    W::Item: Item,
{
    fn drop(&mut self) {
        if let Some(delivery) = self.0.take() {
            // The pipeline has an error already, and a second panic while the worker unwinds would end the process.
            let _ = catch_unwind(AssertUnwindSafe(|| delivery.finish()));
        }
    }
}

/// Puts a stream's items into a sink's queue.
fn into_queue<T: Item>(
    stream: Stream<'_, Tick, Vec<T>>,
    queue: &Arc<TimedQueue<T>>,
    flushed: Rc<Cell<u64>>,
    shared: &Arc<Shared>,
) {
    let mut builder = OperatorBuilder::new("deliver".to_owned(), stream.scope());
    let scope = stream.scope();
    let pending = Arc::new(AtomicBool::new(false));
    let activator = scope.worker().sync_activator_for(builder.operator_info().address.to_vec());
    let wake = waker(activator, Arc::clone(&pending));
    let mut input = builder.new_input(stream, Local);
    let (shared, mut lane) = (Arc::clone(shared), Some(Lane { queue: Arc::clone(queue) }));
    let mut backlog = VecDeque::new();
    let mut held = 0;
    builder.build_reschedule(move |_| {
        move |frontiers| {
            pending.store(false, Ordering::SeqCst);
            input.for_each(|_, items| backlog.extend(items.drain(..).map(|item| (item, flushed.get()))));
            if let Some(lane) = &lane
                && !backlog.is_empty()
            {
                lane.queue.offer(&mut backlog, &wake);
            }
            // Ingress may go on only once nothing is held back: hold before release, so that it never sees a false zero.
            shared.pressure.hold(backlog.len());
            shared.pressure.release(std::mem::replace(&mut held, backlog.len()));
            let done = frontiers[0].is_empty() && backlog.is_empty();
            if done {
                lane = None;
            }
            !done
        }
    });
}

/// A worker's place at a queue; leaves it when dropped, also when the worker is torn down.
struct Lane<T> {
    queue: Arc<SinkQueue<T>>,
}

impl<T> Drop for Lane<T> {
    fn drop(&mut self) {
        self.queue.leave();
    }
}
