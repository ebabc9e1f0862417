//! Exactly once: records are committed in transactions, and what is in the topic already is not written again.
//!
//! A checkpoint keeps how far the topic was when its results were committed. Whoever goes on from there first shuts out the writer before,
//! which decides what becomes of its last transaction, and then counts for each stream what lies beyond: so many of its next results are in the
//! topic already, since a pipeline that goes on from a checkpoint computes the same results in the same order. So it does not matter
//! whether a crash comes before or after a commit, or between the commit and the checkpoint, and a commit of which nobody knows how it ended is
//! dealt with in the same way. The first run begins at the end of the topic, and commits that as the offsets of the group that is named as
//! its transactional id: where it crashes before it has a checkpoint, the next one begins there.

use std::collections::BTreeMap;
use std::sync::Arc;

use neuraflow_core::model::{Positions, StreamKey};
use neuraflow_core::sink::SinkError;
use rdkafka::producer::Producer;

use super::client::{Client, Outgoing};
use super::committed::Committed;
use super::sink::Settings;
use super::watch::KafkaSinkWatch;
use super::writer::unanswered;

/// Bytes of results that wait for a checkpoint, before a transaction is committed without one.
const ROOM: usize = 8 << 20;
/// What positions call results that are in the topic already, before their stream's key.
const AGAIN: &str = "again ";

pub(super) struct Transactions {
    settings: Arc<Settings>,
    watch: KafkaSinkWatch,
    connection: Option<Connection>,
    /// What was taken and is not known to be committed.
    pending: Vec<Outgoing>,
    bytes: usize,
    /// Up to where the topic is accounted for, by partition.
    ends: BTreeMap<i32, i64>,
    /// How many of a stream's next results are in the topic already.
    again: BTreeMap<StreamKey, u64>,
}

/// Writes, and sees what comes of it. It is let go of where anything fails.
struct Connection {
    client: Client,
    committed: Committed,
}

impl Transactions {
    pub(super) fn open(
        settings: &Arc<Settings>,
        watch: &KafkaSinkWatch,
        from: Option<&Positions>,
    ) -> Result<Self, SinkError> {
        let (settings, watch) = (Arc::clone(settings), watch.clone());
        let (mut ends, mut again) = (BTreeMap::new(), BTreeMap::new());
        for (part, at) in from.into_iter().flat_map(Positions::iter) {
            if let Some(stream) = part.strip_prefix(AGAIN).and_then(stream_of) {
                again.insert(stream, at);
            } else if let (Some(number), Ok(at)) = (partition_of(&settings.topic, part), i64::try_from(at)) {
                ends.insert(number, at);
            }
        }
        let mut open = Self { settings, watch, connection: None, pending: Vec::new(), bytes: 0, ends, again };
        open.connect()?;
        Ok(open)
    }

    /// Takes records, but for those that are in the topic already.
    pub(super) fn take(&mut self, records: Vec<Outgoing>) -> Result<(), SinkError> {
        for record in records {
            if self.is_there(&record.stream) {
                continue;
            }
            self.bytes += record.value.len();
            self.pending.push(record);
        }
        // What is pending is taken, whether it can be committed now or not.
        if self.bytes > ROOM && self.commit().is_err() && self.bytes > 8 * ROOM {
            return Err(unanswered(&self.settings, &self.watch, "no transaction could be committed".into()));
        }
        Ok(())
    }

    /// Whether the stream's next result is in the topic already; counts it, if so.
    fn is_there(&mut self, stream: &StreamKey) -> bool {
        let Some(left) = self.again.get_mut(stream) else { return false };
        *left -= 1;
        if *left == 0 {
            self.again.remove(stream);
        }
        self.watch.change(|stats| stats.skipped += 1);
        true
    }

    /// Commits what was taken: how far the topic is then.
    pub(super) fn commit(&mut self) -> Result<Positions, SinkError> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                self.connect()?;
                return self.commit();
            }
        };
        if !self.pending.is_empty() {
            // Without the connection, if anything fails: the next one looks how it ended.
            self.transact(&connection)?;
        }
        self.connection = Some(connection);
        Ok(self.positions())
    }

    fn transact(&mut self, Connection { client, committed }: &Connection) -> Result<(), SinkError> {
        let settings = Arc::clone(&self.settings);
        let failed = |error| {
            self.watch.change(|stats| stats.failures += 1);
            settings.failed("commit to", error)
        };
        client.producer.begin_transaction().map_err(failed)?;
        let (at, fault) = client.send(&self.pending, &settings);
        if let Some(reason) = fault {
            let _ = client.producer.abort_transaction(settings.timeout);
            return Err(unanswered(&settings, &self.watch, reason));
        }
        client.producer.commit_transaction(settings.timeout).map_err(failed)?;
        // A commit that is answered is decided, and not yet marked in each partition; a broker that crashes now may never do that
        // (KAFKA-20734), and an abort would then take along what was decided. So it counts once it is seen.
        let last = last(&at);
        committed.wait_for(&last)?;
        self.ends.extend(last.into_iter().map(|(partition, offset)| (partition, offset + 1)));
        let count = self.pending.len() as u64;
        self.pending.clear();
        self.bytes = 0;
        self.watch.change(|stats| {
            stats.delivered += count;
            stats.transactions += 1;
            stats.trouble = None;
        });
        Ok(())
    }

    fn positions(&self) -> Positions {
        let mut positions = Positions::default();
        for (partition, end) in &self.ends {
            positions.set(format!("{}/{partition}", self.settings.topic), end.unsigned_abs());
        }
        for (stream, left) in &self.again {
            let hex: String = stream.to_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
            positions.set(format!("{AGAIN}{hex}"), *left);
        }
        positions
    }

    /// Shuts out whoever wrote before, ends what it has left undecided, and finds out what of it is in the topic.
    fn connect(&mut self) -> Result<(), SinkError> {
        let client = Client::connect(&self.settings, &self.watch)?;
        let committed = Committed::connect(&self.settings, client.partitions)?;
        // Also what a broker has lost the end of: an open transaction of this id is nobody's, since what counts as written was seen.
        let (swept, fault) = client.sweep(&self.settings)?;
        if let Some(reason) = fault {
            return Err(unanswered(&self.settings, &self.watch, reason));
        }
        committed.wait_for(&last(&swept))?;
        for (stream, count) in committed.count(&mut self.ends)? {
            *self.again.entry(stream).or_insert(0) += count;
        }
        // What is pending was taken before anything else will be.
        for record in std::mem::take(&mut self.pending) {
            if !self.is_there(&record.stream) {
                self.pending.push(record);
            }
        }
        self.bytes = self.pending.iter().map(|record| record.value.len()).sum();
        self.connection = Some(Connection { client, committed });
        Ok(())
    }
}

/// The last record of each partition.
fn last(at: &[Option<(i32, i64)>]) -> BTreeMap<i32, i64> {
    let mut last = BTreeMap::new();
    for (partition, offset) in at.iter().flatten() {
        let known = last.entry(*partition).or_insert(*offset);
        *known = (*known).max(*offset);
    }
    last
}

fn partition_of(topic: &str, part: &str) -> Option<i32> {
    part.strip_prefix(topic)?.strip_prefix('/')?.parse().ok()
}

fn stream_of(hex: &str) -> Option<StreamKey> {
    let bytes = (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok());
    StreamKey::from_bytes(&bytes.collect::<Option<Vec<u8>>>()?)
}
