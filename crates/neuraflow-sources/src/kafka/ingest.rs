//! Ingest: a thread that puts what a source gives into a topic.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::bounded;
use neuraflow_core::codec::Profile;
use neuraflow_core::ingest::Ingest;
use neuraflow_core::model::Positions;
use neuraflow_core::resilience::{Clock, SystemClock};
use neuraflow_core::source::{Polled, Source, SourceContext, SourceError, SourceReader, Waker};

use super::error::IngestError;
use super::packer::{Encoding, Packer, Record};
use super::producer::Producer;
use super::topic::KafkaTopic;
use super::wait::Signal;
use super::watch::{IngestStats, IngestWatch};
use crate::device::{self, DeviceConfig, DeviceHandle};

/// Samples asked of the source in a turn.
const BUDGET: usize = 8_192;
/// How long the brokers are waited for before the end is looked for again.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long a turn is at least where the source says when it goes on: records wait ten times as long for a batch to be filled.
const TURN: Duration = Duration::from_millis(1);
/// How long before the brokers are asked again.
const AGAIN: Duration = Duration::from_millis(100);
/// How long a slowed source waits, unless something arrives before.
const SLOW: Duration = Duration::from_millis(5);

/// How packets become records.
#[derive(Clone, Debug, PartialEq)]
pub struct IngestConfig {
    /// How samples are encoded.
    pub encoding: Encoding,
    /// What the codec aims at.
    pub profile: Profile,
    /// Bytes of records that may be on their way to the brokers, at least 2 MiB. From half of it on the source is slowed, and when it is full
    /// the source waits: a recording pauses, a device's queue does what its [`DeviceConfig::overflow`] says.
    pub queue_bytes: u64,
    /// Where the source goes on from: what [`KafkaIngest::delivered`] said of the ingest before.
    pub from: Option<Positions>,
}

impl Default for IngestConfig {
    /// Floats, small, 32 MiB, from the beginning.
    fn default() -> Self {
        Self { encoding: Encoding::Floats, profile: Profile::Small, queue_bytes: 32 << 20, from: None }
    }
}

/// Puts the packets of a source into a topic, on a thread of its own: a recording, a device, anything that a pipeline could read.
///
/// Every stream has one partition, so its packets keep their order. Nothing is written twice where a broker fails and comes back. While
/// brokers are away, records wait; samples that find no room are dealt with where they enter, by the source, and what is dropped there is told
/// to whoever reads the topic.
///
/// ```no_run
/// use neuraflow_sources::device::DeviceConfig;
/// use neuraflow_sources::kafka::{IngestConfig, KafkaIngest, KafkaTopic};
/// # use neuraflow_core::model::{Channel, SamplingRate, StreamHeader, StreamKey};
/// let topic = KafkaTopic::new("127.0.0.1:9092", "signals");
/// topic.create()?;
/// let (headset, ingest) = KafkaIngest::device(&topic, IngestConfig::default(), DeviceConfig::default())?;
/// let key = StreamKey::of_names("monday", "headset");
/// headset.open(StreamHeader::new(key, "headset", SamplingRate::hz(250)?, vec![Channel::new("C3")]))?;
/// headset.push(&key, 0, &[1.0, 2.0, 3.0])?;
/// drop(headset); // its streams end
/// assert_eq!(ingest.join()?.samples, 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct KafkaIngest {
    thread: JoinHandle<Result<IngestStats, IngestError>>,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    watch: IngestWatch,
    stop: AtomicBool,
    /// Raised when the source has something, and when it is to stop.
    woken: Signal,
}

impl KafkaIngest {
    /// Starts to put what `source` gives into `topic`, until it ends.
    ///
    /// # Errors
    /// The source cannot be opened, or a setting makes no sense. Brokers that are away are waited for, and so is a topic that is not there yet.
    pub fn start(topic: &KafkaTopic, config: IngestConfig, source: impl Source) -> Result<Self, SourceError> {
        if config.queue_bytes < 2 << 20 {
            return Err(SourceError::Setting {
                setting: "ingest queue_bytes",
                expected: "at least 2 MiB, two of the largest records".into(),
                found: config.queue_bytes.to_string(),
            });
        }
        let shared = Arc::new(Shared::default());
        let producer = Producer::new(topic, config.queue_bytes, shared.watch.clone())?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let signal = Arc::clone(&shared);
        let context = SourceContext {
            worker: 0,
            workers: 1,
            waker: Waker::new(move || signal.woken.raise()),
            clock: Arc::clone(&clock),
            from: config.from.clone(),
        };
        // A reader lives on one thread, so that is where it is opened.
        let (opened, outcome) = bounded(1);
        let (inside, target) = (Arc::clone(&shared), topic.to_string());
        let pump = move || {
            let reader = source.open(context).and_then(|reader| {
                reader.ok_or_else(|| SourceError::Setting {
                    setting: "ingest source",
                    expected: "something to read on worker 0 of 1".into(),
                    found: source.name(),
                })
            });
            let reader = match reader {
                Ok(reader) => reader,
                Err(error) => {
                    let _ = opened.send(Err(error));
                    return Ok(IngestStats::default());
                }
            };
            let _ = opened.send(Ok(()));
            let packer = Packer::new(config.encoding, config.profile);
            let queue_bytes = config.queue_bytes;
            Pump { reader, producer, packer, clock, queue_bytes, shared: inside, records: Vec::new() }.run()
        };
        let thread = std::thread::Builder::new().name("kafka ingest".into()).spawn(pump);
        let thread =
            thread.map_err(|source| SourceError::Io { action: "start a thread for", target, source })?;
        if let Ok(Err(error)) = outcome.recv() {
            return Err(error);
        }
        Ok(Self { thread, shared })
    }

