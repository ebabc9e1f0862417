//! Why several processes do not, or no longer, run a pipeline together.

use std::io;
use std::time::Duration;

use thiserror::Error;

use crate::model::Recovery;

/// Why several processes do not, or no longer, run a pipeline together. A cluster fails as a whole: each process gets an
/// error of its own, and starting all of them again is what helps.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ClusterError {
    /// The settings make no cluster.
    #[error("cluster: expected {expected}, found {found}")]
    Setting {
        /// What would be accepted.
        expected: &'static str,
        /// What was given.
        found: String,
    },
    /// A process cannot be reached at its own address.
    #[error(
        "cannot listen at {address}: {source}; free the address, or give this process another one in all of them"
    )]
    Listen {
        /// This process's address.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// A process did not come in time.
    #[error(
        "process {process} at {address}: expected it within {} s, found nobody; start it, or check address and firewall", waited.as_secs_f64()
    )]
    Absent {
        /// Its number.
        process: usize,
        /// Where it was looked for.
        address: String,
        /// For how long.
        waited: Duration,
    },
    /// Something else listens at a process's address.
    #[error(
        "process {process} at {address}: expected a process of this cluster, found something else; check the addresses"
    )]
    Stranger {
        /// The number of the process that should be there.
        process: usize,
        /// The address.
        address: String,
    },
    /// Two processes do not belong together.
    #[error(
        "process {process} at {address}: expected {what} {expected}, found {found}; start all processes from one build with the same settings"
    )]
    Mismatch {
        /// The other process's number.
        process: usize,
        /// Its address.
        address: String,
        /// In what they differ.
        what: &'static str,
        /// What this process has.
        expected: String,
        /// What the other one has.
        found: String,
    },
    /// Another process does not start.
    #[error("process {process} does not start: {reason}")]
    Refused {
        /// Its number.
        process: usize,
        /// What it said.
        reason: String,
    },
    /// A process is gone, or the network to it.
    #[error(
        "process {process} at {address} was lost: {how}; the others cannot go on without it: start all of them again"
    )]
    Lost {
        /// Its number.
        process: usize,
        /// Its address.
        address: String,
        /// How that was noticed.
        how: String,
    },
    /// The pipeline failed in another process.
    #[error(
        "process {process} failed: {reason}; the others cannot go on without it: start all of them again"
    )]
    Failed {
        /// Its number.
        process: usize,
        /// Its error.
        reason: String,
    },
    /// A process other than the first was told where to keep checkpoints.
    #[error(
        "only process 0 keeps the checkpoints of a cluster; process {process} was given some: leave them out there"
    )]
    Checkpoints {
        /// Its number.
        process: usize,
    },
}

impl ClusterError {
    /// What to do after it.
    pub fn recovery(&self) -> Recovery {
        match self {
            Self::Absent { .. } | Self::Refused { .. } | Self::Lost { .. } | Self::Failed { .. } => {
                Recovery::Retry
            }
            Self::Setting { .. }
            | Self::Listen { .. }
            | Self::Stranger { .. }
            | Self::Mismatch { .. }
            | Self::Checkpoints { .. } => Recovery::Stop,
        }
    }
}
