//! The door for integrators: a point of the graph as a plain Timely stream.
//!
//! End a path with [`Flow::raw`](super::Flow::raw) instead of a sink, and continue with Timely's own operators. Each
//! record is an item as a sink would get it; the timestamp is the [`Tick`] of its arrival, never event time. The
//! closure runs on every worker and must build the same operators on each.

use std::sync::Arc;

use timely::dataflow::Stream;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;

pub use timely;

pub use super::ingress::Tick;
use super::outbox::Outboxes;
use super::outlet::{Flush, Outlet, output};
use super::report::SinkReport;
use super::shared::Shared;
use crate::operator::Item;

/// A Timely stream of items.
pub type RawStream<'scope, T> = Stream<'scope, Tick, Vec<T>>;

pub(super) type RawBuild<T> = Arc<dyn Fn(RawStream<'_, T>) + Send + Sync>;

pub(super) struct RawOutlet<T> {
    outlet: usize,
    build: RawBuild<T>,
}

impl<T: Item> RawOutlet<T> {
    pub(super) fn open(outlet: usize, build: RawBuild<T>) -> Arc<dyn Outlet> {
        Arc::new(Self { outlet, build })
    }
}

impl<T: Item> Outlet for RawOutlet<T> {
    fn attach(&self, builder: &mut OperatorBuilder<'_, Tick>, outboxes: &Outboxes, _: &Arc<Shared>) -> Flush {
        let (flush, stream) = output(builder, outboxes.of::<T>(self.outlet));
        (self.build)(stream);
        flush
    }

    fn report(&self) -> Option<SinkReport> {
        None
    }

    fn finish(&self) {}
}
