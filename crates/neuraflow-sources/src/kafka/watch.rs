//! What others may know of an ingest or a source while it runs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use neuraflow_core::model::Positions;
use rdkafka::config::RDKafkaLogLevel;

/// What an ingest has done since it was started. Samples count once for all channels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct IngestStats {
    /// Records that were made.
    pub records: u64,
    /// Bytes of them, before compression.
    pub bytes: u64,
    /// Samples in them.
    pub samples: u64,
    /// Records that the brokers have.
    pub delivered: u64,
    /// Records that will not arrive, the samples in them, and what was said of the first.
    pub failed: u64,
    #[allow(missing_docs)]
    pub failed_samples: u64,
    #[allow(missing_docs)]
    pub first_failure: Option<String>,
    /// Samples that were no whole number of them in their packet, and were left out.
    pub rejected: u64,
    /// How often the source was slowed, since half of the queue was on its way.
    pub slowed: u64,
    /// How often a record found the queue full, and waited: what the source's own policy is for.
    pub stalled: u64,
    /// Errors of connections.
    pub connection_errors: u64,
    /// What the last of them said, if nothing has arrived since.
    pub trouble: Option<String>,
}

/// Looks at an ingest from any thread, also after its end.
#[derive(Clone, Debug, Default)]
pub struct IngestWatch(Arc<Mutex<Told>>);

#[derive(Debug, Default)]
struct Told {
    stats: IngestStats,
    delivered: Option<Positions>,
}

impl IngestWatch {
    /// What it has done.
    pub fn stats(&self) -> IngestStats {
        lock(&self.0).stats.clone()
    }

    /// How far the source is whose records the brokers all have: an ingest that is started [from](super::IngestConfig::from) there writes
    /// all that is missing, and little twice. `None` until then, or if the source has no positions.
    pub fn delivered(&self) -> Option<Positions> {
        lock(&self.0).delivered.clone()
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut IngestStats)) {
        change(&mut lock(&self.0).stats);
    }

    pub(super) fn arrived(&self, positions: Positions) {
        lock(&self.0).delivered = Some(positions);
    }
}

/// What a source has read, all its workers together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct KafkaStats {
    /// Records that were read, those before the position aside that decoding began from.
    pub records: u64,
    /// Records that nobody can read.
    pub malformed: u64,
    /// Those of them that are among the dead letters.
    pub dead_letters: u64,
    /// Samples that were there and could not be decoded, since the frame before is missing or malformed: dropped, and told so.
    pub undecodable: u64,
    /// How many records the topic has beyond those that were read, by partition.
    pub lag: BTreeMap<u32, u64>,
    /// Partitions that the topic was given since it was opened. They are read once the source is opened again: with their number most
    /// streams change their partition, and their order is lost.
    pub added_partitions: u32,
    /// Errors of connections.
    pub connection_errors: u64,
    /// What the last of them said, if nothing was heard from a broker since: it waits.
    pub trouble: Option<String>,
}

/// Looks at a [`KafkaSource`](super::KafkaSource) from any thread.
#[derive(Clone, Debug, Default)]
pub struct KafkaWatch(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    stats: KafkaStats,
    /// Partitions that the topic had when it was opened.
    partitions: usize,
    /// Of each partition the next record to be read, and the end that its broker has told.
    offsets: BTreeMap<u32, (i64, i64)>,
}

impl KafkaWatch {
    /// What was read.
    pub fn stats(&self) -> KafkaStats {
        let known = lock(&self.0);
        let behind = |(next, end): &(i64, i64)| u64::try_from(end.saturating_sub(*next)).unwrap_or(0);
        let lag = known.offsets.iter().map(|(number, offsets)| (*number, behind(offsets))).collect();
        KafkaStats { lag, ..known.stats.clone() }
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut KafkaStats)) {
        change(&mut lock(&self.0).stats);
    }

    /// The topic is opened, and has so many partitions.
    pub(super) fn opened(&self, count: usize) {
        let mut known = lock(&self.0);
        known.partitions = count;
        known.stats.added_partitions = 0;
    }

    /// It has so many now. Beyond those of before they are read by nobody.
    pub(super) fn has_partitions(&self, count: usize) {
        let mut known = lock(&self.0);
        let added = u32::try_from(count.saturating_sub(known.partitions)).unwrap_or(u32::MAX);
        if added > known.stats.added_partitions {
            tracing::warn!(
                added,
                "partitions were added to a topic; they are read once the source is opened again"
            );
            known.stats.added_partitions = added;
        }
    }

    /// The next record of a partition is this one.
    pub(super) fn passed(&self, partition: i32, next: i64) {
        if let Ok(number) = u32::try_from(partition) {
            lock(&self.0).offsets.entry(number).or_insert((next, next)).0 = next;
        }
    }

    /// A broker says that there is nothing more in a partition: what lies before its end may be markers of transactions.
    pub(super) fn at_end(&self, partition: i32) {
        let mut known = lock(&self.0);
        known.stats.trouble = None;
        let offsets = u32::try_from(partition).ok().and_then(|number| known.offsets.get_mut(&number));
        if let Some((next, end)) = offsets {
            *next = (*end).max(*next);
        }
    }

    /// A partition, if it is one that is read, ends here.
    pub(super) fn ends(&self, partition: i32, end: i64) {
        let Ok(number) = u32::try_from(partition) else { return };
        if let Some((_, known)) = lock(&self.0).offsets.get_mut(&number) {
            *known = end.max(*known);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A line of librdkafka's own log.
pub(super) fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        RDKafkaLogLevel::Emerg
        | RDKafkaLogLevel::Alert
        | RDKafkaLogLevel::Critical
        | RDKafkaLogLevel::Error => {
            tracing::error!(facility, "{message}");
        }
        RDKafkaLogLevel::Warning => tracing::warn!(facility, "{message}"),
        RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => tracing::info!(facility, "{message}"),
        RDKafkaLogLevel::Debug => tracing::debug!(facility, "{message}"),
    }
}
