//! Where the state of every key group is, and how its extents are kept few.

use std::collections::BTreeMap;

use super::encoding::Raw;
use super::error::CheckpointError;
use super::manifest::{Extent, Part};
use super::part::{self, Entry, PartWriter};
use super::store::CheckpointStore;
use crate::model::StreamKey;

/// However little is new, this much may be rewritten in one commit.
const ALWAYS: u64 = 16 << 20;
/// And this many times what is new.
const FACTOR: u64 = 4;

/// A key group as the last commit left it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Group {
    /// A base and what has changed since, the oldest first.
    pub(super) extents: Vec<Extent>,
    /// The streams that have a state.
    pub(super) live: Vec<StreamKey>,
}

/// All key groups that have state, and the sizes of the parts it is in.
#[derive(Clone, Debug, Default)]
pub(super) struct Groups {
    pub(super) groups: BTreeMap<u16, Group>,
    pub(super) sizes: BTreeMap<Part, u64>,
}

/// What is new of a key group: each stream's state, or that it has none any more.
pub(super) type Changes<'a> = BTreeMap<StreamKey, Option<&'a [u8]>>;

impl Groups {
    /// The extents of a manifest.
    pub(super) fn extents(&self) -> BTreeMap<u16, Vec<Extent>> {
        self.groups.iter().map(|(number, group)| (*number, group.extents.clone())).collect()
    }

    /// Writes what is new, and rewrites some of what is old: as much as is due, but no more than a few times what is new,
    /// so that no commit takes unboundedly longer than its neighbours. Answers how many bytes were rewritten.
    pub(super) fn write(
        &mut self,
        store: &dyn CheckpointStore,
        out: &mut PartWriter<'_>,
        changes: &BTreeMap<u16, Changes<'_>>,
    ) -> Result<u64, CheckpointError> {
        let new: u64 = changes.values().map(size).sum();
        let mut budget = Budget { left: ALWAYS + FACTOR * new, spent: 0 };
        for (number, changes) in changes {
            let group = self.groups.remove(number).unwrap_or_default();
            let group = group.write(store, out, changes, &mut budget)?;
            if !group.live.is_empty() {
                self.groups.insert(*number, group);
            }
        }
        self.clean(store, out, &mut budget)?;
        Ok(budget.spent)
    }

    /// Moves extents out of parts that hold little else: a part is a file, and one small extent of a stream that fell
    /// silent would keep all of it. At least half of the bytes in all parts are in use afterwards, within the budget.
    fn clean(
        &mut self,
        store: &dyn CheckpointStore,
        out: &mut PartWriter<'_>,
        budget: &mut Budget,
    ) -> Result<(), CheckpointError> {
        let mut used = BTreeMap::<Part, u64>::new();
        for extent in self.groups.values().flat_map(|group| &group.extents) {
            *used.entry(extent.part).or_default() += extent.length;
        }
        self.sizes.retain(|part, _| used.contains_key(part));
        let size = |part: &Part| self.sizes.get(part).copied();
        let mut emptiest: Vec<_> =
            used.iter().filter_map(|(part, used)| size(part).map(|size| (*part, *used, size))).collect();
        emptiest
            .sort_by(|a, b| (u128::from(a.1) * u128::from(b.2)).cmp(&(u128::from(b.1) * u128::from(a.2))));
        let in_use: u64 = emptiest.iter().map(|(_, used, _)| used).sum();
        let unused = emptiest.iter().map(|(_, used, size)| size.saturating_sub(*used));
        let mut unused = unused.fold(0, u64::saturating_add);
        for (part, used, size) in emptiest {
            if unused <= in_use || !budget.allows(used) {
                break;
            }
            for extent in self.groups.values_mut().flat_map(|group| &mut group.extents) {
                if extent.part == part {
                    *extent = out.copy(&part::read(store, extent)?)?;
                }
            }
            self.sizes.remove(&part);
            unused = unused.saturating_sub(size.saturating_sub(used));
        }
        Ok(())
    }
}

