//! Slabs as Timely containers: each is moved whole to the worker it is bound for.

use std::cell::RefCell;
use std::io::Write;
use std::rc::Rc;

use timely::Accountable;
use timely::bytes::arc::Bytes;
use timely::communication::Push;
use timely::dataflow::channels::pushers::exchange::Distributor;
use timely::dataflow::channels::{ContainerBytes, Message};
use timely::progress::Stamp;

use crate::ingest::Slab;

impl Accountable for Slab {
    fn record_count(&self) -> i64 {
        self.entries.len() as i64
    }
}

/// Only a cluster of processes encodes slabs. Timely's interface leaves no room for an error: a slab that cannot
/// be encoded travels empty, and the samples it held show up as lost in the accounting of their streams.
impl ContainerBytes for Slab {
    fn from_bytes(bytes: Bytes) -> Self {
        bincode::deserialize(&bytes).unwrap_or_default()
    }

    fn length_in_bytes(&self) -> usize {
        let length = bincode::serialized_size(self).unwrap_or(0) as usize;
        length.next_multiple_of(8)
    }

    fn into_bytes<W: Write>(&self, writer: &mut W) {
        let mut bytes = bincode::serialize(self).unwrap_or_default();
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        if let Err(error) = writer.write_all(&bytes) {
            tracing::error!(%error, "a slab could not be sent to another process");
        }
    }
}

/// Slabs whose packets were processed on this worker: its ingress fills them again.
pub(super) type UsedSlabs = Rc<RefCell<Vec<Slab>>>;

/// Slabs that are kept, and the most values that one may have room for.
const KEPT: usize = 8;
const LARGEST: usize = 1 << 20;

/// Keeps a slab for its memory.
pub(super) fn keep(used: &UsedSlabs, slab: Slab) {
    let mut used = used.borrow_mut();
    if used.len() < KEPT && slab.values.capacity() <= LARGEST {
        used.push(slab);
    }
}

/// Sends each slab to the worker written on it.
pub(super) struct SlabRoute;

impl Distributor<Slab> for SlabRoute {
    fn partition<T: Clone, P: Push<Message<T, Slab>>>(
        &mut self,
        slab: &mut Slab,
        stamp: &Stamp<T>,
        pushers: &mut [P],
    ) {
        let worker = slab.worker as usize % pushers.len();
        Message::push_at(slab, stamp.clone(), &mut pushers[worker]);
    }

    fn flush<T: Clone, P: Push<Message<T, Slab>>>(&mut self, _: &Stamp<T>, _: &mut [P]) {}
}
