//! The keyed operator: every stream's own chain, on the worker that its key group maps to.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use timely::dataflow::Stream;
use timely::dataflow::channels::pact::DistributorPact;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;

use super::capture::Capture;
use super::graph::Graph;
use super::ingress::Tick;
use super::outbox::Outboxes;
use super::outlet::{Flush, Outlet};
use super::report::StreamReport;
use super::shared::Shared;
use super::slab::{SlabRoute, UsedSlabs, keep};
use super::streams::Streams;
use crate::checkpoint::StreamSnapshot;
use crate::ingest::Slab;
use crate::model::StreamKey;

/// What a worker goes on from.
pub(super) type Snapshots = BTreeMap<StreamKey, StreamSnapshot>;

/// What a worker's operators have in common.
pub(super) struct Site<'a> {
    pub(super) graph: &'a Arc<Graph>,
    pub(super) outlets: &'a [Arc<dyn Outlet>],
    pub(super) shared: &'a Arc<Shared>,
    pub(super) used: &'a UsedSlabs,
    /// Stream reports are left here when the input has ended, or the operator is torn down before that.
    pub(super) reports: &'a Rc<RefCell<Vec<StreamReport>>>,
}

/// Installs the operator on this worker.
pub(super) fn keyed(
    slabs: Stream<'_, Tick, Slab>,
    site: &Site<'_>,
    capture: Option<Capture>,
    restored: Snapshots,
) {
    let (outlets, shared) = (site.outlets, site.shared);
    let outboxes = Rc::new(Outboxes::default());
    let slabs_scope = slabs.scope();
    let mut builder = OperatorBuilder::new("keyed".to_owned(), slabs_scope);
    let activator = slabs_scope.activator_for(builder.operator_info().address);
    let mut input = builder.new_input(slabs, DistributorPact(|_| SlabRoute));
    let flushes = outlets.iter().map(|outlet| outlet.attach(&mut builder, &outboxes, shared)).collect();
    let (reports, used) = (Rc::clone(site.reports), Rc::clone(site.used));
    let mut streams =
        Streams::new(Arc::clone(site.graph), Rc::clone(&outboxes), Arc::clone(shared), reports, capture);
    if let Err(misfit) = streams.restore(restored) {
        shared.fail(misfit);
    }
    let (busy, worker) = (Arc::clone(shared), slabs_scope.index());
    builder.build(move |capabilities| {
        let mut exits = Exits { flushes, capabilities };
        // What other processes are credited with once it is worked off.
        let mut abroad = Vec::new();
        move |frontiers| {
            let _busy = busy.busy(worker);
            let mut weight = 0;
            let peers = streams.shared.peers.clone();
            input.for_each(|capability, slab| {
                match peers.as_ref().and_then(|peers| peers.origin(slab).map(|from| (peers, from))) {
                    Some((peers, from)) => {
                        peers.translate(from, slab);
                        abroad.push((from, slab.weight()));
                    }
                    None => weight += slab.weight(),
                }
                if let Some(before) = streams.turn(capability.least().copied().unwrap_or_default()) {
                    streams.computed();
                    exits.leave(before);
                }
                streams.slab(slab);
                keep(&used, std::mem::take(slab));
            });
            let over = frontiers[0].is_empty();
            if over {
                streams.end_all();
            }
            streams.computed();
            exits.leave(streams.beyond());
            if !over && streams.capture(|boundary| !frontiers[0].less_than(&boundary)) {
                activator.activate();
            }
            if let Some(wait) = streams.publish(over) {
                activator.activate_after(wait); // what is not told yet is told then, if nothing else comes
            }
            if over {
                streams.leave_reports();
            }
            if weight > 0 {
                streams.shared.pressure.leave(weight);
            }
            for (from, weight) in abroad.drain(..) {
                peers.iter().for_each(|peers| peers.credit(from, weight));
            }
            exits.advance(frontiers[0].frontier().first());
        }
    });
}

/// The operator's outputs, one for each outlet of the graph.
struct Exits {
    flushes: Vec<Flush>,
    capabilities: Vec<Capability<Tick>>,
}

impl Exits {
    /// Lets out what was computed, but not under a tick before `least`.
    fn leave(&mut self, least: Option<Tick>) {
        for (flush, capability) in self.flushes.iter_mut().zip(&self.capabilities) {
            match least {
                Some(least) if least > *capability.time() => flush(&capability.delayed(&least)),
                _ => flush(capability),
            }
        }
    }

    /// The input has come as far as `tick`; `None` if it is over.
    fn advance(&mut self, tick: Option<&Tick>) {
        match tick {
            Some(tick) => {
                self.capabilities
                    .iter_mut()
                    .filter(|capability| tick > capability.time())
                    .for_each(|capability| capability.downgrade(tick));
            }
            None => self.capabilities.clear(),
        }
    }
}
