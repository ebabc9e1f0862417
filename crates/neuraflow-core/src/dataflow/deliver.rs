//! Deliver: from an outlet of the graph into its sink.
//!
//! A sink in line is written on the worker. A sink with a thread of its own gets a bounded queue; where the queue
//! pushes back, the worker keeps the items, takes no more input, and goes on when there is room. It never waits.

use std::any::Any;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use timely::container::NoopBuilder;
use timely::dataflow::Stream;
use timely::dataflow::channels::pact::Pipeline as Local;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;

use super::error::PipelineError;
use super::ingress::{Tick, waker};
use super::plan::Outboxes;
use super::queue::SinkQueue;
use super::report::{LatencyHistogram, SinkReport};
use super::shared::Shared;
use crate::model::Recovery;
use crate::operator::Item;
use crate::sink::{Placement, Sink, SinkError, SinkWriter};

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

    /// After all workers are gone: waits for the sink to finish, and says what it did.
    fn finish(&self) -> Option<SinkReport>;
}

/// Makes an outlet ready to run on a number of workers.
pub(super) type OpenOutlet =
    Box<dyn Fn(usize, usize, &Arc<Shared>) -> Result<Arc<dyn Outlet>, SinkError> + Send + Sync>;

/// The output of the keyed operator that an outbox is emptied into.
pub(super) fn output<'scope, T: Item>(
    builder: &mut OperatorBuilder<'scope, Tick>,
    outbox: Rc<RefCell<Vec<T>>>,
) -> (Flush, Stream<'scope, Tick, Vec<T>>) {
    let (output, stream) = builder.new_output::<Vec<T>>();
    let mut output = OutputBuilder::<_, NoopBuilder<Vec<T>>>::from(output);
    let flush = move |capability: &Capability<Tick>| {
        let mut items = outbox.borrow_mut();
        if !items.is_empty() {
            output.activate().session_with_builder(capability).give_container(&mut items);
            items.clear();
        }
    };
    (Box::new(flush), stream)
}

/// What became of the items, gathered from all workers and the sink's thread.
#[derive(Default)]
struct Tally {
    written: u64,
    skipped: u64,
    latency: LatencyHistogram,
}

/// Writes batches, and keeps the tally.
struct Delivery<W> {
    writer: W,
    shared: Arc<Shared>,
    tally: Tally,
    arrivals: Vec<u64>,
    failed: bool,
}

impl<T: Item, W: SinkWriter<Item = T>> Delivery<W> {
    fn new(writer: W, shared: Arc<Shared>) -> Self {
        Self { writer, shared, tally: Tally::default(), arrivals: Vec::new(), failed: false }
    }

    fn write(&mut self, items: &mut Vec<T>) {
        if self.failed {
            self.tally.skipped += items.len() as u64;
            items.clear();
            return;
        }
        self.arrivals.clear();
        self.arrivals.extend(items.iter().filter_map(|item| item.info()).map(|info| info.arrival));
        let offered = items.len() as u64;
        let mut tries = 0;
        let mut left_out = 0;
        while let Err(error) = self.writer.write(items) {
            tries += 1;
            match error.recovery() {
                Recovery::Retry if tries < 3 && !items.is_empty() => continue,
                Recovery::Skip | Recovery::Reset => {
                    tracing::warn!(%error, "items left out");
                    left_out = 1; // at least
                }
                Recovery::Retry | Recovery::Stop => self.fail(error),
            }
            break;
        }
        // Whatever a writer leaves behind, or even adds: an item is written or skipped, never both.
        let skipped = (items.len() as u64).max(left_out).min(offered);
        self.tally.skipped += skipped;
        self.tally.written += offered - skipped;
        items.clear();
        let now = self.shared.clock.now();
        for arrival in &self.arrivals {
            self.tally.latency.record(now.saturating_sub(*arrival));
        }
    }

    fn fail(&mut self, error: SinkError) {
        self.failed = true;
        self.shared.fail(PipelineError::Sink(error));
    }

    fn finish(mut self, total: &Mutex<Tally>) {
        if !self.failed
            && let Err(error) = self.writer.finish()
        {
            self.fail(error);
        }
        let mut total = lock(total);
        total.written += self.tally.written;
        total.skipped += self.tally.skipped;
        total.latency.merge(&self.tally.latency);
    }
}

/// An outlet with a sink behind it.
pub(super) struct SinkOutlet<S: Sink> {
    outlet: usize,
    name: Arc<str>,
    /// What each worker opens its writer from, where the sink runs in line. A worker takes its own, so that the sink is
    /// let go with the last writer: a receiver at its other end then knows that all is over.
    sinks: Mutex<Vec<Arc<S>>>,
    queue: Option<Arc<SinkQueue<S::Item>>>,
    /// The places at the queue of workers that have not come to take them. They are made before any worker starts,
    /// so that the sink's thread neither ends too soon nor waits for a worker that died on the way.
    lanes: Mutex<Vec<Lane<S::Item>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    tally: Arc<Mutex<Tally>>,
}

