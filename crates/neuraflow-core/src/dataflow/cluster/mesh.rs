//! The mesh: Timely's connections between processes that have met.

use std::net::TcpStream;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use timely::communication::allocator::ProcessBuilder;
use timely::communication::allocator::zero_copy::initialize::initialize_networking_from_sockets;
use timely::communication::{Allocator, AllocatorBuilder, Hooks, WorkerGuards, initialize_from};

use super::super::error::PipelineError;
use super::super::shared::Shared;
use super::Cluster;
use super::error::ClusterError;
use super::hello::Hello;
use super::line::Line;
use super::links::Links;
use super::meet::{Pair, meet};
use super::peers::{Orders, Peers};
use crate::checkpoint::Fingerprint;

/// Processes that have met, before anything runs.
pub(in super::super) struct Met {
    process: usize,
    workers: usize,
    pub(super) pairs: Vec<Option<Pair>>,
    orders: Vec<Orders>,
}

impl Cluster {
    /// Meets the other processes. They all run the same pipeline, or the answer is what they differ in.
    pub(in super::super) fn meet(&self, fingerprint: &Fingerprint) -> Result<(Met, Peers), ClusterError> {
        self.check()?;
        let (process, processes, workers) = (self.process, self.addresses.len(), self.workers.count());
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let life = now.as_nanos() as u64 ^ u64::from(std::process::id()) << 32;
        let fingerprint = self.fingerprint(fingerprint);
        let pairs = meet(self, &Hello { process, processes, workers, fingerprint, life })?;
        let address = self.addresses[process].clone();
        let (peers, orders) =
            Peers::new(self, &pairs).map_err(|source| ClusterError::Listen { address, source })?;
        Ok((Met { process, workers, pairs, orders }, peers))
    }
}

/// Timely's connections that nobody reads yet.
pub(in super::super) struct Mesh {
    process: usize,
    workers: usize,
    data: Vec<Option<TcpStream>>,
}

impl Met {
    /// Starts the links. What is left are Timely's connections.
    pub(in super::super) fn link(self, shared: &Arc<Shared>) -> Result<(Links, Mesh), PipelineError> {
        let (mut ends, mut data) = (Vec::new(), Vec::new());
        for (process, (pair, orders)) in self.pairs.into_iter().zip(self.orders).enumerate() {
            data.push(pair.map(|pair| {
                ends.push((process, pair.control, orders));
                pair.data
            }));
        }
        let links = Links::start(shared, ends)?;
        Ok((links, Mesh { process: self.process, workers: self.workers, data }))
    }
}

impl Mesh {
    /// Starts the workers of this process.
    pub(in super::super) fn start<T: Send + 'static>(
        self,
        shared: &Arc<Shared>,
        live: impl Fn(Allocator) -> T + Send + Sync + 'static,
    ) -> Result<WorkerGuards<T>, PipelineError> {
        let spawn = |reason: String| PipelineError::Spawn { workers: self.workers, reason };
        let mut lines = Vec::new();
        for (process, data) in self.data.into_iter().enumerate() {
            if let Some(data) = &data {
                let prepare = || {
                    data.set_read_timeout(None)?;
                    data.set_write_timeout(None)?;
                    data.set_nodelay(true)
                };
                prepare().map_err(|error| spawn(error.to_string()))?;
            }
            lines.push(data.map(|data| Line::new(data, process, shared)));
        }
        let hooks = Hooks::default();
        let inside = ProcessBuilder::new_typed_vector(self.workers, hooks.refill.clone(), None);
        let (builders, guard) =
            initialize_networking_from_sockets(inside, lines, self.process, self.workers, hooks)
                .map_err(|error| spawn(error.to_string()))?;
        let builders = builders.into_iter().map(AllocatorBuilder::Tcp).collect();
        initialize_from(builders, Box::new(guard), live).map_err(spawn)
    }
}
