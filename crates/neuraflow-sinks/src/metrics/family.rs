//! How metrics are written: each has as many series as it may have, and one called `other` for all beyond.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

/// What labels say of everything that has no series of its own.
pub(crate) const OTHER: &str = "other";

/// Names and values.
pub(crate) type Labels<'a> = &'a [(&'static str, &'a str)];

/// What becomes of values that share a series.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// A counter: their sum.
    Counter,
    /// A gauge: the largest.
    Largest,
    /// A gauge: the smallest.
    Smallest,
}

/// Writes metrics, one after the other.
pub(crate) struct Writer<'a> {
    encoder: DescriptorEncoder<'a>,
    /// Series that a metric may have, those that differ only in what they say of the same thing counted once.
    limit: usize,
    /// How many values were told under `other`, by metric.
    pub(crate) folded: BTreeMap<&'static str, u64>,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(
        encoder: DescriptorEncoder<'a>,
        limit: usize,
        folded: BTreeMap<&'static str, u64>,
    ) -> Self {
        Self { encoder, limit, folded }
    }

    pub(crate) fn family(
        &mut self,
        name: &'static str,
        help: &str,
        kind: Kind,
        fill: impl FnOnce(&mut Family),
    ) -> fmt::Result {
        let mut family =
            Family { limit: self.limit, kind, known: BTreeSet::new(), series: BTreeMap::new(), folded: 0 };
        fill(&mut family);
        if family.folded > 0 {
            *self.folded.entry(name).or_default() += family.folded;
        }
        let told = match kind {
            Kind::Counter => MetricType::Counter,
            Kind::Largest | Kind::Smallest => MetricType::Gauge,
        };
        let mut encoder = self.encoder.encode_descriptor(name, help, None, told)?;
        for (labels, value) in &family.series {
            if labels.is_empty() {
                one(&mut encoder, kind, *value)?;
            } else {
                one(&mut encoder.encode_family(labels)?, kind, *value)?;
            }
        }
        Ok(())
    }

    /// A histogram: for each label set the sum, and how many values fell into which bucket.
    pub(crate) fn histogram<'h>(
        &mut self,
        name: &'static str,
        help: &str,
        series: impl IntoIterator<Item = (Vec<(&'static str, &'h str)>, Buckets)>,
    ) -> fmt::Result {
        let mut encoder = self.encoder.encode_descriptor(name, help, None, MetricType::Histogram)?;
        for (labels, Buckets { sum, counts }) in series {
            let count = counts.iter().map(|(_, count)| count).sum();
            encoder.encode_family(&labels)?.encode_histogram::<NoLabelSet>(sum, count, &counts, None)?;
        }
        Ok(())
    }
}

fn one(encoder: &mut MetricEncoder<'_>, kind: Kind, value: f64) -> fmt::Result {
    match kind {
        Kind::Counter => encoder.encode_counter::<NoLabelSet, _, u64>(&(value as u64), None),
        Kind::Largest | Kind::Smallest => encoder.encode_gauge(&value),
    }
}

/// What a histogram holds: the sum of its values, and for each upper bound how many lie below it and above the one before.
#[derive(Debug)]
pub(crate) struct Buckets {
    pub(crate) sum: f64,
    pub(crate) counts: Vec<(f64, u64)>,
}

/// One metric with all its series.
pub(crate) struct Family {
    limit: usize,
    kind: Kind,
    known: BTreeSet<Vec<String>>,
    series: BTreeMap<Vec<(&'static str, String)>, f64>,
    folded: u64,
}

impl Family {
    /// A value. `who` it is about is a label set of which there may be too many; `what` it says of it is one of a few.
    pub(crate) fn tell(&mut self, who: Labels<'_>, what: Labels<'_>, value: f64) {
        let beyond = !self.admits(who);
        self.folded += u64::from(beyond);
        let name = |value: &str| if beyond { OTHER.to_owned() } else { value.to_owned() };
        let who = who.iter().map(|(label, value)| (*label, name(value)));
        let labels = who.chain(what.iter().map(|(label, value)| (*label, (*value).to_owned()))).collect();
        let kind = self.kind;
        let fold = |told: &mut f64| {
            *told = match kind {
                Kind::Counter => *told + value,
                Kind::Largest => told.max(value),
                Kind::Smallest => told.min(value),
            };
        };
        self.series.entry(labels).and_modify(fold).or_insert(value);
    }

