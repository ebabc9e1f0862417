//! What watched pipelines have in their books: samples, windows, latency, checkpoints, and whether they run.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use neuraflow_core::dataflow::{LatencyHistogram, LatencySplit, State, Status, StreamStatus, Watch};
use neuraflow_core::model::{Id, StreamKey};

use super::family::{Family, Kind, Labels, Writer};
use super::quality::hex;
use super::signal::signal_type;
use super::{Inside, Metrics};

/// A session in which no window was closed for so many nanoseconds is not active.
const ACTIVE: u64 = 10_000_000_000;

/// Pipelines by the name of their session.
#[derive(Debug, Default)]
pub(super) struct Pipelines(Mutex<BTreeMap<String, Watched>>);

struct Watched {
    watch: Watch,
    /// Once a pipeline is gone its sinks are too, but what they measured is still worth telling.
    latency: LatencySplit,
    /// How many windows each stream had closed, and when that was seen to have changed.
    seen: BTreeMap<StreamKey, (u64, u64)>,
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched").field("streams", &self.seen.len()).finish_non_exhaustive()
    }
}

impl Metrics {
    /// Tells the books of this pipeline, as those of `session`, and no longer those of the one that was watched before as that.
    pub fn watch(&self, session: impl Into<String>, watch: Watch) {
        let watched = Watched { watch, latency: LatencySplit::default(), seen: BTreeMap::new() };
        self.0.pipelines.lock().insert(session.into(), watched);
    }

    /// Tells nothing of this session's pipeline any more.
    pub fn forget(&self, session: &str) {
        self.0.pipelines.lock().remove(session);
    }
}

/// A pipeline at one instant.
pub(super) struct Look {
    session: String,
    pub(super) status: Status,
    /// Sessions of its streams in which windows are being closed.
    active: Vec<Id>,
}

impl Pipelines {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Watched>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All of them now.
    pub(super) fn look(&self, now: u64) -> Vec<Look> {
        let look = |(session, watched): (&String, &mut Watched)| {
            let mut status = watched.watch.status();
            if status.sinks.is_empty() {
                status.latency = watched.latency.clone();
            } else {
                watched.latency = status.latency.clone();
            }
            Look { session: session.clone(), active: watched.active(&status, now), status }
        };
        self.lock().iter_mut().map(look).collect()
    }
}

impl Watched {
    fn active(&mut self, status: &Status, now: u64) -> Vec<Id> {
        let mut active = Vec::new();
        for stream in &status.streams {
            let (key, windows) = (stream.header.key, stream.windows.total());
            let seen = self.seen.entry(key).or_insert((0, 0));
            if windows != seen.0 {
                *seen = (windows, now);
            }
            if seen.0 > 0 && now.saturating_sub(seen.1) < ACTIVE && status.health.state == State::Running {
                active.push(key.session);
            }
        }
        active
    }
}

/// Writes what all of them have to say.
pub(super) fn write(looks: &[Look], inside: &Inside, out: &mut Writer<'_>) -> fmt::Result {
    use Kind::{Counter, Largest};
    let mut active: Vec<Id> = looks.iter().flat_map(|look| look.active.iter().copied()).collect();
    active.sort_unstable();
    active.dedup();
    out.family("active_bci_sessions", "Sessions in which windows are being closed", Largest, |family| {
        family.tell(&[], &[], active.len() as f64);
    })?;
    let help = "Ids, kind of signal and device model of a stream";
    out.family("neuraflow_stream_info", help, Largest, |family| {
        for_streams(looks, |session, stream| {
            let header = &stream.header;
            let (session_id, device_id) = (hex(header.key.session), hex(header.key.device));
            let model = inside.devices.model(header.key.device);
            let who = [
                ("session", session),
                ("stream", &header.name),
                ("session_id", &session_id),
                ("device_id", &device_id),
                ("signal_type", signal_type(header)),
                ("device_model", &model),
            ];
            family.tell(&who, &[], 1.0);
        });
    })?;
    out.family("neuraflow_samples", "Samples by where they ended", Counter, |f| samples(looks, f))?;
    out.family("neuraflow_windows", "Windows closed, by status", Counter, |f| windows(looks, f))?;
    out.family("neuraflow_latency_seconds", "Latency of windows since the start, by part", Largest, |f| {
        latency(looks, f);
    })?;
    for (name, help, kind, write) in VITALS {
        out.family(name, help, kind, |family| {
            looks.iter().for_each(|look| write(family, &[("session", &look.session)], &look.status));
        })?;
    }
    Ok(())
}

fn for_streams(looks: &[Look], mut tell: impl FnMut(&str, &StreamStatus)) {
    for look in looks {
        look.status.streams.iter().for_each(|stream| tell(&look.session, stream));
    }
}

