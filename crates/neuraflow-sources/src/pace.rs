//! Pace: when a sample of a given event time is due on the pipeline's clock. Pure; the caller brings the present.

use std::str::FromStr;
use std::time::Duration;

use neuraflow_core::model::Span;
use neuraflow_core::source::SourceError;

/// How fast event time passes on the pipeline's clock. It never changes what is computed, only when.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Speed {
    /// As fast as the pipeline takes it.
    #[default]
    Max,
    /// One second of event time each second.
    RealTime,
    /// So many seconds of event time each second; finite and above 0.
    Times(f64),
}

impl Speed {
    /// Refuses a factor that is no pace.
    pub fn check(self) -> Result<(), SourceError> {
        match self {
            Self::Times(factor) if !(factor.is_finite() && factor > 0.0) => Err(SourceError::Setting {
                setting: "speed",
                expected: "a finite factor above 0, such as Speed::Times(4.0); Speed::Max for no pacing"
                    .into(),
                found: factor.to_string(),
            }),
            _ => Ok(()),
        }
    }
}

/// `max`, `real`, or a factor such as `x20`, as people type it.
///
/// ```
/// use neuraflow_sources::pace::Speed;
/// assert_eq!("x20".parse::<Speed>()?, Speed::Times(20.0));
/// assert!("fast".parse::<Speed>().is_err());
/// # Ok::<(), neuraflow_core::source::SourceError>(())
/// ```
impl FromStr for Speed {
    type Err = SourceError;

    fn from_str(text: &str) -> Result<Self, SourceError> {
        let factor =
            |text: &str| text.strip_prefix('x')?.parse().ok().filter(|f: &f64| f.is_finite() && *f > 0.0);
        match text {
            "max" => Ok(Self::Max),
            "real" => Ok(Self::RealTime),
            _ => factor(text).map(Self::Times).ok_or_else(|| SourceError::Setting {
                setting: "speed",
                expected: "real, max, or a factor above 0 such as x20".into(),
                found: text.into(),
            }),
        }
    }
}

/// Says when event times are due.
///
/// ```
/// use neuraflow_core::model::Span;
/// use neuraflow_sources::pace::{Pacer, Speed};
/// let pacer = Pacer::new(1_000, Speed::Times(2.0));
/// assert_eq!(pacer.due(Span::secs(1)), 500_001_000);
/// assert_eq!(pacer.wait(Span::secs(1), 500_000_000).map(|w| w.as_nanos()), Some(1_000));
/// assert_eq!(pacer.wait(Span::secs(1), 600_000_000), None); // due already
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pacer {
    start: u64,
    /// The event time offset that is due at `start`.
    over: Span,
    speed: Speed,
}

impl Pacer {
    /// Event time offset zero is due at `start` nanoseconds of the clock.
    pub fn new(start: u64, speed: Speed) -> Self {
        Self { start, over: Span::ZERO, speed }
    }

    /// The same, where `over` of the event time has passed before: that offset is due at the start, and what came before it is
    /// not waited for again.
    #[must_use]
    pub fn after(mut self, over: Span) -> Self {
        self.over = over;
        self
    }

    /// The clock's nanosecond at which something `offset` after the beginning is due; never before the start.
    pub fn due(&self, offset: Span) -> u64 {
        let nanos = u64::try_from(offset.as_nanos().saturating_sub(self.over.as_nanos())).unwrap_or(0);
        let wait = match self.speed {
            Speed::Max => 0,
            Speed::RealTime => nanos,
            Speed::Times(factor) => (nanos as f64 / factor) as u64,
        };
        self.start.saturating_add(wait)
    }

    /// How long until it is due, or `None` if it is due at `now`.
    pub fn wait(&self, offset: Span, now: u64) -> Option<Duration> {
        self.due(offset).checked_sub(now).filter(|wait| *wait > 0).map(Duration::from_nanos)
    }
}