    fn admits(&mut self, who: Labels<'_>) -> bool {
        let who: Vec<String> = who.iter().map(|(_, value)| (*value).to_owned()).collect();
        if who.is_empty() || self.known.contains(&who) || who.iter().all(|value| value == OTHER) {
            return true;
        }
        self.known.len() < self.limit && self.known.insert(who)
    }
}

/// Values that are kept by label set, as many as they may be. What comes beyond shares one.
#[derive(Debug)]
pub(crate) struct Bounded<const N: usize, V> {
    limit: usize,
    /// The labels from here on are of a few values each, and stay apart in what is shared.
    kept: usize,
    pub(crate) entries: BTreeMap<[String; N], V>,
    folded: u64,
}

impl<const N: usize, V> Bounded<N, V> {
    /// Where there are too many of the first `kept` labels together, they are called `other`.
    pub(crate) fn new(limit: usize, kept: usize) -> Self {
        Self { limit, kept, entries: BTreeMap::new(), folded: 0 }
    }

    pub(crate) fn entry(&mut self, labels: [&str; N], new: impl FnOnce() -> V) -> &mut V {
        let mut labels = labels.map(str::to_owned);
        if !self.entries.contains_key(&labels) && self.entries.len() >= self.limit {
            labels[..self.kept].fill(OTHER.to_owned());
        }
        self.folded += u64::from(labels[..self.kept].iter().any(|label| label == OTHER));
        self.entries.entry(labels).or_insert_with(new)
    }

    /// How many values came for which there was no room.
    pub(crate) fn folded(&self) -> u64 {
        self.folded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn family(kind: Kind) -> Family {
        Family { limit: 2, kind, known: BTreeSet::new(), series: BTreeMap::new(), folded: 0 }
    }

    #[test]
    fn beyond_its_bound_a_metric_tells_values_together() {
        for (kind, expected) in [(Kind::Counter, 7.0), (Kind::Largest, 4.0), (Kind::Smallest, 3.0)] {
            let mut family = family(kind);
            for (stream, value) in [("a", 1.0), ("b", 2.0), ("c", 3.0), ("d", 4.0)] {
                family.tell(&[("stream", stream)], &[("place", "in")], value);
            }
            family.tell(&[("stream", "a")], &[("place", "late")], 9.0);
            let told = |stream: &str, place: &str| {
                let labels = vec![("stream", stream.to_owned()), ("place", place.to_owned())];
                family.series.get(&labels).copied()
            };
            assert_eq!((told("b", "in"), told("a", "late")), (Some(2.0), Some(9.0)));
            assert_eq!((told("c", "in"), told(OTHER, "in")), (None, Some(expected)), "{kind:?}");
            assert_eq!((family.series.len(), family.folded), (4, 2));
        }
    }

    #[test]
    fn what_is_called_other_already_is_no_series_of_its_own() {
        let mut family = family(Kind::Counter);
        for stream in ["a", "other", "b", "c"] {
            family.tell(&[("stream", stream)], &[], 1.0);
        }
        assert_eq!(family.series[&vec![("stream", OTHER.to_owned())]], 2.0);
    }

    #[test]
    fn what_is_kept_has_a_bound_and_the_closed_labels_stay_apart() {
        let mut kept = Bounded::<2, u64>::new(2, 1);
        for (device, signal) in [("a", "eeg"), ("b", "eeg"), ("c", "eeg"), ("d", "ecg"), ("a", "eeg")] {
            *kept.entry([device, signal], || 0) += 1;
        }
        let found: Vec<_> =
            kept.entries.iter().map(|(key, n)| (key[0].as_str(), key[1].as_str(), *n)).collect();
        assert_eq!(found, [("a", "eeg", 2), ("b", "eeg", 1), (OTHER, "ecg", 1), (OTHER, "eeg", 1)]);
        assert_eq!(kept.folded(), 2);
    }
}
