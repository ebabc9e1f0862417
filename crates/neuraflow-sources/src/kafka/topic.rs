//! A topic, and how its brokers are reached.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use neuraflow_core::source::SourceError;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::dead_letters::MAX_LETTER;
use super::wait::block_on;

/// What is added to a topic's name for the records of it that nobody could read.
const DEAD_LETTERS: &str = ".dead-letters";

/// A topic of packets, and how its brokers are reached.
///
/// ```
/// use neuraflow_sources::kafka::KafkaTopic;
/// let topic = KafkaTopic::new("broker-1:9092,broker-2:9092", "signals")
///     .partitions(100)
///     .replication(3)
///     .property("security.protocol", "ssl");
/// assert_eq!(topic.dead_letters(), "signals.dead-letters");
/// ```
#[derive(Clone, Debug)]
pub struct KafkaTopic {
    brokers: String,
    name: String,
    partitions: u32,
    replication: u16,
    properties: BTreeMap<String, String>,
}

impl KafkaTopic {
    /// The topic `name` on `brokers`, `host:port` separated by commas.
    pub fn new(brokers: impl Into<String>, name: impl Into<String>) -> Self {
        let (brokers, name) = (brokers.into(), name.into());
        Self { brokers, name, partitions: 100, replication: 1, properties: BTreeMap::new() }
    }

    /// How many partitions [`create`](Self::create) gives it, 100 unless set. Streams keep their partition for ever only as
    /// long as the number does not change.
    #[must_use]
    pub fn partitions(mut self, partitions: u32) -> Self {
        self.partitions = partitions;
        self
    }

    /// On how many brokers `create` has each partition kept, 1 unless set.
    #[must_use]
    pub fn replication(mut self, replication: u16) -> Self {
        self.replication = replication;
        self
    }

    /// A property of librdkafka, for all its clients here: security, time-outs. What this crate sets itself stays as it is.
    #[must_use]
    pub fn property(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.properties.insert(name.into(), value.into());
        self
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The topic that records go to which nobody can read.
    pub fn dead_letters(&self) -> String {
        format!("{}{DEAD_LETTERS}", self.name)
    }

    /// Creates it, and the topic of its dead letters with one partition. Those that exist already are left as they are.
    ///
    /// # Errors
    /// [`SourceError::Io`] where no broker answers within half a minute, or where they refuse.
    pub fn create(&self) -> Result<(), SourceError> {
        let target = self.to_string();
        let client: AdminClient<DefaultClientContext> =
            self.client().create().map_err(|error| io_error("reach", &target, error))?;
        let patience = Some(Duration::from_secs(30));
        let options = AdminOptions::new().request_timeout(patience).operation_timeout(patience);
        let (dead_letters, largest) = (self.dead_letters(), MAX_LETTER.to_string());
        let replication = || TopicReplication::Fixed(i32::from(self.replication));
        let partitions = i32::try_from(self.partitions).unwrap_or(i32::MAX);
        let topics = [
            NewTopic::new(&self.name, partitions, replication()),
            NewTopic::new(&dead_letters, 1, replication()).set("max.message.bytes", &largest),
        ];
        let created = block_on(client.create_topics(&topics, &options));
        for answer in created.map_err(|error| io_error("create", &target, error))? {
            match answer {
                Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((topic, code)) => {
                    return Err(io_error("create", &topic, KafkaError::AdminOp(code)));
                }
            }
        }
        Ok(())
    }

    /// What every client of it begins with.
    pub(super) fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        for (name, value) in &self.properties {
            config.set(name, value);
        }
        config.set("bootstrap.servers", &self.brokers).set("client.id", "neuraflow");
        config
    }
}

impl std::fmt::Display for KafkaTopic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "topic {} on {}", self.name, self.brokers)
    }
}

/// What librdkafka says, as the error of a source.
pub(super) fn io_error(action: &'static str, target: &str, error: KafkaError) -> SourceError {
    let kind = match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::OperationTimedOut | RDKafkaErrorCode::MessageTimedOut) => {
            io::ErrorKind::TimedOut
        }
        Some(RDKafkaErrorCode::AllBrokersDown | RDKafkaErrorCode::BrokerTransportFailure) => {
            io::ErrorKind::NotConnected
        }
        Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
            io::ErrorKind::NotFound
        }
        Some(
            RDKafkaErrorCode::TopicAuthorizationFailed
            | RDKafkaErrorCode::ClusterAuthorizationFailed
            | RDKafkaErrorCode::SaslAuthenticationFailed
            | RDKafkaErrorCode::Authentication,
        ) => io::ErrorKind::PermissionDenied,
        _ => io::ErrorKind::Other,
    };
    SourceError::Io { action, target: target.to_owned(), source: io::Error::new(kind, error) }
}
