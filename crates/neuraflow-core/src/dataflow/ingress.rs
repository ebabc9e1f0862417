//! Ingress: the Timely source that polls one reader and puts its packets on their way as slabs.

use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use timely::container::NoopBuilder;
use timely::dataflow::operators::generic::operator::source;
use timely::dataflow::{Scope, Stream};
use timely::scheduling::activate::SyncActivator;

use super::cut::Crossing;
use super::error::PipelineError;
use super::shared::Shared;
use super::slab::UsedSlabs;
use crate::ingest::{Ingest, Slab};
use crate::source::{Polled, Source, SourceContext, SourceReader, Waker};

/// Timely's logical time here: a count of 10 ms of the pipeline's clock, in a cluster of process 0's. Never event time, so that
/// a silent device holds nobody back.
pub type Tick = u64;

pub(super) const TICK_NANOS: u64 = 10_000_000;

/// Samples asked of a reader in one activation; between activations the operators downstream get their turn.
const BUDGET: usize = 2_048;

/// Installs the operator for one source on this worker. `reader_id` is unique to the source and worker.
/// Says whether there is anything to read here.
pub(super) fn ingress<'scope>(
    scope: Scope<'scope, Tick>,
    origin: &Arc<dyn Source>,
    reader_id: u32,
    used: &UsedSlabs,
    shared: &Arc<Shared>,
) -> (Stream<'scope, Tick, Slab>, bool) {
    let (workers, worker) = (scope.peers(), scope.index());
    let mut reads = false;
    let slabs = source::<_, NoopBuilder<Slab>, _, _>(scope, "ingress", |capability, info| {
        let pending = Arc::new(AtomicBool::new(false));
        let waker = waker(scope.worker().sync_activator_for(info.address.to_vec()), Arc::clone(&pending));
        let activator = scope.activator_for(Rc::clone(&info.address));
        shared.pressure.register(waker.clone());
        shared.wake_on_stop(waker.clone());
        let name = origin.name();
        let (clock, from) = (Arc::clone(&shared.clock), shared.resume.source(&name));
        let context = SourceContext { worker, workers, waker, clock, from };
        let mut reader: Option<Box<dyn SourceReader>> = origin.open(context).unwrap_or_else(|source| {
            shared.fail(PipelineError::Source { name: name.clone(), source });
            None
        });
        reads = reader.is_some();
        let mut capability = reads.then_some(capability);
        let crossing = shared.cuts.as_ref().filter(|_| reads);
        let mut crossing = crossing.map(|cuts| Crossing::new(cuts, reader_id as usize, &name, &shared.plot));
        let mut ingest = Ingest::new(reader_id, workers);
        let (shared, used) = (Arc::clone(shared), Rc::clone(used));
        move |output| {
            let (Some(cap), Some(source)) = (capability.as_mut(), reader.as_mut()) else { return };
            let _busy = shared.busy(worker);
            pending.store(false, Ordering::SeqCst); // before draining, or a wake in between is lost
            if shared.stopping() || shared.aborted() {
                if shared.stopping() {
                    source.stopped();
                }
                (capability, reader) = (None, None);
                return;
            }
            if let Some(crossing) = &mut crossing
                && !crossing.cross(cap, source.as_mut())
            {
                return;
            }
            if !shared.pressure.admits() {
                return; // woken once there is room
            }
            let now = shared.clock.now();
            let tick = shared.peers.as_ref().map_or(now, |peers| peers.common(now)) / TICK_NANOS;
            let tick = crossing.as_ref().map_or(tick, |crossing| crossing.tick(tick));
            if tick > *cap.time() {
                cap.downgrade(&tick);
            }
            ingest.set_arrival(now);
            let polled = source.poll(&mut ingest, BUDGET);
            crossing.iter_mut().for_each(|crossing| crossing.polled(source.as_ref()));
            let mut session = output.session_with_builder(&*cap);
            ingest.hand_over(&mut used.borrow_mut(), |slab| {
                shared.pressure.enter(slab.weight());
                session.give_container(slab);
            });
            drop(session);
            shared.count_orphans(ingest.take_orphans());
            match polled {
                Ok(Polled::Ready) => activator.activate(),
                Ok(Polled::After(wait)) => activator.activate_after(wait),
                Ok(Polled::Idle) => {}
                Ok(Polled::Ended) => {
                    crossing.iter().for_each(|crossing| crossing.ended(cap, source.as_ref()));
                    (capability, reader) = (None, None);
                }
                Err(source) => {
                    shared.fail(PipelineError::Source { name: name.clone(), source });
                    (capability, reader) = (None, None);
                }
            }
        }
    });
    (slabs, reads)
}

/// Activates the operator from any thread. Wakes of a worker that is about to run anyway cost one atomic swap.
pub(super) fn waker(activator: SyncActivator, pending: Arc<AtomicBool>) -> Waker {
    let activator = Mutex::new(activator);
    Waker::new(move || {
        if !pending.swap(true, Ordering::SeqCst) {
            // An error means that the worker is gone: there is nothing left to wake.
            let _ = activator.lock().unwrap_or_else(PoisonError::into_inner).activate();
        }
    })
}
