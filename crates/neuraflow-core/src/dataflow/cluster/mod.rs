//! Clusters: one pipeline over several processes that trust each other and their network.
//!
//! | file | its story |
//! |---|---|
//! | `hello`, `wire` | what processes say to each other before anything runs, and how |
//! | `meet` | each finds all the others, or says by when and why not |
//! | `handover` | process 0, which has the store, gives the others what they go on from |
//! | `links`, `peers` | what they tell each other while it runs: credits, holds, stops, failures, checkpoints, signs of life |
//! | `pieces` | how what is long gets over a link |
//! | `mesh`, `line` | Timely's own connections, and what becomes of one whose other end is gone |

mod error;
mod handover;
mod hello;
mod line;
mod links;
mod meet;
mod mesh;
mod peers;
mod pieces;
mod wire;

use std::time::Duration;

pub use error::ClusterError;
pub(super) use links::Links;
pub(super) use mesh::{Mesh, Met};
pub(super) use peers::Peers;
pub(super) use wire::Bytes;

use super::runtime::Workers;
use crate::checkpoint::Fingerprint;

/// Which processes run a pipeline together, and which of them this one is.
///
/// Every process builds the same pipeline and calls [`spawn_cluster`](super::Pipeline::spawn_cluster); each stream is computed
/// in the process that its key group maps to, wherever it comes in. The processes trust each other and their network:
/// nothing is encrypted, and whoever reaches the addresses can read and forge signals.
///
/// ```
/// use neuraflow_core::dataflow::{Cluster, Workers};
/// let cluster = Cluster::new(0, ["10.0.0.1:7401", "10.0.0.2:7401"]).workers(Workers::new(2));
/// # drop(cluster);
/// ```
#[derive(Clone, Debug)]
pub struct Cluster {
    pub(super) process: usize,
    pub(super) addresses: Vec<String>,
    pub(super) workers: Workers,
    pub(super) patience: Duration,
}

impl Cluster {
    /// This process is number `process`, from 0, of those at `addresses`, which are the same in the same order for all of
    /// them. One worker in each.
    pub fn new(process: usize, addresses: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let addresses = addresses.into_iter().map(Into::into).collect();
        Self { process, addresses, workers: Workers::new(1), patience: Duration::from_secs(30) }
    }

    /// Workers of each process: as many in all of them.
    #[must_use]
    pub fn workers(self, workers: Workers) -> Self {
        Self { workers, ..self }
    }

    /// How long the others are waited for at the start, and for a sign of life later (30 s).
    #[must_use]
    pub fn patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Workers of all processes together.
    pub(super) fn all_workers(&self) -> usize {
        self.addresses.len() * self.workers.count()
    }

    /// What all processes must have in common, with each other and with the checkpoint that they go on from.
    fn fingerprint(&self, pipeline: &Fingerprint) -> Fingerprint {
        // Where sinks write is each process's own affair.
        let nameless = |line: &String| match line.split_once("sink ") {
            Some((before, _)) if ["", "markers to"].contains(&before.trim()) => format!("{before}sink"),
            _ => line.clone(),
        };
        let number = format!("cluster: {} processes", self.addresses.len());
        Fingerprint::new(pipeline.lines().iter().map(nameless).chain([number]))
    }

    fn check(&self) -> Result<(), ClusterError> {
        let settings = |expected, found| Err(ClusterError::Setting { expected, found });
        let count = self.addresses.len();
        if count < 2 {
            return settings("the addresses of two processes or more", count.to_string());
        }
        if self.process >= count {
            let found = format!("process {} of {count}", self.process);
            return settings("a process number below the number of addresses", found);
        }
        let twice = |n: &usize| self.addresses[..*n].contains(&self.addresses[*n]);
        if let Some(n) = (1..count).find(twice) {
            return settings(
                "an address of its own for each process",
                format!("{} twice", self.addresses[n]),
            );
        }
        if self.patience.is_zero() {
            return settings("patience of more than no time", "none".to_owned());
        }
        Ok(())
    }
}