fn samples(looks: &[Look], family: &mut Family) {
    for_streams(looks, |session, stream| {
        let (books, who) = (&stream.accounting, [("session", session), ("stream", &stream.header.name)]);
        for (place, samples) in [
            ("in", books.samples_in),
            ("windowed", books.windowed),
            ("late", books.late),
            ("duplicate", books.duplicate),
            ("rejected", books.rejected),
            ("dropped", books.dropped),
            ("lost", books.lost),
            ("imputed", books.imputed),
        ] {
            family.tell(&who, &[("place", place)], samples as f64);
        }
    });
}

fn windows(looks: &[Look], family: &mut Family) {
    for_streams(looks, |session, stream| {
        let (counts, who) = (stream.windows, [("session", session), ("stream", &stream.header.name)]);
        for (status, windows) in
            [("complete", counts.complete), ("gap", counts.gap), ("partial", counts.partial)]
        {
            family.tell(&who, &[("status", status)], windows as f64);
        }
    });
}

fn latency(looks: &[Look], family: &mut Family) {
    for Look { session, status, .. } in looks {
        let LatencySplit { wait, compute, output, total } = &status.latency;
        for (part, histogram) in [("wait", wait), ("compute", compute), ("output", output), ("total", total)]
        {
            let tail = ("0.999", histogram.quantile(0.999));
            for (quantile, nanos) in quantiles(histogram).into_iter().chain([tail]) {
                let what = [("part", part), ("quantile", quantile)];
                seconds(family, &[("session", session)], &what, nanos);
            }
        }
    }
}

fn quantiles(histogram: &LatencyHistogram) -> [(&'static str, Option<u64>); 3] {
    [("0.5", histogram.quantile(0.5)), ("0.99", histogram.quantile(0.99)), ("1", histogram.max())]
}

fn seconds(family: &mut Family, who: Labels<'_>, what: Labels<'_>, nanos: Option<u64>) {
    if let Some(nanos) = nanos {
        family.tell(who, what, nanos as f64 / 1e9);
    }
}

/// Name, help, kind, and what writes the lines of one pipeline.
type Vital = (&'static str, &'static str, Kind, fn(&mut Family, Labels<'_>, &Status));

/// What is told of a pipeline itself, beside its streams.
const VITALS: [Vital; 8] = [
    (
        "neuraflow_pipeline_state",
        "1 for the state that a pipeline is in",
        Kind::Largest,
        |family, who, status| {
            for state in State::ALL {
                let is = f64::from(u8::from(status.health.state == *state));
                family.tell(who, &[("state", state.name())], is);
            }
        },
    ),
    (
        "neuraflow_pipeline_restarts",
        "How often a pipeline was started again",
        Kind::Counter,
        |family, who, status| family.tell(who, &[], f64::from(status.health.restarts)),
    ),
    (
        "neuraflow_checkpoints",
        "Checkpoints begun, by what became of them",
        Kind::Counter,
        |family, who, status| {
            let report = &status.checkpoints;
            for (outcome, count) in [("committed", report.committed), ("abandoned", report.abandoned)] {
                family.tell(who, &[("outcome", outcome)], count as f64);
            }
        },
    ),
    ("neuraflow_checkpoint_last", "Number of the newest checkpoint", Kind::Largest, |family, who, status| {
        status.checkpoints.last.into_iter().for_each(|number| family.tell(who, &[], number as f64));
    }),
    (
        "neuraflow_checkpoint_age_seconds",
        "How old the newest checkpoint is",
        Kind::Largest,
        |family, who, status| {
            let age = status.checkpoint_age.filter(|_| !is_over(status.health.state));
            age.into_iter().for_each(|age| family.tell(who, &[], age.as_secs_f64()));
        },
    ),
    ("neuraflow_checkpoint_bytes", "Bytes of state written", Kind::Counter, |family, who, status| {
        family.tell(who, &[], status.checkpoints.bytes as f64);
    }),
    (
        "neuraflow_checkpoint_duration_seconds",
        "From begin to end of a checkpoint",
        Kind::Largest,
        |family, who, status| {
            for (quantile, nanos) in quantiles(&status.checkpoints.duration) {
                seconds(family, who, &[("quantile", quantile)], nanos);
            }
        },
    ),
    (
        "neuraflow_checkpoint_recovery_seconds",
        "From start to all states being back",
        Kind::Largest,
        |family, who, status| {
            let report = &status.checkpoints;
            report.restored.into_iter().for_each(|_| family.tell(who, &[], report.recovery as f64 / 1e9));
        },
    ),
];

/// Nothing more is to be expected of it.
fn is_over(state: State) -> bool {
    matches!(state, State::Failed | State::Finished)
}
