//! Ingest: packets on their way into the graph, gathered into one slab for each worker.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::{Control, Marker, Packet, PacketBody, Sequence, StreamHeader, StreamKey};

/// Names an open stream within one source reader; cheaper than its key on every packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StreamSlot(u32);

/// Packets of many streams bound for one worker: their heads, and all their values in one buffer.
///
/// Moving packets by the slab instead of one by one is what keeps the cost of routing at some ten nanoseconds a packet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Slab {
    /// Which worker it goes to.
    pub(crate) worker: u32,
    pub(crate) entries: Vec<Entry>,
    /// Values of all sample entries, one after another.
    pub(crate) values: Vec<f32>,
}

impl Slab {
    /// What it weighs in flow control, in values: a packet costs something too, however few values it has.
    pub(crate) fn weight(&self) -> usize {
        let payloads = self.entries.iter().map(|entry| match &entry.body {
            EntryBody::Control(control) => control.payload.len() / size_of::<f32>(),
            _ => 0,
        });
        self.values.len() + 16 * self.entries.len() + payloads.sum::<usize>()
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) stream: StreamId,
    /// Nanoseconds of the pipeline's clock.
    pub(crate) arrival: u64,
    pub(crate) body: EntryBody,
}

/// Names a stream across the whole pipeline: the reader it enters through and its slot there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct StreamId {
    pub(crate) reader: u32,
    pub(crate) slot: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum EntryBody {
    Samples {
        sequence: Sequence,
        values: u32,
    },
    Open(Arc<StreamHeader>),
    /// No packet: the stream was opened before the position that its reader goes on from.
    Resume(Arc<StreamHeader>),
    Marker(Marker),
    Dropped {
        sequence: Sequence,
        samples: u64,
    },
    Silent,
    End {
        next: Option<Sequence>,
    },
    Control(Arc<Control>),
}

/// Takes a reader's packets.
#[derive(Debug)]
pub struct Ingest {
    reader: u32,
    slabs: Vec<Slab>,
    /// Each slot's stream, and the worker that it goes to.
    open: Vec<(StreamKey, u32)>,
    by_key: HashMap<StreamKey, StreamSlot>,
    arrival: u64,
    /// Values in packets of streams that were never opened: there is no stream to account them to.
    orphans: u64,
}

impl Ingest {
    pub(crate) fn new(reader: u32, workers: usize) -> Self {
        let slabs = (0..workers).map(|worker| Slab { worker: worker as u32, ..Slab::default() }).collect();
        Self { reader, slabs, open: Vec::new(), by_key: HashMap::new(), arrival: 0, orphans: 0 }
    }

    /// Opens a stream, or opens it anew after a reconnect: its samples count from 0 again.
    pub fn open(&mut self, header: StreamHeader) -> StreamSlot {
        let slot = self.slot_of(header.key);
        self.push(slot, EntryBody::Open(Arc::new(header)));
        slot
    }

    /// Takes up a stream that was opened before the position that the reader goes on from: it gets a slot here, and goes on
    /// where the checkpoint has it instead of beginning anew. A reader does this before its first packet of the stream; to
    /// call it for a stream that has ended since does no harm.
    pub fn resume(&mut self, header: StreamHeader) -> StreamSlot {
        let slot = self.slot_of(header.key);
        self.push(slot, EntryBody::Resume(Arc::new(header)));
        slot
    }

    /// The slot of a stream, which is a new one if it has none yet.
    fn slot_of(&mut self, key: StreamKey) -> StreamSlot {
        let workers = self.slabs.len();
        *self.by_key.entry(key).or_insert_with(|| {
            self.open.push((key, key.worker(workers) as u32));
            StreamSlot(self.open.len() as u32 - 1)
        })
    }

    /// The slot of an open stream.
    pub fn slot(&self, key: &StreamKey) -> Option<StreamSlot> {
        self.by_key.get(key).copied()
    }

    /// When the packets that follow arrived, in nanoseconds of the pipeline's clock. Set to the present at each poll.
    pub fn set_arrival(&mut self, nanos: u64) {
        self.arrival = nanos;
    }

    /// When the packets that follow arrived: the present, unless it was set since.
    pub fn arrival(&self) -> u64 {
        self.arrival
    }

    /// Samples, `[sample][channel]` in microvolts; `sequence` is the device's counter at the first of them.
    pub fn samples(&mut self, slot: StreamSlot, sequence: Sequence, values: &[f32]) {
        match self.push(slot, EntryBody::Samples { sequence, values: values.len() as u32 }) {
            Some(slab) => slab.values.extend_from_slice(values),
            None => self.orphans += values.len() as u64,
        }
    }

    /// An experiment event.
    pub fn marker(&mut self, slot: StreamSlot, marker: Marker) {
        self.push(slot, EntryBody::Marker(marker));
    }

