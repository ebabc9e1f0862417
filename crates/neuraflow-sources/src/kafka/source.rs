//! A topic as a source: partitions are split over the workers, and positions are offsets.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crossbeam_channel::{Receiver, TryRecvError, bounded};
use neuraflow_core::ingest::Ingest;
use neuraflow_core::model::{Packet, PacketBody, Positions, StreamHeader};
use neuraflow_core::source::{Polled, Source, SourceContext, SourceError, SourceReader};

use super::fetch::{Batch, Place, Step, Task};
use super::topic::KafkaTopic;
use super::watch::KafkaWatch;

/// Batches that wait for the worker.
const BATCHES: usize = 4;
/// What the position of a partition's oldest needed record is called after its name.
const BASE: &str = " from";

/// Reads a topic that a [`KafkaIngest`](super::KafkaIngest) writes.
///
/// - From a checkpoint it goes on with the next record of every partition, without a consumer group and its rebalancing. Where the brokers do
///   not have that record any more it stops with [`SourceError::DataLoss`].
/// - Records that nobody can read go to the topic of [dead letters](KafkaTopic::dead_letters), counted, and stop nothing.
/// - Brokers that are away are waited for; [`watch`](Self::watch) says so. What is lost on the way is found by the device's counter.
/// - What is read is as old as it is: feedback does not act on what waited in the topic for long.
///
/// It never ends, unless it is [`bounded`](Self::bounded).
///
/// ```
/// use neuraflow_sources::kafka::{KafkaSource, KafkaTopic};
/// let source = KafkaSource::new(KafkaTopic::new("127.0.0.1:9092", "signals"));
/// let watch = source.watch();
/// assert_eq!(watch.stats().malformed, 0);
/// ```
#[derive(Clone, Debug)]
pub struct KafkaSource {
    topic: KafkaTopic,
    latest: bool,
    bounded: bool,
    watch: KafkaWatch,
}

impl KafkaSource {
    /// A source of what is in `topic`, from its beginning, and of what comes.
    pub fn new(topic: KafkaTopic) -> Self {
        Self { topic, latest: false, bounded: false, watch: KafkaWatch::default() }
    }

    /// Leaves out what is in the topic already, unless it goes on from a checkpoint.
    #[must_use]
    pub fn latest(mut self) -> Self {
        self.latest = true;
        self
    }

    /// Ends where the topic ends when it is opened.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        self.bounded = true;
        self
    }

    /// Looks on, from any thread.
    pub fn watch(&self) -> KafkaWatch {
        self.watch.clone()
    }

    /// Where positions have the partitions of this topic.
    fn places(&self, positions: &Positions) -> BTreeMap<i32, Place> {
        let prefix = format!("{}/", self.topic.name());
        let mut places = BTreeMap::new();
        for (part, at) in positions.iter() {
            let number = part.strip_prefix(&prefix).and_then(|number| number.parse().ok());
            if let (Some(number), Ok(next)) = (number, i64::try_from(at)) {
                let base = positions.get(&format!("{part}{BASE}")).and_then(|base| i64::try_from(base).ok());
                places.insert(number, Place { next, base: base.unwrap_or(next).min(next) });
            }
        }
        places
    }
}

impl Source for KafkaSource {
    fn name(&self) -> String {
        self.topic.to_string()
    }

    /// None: they are known once their records are read.
    fn streams(&self) -> Vec<StreamHeader> {
        Vec::new()
    }

    fn open(&self, context: SourceContext) -> Result<Option<Box<dyn SourceReader>>, SourceError> {
        let (out, batches) = bounded(BATCHES);
        let own = |number: &i32| {
            usize::try_from(*number).is_ok_and(|n| n % context.workers.max(1) == context.worker)
        };
        let mut places = context.from.as_ref().map_or_else(BTreeMap::new, |from| self.places(from));
        let known = !places.is_empty();
        places.retain(|number, _| own(number));
        let stop = Arc::new(AtomicBool::new(false));
        let task = Task {
            topic: self.topic.clone(),
            worker: context.worker,
            workers: context.workers,
            from: known.then(|| places.clone()),
            latest: self.latest,
            bounded: self.bounded,
            watch: self.watch.clone(),
            stop: Arc::clone(&stop),
            out,
            waker: context.waker,
        };
        let thread = std::thread::Builder::new().name("kafka source".into()).spawn(move || task.run());
        thread.map_err(|source| SourceError::Io {
            action: "start a thread to read",
            target: self.name(),
            source,
        })?;
        let steps = Vec::new().into_iter();
        let name = self.topic.name().to_owned();
        Ok(Some(Box::new(Reader { name, batches, steps, places, stop })))
    }
}

/// A worker's end of the thread that reads.
struct Reader {
    name: String,
    batches: Receiver<Batch>,
    steps: std::vec::IntoIter<Step>,
    /// Where its partitions are; at first where a checkpoint has them.
    places: BTreeMap<i32, Place>,
    stop: Arc<AtomicBool>,
}

impl Reader {
    /// Emits what a step says; how many samples, or `None` at the end.
    fn step(&mut self, step: Step, present: i64, now: u64, out: &mut Ingest) -> Option<usize> {
        match step {
            Step::Resume(header) => drop(out.resume(header)),
            Step::Packet(stream, body, written) => {
                let age = written.and_then(|written| u64::try_from(present.saturating_sub(written)).ok());
                out.set_arrival(now.saturating_sub(age.unwrap_or(0).saturating_mul(1_000_000)));
                let samples = match &body {
                    PacketBody::Samples { values, .. } => values.len(),
                    _ => 1,
                };
                out.packet(Packet { stream, body });
                return Some(samples);
            }
            Step::Passed(partition, place) => drop(self.places.insert(partition, place)),
            Step::Ended => return None,
        }
        Some(0)
    }
}

impl SourceReader for Reader {
    fn poll(&mut self, out: &mut Ingest, budget: usize) -> Result<Polled, SourceError> {
        let now = out.arrival();
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let present = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
        let mut spent = 0;
        let polled = loop {
            let Some(step) = self.steps.next() else {
                match self.batches.try_recv() {
                    Ok(batch) => self.steps = batch?.into_iter(),
                    Err(TryRecvError::Empty) => break Polled::Idle,
                    Err(TryRecvError::Disconnected) => {
                        return Err(SourceError::Io {
                            action: "read",
                            target: self.name.clone(),
                            source: io::Error::other("its thread has ended before the topic did"),
                        });
                    }
                }
                continue;
            };
            // A record and its position are one.
            let passed = matches!(step, Step::Passed(..));
            match self.step(step, present, now, out) {
                Some(samples) => spent += samples,
                None => break Polled::Ended,
            }
            if passed && spent >= budget {
                break Polled::Ready;
            }
        };
        out.set_arrival(now);
        Ok(polled)
    }

    fn positions(&self) -> Option<Positions> {
        let mut positions = Positions::default();
        for (partition, Place { next, base }) in &self.places {
            positions.set(format!("{}/{partition}", self.name), next.unsigned_abs());
            positions.set(format!("{}/{partition}{BASE}", self.name), base.unsigned_abs());
        }
        Some(positions)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
    }
}
