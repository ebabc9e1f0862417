//! Finding the newest checkpoint that can be restored.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use super::coordinator::{Change, Checkpoints};
use super::encoding::Raw;
use super::envelope::{self, Kind};
use super::error::{CheckpointError, Damage, Skipped};
use super::fingerprint::{Fingerprint, Migration};
use super::groups::{Group, Groups};
use super::manifest::{Extent, GENERATIONS, MANIFESTS, Manifest, PARTS, number_of, numbered};
use super::part;
use super::record::StreamSnapshot;
use super::store::CheckpointStore;
use crate::model::{Positions, StreamKey};

/// What a checkpoint knew.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Restored {
    /// Its number.
    pub number: u64,
    /// Which life of the pipeline wrote it.
    pub generation: u64,
    /// How far each source was.
    pub sources: BTreeMap<String, Positions>,
    /// How far each sink was.
    pub sinks: BTreeMap<String, Positions>,
    /// The state of each stream.
    pub streams: BTreeMap<StreamKey, StreamSnapshot>,
    /// Newer checkpoints that are damaged, the newest first. What they covered is done again from the sources.
    pub skipped: Vec<Skipped>,
}

impl Restored {
    /// Plants a bug for tests of tests: two streams get each other's state.
    #[cfg(feature = "testing")]
    pub fn plant_wrong_key(&mut self) {
        let mut all = self.streams.values_mut();
        if let (Some(one), Some(other)) = (all.next(), all.next()) {
            std::mem::swap(&mut one.sections, &mut other.sections);
        }
    }
}

impl Checkpoints {
    /// Opens a store and reads its newest checkpoint; `None` if there is none. Where the newest is damaged, the one before
    /// takes its place, with a warning.
    ///
    /// `fingerprint` is that of the pipeline that will go on. If another one wrote the checkpoint, `migration` is asked for
    /// each stream's state; without it that is an error.
    ///
    /// # Errors
    /// The store cannot be read or written; another pipeline or a newer release wrote the checkpoint; or there are
    /// checkpoints, but all are damaged.
    pub fn open(
        store: Arc<dyn CheckpointStore>,
        fingerprint: Fingerprint,
        migration: Option<Migration>,
    ) -> Result<(Self, Option<Restored>), CheckpointError> {
        // In the order of their names, which is that of their numbers. Other names are somebody else's.
        let mut names = store.list(MANIFESTS)?;
        names.retain(|name| number_of(MANIFESTS, name).is_some());
        let mut skipped = Vec::new();
        let mut found = None;
        let mut kept = Vec::new();
        for name in names.iter().rev() {
            match read_manifest(&*store, name) {
                Ok(manifest) if found.is_some() => kept.push(manifest),
                Ok(manifest) => match load(&*store, &manifest) {
                    Ok(loaded) => {
                        kept.push(manifest);
                        found = Some(loaded);
                    }
                    Err(error) => skip(&mut skipped, name, error)?,
                },
                // Older than what was found, so nothing depends on it.
                Err(error) if found.is_some() && error.is_damage() => {}
                Err(error) => skip(&mut skipped, name, error)?,
            }
        }
        if found.is_none() && !skipped.is_empty() {
            return Err(CheckpointError::NothingUsable { tried: skipped });
        }
        if names.is_empty() && !store.list(PARTS)?.is_empty() {
            // So it is after a run that ended before its first checkpoint was complete, and after manifests were removed.
            tracing::warn!("the store has parts of checkpoints but no manifest: the pipeline begins anew");
        }
        let claimed = store.list(GENERATIONS)?;
        let claimed = claimed.iter().filter_map(|name| number_of(GENERATIONS, name));
        let last = claimed.chain(kept.iter().map(|manifest| manifest.generation)).max().unwrap_or(0);
        let changed = kept.first().and_then(|newest| {
            fingerprint.first_difference(&newest.fingerprint).map(|difference| (newest, difference))
        });
        if let (Some((_, difference)), None) = (&changed, &migration) {
            let line = |line: &Option<String>| line.clone().unwrap_or_else(|| "nothing".to_owned());
            return Err(CheckpointError::ChangedPipeline {
                stage: difference.stage().to_owned(),
                expected: line(&difference.expected),
                found: line(&difference.found),
            });
        }
        let written = changed.map(|(newest, _)| newest.fingerprint.clone());
        let generation = claim(&*store, &fingerprint, last)?;
        let newest = names.last().and_then(|name| number_of(MANIFESTS, name)).unwrap_or(0);
        let mut checkpoints = Self::new(store, fingerprint, generation, newest.saturating_add(1));
        let restored = match (found, kept.first()) {
            (Some((groups, streams)), Some(manifest)) => {
                checkpoints.next_number = manifest.number.saturating_add(1);
                let mut restored = Restored {
                    number: manifest.number,
                    generation: manifest.generation,
                    sources: manifest.sources.clone(),
                    sinks: manifest.sinks.clone(),
                    streams,
                    skipped,
                };
                match (written, migration) {
                    (Some(written), Some(migration)) => {
                        checkpoints.migrate(&written, &migration, &mut restored)?;
                    }
                    _ => checkpoints.groups = groups,
                }
                Some(restored)
            }
            _ => None,
        };
        checkpoints.kept = kept.into_iter().rev().collect();
        Ok((checkpoints, restored))
    }