    /// Samples that arrived and were given up on the way here.
    pub fn dropped(&mut self, slot: StreamSlot, sequence: Sequence, samples: u64) {
        self.push(slot, EntryBody::Dropped { sequence, samples });
    }

    /// Nothing has been heard of the stream for longer than its timeout.
    pub fn silent(&mut self, slot: StreamSlot) {
        self.push(slot, EntryBody::Silent);
    }

    /// The stream has ended; `next` is the counter that the next sample would have had, where the device says it.
    pub fn end(&mut self, slot: StreamSlot, next: Option<Sequence>) {
        self.push(slot, EntryBody::End { next });
    }

    /// Something that an operator of the stream is told.
    pub fn control(&mut self, slot: StreamSlot, control: Control) {
        self.push(slot, EntryBody::Control(Arc::new(control)));
    }

    /// A packet as hosts and logs have it.
    pub fn packet(&mut self, packet: Packet) {
        let slot = match packet.body {
            PacketBody::Open(header) => {
                self.open(*header);
                return;
            }
            ref body => match (self.slot(&packet.stream), body) {
                (Some(slot), _) => slot,
                (None, PacketBody::Samples { values, .. }) => {
                    self.orphans += values.len() as u64;
                    return;
                }
                (None, _) => return,
            },
        };
        match packet.body {
            PacketBody::Samples { sequence, values } => self.samples(slot, sequence, &values),
            PacketBody::Marker(marker) => self.marker(slot, marker),
            PacketBody::Dropped { sequence, samples } => self.dropped(slot, sequence, samples),
            PacketBody::Silent => self.silent(slot),
            PacketBody::End { next } => self.end(slot, next),
            PacketBody::Control(control) => self.control(slot, control),
            PacketBody::Open(_) => {}
        }
    }

    /// An ingest of no pipeline: it gathers packets in their order, for a source that wraps another and must look
    /// at what that one emits (a log, a fault injector), or for a test.
    pub fn gathering() -> Self {
        Self::new(0, 1)
    }

    /// The streams that were [resumed](Self::resume) since what was gathered was taken out last, before their first packets.
    pub fn resumed(&self) -> impl Iterator<Item = &StreamHeader> {
        let entries = self.slabs.iter().flat_map(|slab| &slab.entries);
        entries.filter_map(|entry| match &entry.body {
            EntryBody::Resume(header) => Some(&**header),
            _ => None,
        })
    }

    /// Takes out what was gathered, as packets with their arrivals; in order if there is one destination. That a stream was
    /// [resumed](Self::resumed) is no packet.
    pub fn drain(&mut self) -> Vec<(u64, Packet)> {
        let mut packets = Vec::new();
        for slab in &mut self.slabs {
            let mut values = slab.values.drain(..);
            for entry in slab.entries.drain(..) {
                let Some(&(stream, _)) = self.open.get(entry.stream.slot as usize) else { continue };
                let body = match entry.body {
                    EntryBody::Samples { sequence, values: count } => PacketBody::Samples {
                        sequence,
                        values: values.by_ref().take(count as usize).collect(),
                    },
                    EntryBody::Open(header) => PacketBody::Open(Box::new((*header).clone())),
                    EntryBody::Resume(_) => continue,
                    EntryBody::Marker(marker) => PacketBody::Marker(marker),
                    EntryBody::Dropped { sequence, samples } => PacketBody::Dropped { sequence, samples },
                    EntryBody::Silent => PacketBody::Silent,
                    EntryBody::End { next } => PacketBody::End { next },
                    EntryBody::Control(control) => PacketBody::Control(Arc::unwrap_or_clone(control)),
                };
                packets.push((entry.arrival, Packet { stream, body }));
            }
        }
        packets
    }

    /// Puts an entry into the slab of its stream's worker; `None` if the stream was never opened.
    fn push(&mut self, slot: StreamSlot, body: EntryBody) -> Option<&mut Slab> {
        let (_, worker) = self.open.get(slot.0 as usize)?;
        let slab = self.slabs.get_mut(*worker as usize)?;
        let stream = StreamId { reader: self.reader, slot: slot.0 };
        slab.entries.push(Entry { stream, arrival: self.arrival, body });
        Some(slab)
    }

    /// Hands over each slab gathered since the last call, and starts new ones, in the memory of `used` ones if there are some.
    pub(crate) fn hand_over(&mut self, used: &mut Vec<Slab>, mut give: impl FnMut(&mut Slab)) {
        for (worker, slab) in self.slabs.iter_mut().enumerate() {
            if !slab.entries.is_empty() {
                slab.worker = worker as u32;
                give(slab);
                *slab = used.pop().unwrap_or_default();
                slab.entries.clear();
                slab.values.clear();
            }
        }
    }

    /// Takes the number of values that came for streams never opened, which no stream can account for.
    pub(crate) fn take_orphans(&mut self) -> u64 {
        std::mem::take(&mut self.orphans)
    }
}
