//! What a process and the storm around it agree on.

use std::path::PathBuf;

use neuraflow::prelude::*;
use neuraflow::sinks::bigtable::{Bigtable, BigtableConfig};
use neuraflow::sources::kafka::KafkaTopic;
use serde::{Deserialize, Serialize};

/// Channels of a headset, and samples per second.
pub const CHANNELS: usize = 8;
#[allow(missing_docs)]
pub const RATE: u64 = 250;
/// What results are kept as.
pub const STAGE: &str = "rms";
/// Where the emulator keeps them.
pub const TABLE: (&str, &str, &str) = ("project", "instance", "results");

/// All a process is told; handed over in its environment.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Settings {
    /// Kafka's address.
    pub brokers: String,
    /// The topic.
    pub topic: String,
    /// Its partitions.
    pub partitions: u32,
    /// The table's address, behind whatever is between.
    pub table: String,
    /// Checkpoints, outbox, and what a process notes of itself.
    pub folder: PathBuf,
}

const VARIABLE: &str = "NEURAFLOW_STORM";

impl Settings {
    /// The variable that tells a process.
    pub fn variable(&self) -> (&'static str, String) {
        (VARIABLE, serde_json::to_string(self).expect("settings are JSON"))
    }

    /// What this process was told.
    pub fn told() -> Self {
        let text =
            std::env::var(VARIABLE).unwrap_or_else(|_| panic!("{VARIABLE}: expected settings, found none"));
        serde_json::from_str(&text).expect("settings are JSON")
    }

    /// The topic.
    pub fn kafka(&self) -> KafkaTopic {
        KafkaTopic::new(&self.brokers, &self.topic).partitions(self.partitions)
    }

    /// The table, at any address of the same emulator.
    pub fn bigtable(&self, address: &str) -> Bigtable {
        let (project, instance, table) = TABLE;
        let config = BigtableConfig::new(project, instance, table);
        let deadline = std::time::Duration::from_secs(1);
        Bigtable::connect(BigtableConfig { emulator: Some(address.to_owned()), deadline, ..config }).unwrap()
    }
}

/// The headsets whose signals go through the storm.
pub fn headsets(count: usize, seconds: f64) -> Synthetic {
    Synthetic::new(CHANNELS, SamplingRate::hz(RATE).unwrap())
        .streams(count)
        .seed(7)
        .packet(12)
        .seconds(seconds)
}

/// The filter of every process, and of the batch.
pub fn filter() -> Butterworth {
    Butterworth::bandpass(4, 1.0..40.0)
}