    /// The same for a device, whose handle the host pushes into. When the last handle is dropped, its streams end, and so does the ingest.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn device(
        topic: &KafkaTopic,
        config: IngestConfig,
        device: DeviceConfig,
    ) -> Result<(DeviceHandle, Self), SourceError> {
        let (handle, source) = device::channel(device);
        Ok((handle, Self::start(topic, config, source)?))
    }

    /// Looks on, from any thread.
    pub fn watch(&self) -> IngestWatch {
        self.shared.watch.clone()
    }

    /// How far the source is whose records the brokers all have; see [`IngestWatch::delivered`], which tells it after the end too.
    pub fn delivered(&self) -> Option<Positions> {
        self.shared.watch.delivered()
    }

    /// Asks it to end before its source does. What was read is written.
    pub fn stop(&self) {
        self.shared.stop.store(true, Ordering::Release);
        self.shared.woken.raise();
    }

    /// Waits until the source has ended, or a stop was asked for, and the brokers have all of it. Brokers that are away are waited for,
    /// however long that takes.
    ///
    /// # Errors
    /// Its source has failed, the brokers refuse, or [some records](IngestError::Undelivered) did not arrive.
    pub fn join(self) -> Result<IngestStats, IngestError> {
        self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

/// What the thread does.
struct Pump {
    reader: Box<dyn SourceReader>,
    producer: Producer,
    packer: Packer,
    clock: Arc<dyn Clock>,
    queue_bytes: u64,
    shared: Arc<Shared>,
    records: Vec<Record>,
}

impl Pump {
    fn stopped(&self) -> bool {
        self.shared.stop.load(Ordering::Acquire)
    }

    fn run(mut self) -> Result<IngestStats, IngestError> {
        while !self.producer.connect(PATIENCE) {
            // Whoever answers that there is no such topic may do so at once. What the source has is looked for in every turn.
            self.shared.woken.wait(AGAIN);
            if self.stopped() {
                return Ok(self.shared.watch.stats());
            }
        }
        // Whatever ends it: what was read is written.
        let turned = self.turns();
        let finished = self.finish(turned.is_ok());
        turned?;
        finished
    }

    fn turns(&mut self) -> Result<(), IngestError> {
        let mut ingest = Ingest::gathering();
        while !self.stopped() {
            let now = self.clock.now();
            ingest.set_arrival(now);
            let polled = self.reader.poll(&mut ingest, BUDGET)?;
            for lost in self.producer.deliveries.take_lost() {
                self.packer.lost(&lost);
            }
            for header in ingest.resumed() {
                self.packer.resume(header)?;
            }
            for (_, packet) in ingest.drain() {
                self.packer.packet(packet, now, &mut self.records)?;
            }
            self.packer.flush(now, &mut self.records)?;
            self.write()?;
            if let Some(positions) = self.producer.end_turn(self.reader.positions()) {
                self.reader.committed(&positions);
                self.shared.watch.arrived(positions);
            }
            self.slow_down();
            match polled {
                Polled::Ready => {}
                Polled::After(time) => self.shared.woken.wait(time.clamp(TURN, PATIENCE)),
                Polled::Idle => self.shared.woken.wait(PATIENCE),
                Polled::Ended => break,
            }
        }
        Ok(())
    }

    /// Queues what was made, and waits for room where there is none.
    fn write(&mut self) -> Result<(), IngestError> {
        let rejected = self.packer.rejected;
        for record in self.records.drain(..) {
            while !self.producer.send(&record)? {
                self.shared.watch.change(|stats| stats.stalled += 1);
                self.producer.deliveries.news.wait(PATIENCE);
            }
            self.shared.watch.change(|stats| {
                stats.records += 1;
                stats.bytes += record.value.len() as u64;
                stats.samples += record.samples;
                stats.rejected = rejected;
            });
        }
        Ok(())
    }

    fn slow_down(&self) {
        if self.producer.deliveries.bytes() > self.queue_bytes / 2 {
            self.shared.watch.change(|stats| stats.slowed += 1);
            self.producer.deliveries.news.wait(SLOW);
        }
    }

    /// Waits until everything has arrived. Of a turn that broke off nobody knows how much was written: it is no position.
    fn finish(mut self, whole: bool) -> Result<IngestStats, IngestError> {
        self.reader.stopped();
        let positions = self.reader.positions().filter(|_| whole);
        let mut arrived = self.producer.end_turn(positions);
        while self.producer.under_way() {
            self.producer.deliveries.news.wait(PATIENCE);
            arrived = self.producer.end_turn(None).or(arrived);
        }
        if let Some(positions) = arrived.or_else(|| self.producer.end_turn(None)) {
            self.reader.committed(&positions);
            self.shared.watch.arrived(positions);
        }
        let stats = self.shared.watch.stats();
        match &stats.first_failure {
            Some(reason) => Err(IngestError::Undelivered {
                target: self.producer.target().to_owned(),
                records: stats.failed,
                samples: stats.failed_samples,
                reason: reason.clone(),
            }),
            None => Ok(stats),
        }
    }
}
