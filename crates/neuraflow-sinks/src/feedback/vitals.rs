//! What is told of the watched pipeline itself: whether it runs, and what becomes of its checkpoints.

use neuraflow_core::dataflow::{CheckpointReport, Health, Status};
use serde::Serialize;

/// The pipeline of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PipelineBody {
    /// Running, restarting, hung, failed or finished.
    pub state: &'static str,
    /// How often it was started again.
    pub restarts: u32,
    /// Why it was started again the last time, or is not running now.
    pub reason: Option<String>,
    /// What became of its checkpoints since it was started the last time.
    pub checkpoints: CheckpointsBody,
}

/// Checkpoints of a pipeline, see [`CheckpointReport`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct CheckpointsBody {
    pub committed: u64,
    pub abandoned: u64,
    pub last: Option<u64>,
    pub restored: Option<u64>,
    /// Why the latest one was given up, if it was.
    pub trouble: Option<String>,
}

impl PipelineBody {
    pub(super) fn of(status: &Status) -> Self {
        let Health { state, restarts, reason } = status.health.clone();
        let CheckpointReport { committed, abandoned, last, restored, trouble, .. } =
            status.checkpoints.clone();
        let checkpoints = CheckpointsBody { committed, abandoned, last, restored, trouble };
        Self { state: state.name(), restarts, reason, checkpoints }
    }
}

/// What a health check has to say of a pipeline; nothing while it runs, and after its end.
pub(super) fn trouble(health: &Health) -> Option<String> {
    let reason = health.reason.as_deref().unwrap_or("no reason given");
    health.state.is_trouble().then(|| format!("has a pipeline that is {}: {reason}", health.state.name()))
}
