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
        bincode::deserialize(&bytes).unwrap_or_else(|error| {
            tracing::error!(%error, "a slab from another process could not be read");
            Self::default()
        })
    }

    fn length_in_bytes(&self) -> usize {
        let length = bincode::serialized_size(self).unwrap_or(0) as usize;
        length.next_multiple_of(8)
    }

    fn into_bytes<W: Write>(&self, writer: &mut W) {
        let length = bincode::serialized_size(self).unwrap_or(0) as usize;
        let padding = length.next_multiple_of(8) - length;
        let written = bincode::serialize_into(&mut *writer, self).map_err(|error| error.to_string());
        let padded =
            written.and_then(|()| writer.write_all(&[0; 8][..padding]).map_err(|error| error.to_string()));
        if let Err(error) = padded {
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use timely::bytes::arc::BytesMut;

    use super::*;
    use crate::ingest::{Entry, EntryBody, StreamId};
    use crate::model::{Channel, Marker, SamplingRate, StreamHeader, StreamKey, Timestamp};

    fn slab() -> Slab {
        let rate = SamplingRate::hz(250).unwrap();
        let header = StreamHeader::new(StreamKey::of_names("s", "d"), "d", rate, vec![Channel::new("Cz")]);
        let header = Arc::new(header);
        let marker = Marker::new(Timestamp::from_nanos(7), "left");
        let bodies = [
            EntryBody::Open(Arc::clone(&header)),
            EntryBody::Resume(header),
            EntryBody::Samples { sequence: 3, values: 2 },
            EntryBody::Marker(marker),
            EntryBody::Dropped { sequence: 5, samples: 1 },
            EntryBody::Silent,
            EntryBody::End { next: Some(6) },
        ];
        let stream = StreamId { reader: 5, slot: 1 };
        let entry = |body| Entry { stream, arrival: 11, body };
        Slab { worker: 3, entries: bodies.map(entry).into(), values: vec![1.5, f32::NAN] }
    }

    #[test]
    fn a_slab_reaches_another_process_as_it_was() {
        for slab in [slab(), Slab::default()] {
            let mut bytes = Vec::new();
            slab.into_bytes(&mut bytes);
            assert_eq!((bytes.len(), bytes.len() % 8), (slab.length_in_bytes(), 0));
            let there = Slab::from_bytes(BytesMut::from(bytes).freeze());
            assert_eq!(
                (there.worker, &there.entries, there.weight()),
                (slab.worker, &slab.entries, slab.weight())
            );
            let bits = |slab: &Slab| slab.values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&there), bits(&slab));
        }
    }

    #[test]
    fn half_a_slab_is_none() {
        let mut bytes = Vec::new();
        slab().into_bytes(&mut bytes);
        for length in (0..bytes.len() - 8).step_by(8) {
            let half = BytesMut::from(bytes[..length].to_vec()).freeze();
            assert_eq!(Slab::from_bytes(half), Slab::default(), "{length}");
        }
    }
}
