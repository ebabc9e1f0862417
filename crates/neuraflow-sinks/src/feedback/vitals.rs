//! What is told of the watched pipeline itself: whether it runs, and what becomes of its checkpoints.

use std::fmt;

use neuraflow_core::dataflow::{CheckpointReport, Health, State, Status};
use prometheus_client::metrics::MetricType::{self, Counter, Gauge};
use serde::Serialize;

use super::metrics::Family;

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

/// Name, help, type, and what writes the lines of one session.
pub(super) type Vital = (&'static str, &'static str, MetricType, Write);

type Write = fn(&mut Family<'_>, &str, &Status) -> fmt::Result;

/// The metrics of watched pipelines, beside those of their streams.
pub(super) const METRICS: [Vital; 7] = [
    ("neuraflow_pipeline_state", "1 for the state that a pipeline is in", Gauge, states),
    (
        "neuraflow_pipeline_restarts",
        "How often a pipeline was started again",
        Counter,
        |f, session, status| f.counter(&[("session", session)], u64::from(status.health.restarts)),
    ),
    ("neuraflow_checkpoints", "Checkpoints begun, by what became of them", Counter, checkpoints),
    ("neuraflow_checkpoint_last", "Number of the newest checkpoint", Gauge, |f, session, status| {
        let number = |number: u64| f.gauge(&[("session", session)], number as f64);
        status.checkpoints.last.map_or(Ok(()), number)
    }),
    ("neuraflow_checkpoint_bytes", "Bytes of state written", Counter, |f, session, status| {
        f.counter(&[("session", session)], status.checkpoints.bytes)
    }),
    ("neuraflow_checkpoint_duration_seconds", "From begin to end of a checkpoint", Gauge, durations),
    (
        "neuraflow_checkpoint_recovery_seconds",
        "From start to all states being back",
        Gauge,
        |f, session, status| {
            let CheckpointReport { restored, recovery, .. } = &status.checkpoints;
            restored.map_or(Ok(()), |_| f.gauge(&[("session", session)], *recovery as f64 / 1e9))
        },
    ),
];

fn states(family: &mut Family<'_>, session: &str, status: &Status) -> fmt::Result {
    State::ALL.iter().try_for_each(|state| {
        let labels = [("session", session), ("state", state.name())];
        family.gauge(&labels, f64::from(u8::from(status.health.state == *state)))
    })
}

fn checkpoints(family: &mut Family<'_>, session: &str, status: &Status) -> fmt::Result {
    let CheckpointReport { committed, abandoned, .. } = status.checkpoints;
    for (outcome, count) in [("committed", committed), ("abandoned", abandoned)] {
        family.counter(&[("session", session), ("outcome", outcome)], count)?;
    }
    Ok(())
}

fn durations(family: &mut Family<'_>, session: &str, status: &Status) -> fmt::Result {
    let duration = &status.checkpoints.duration;
    for (name, nanos) in
        [("0.5", duration.quantile(0.5)), ("0.99", duration.quantile(0.99)), ("1", duration.max())]
    {
        if let Some(nanos) = nanos {
            family.gauge(&[("session", session), ("quantile", name)], nanos as f64 / 1e9)?;
        }
    }
    Ok(())
}
