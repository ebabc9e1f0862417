//! `commit`: the moment at which a checkpoint comes to be, and what is deleted after it.

use std::collections::{BTreeMap, BTreeSet};

use super::coordinator::Checkpoints;
use super::error::CheckpointError;
use super::flight::Flight;
use super::groups::Changes;
use super::manifest::{GENERATIONS, MANIFESTS, Manifest, PARTS, Part, number_of};
use super::part::PartWriter;
use super::store::StoreError;

/// What was committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Committed {
    /// The checkpoint.
    pub number: u64,
    /// How many streams had changed.
    pub streams: usize,
    /// How many bytes of state these have.
    pub bytes: u64,
    /// How many bytes of older state were rewritten to keep the store small.
    pub rewritten: u64,
}

impl Checkpoints {
    /// Writes the checkpoint in flight. It takes about as long as writing a few times what has changed takes.
    ///
    /// # Errors
    /// [`Incomplete`](CheckpointError::Incomplete): somebody has not answered; it stays in flight. After every other error
    /// it is abandoned, and the last one that was committed is what a restart finds. After
    /// [`Damaged`](CheckpointError::Damaged) see [`wants_all_streams`](Self::wants_all_streams).
    pub fn commit(&mut self) -> Result<Committed, CheckpointError> {
        let missing = match &self.flight {
            None => Some("no checkpoint is in flight".to_owned()),
            Some(flight) => flight.missing(),
        };
        if let Some(missing) = missing {
            return Err(CheckpointError::Incomplete { missing });
        }
        let Some(flight) = self.flight.take() else {
            return Err(CheckpointError::Incomplete { missing: "no checkpoint is in flight".to_owned() });
        };
        let committed = self.take_back().and_then(|()| self.write(flight));
        self.decayed = match &committed {
            Ok(_) => false,
            Err(error) => self.decayed || error.is_damage(),
        };
        if self.in_doubt.is_none()
            && let Err(error) = self.tidy()
        {
            // The next commit tries again.
            tracing::warn!(%error, "old checkpoints could not be deleted");
        }
        committed
    }

    fn write(&mut self, flight: Flight) -> Result<Committed, CheckpointError> {
        let number = flight.number;
        let mut groups = self.groups.clone();
        let changes: BTreeMap<u16, Changes<'_>> = self
            .pending
            .iter()
            .map(|(group, changes)| {
                let states = changes.iter().map(|(key, change)| (*key, change.state.as_deref())).collect();
                (*group, states)
            })
            .collect();
        let first = Part { number, generation: self.generation, index: 0 };
        let mut out = PartWriter::new(&*self.store, self.fingerprint.hash(), first);
        let rewritten = groups.write(&*self.store, &mut out, &changes)?;
        out.finish()?;
        groups.sizes.extend(out.into_parts());
        let streams = changes.values().map(BTreeMap::len).sum();
        let states = changes.values().flat_map(BTreeMap::values);
        let bytes = states.map(|state| state.map_or(0, <[u8]>::len) as u64).sum();
        let manifest = Manifest {
            sequence: self.next_sequence,
            number,
            generation: self.generation,
            fingerprint: self.fingerprint.clone(),
            sources: flight.sources,
            sinks: flight.sinks,
            groups: groups.extents(),
        };
        self.put(manifest)?;
        self.groups = groups;
        self.pending.clear();
        Ok(Committed { number, streams, bytes, rewritten })
    }

    /// The moment at which a checkpoint comes to be.
    fn put(&mut self, manifest: Manifest) -> Result<(), CheckpointError> {
        let bytes = manifest.encode()?;
        match self.store.put_if_absent(&manifest.name(), &bytes) {
            Ok(()) => {
                self.next_sequence = self.next_sequence.saturating_add(1);
                self.kept.push_back(manifest);
                while self.kept.len() > self.keep {
                    self.kept.pop_front();
                }
                Ok(())
            }
            Err(StoreError::Exists { name }) => Err(CheckpointError::Overtaken { file: name }),
            Err(error) => {
                self.in_doubt = Some(manifest);
                if let Err(error) = self.take_back() {
                    tracing::warn!(%error, "a checkpoint that failed could not be taken back yet");
                }
                Err(error.into())
            }
        }
    }

    /// A manifest whose `put` failed may be there all the same. It is taken back before anything else is written: its
    /// place in the chain is needed, and what it refers to is about to be deleted.
    fn take_back(&mut self) -> Result<(), CheckpointError> {
        let Some(manifest) = &self.in_doubt else { return Ok(()) };
        let name = manifest.name();
        match self.store.get(&name) {
            Err(StoreError::Missing { .. }) => {}
            Err(error) => return Err(error.into()),
            Ok(bytes) if Manifest::decode(&name, &bytes)?.generation == manifest.generation => {
                self.store.delete(&name)?;
            }
            Ok(_) => return Err(CheckpointError::Overtaken { file: name }),
        }
        self.in_doubt = None;
        Ok(())
    }

    /// Deletes what no manifest that is kept refers to.
    fn tidy(&self) -> Result<(), StoreError> {
        let sequences: BTreeSet<u64> = self.kept.iter().map(|manifest| manifest.sequence).collect();
        for name in self.store.list(MANIFESTS)? {
            let old = |sequence| sequence < self.next_sequence && !sequences.contains(&sequence);
            if number_of(MANIFESTS, &name).is_some_and(old) {
                self.store.delete(&name)?;
            }
        }
        let pinned: BTreeSet<Part> = self
            .kept
            .iter()
            .flat_map(|manifest| manifest.groups.values().flatten())
            .map(|e| e.part)
            .collect();
        for name in self.store.list(PARTS)? {
            // A later generation is somebody who has taken over.
            let old = |part: Part| part.generation <= self.generation && !pinned.contains(&part);
            if Part::of_name(&name).is_some_and(old) {
                self.store.delete(&name)?;
            }
        }
        for name in self.store.list(GENERATIONS)? {
            if number_of(GENERATIONS, &name).is_some_and(|generation| generation < self.generation) {
                self.store.delete(&name)?;
            }
        }
        Ok(())
    }
}