impl<S: Sink> SinkOutlet<S> {
    /// Opens the sink for a run; a sink with a thread is opened, and its thread started, here.
    pub(super) fn open(
        sink: &Arc<S>,
        outlet: usize,
        workers: usize,
        shared: &Arc<Shared>,
    ) -> Result<Arc<dyn Outlet>, SinkError> {
        let tally = Arc::new(Mutex::new(Tally::default()));
        let name: Arc<str> = sink.name().into();
        let (sinks, lanes, thread) = (Mutex::default(), Mutex::default(), Mutex::default());
        let mut open = Self { outlet, name, sinks, queue: None, lanes, thread, tally };
        if let Placement::Thread { capacity, overflow } = sink.placement() {
            let queue = Arc::new(SinkQueue::new(capacity, overflow, workers));
            let delivery = Delivery::new(sink.open()?, Arc::clone(shared));
            let (fed, total, named) = (Arc::clone(&queue), Arc::clone(&open.tally), Arc::clone(&open.name));
            let thread = std::thread::Builder::new()
                .name(format!("sink {}", open.name))
                .spawn(move || run_thread(&named, delivery, &fed, &total))
                .map_err(|source| SinkError::Io {
                    sink: open.name.to_string(),
                    action: "start a thread for",
                    target: "its writer".into(),
                    source,
                })?;
            open.lanes = Mutex::new((0..workers).map(|_| Lane { queue: Arc::clone(&queue) }).collect());
            open.queue = Some(queue);
            open.thread = Mutex::new(Some(thread));
        } else {
            open.sinks = Mutex::new(vec![Arc::clone(sink); workers]);
        }
        Ok(Arc::new(open))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn run_thread<W: SinkWriter>(
    name: &str,
    mut delivery: Delivery<W>,
    queue: &SinkQueue<W::Item>,
    total: &Mutex<Tally>,
) where
    W::Item: Item,
{
    let shared = Arc::clone(&delivery.shared);
    let run = catch_unwind(AssertUnwindSafe(|| {
        let mut batch = Vec::new();
        while queue.take(&mut batch) {
            delivery.write(&mut batch);
            if delivery.failed {
                queue.close();
            }
        }
        delivery.finish(total);
    }));
    if let Err(panic) = run {
        queue.close();
        shared
            .fail(PipelineError::Panicked { place: format!("sink {name}"), message: panic_message(&*panic) });
    }
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
            Some(_) => into_queue(stream, lock(&self.lanes).pop(), shared),
            None => match lock(&self.sinks).pop().map(|sink| sink.open()).transpose() {
                Ok(writer) => {
                    let delivery = writer.map(|writer| Delivery::new(writer, Arc::clone(shared)));
                    in_line(stream, delivery, &self.tally);
                }
                Err(error) => shared.fail(PipelineError::Sink(error)),
            },
        }
        flush
    }

    fn finish(&self) -> Option<SinkReport> {
        lock(&self.lanes).clear();
        lock(&self.sinks).clear();
        if let Some(thread) = lock(&self.thread).take() {
            // The thread catches its own panics: joining it cannot fail.
            let _ = thread.join();
        }
        let tally = std::mem::take(&mut *lock(&self.tally));
        Some(SinkReport {
            name: Arc::clone(&self.name),
            written: tally.written,
            dropped: self.queue.as_ref().map_or(0, |queue| queue.dropped()),
            skipped: tally.skipped,
            latency: tally.latency,
        })
    }
}

/// Writes a stream's items on the worker.
fn in_line<W: SinkWriter>(
    stream: Stream<'_, Tick, Vec<W::Item>>,
    mut delivery: Option<Delivery<W>>,
    total: &Arc<Mutex<Tally>>,
) where
    W::Item: Item,
{
    let mut builder = OperatorBuilder::new("deliver".to_owned(), stream.scope());
    let mut input = builder.new_input(stream, Local);
    let total = Arc::clone(total);
    builder.build(move |_| {
        move |frontiers| {
            input.for_each(|_, items| {
                if let Some(delivery) = &mut delivery {
                    delivery.write(items);
                }
            });
            if frontiers[0].is_empty()
                && let Some(delivery) = delivery.take()
            {
                delivery.finish(&total);
            }
        }
    });
}

/// Puts a stream's items into a sink's queue.
fn into_queue<T: Item>(stream: Stream<'_, Tick, Vec<T>>, mut lane: Option<Lane<T>>, shared: &Arc<Shared>) {
    let mut builder = OperatorBuilder::new("deliver".to_owned(), stream.scope());
    let scope = stream.scope();
    let pending = Arc::new(AtomicBool::new(false));
    let activator = scope.worker().sync_activator_for(builder.operator_info().address.to_vec());
    let wake = waker(activator, Arc::clone(&pending));
    let mut input = builder.new_input(stream, Local);
    let shared = Arc::clone(shared);
    let mut backlog = VecDeque::new();
    let mut held = 0;
    builder.build_reschedule(move |_| {
        move |frontiers| {
            pending.store(false, Ordering::SeqCst);
            input.for_each(|_, items| backlog.extend(items.drain(..)));
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
