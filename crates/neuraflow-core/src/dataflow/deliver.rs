//! Deliver: from an outlet of the graph into its sink.
//!
//! A sink in line is written on the worker. A sink with a thread of its own gets a bounded queue; where the queue
//! pushes back, the worker keeps the items, takes no more input, and goes on when there is room. It never waits.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use timely::dataflow::Stream;
use timely::dataflow::channels::pact::Pipeline as Local;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;

use super::align::{Alignment, Entry};
use super::cut::{Part, Passing};
use super::delivery::Delivery;
use super::error::PipelineError;
use super::ingress::{Tick, waker};
use super::outbox::Outbox;
use super::planted::Planted;
use super::queue::SinkQueue;
use super::shared::Shared;
use crate::operator::Item;
use crate::sink::SinkWriter;

/// A sink's end of its queue: what its thread does.
pub(super) struct Line<W: SinkWriter>
where
    W::Item: Item,
{
    name: Arc<str>,
    queue: Arc<SinkQueue<W::Item>>,
    delivery: Delivery<W>,
    shared: Arc<Shared>,
    alignment: Alignment<W::Item>,
    pauses: Pauses,
    /// What came out of the queue, and what of it is to be written now; both are empty between two turns.
    batch: Vec<Entry<W::Item>>,
    ready: Vec<(W::Item, u64)>,
    items: Vec<W::Item>,
}

impl<W: SinkWriter> Line<W>
where
    W::Item: Item,
{
    pub(super) fn new(
        name: &Arc<str>,
        queue: &Arc<SinkQueue<W::Item>>,
        workers: usize,
        delivery: Delivery<W>,
        shared: &Arc<Shared>,
    ) -> Self {
        let patient = !shared.plot.is(Planted::NoAlignment);
        Self {
            name: Arc::clone(name),
            queue: Arc::clone(queue),
            delivery,
            shared: Arc::clone(shared),
            alignment: Alignment::new(workers, patient),
            pauses: Pauses { shared: Arc::clone(shared), paused: false },
            batch: Vec::new(),
            ready: Vec::new(),
            items: Vec::new(),
        }
    }

    /// The thread's whole life: writes what comes, until nothing can follow.
    pub(super) fn run(mut self) {
        self.guarded(|line| {
            while line.queue.take(&mut line.batch) {
                line.turn();
            }
            line.alignment.release(&mut line.ready);
            line.write();
            line.delivery.finish();
        });
    }

    /// Writes what is there now. Whether that was anything.
    #[cfg(feature = "testing")]
    pub(super) fn run_once(&mut self) -> bool {
        let any = self.queue.take_now(&mut self.batch);
        self.guarded(Self::turn);
        any
    }

    /// A panic of the writer becomes the pipeline's error.
    fn guarded(&mut self, work: impl FnOnce(&mut Self)) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| work(self))) {
            self.queue.close();
            let (place, message) = (format!("sink {}", self.name), panic_message(&*panic));
            self.shared.fail(PipelineError::Panicked { place, message });
        }
    }

    /// Deals with what came out of the queue.
    fn turn(&mut self) {
        let mut batch = std::mem::take(&mut self.batch);
        for entry in batch.drain(..) {
            if let Some(number) = self.alignment.take(entry, &mut self.ready) {
                self.write();
                if let Some(cuts) = &self.shared.cuts {
                    let (sink, at) = (cuts.name(&self.name), self.delivery.barrier(number));
                    cuts.tell(Part::Sink { number, sink, at });
                }
                self.alignment.release(&mut self.ready);
            }
        }
        self.batch = batch;
        self.write();
        self.pauses.set(self.alignment.held() > self.queue.capacity());
    }

    fn write(&mut self) {
        // The oldest of a batch has waited the longest; it stands for the others.
        let flushed = self.ready.first().map_or(0, |(_, flushed)| *flushed);
        self.items.extend(self.ready.drain(..).map(|(item, _)| item));
        if !self.items.is_empty() {
            self.delivery.write(&mut self.items, flushed);
        }
        if self.delivery.has_failed() {
            self.queue.close();
        }
    }
}

/// Where more waits at a cut than the queue may hold, ingress pauses until it is over; it crosses the cut all the same.
struct Pauses {
    shared: Arc<Shared>,
    paused: bool,
}

impl Pauses {
    fn set(&mut self, pause: bool) {
        match (self.paused, pause) {
            (false, true) => self.shared.pressure.hold(1),
            (true, false) => self.shared.pressure.release(1),
            _ => {}
        }
        self.paused = pause;
    }
}

impl Drop for Pauses {
    fn drop(&mut self) {
        self.set(false);
    }
}

/// What a panic said.
pub(super) fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}

/// Writes a stream's items on the worker.
pub(super) fn in_line<W: SinkWriter>(
    stream: Stream<'_, Tick, Vec<W::Item>>,
    delivery: Option<Delivery<W>>,
    outbox: Rc<RefCell<Outbox<W::Item>>>,
    flushed: Rc<Cell<u64>>,
    shared: &Arc<Shared>,
) where
    W::Item: Item,
{
    let mut line = InLine(delivery);
    let mut passing = shared.cuts.clone().map(Passing::new);
    let (busy, worker) = (Arc::clone(shared), stream.scope().index());
    let mut builder = OperatorBuilder::new("deliver".to_owned(), stream.scope());
    let mut input = builder.new_input(stream, Local);
    builder.build(move |_| {
        move |frontiers| {
            let _busy = busy.busy(worker);
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
            // Nothing of such a sink is kept, and nothing waits for it: a stimulus must not come late for a checkpoint.
            let passed = |boundary| !frontiers[0].less_than(&boundary);
            if let Some(number) = passing.as_mut().and_then(|passing| passing.passed(passed))
                && let Some(delivery) = &mut line.0
            {
                let _ = delivery.barrier(number);
            }
            if frontiers[0].is_empty()
                && let Some(mut delivery) = line.0.take()
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
        if let Some(mut delivery) = self.0.take() {
            // The pipeline has an error already, and a second panic while the worker unwinds would end the process.
            let _ = catch_unwind(AssertUnwindSafe(|| delivery.finish()));
        }
    }
}

/// Puts a stream's items into a sink's queue.
pub(super) fn into_queue<T: Item>(
    stream: Stream<'_, Tick, Vec<T>>,
    queue: &Arc<SinkQueue<T>>,
    flushed: Rc<Cell<u64>>,
    shared: &Arc<Shared>,
) {
    let mut builder = OperatorBuilder::new("deliver".to_owned(), stream.scope());
    let scope = stream.scope();
    let worker = scope.index();
    let mut passing = shared.cuts.clone().map(Passing::new);
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
            input.for_each(|capability, items| {
                let tick = capability.least().copied().unwrap_or_default();
                let beyond = passing.as_mut().map_or(0, |passing| passing.beyond(tick));
                let entry = |item| Entry::Item { item, flushed: flushed.get(), beyond };
                backlog.extend(items.drain(..).filter(|_| !shared.plot.drops()).map(entry));
            });
            let passed = |boundary| !frontiers[0].less_than(&boundary);
            if let Some(number) = passing.as_mut().and_then(|passing| passing.passed(passed)) {
                backlog.push_back(Entry::Barrier { number, worker });
            }
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
