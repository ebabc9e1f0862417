//! The hand-over: process 0 alone has the store of checkpoints. Before anything runs, it gives each of the others what that one goes
//! on from: where its sources and sinks were, and the states of the streams whose key groups map to its workers.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::net::TcpStream;

use serde::{Deserialize, Serialize};

use super::super::base::Base;
use super::super::error::PipelineError;
use super::super::keyed::Snapshots;
use super::super::launch::Launch;
use super::super::naming::{Naming, Places};
use super::super::shared::Resume;
use super::links::WRITE;
use super::mesh::Met;
use super::wire::Bytes;
use super::{Cluster, ClusterError, pieces};
use crate::checkpoint::{CheckpointError, StreamSnapshot};

/// What process 0 is told by each of the others first.
#[derive(Debug, Serialize, Deserialize)]
enum Word {
    /// The sinks there that checkpoints keep a position of.
    Sinks(Vec<String>),
    Refused(String),
}

/// What it answers.
#[derive(Debug, Serialize, Deserialize)]
enum Parcel {
    /// No checkpoints are made.
    Nothing,
    /// They are, and there is none yet.
    Afresh,
    /// The checkpoint with this number, and where sources and sinks were.
    Begins { number: u64, sources: Places, sinks: Places },
    /// The state of a stream of one of the receiver's workers.
    State { worker: usize, state: Bytes },
    /// That was all.
    End,
    /// Nobody starts, because of this process.
    Refused { process: usize, reason: String },
}

/// One process's side of it.
struct Handover<'a> {
    cluster: &'a Cluster,
    launch: &'a Launch<'a>,
    met: &'a Met,
}

impl Met {
    /// Hands over, or takes what is handed over. What this process goes on from.
    pub(in super::super) fn hand_over(
        &self,
        cluster: &Cluster,
        launch: &Launch<'_>,
    ) -> Result<Base, PipelineError> {
        let handover = Handover { cluster, launch, met: self };
        if cluster.process > 0 {
            return handover.take();
        }
        let given = handover.open().and_then(|(base, shares)| {
            shares.iter().try_for_each(|share| handover.give(&base, share))?;
            Ok(base)
        });
        given.inspect_err(|error| handover.refuse(error))
    }
}

/// What one of the other processes gets.
struct Share {
    process: usize,
    streams: Vec<Snapshots>,
}

