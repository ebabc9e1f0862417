//! The base: what a run goes on from in this process, and whether checkpoints are made of it.

use super::checkpointing::Opened;
use super::error::PipelineError;
use super::keyed::Snapshots;
use super::launch::Launch;
use super::naming::Naming;
use super::planted::Plot;
use super::shared::Resume;
use crate::checkpoint::Fingerprint;

/// What a run goes on from.
#[derive(Default)]
pub(super) struct Base {
    /// Whether checkpoints are made, wherever the store is.
    pub(super) makes: bool,
    pub(super) naming: Naming,
    /// The number of the checkpoint.
    pub(super) number: Option<u64>,
    /// Where sources and sinks go on.
    pub(super) resume: Resume,
    /// For each worker, the streams that it goes on with.
    pub(super) streams: Vec<Snapshots>,
    /// The store, if it is kept here.
    pub(super) opened: Option<Opened>,
    /// The sinks of other processes that a checkpoint here keeps a position of.
    pub(super) elsewhere: Vec<String>,
}

impl Base {
    /// Opens the store, if there is one, and shares the streams out to so many workers.
    pub(super) fn open(
        launch: &Launch<'_>,
        fingerprint: &Fingerprint,
        workers: usize,
        naming: Naming,
    ) -> Result<Self, PipelineError> {
        let mut base = Self { naming, ..Self::default() };
        if let Some(mut opened) = launch.checkpointing.map(|store| store.open(fingerprint)).transpose()? {
            base.makes = true;
            base.number = opened.restored.as_ref().map(|restored| restored.number);
            base.resume = opened.resume(naming);
            base.streams = opened.take_streams(workers, &Plot::new(launch.planted));
            base.opened = Some(opened);
        }
        Ok(base)
    }
}
