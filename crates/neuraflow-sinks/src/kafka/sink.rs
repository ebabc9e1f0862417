//! The sink: results of a pipeline into a topic.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use neuraflow_core::sink::{Overflow, Placement, Sink, SinkContext, SinkError};
use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;

use super::client::io_error;
use super::item::KafkaItem;
use super::watch::KafkaSinkWatch;
use super::writer::KafkaWriter;

/// Results that wait for the writer before the pipeline is held back.
const QUEUE: usize = 4_096;

/// Writes features, windows or decisions into a topic, as [`KafkaRecord`](super::KafkaRecord)s keyed by stream.
///
/// Every stream has one partition, the same as in a topic that devices are ingested into, and its results keep their order.
///
/// | | what a reader finds |
/// |---|---|
/// | by default | every result at least once: after a crash some come again, with the same key, sink and index |
/// | [`exactly_once`](Self::exactly_once) | every result once, for consumers that read what is committed |
///
/// A write returns once the brokers have it. Where they do not answer in time, the results are offered again: at most twice by the pipeline, after
/// which it ends, or as long as it takes by an outbox in front (`layer::Outbox`).
///
/// ```
/// use neuraflow_core::model::Features;
/// use neuraflow_sinks::kafka::KafkaSink;
/// let sink = KafkaSink::<Features>::new("127.0.0.1:9092", "features", "band power");
/// let watch = sink.watch();
/// assert_eq!(watch.stats().delivered, 0);
/// ```
#[derive(Debug)]
pub struct KafkaSink<T> {
    settings: Arc<Settings>,
    watch: KafkaSinkWatch,
    items: PhantomData<fn(T)>,
}

/// What it is told.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) brokers: String,
    pub(super) topic: String,
    /// The sink's name.
    pub(super) name: Arc<str>,
    pub(super) transactional: Option<String>,
    pub(super) timeout: Duration,
    properties: BTreeMap<String, String>,
}

impl Settings {
    /// What every client begins with.
    pub(super) fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        for (name, value) in &self.properties {
            config.set(name, value);
        }
        config.set("bootstrap.servers", &self.brokers).set("client.id", "neuraflow");
        config
    }

    pub(super) fn target(&self) -> String {
        format!("topic {} on {}", self.topic, self.brokers)
    }

    pub(super) fn failed(&self, action: &'static str, error: KafkaError) -> SinkError {
        io_error(&self.name, action, &self.target(), error)
    }
}

impl<T: KafkaItem> KafkaSink<T> {
    /// Into `topic` on `brokers` (`host:port`, separated by commas), which must exist; `name` goes with every record, so that several
    /// sinks may share a topic.
    pub fn new(brokers: impl Into<String>, topic: impl Into<String>, name: impl Into<Arc<str>>) -> Self {
        let settings = Settings {
            brokers: brokers.into(),
            topic: topic.into(),
            name: name.into(),
            transactional: None,
            timeout: Duration::from_secs(30),
            properties: BTreeMap::new(),
        };
        Self { settings: Arc::new(settings), watch: KafkaSinkWatch::default(), items: PhantomData }
    }

    /// Writes in transactions, one for each checkpoint, under this transactional id: whoever reads what is committed finds every result once,
    /// whatever crashes when. An id is for one sink of one pipeline; who opens it again shuts out whoever had it before, and writes
    /// nothing that is in the topic under it already. To write anew, take another id.
    ///
    /// Results are held in memory until their transaction, which comes early where they are more than 8 MiB.
    #[must_use]
    pub fn exactly_once(mut self, id: impl Into<String>) -> Self {
        Arc::make_mut(&mut self.settings).transactional = Some(id.into());
        self
    }

    /// How long brokers may take to answer, 30 s unless set; at least a second.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        Arc::make_mut(&mut self.settings).timeout = timeout.max(Duration::from_secs(1));
        self
    }

    /// A property of librdkafka: security, for example. What the sink sets itself stays as it is.
    #[must_use]
    pub fn property(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        Arc::make_mut(&mut self.settings).properties.insert(name.into(), value.into());
        self
    }

    /// Looks on, from any thread.
    pub fn watch(&self) -> KafkaSinkWatch {
        self.watch.clone()
    }
}

impl<T: KafkaItem> Sink for KafkaSink<T> {
    type Item = T;
    type Writer = KafkaWriter<T>;

    fn name(&self) -> String {
        format!("{} into {}", self.settings.name, self.settings.target())
    }

    fn placement(&self) -> Placement {
        Placement::Thread { capacity: QUEUE, overflow: Overflow::Block }
    }

    fn open(&self, context: &SinkContext) -> Result<KafkaWriter<T>, SinkError> {
        KafkaWriter::open(Arc::clone(&self.settings), self.watch.clone(), context.from.as_ref())
    }
}