impl Handover<'_> {
    fn lost(&self, process: usize, error: &io::Error) -> ClusterError {
        let how = match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                format!("it handed nothing over within {} s", self.cluster.patience.as_secs_f64())
            }
            ErrorKind::UnexpectedEof => "it went away before the start".to_owned(),
            _ => error.to_string(),
        };
        ClusterError::Lost { process, address: self.cluster.addresses[process].clone(), how }
    }

    /// The control connection to a process. Nobody else uses it yet.
    fn control(&self, process: usize) -> Result<&TcpStream, ClusterError> {
        let pair = self.met.pairs.get(process).and_then(Option::as_ref);
        let control = pair.map(|pair| &pair.control).ok_or(ErrorKind::NotConnected.into());
        let timed = control.and_then(|control| {
            control.set_read_timeout(Some(self.cluster.patience))?;
            control.set_write_timeout(Some(WRITE))?;
            Ok(control)
        });
        timed.map_err(|error| self.lost(process, &error))
    }

    fn send(&self, process: usize, message: &impl Serialize) -> Result<(), ClusterError> {
        let mut control = self.control(process)?;
        pieces::send(message, &mut control).map_err(|error| self.lost(process, &error))
    }

    fn receive<T: serde::de::DeserializeOwned>(&self, process: usize) -> Result<T, ClusterError> {
        let mut control = self.control(process)?;
        pieces::receive(&mut control).map_err(|error| self.lost(process, &error))
    }

    /// Hears the others, and opens the store. What this process goes on from, and what the others do.
    fn open(&self) -> Result<(Base, Vec<Share>), PipelineError> {
        let (checkpointing, mut elsewhere) = (self.launch.checkpointing, Vec::new());
        for process in 1..self.cluster.addresses.len() {
            match self.receive(process)? {
                Word::Refused(reason) => return Err(ClusterError::Refused { process, reason }.into()),
                Word::Sinks(sinks) => {
                    let mut seen = BTreeSet::new();
                    let twice = sinks.iter().find(|name| !seen.insert(*name));
                    if let Some(twice) = twice.filter(|_| checkpointing.is_some()) {
                        let expected = "with checkpoints, a name of its own for each sink of a process";
                        let found = format!("two named {twice} in process {process}");
                        return Err(ClusterError::Setting { expected, found }.into());
                    }
                    elsewhere.extend(sinks.iter().map(|name| Naming::of(process).name(name)));
                }
            }
        }
        let fingerprint = self.cluster.fingerprint(&self.launch.parts.fingerprint);
        let mut base = Base::open(self.launch, &fingerprint, self.cluster.all_workers(), Naming::of(0))?;
        base.elsewhere = elsewhere;
        let own = self.cluster.workers.count();
        let mut others = base.streams.split_off(own.min(base.streams.len())).into_iter();
        let shares = (1..self.cluster.addresses.len())
            .map(|process| Share { process, streams: others.by_ref().take(own).collect() });
        let shares = shares.collect();
        Ok((base, shares))
    }

    fn give(&self, base: &Base, share: &Share) -> Result<(), PipelineError> {
        let (process, naming) = (share.process, Naming::of(share.process));
        let Some(opened) = &base.opened else { return Ok(self.send(process, &Parcel::Nothing)?) };
        self.send(
            process,
            &opened.restored.as_ref().map_or(Parcel::Afresh, |restored| Parcel::Begins {
                number: restored.number,
                sources: naming.sources(&restored.sources),
                sinks: naming.sinks(&restored.sinks),
            }),
        )?;
        for (worker, streams) in share.streams.iter().enumerate() {
            for snapshot in streams.values() {
                let state = Bytes(snapshot.encode().map_err(CheckpointError::State)?);
                self.send(process, &Parcel::State { worker, state })?;
            }
        }
        Ok(self.send(process, &Parcel::End)?)
    }

    /// Tells the others that nobody starts.
    fn refuse(&self, error: &PipelineError) {
        let (process, reason) = match error {
            PipelineError::Cluster(ClusterError::Refused { process, reason }) => (*process, reason.clone()),
            error => (0, error.to_string()),
        };
        for other in 1..self.cluster.addresses.len() {
            // Who does not hear it finds the connection closed.
            let _ = self.send(other, &Parcel::Refused { process, reason: reason.clone() });
        }
    }

    /// Takes what process 0 gives.
    fn take(&self) -> Result<Base, PipelineError> {
        if self.launch.checkpointing.is_some() {
            let error = ClusterError::Checkpoints { process: self.cluster.process };
            self.send(0, &Word::Refused(error.to_string()))?;
            return Err(error.into());
        }
        self.send(0, &Word::Sinks(self.launch.parts.answering.clone()))?;
        let mut base = Base { naming: Naming::of(self.cluster.process), ..Base::default() };
        base.streams = vec![Snapshots::new(); self.cluster.workers.count()];
        loop {
            match self.receive(0)? {
                Parcel::Nothing => return Ok(base),
                Parcel::Afresh => base.makes = true,
                Parcel::Begins { number, sources, sinks } => {
                    base.resume = Resume::from(sources, sinks);
                    (base.makes, base.number) = (true, Some(number));
                }
                Parcel::State { worker, state } => {
                    let snapshot = StreamSnapshot::decode(&state.0).map_err(CheckpointError::State)?;
                    if let Some(streams) = base.streams.get_mut(worker) {
                        streams.insert(snapshot.header.key, snapshot);
                    }
                }
                Parcel::End => return Ok(base),
                Parcel::Refused { process, reason } => {
                    return Err(ClusterError::Refused { process, reason }.into());
                }
            }
        }
    }
}
