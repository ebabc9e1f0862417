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

use super::deliver::{Line, in_line, into_queue};
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

    /// Starts its sink's thread, if it has one.
    fn start(&self) -> Result<(), SinkError> {
        Ok(())
    }

    /// Does once what its sink's thread would do, where that was not started. `None` if there is no such sink, else
    /// whether there was anything to write.
    #[cfg(feature = "testing")]
    fn write(&self) -> Option<bool> {
        None
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
        outbox.borrow_mut().leave(|items| {
            output.activate().session_with_builder(capability).give_container(items);
        });
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
    /// What the thread is started with.
    line: Mutex<Option<Line<S::Writer>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    tally: Arc<Tally>,
}

impl<S: Sink> SinkOutlet<S> {
    /// Makes the sink ready for a run; a sink with a thread is opened here.
    pub(super) fn open(
        sink: &Arc<S>,
        outlet: usize,
        workers: usize,
        shared: &Arc<Shared>,
    ) -> Result<Arc<dyn Outlet>, SinkError> {
        let tally = Arc::new(Tally::default());
        let name: Arc<str> = sink.name().into();
        let (sinks, line, thread) = (Mutex::default(), Mutex::new(None), Mutex::new(None));
        let mut open = Self { outlet, name, sinks, queue: None, line, thread, tally };
        if let Placement::Thread { capacity, overflow } = sink.placement() {
            let queue = Arc::new(SinkQueue::new(capacity, overflow, workers));
            let writer = sink.open(&context(shared, shared.resume.sink(&open.name)))?;
            let delivery = Delivery::new(writer, Arc::clone(shared), Arc::clone(&open.tally));
            let line = Line::new(&open.name, &queue, workers, delivery, shared);
            (open.queue, open.line) = (Some(queue), Mutex::new(Some(line)));
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

    fn start(&self) -> Result<(), SinkError> {
        let Some(line) = self.take_line() else { return Ok(()) };
        // A thread's name must not have a NUL in it; a sink's may.
        let thread = std::thread::Builder::new().name(format!("sink {}", self.name).replace('\0', "?"));
        let thread = thread.spawn(move || line.run()).map_err(|source| SinkError::Io {
            sink: self.name.to_string(),
            action: "start a thread for",
            target: "its writer".into(),
            source,
        })?;
        *self.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
        Ok(())
    }

    #[cfg(feature = "testing")]
    fn write(&self) -> Option<bool> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner).as_mut().map(Line::run_once)
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
        if let Some(line) = self.take_line() {
            line.run(); // it never had a thread
        }
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // The thread catches its own panics: joining it cannot fail.
            let _ = thread.join();
        }
    }
}

impl<S: Sink> SinkOutlet<S> {
    fn take_line(&self) -> Option<Line<S::Writer>> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn take_sink(&self) -> Option<Arc<S>> {
        self.sinks.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }
}
