//! The launch: what a run is started with, and how all is opened that it needs.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crossbeam_channel::{Receiver, unbounded};

use super::base::Base;
use super::checkpointing::{Checkpointing, Opened};
use super::cluster::{Cluster, Met};
use super::coordinator::{self, Setup};
use super::cut::{Cuts, Part};
use super::error::PipelineError;
use super::life::Life;
use super::naming::Naming;
use super::pace::Pace;
use super::pipeline::Parts;
use super::planted::Planted;
use super::relay::{self, Relay};
use super::runtime::{Running, Workers};
use super::shared::Shared;
use super::watch::Health;
use super::watchdog;
use crate::resilience::Clock;

/// What a run is started with.
pub(super) struct Launch<'a> {
    pub(super) parts: &'a Parts,
    pub(super) workers: Workers,
    /// If other processes run it too.
    pub(super) cluster: Option<&'a Cluster>,
    pub(super) clock: &'a Arc<dyn Clock>,
    pub(super) checkpointing: Option<&'a Checkpointing>,
    /// How long a worker may be at one thing.
    pub(super) watchdog: Option<Duration>,
    pub(super) planted: Option<Planted>,
    /// How often it was started before, and why again.
    pub(super) health: Health,
}

/// A run that is ready, but for its threads.
pub(super) struct Prepared {
    pub(super) running: Running,
    pub(super) maker: Maker,
    pub(super) life: Life,
}

/// Who makes the run's checkpoints.
pub(super) enum Maker {
    Nobody,
    /// A thread here, which is started with this.
    Here(Box<Setup>),
    /// Another process; what it must know is passed on.
    Elsewhere(Relay),
}

/// Starts a run.
pub(super) fn spawn(launch: &Launch<'_>) -> Result<Running, PipelineError> {
    let pace = if launch.workers.spins() { Pace::Spins } else { Pace::Parks };
    let Prepared { mut running, maker, life } = prepare(launch, pace)?;
    running.outlets.iter().try_for_each(|outlet| outlet.start())?;
    running.checkpoints = match maker {
        Maker::Nobody => None,
        Maker::Here(setup) => Some(coordinator::start(*setup)?),
        Maker::Elsewhere(relay) => Some(relay::start(relay)?),
    };
    if running.shared.duty.is_some() {
        running.watchdog = Some(watchdog::start(&running.shared)?);
    }
    running.start(life)?;
    Ok(running)
}

/// Opens what a run needs: other processes, its checkpoints and its sinks.
pub(super) fn prepare(launch: &Launch<'_>, pace: Pace) -> Result<Prepared, PipelineError> {
    let Launch { parts, workers, clock, cluster, .. } = launch;
    let (met, peers) = cluster.map(|cluster| cluster.meet(&parts.fingerprint)).transpose()?.unzip();
    let (count, started) = (workers.count(), clock.now());
    let mut base = base(launch, met.as_ref())?;
    let (parts_of_run, inbox) = unbounded();
    let cuts = base.makes.then(|| Arc::new(Cuts::new(parts_of_run, base.naming)));
    let shared = Arc::new(Shared::new(launch, cuts, std::mem::take(&mut base.resume), peers));
    let mut ledger = shared.ledger.write();
    (ledger.last, ledger.restored, ledger.newest) = (base.number, base.number, base.makes.then_some(started));
    drop(ledger);
    let restored = std::mem::take(&mut base.streams);
    let mut running = Running::new(&shared);
    if let Some((links, mesh)) = met.map(|met| met.link(&shared)).transpose()? {
        (running.links, running.mesh) = (Some(links), Some(mesh));
    }
    for (index, open) in parts.outlets.iter().enumerate() {
        running.outlets.push(open(index, count, &shared)?); // on an error, those that are open are finished
    }
    let workers = cluster.map_or(count, Cluster::all_workers);
    let maker = maker(base, &running, inbox, (workers, started));
    let life = Life {
        pace,
        graph: Arc::clone(&parts.graph),
        sources: parts.sources.clone(),
        outlets: running.outlets.clone(),
        shared,
        restored: Mutex::new(restored.into_iter().map(Some).collect()),
    };
    Ok(Prepared { running, maker, life })
}

/// What this process goes on from: from its own store, or from what process 0 has in its.
fn base(launch: &Launch<'_>, met: Option<&Met>) -> Result<Base, PipelineError> {
    match met.zip(launch.cluster) {
        Some((met, cluster)) => met.hand_over(cluster, launch),
        None => Base::open(launch, &launch.parts.fingerprint, launch.workers.count(), Naming::default()),
    }
}

fn maker(base: Base, running: &Running, inbox: Receiver<Part>, (workers, started): (usize, u64)) -> Maker {
    let (shared, outlets) = (Arc::clone(&running.shared), running.outlets.clone());
    match (shared.cuts.clone(), base.opened) {
        (Some(cuts), Some(Opened { checkpoints, config, restored })) => {
            let (naming, elsewhere) = (base.naming, base.elsewhere);
            let restored = restored.map(|restored| restored.sources);
            Maker::Here(Box::new(Setup {
                checkpoints,
                config,
                shared,
                cuts,
                inbox,
                outlets,
                naming,
                elsewhere,
                workers,
                restored,
                started,
            }))
        }
        (Some(_), None) => Maker::Elsewhere(Relay { shared, inbox, outlets }),
        _ => Maker::Nobody,
    }
}
