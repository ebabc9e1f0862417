//! Naming: whose a position is.
//!
//! A checkpoint keeps how far sources and sinks have come by their names. In a cluster every process has its own of each,
//! and its number goes before the name.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::Positions;

/// How far sources or sinks have come, by their names.
pub(super) type Places = BTreeMap<String, Positions>;

/// How one process names its own.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Naming(Option<usize>);

impl Naming {
    /// Of the process with this number in a cluster.
    pub(super) fn of(process: usize) -> Self {
        Self(Some(process))
    }

    /// What checkpoints call a source or sink of this process.
    pub(super) fn name(self, bare: &str) -> String {
        self.0.map_or_else(|| bare.to_owned(), |process| format!("{process}/{bare}"))
    }

    fn bare(self, name: &str) -> &str {
        let apart = name.split_once('/').filter(|_| self.0.is_some());
        apart.map_or(name, |(_, bare)| bare)
    }

    fn owns(self, name: &str) -> bool {
        self.name(self.bare(name)) == name
    }

    /// Where this process's sources go on. With another number of workers a part may have been read by another process, which
    /// then knows best; of what more than one has (each reads a device of its own) this process's own counts.
    pub(super) fn sources(self, all: &Places) -> Places {
        let mut sources = Places::new();
        for own in [false, true] {
            for (name, at) in all.iter().filter(|(name, _)| self.owns(name) == own) {
                sources.entry(self.bare(name).to_owned()).or_default().absorb(at.clone());
            }
        }
        sources
    }

    /// Where this process's sinks go on.
    pub(super) fn sinks(self, all: &Places) -> Places {
        let own = all.iter().filter(|(name, _)| self.owns(name));
        own.map(|(name, at)| (self.bare(name).to_owned(), at.clone())).collect()
    }

    /// What was restored and nobody has told of since: a part that nobody reads any more stays where it was. One that another
    /// process reads now does not, or its old place would be taken for the newest when it moves back.
    pub(super) fn untold(self, restored: &Places, told: &Places) -> Places {
        let mut known = BTreeMap::<&str, BTreeSet<&str>>::new();
        for (name, at) in told {
            known.entry(self.bare(name)).or_default().extend(at.iter().map(|(part, _)| part));
        }
        let mut untold = Places::new();
        for (name, at) in restored {
            let known = known.get(self.bare(name));
            for (part, at) in at.iter().filter(|(part, _)| known.is_none_or(|known| !known.contains(part))) {
                untold.entry(name.clone()).or_default().set(part, at);
            }
        }
        untold
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(all: &[(&str, &[(&str, u64)])]) -> Places {
        let mut places = Places::new();
        for (name, parts) in all {
            let positions = places.entry((*name).to_owned()).or_default();
            parts.iter().for_each(|(part, at)| positions.set(*part, *at));
        }
        places
    }

    #[test]
    fn alone_a_name_is_a_name() {
        let all = places(&[("tape/1", &[("a", 1), ("b", 2)])]);
        let naming = Naming::default();
        assert_eq!(naming.name("tape/1"), "tape/1");
        assert_eq!((naming.sources(&all), naming.sinks(&all)), (all.clone(), all.clone()));
        let told = places(&[("tape/1", &[("b", 7)])]);
        assert_eq!(naming.untold(&all, &told), places(&[("tape/1", &[("a", 1)])]));
    }

    #[test]
    fn in_a_cluster_each_process_has_its_own_and_takes_over_from_the_others() {
        let all =
            places(&[("0/tape", &[("a", 1)]), ("1/tape", &[("b", 2)]), ("1/device", &[("samples", 5)])]);
        let all = [all, places(&[("0/device", &[("samples", 4)])])].into_iter().flatten().collect();
        for (process, samples) in [(0, 4), (1, 5)] {
            let expected = places(&[("tape", &[("a", 1), ("b", 2)]), ("device", &[("samples", samples)])]);
            assert_eq!(Naming::of(process).sources(&all), expected);
        }
        assert_eq!(
            Naming::of(1).sinks(&all),
            places(&[("tape", &[("b", 2)]), ("device", &[("samples", 5)])])
        );
    }

    #[test]
    fn a_part_that_has_moved_leaves_no_place_behind() {
        let restored = places(&[("0/tape", &[("a", 1)]), ("1/tape", &[("b", 2), ("c", 3)])]);
        let told = places(&[("0/tape", &[("a", 4), ("b", 5)])]);
        assert_eq!(Naming::of(0).untold(&restored, &told), places(&[("1/tape", &[("c", 3)])]));
    }
}