    /// Brings all streams into this pipeline's shape. They are written anew with the next checkpoint.
    fn migrate(
        &mut self,
        written: &Fingerprint,
        migration: &Migration,
        restored: &mut Restored,
    ) -> Result<(), CheckpointError> {
        for (key, snapshot) in std::mem::take(&mut restored.streams) {
            if let Some(snapshot) = migration.migrate(written, snapshot) {
                let change = Change { number: restored.number, state: Some(snapshot.encode()?) };
                self.pending.entry(key.group()).or_default().insert(key, change);
                restored.streams.insert(key, snapshot);
            }
        }
        Ok(())
    }
}

/// Claims the generation after `last`: of two processes that start from the same checkpoint, only one gets it.
fn claim(store: &dyn CheckpointStore, fingerprint: &Fingerprint, last: u64) -> Result<u64, CheckpointError> {
    let generation = last.saturating_add(1);
    let file = envelope::seal(Kind::Generation, fingerprint.hash(), &[]);
    store.put_if_absent(&numbered(GENERATIONS, generation), &file)?;
    Ok(generation)
}

fn read_manifest(store: &dyn CheckpointStore, name: &str) -> Result<Manifest, CheckpointError> {
    Manifest::decode(name, &store.get(name)?)
}

/// Damage is passed over, all else is an error: that a disk does not answer, or that a newer release has been here, is no
/// reason to go back to an older state.
fn skip(skipped: &mut Vec<Skipped>, name: &str, error: CheckpointError) -> Result<(), CheckpointError> {
    if !error.is_damage() {
        return Err(error);
    }
    tracing::warn!(manifest = name, %error, "a checkpoint is damaged; the one before is tried");
    skipped.push(Skipped { manifest: name.to_owned(), reason: error.to_string() });
    Ok(())
}

type Loaded = (Groups, BTreeMap<StreamKey, StreamSnapshot>);

/// Reads all that a manifest refers to.
fn load(store: &dyn CheckpointStore, manifest: &Manifest) -> Result<Loaded, CheckpointError> {
    let mut groups = Groups::default();
    let mut streams = BTreeMap::new();
    let hash = manifest.fingerprint.hash();
    for (number, extents) in &manifest.groups {
        for extent in extents {
            if let Entry::Vacant(size) = groups.sizes.entry(extent.part) {
                size.insert(part::check_part(store, extent.part, hash)?);
            }
        }
        let snapshots = load_group(store, *number, extents)?;
        let live = snapshots.keys().copied().collect();
        groups.groups.insert(*number, Group { extents: extents.clone(), live });
        streams.extend(snapshots);
    }
    Ok((groups, streams))
}

fn load_group(
    store: &dyn CheckpointStore,
    number: u16,
    extents: &[Extent],
) -> Result<BTreeMap<StreamKey, StreamSnapshot>, CheckpointError> {
    let bytes = extents.iter().map(|extent| part::read(store, extent)).collect::<Result<Vec<_>, _>>()?;
    let mut states = BTreeMap::<StreamKey, (&Extent, Raw<'_>)>::new();
    for (extent, bytes) in extents.iter().zip(&bytes) {
        for entry in part::entries(extent, bytes)? {
            match entry.state {
                Some(state) => states.insert(entry.key, (extent, state)),
                None => states.remove(&entry.key),
            };
        }
    }
    let mut snapshots = BTreeMap::new();
    for (key, (extent, state)) in states {
        let snapshot = StreamSnapshot::decode(state.0)?;
        // A state that is filed under another stream is worse than none.
        if snapshot.header.key != key || key.group() != number {
            let damage = Damage::Contradiction {
                what: "stream of a state",
                expected: format!("{key:?} in key group {}", key.group()),
                found: format!("{:?} in key group {number}", snapshot.header.key),
            };
            return Err(CheckpointError::Damaged { file: extent.part.name(), damage });
        }
        snapshots.insert(key, snapshot);
    }
    Ok(snapshots)
}
