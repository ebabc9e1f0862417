//! What to read.

use neuraflow_core::model::{Id, StreamKey, Timestamp};

use super::key::{RowKey, device_prefix, session_prefix, stream_prefix};
use super::row::{Scan, successor};
use super::stage::Stage;

/// What to read: whose results, from when to when, of which stage, and how many.
///
/// ```
/// use neuraflow_core::model::{StreamKey, Timestamp};
/// use neuraflow_sinks::table::{Query, Stage};
/// let stream = StreamKey::of_names("session", "headset");
/// let noon = Timestamp::from_nanos(12 * 3_600_000_000_000);
/// let _ = Query::stream(stream).from(noon).of_stage(Stage::new("band power")?);
/// let _ = Query::session(stream.tenant, stream.session).latest(20); // of each stream
/// # Ok::<(), neuraflow_sinks::table::TableError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    prefix: Vec<u8>,
    pub(super) from: Timestamp,
    /// None for the end of time, which is in the range then.
    pub(super) until: Option<Timestamp>,
    pub(super) stage: Option<Stage>,
    pub(super) latest: Option<usize>,
}

impl Query {
    fn new(prefix: &[u8]) -> Self {
        let from = Timestamp::from_nanos(i64::MIN);
        Self { prefix: prefix.to_vec(), from, until: None, stage: None, latest: None }
    }

    /// Everything of a session: stream by stream.
    pub fn session(tenant: Id, session: Id) -> Self {
        Self::new(&session_prefix(tenant, session))
    }

    /// Everything of one device in a session: signal by signal.
    pub fn device(tenant: Id, session: Id, device: Id) -> Self {
        Self::new(&device_prefix(tenant, session, device))
    }

    /// Everything of one stream.
    pub fn stream(stream: StreamKey) -> Self {
        Self::new(&stream_prefix(&stream))
    }

    /// Only windows that begin at `time` or later.
    #[must_use]
    pub fn from(self, time: Timestamp) -> Self {
        Self { from: time, ..self }
    }

    /// Only windows that begin before `time`.
    #[must_use]
    pub fn until(self, time: Timestamp) -> Self {
        Self { until: Some(time), ..self }
    }

    /// Only results of one stage.
    #[must_use]
    pub fn of_stage(self, stage: Stage) -> Self {
        Self { stage: Some(stage), ..self }
    }

    /// Only the newest `count` results of each stream.
    #[must_use]
    pub fn latest(self, count: usize) -> Self {
        Self { latest: Some(count), ..self }
    }

    /// All keys it may concern.
    pub(super) fn keys(&self) -> Scan {
        Scan::prefix(&self.prefix)
    }

    /// The rows of a stream that may hold what is asked for.
    pub(super) fn rows(&self, stream: StreamKey) -> Scan {
        let last = match self.until {
            Some(until) => until.as_nanos().checked_sub(1),
            None => Some(i64::MAX),
        };
        // Nothing begins before the first instant there is.
        let Some(last) = last else { return Scan::everything().first(0) };
        let newest = RowKey::of_time(stream, Timestamp::from_nanos(last)).to_bytes();
        let oldest = RowKey::of_time(stream, self.from).to_bytes();
        let scan = Scan { start: newest.to_vec(), end: successor(&oldest), ..Scan::everything() };
        if self.latest == Some(0) { scan.first(0) } else { scan }
    }

    /// Whether a window that begins at `start` is asked for.
    pub(super) fn covers(&self, start: Timestamp) -> bool {
        start >= self.from && self.until.is_none_or(|until| start < until)
    }
}