impl Group {
    fn write(
        mut self,
        store: &dyn CheckpointStore,
        out: &mut PartWriter<'_>,
        changes: &Changes<'_>,
        budget: &mut Budget,
    ) -> Result<Self, CheckpointError> {
        // Where all is new, nothing old need be read.
        let all_new = self.live.iter().all(|key| changes.contains_key(key));
        let mut from = if all_new { 0 } else { outweighed(&self.extents, size(changes)) };
        let old: u64 = self.extents[from..].iter().map(|extent| extent.length).sum();
        if !all_new && old > 0 && !budget.allows(old) {
            from = self.extents.len();
        }
        let merged = self.extents.split_off(from);
        let bytes = match all_new {
            true => Vec::new(),
            false => merged.iter().map(|extent| part::read(store, extent)).collect::<Result<Vec<_>, _>>()?,
        };
        let mut states = BTreeMap::new();
        for (extent, bytes) in merged.iter().zip(&bytes) {
            states.extend(part::entries(extent, bytes)?.into_iter().map(|entry| (entry.key, entry.state)));
        }
        states.extend(entries_of(changes).map(|entry| (entry.key, entry.state)));
        self.live.retain(|key| !changes.contains_key(key));
        self.live.extend(changes.iter().filter(|(_, state)| state.is_some()).map(|(key, _)| *key));
        if self.extents.is_empty() {
            // Below a base there is nothing that would have to be forgotten.
            states.retain(|_, state| state.is_some());
        }
        let entries: Vec<_> = states.into_iter().map(|(key, state)| Entry { key, state }).collect();
        if !entries.is_empty() {
            self.extents.push(out.entries(&entries)?);
        }
        Ok(self)
    }
}

/// From which extent on to merge with what is new: an extent is rewritten as soon as what came after it outweighs it. So
/// every extent is longer than all after it together, there are never more than the logarithm of the state's size, and
/// every byte is rewritten about that often.
fn outweighed(extents: &[Extent], new: u64) -> usize {
    let mut after = new;
    let mut from = extents.len();
    for (n, extent) in extents.iter().enumerate().rev() {
        if extent.length <= after {
            from = n;
        }
        after += extent.length;
    }
    from
}

/// How many bytes an extent of nothing but these changes would take.
fn size(changes: &Changes<'_>) -> u64 {
    8 + entries_of(changes).map(|entry| entry.size()).sum::<u64>()
}

fn entries_of<'a>(changes: &Changes<'a>) -> impl Iterator<Item = Entry<'a>> {
    changes.iter().map(|(key, state)| Entry { key: *key, state: state.map(Raw) })
}

/// How much may still be rewritten in this commit.
#[derive(Debug)]
struct Budget {
    left: u64,
    spent: u64,
}

impl Budget {
    /// Whether `bytes` may be rewritten; takes them from the budget. What is larger than any budget has its turn when it
    /// comes first.
    fn allows(&mut self, bytes: u64) -> bool {
        if bytes > self.left && self.spent > 0 {
            return false;
        }
        self.left = self.left.saturating_sub(bytes);
        self.spent += bytes;
        true
    }
}

#[cfg(test)]
mod tests {
    use bincode::Options;

    use super::*;
    use crate::checkpoint::encoding::encoding;

    #[test]
    fn sizes_are_those_of_the_encoding() {
        let states: [(&str, Option<&[u8]>); 3] = [("a", Some(&[1, 2, 3])), ("b", None), ("c", Some(&[]))];
        let changes: Changes<'_> =
            states.into_iter().map(|(name, state)| (StreamKey::of_names("session", name), state)).collect();
        let entries: Vec<_> = entries_of(&changes).collect();
        assert_eq!(encoding().serialize(&entries).unwrap().len() as u64, size(&changes));
    }

    #[test]
    fn an_extent_is_merged_once_it_is_outweighed() {
        let lengths = |lengths: &[u64], new| {
            let part = Part { number: 1, generation: 1, index: 0 };
            let extent = |length: &u64| Extent { part, offset: 0, length: *length, checksum: 0 };
            outweighed(&lengths.iter().map(extent).collect::<Vec<_>>(), new)
        };
        assert_eq!(lengths(&[], 5), 0);
        assert_eq!(lengths(&[100], 99), 1);
        assert_eq!(lengths(&[100], 100), 0);
        assert_eq!(lengths(&[100, 40, 10], 9), 3);
        assert_eq!(lengths(&[100, 40, 10], 10), 2);
        assert_eq!(lengths(&[100, 40, 10], 30), 1);
        assert_eq!(lengths(&[100, 40, 10], 50), 0);
    }
}
