//! How often, and how many are kept.

use std::time::Duration;

use super::error::CheckpointError;

/// The shortest interval: below it, more time goes into checkpoints than lies between them.
const SHORTEST: Duration = Duration::from_millis(500);

/// How often checkpoints are made and how many are kept: every 5 s, the last three.
///
/// ```
/// use std::time::Duration;
/// use neuraflow_core::checkpoint::Config;
/// let config = Config::every(Duration::from_millis(500))?.keeping(5)?;
/// assert_eq!((config.interval(), config.keep()), (Duration::from_millis(500), 5));
/// assert!(Config::every(Duration::from_millis(20)).is_err());
/// # Ok::<(), neuraflow_core::checkpoint::CheckpointError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    interval: Duration,
    keep: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { interval: Duration::from_secs(5), keep: 3 }
    }
}

impl Config {
    /// A checkpoint every `interval`, at least 500 ms.
    ///
    /// # Errors
    /// The interval is shorter.
    pub fn every(interval: Duration) -> Result<Self, CheckpointError> {
        if interval < SHORTEST {
            return Err(CheckpointError::Setting {
                setting: "checkpoint interval",
                expected: "at least 500 ms",
                found: format!("{interval:?}"),
            });
        }
        Ok(Self { interval, ..Self::default() })
    }

    /// Any interval, for tests that cannot wait.
    #[cfg(feature = "testing")]
    pub fn hurried(interval: Duration) -> Self {
        Self { interval, ..Self::default() }
    }

    /// Keeps the last `keep` checkpoints, at least one. More than one is what a damaged file can be survived with.
    ///
    /// # Errors
    /// None would be kept.
    pub fn keeping(self, keep: usize) -> Result<Self, CheckpointError> {
        if keep == 0 {
            return Err(CheckpointError::Setting {
                setting: "checkpoints kept",
                expected: "at least 1",
                found: keep.to_string(),
            });
        }
        Ok(Self { keep, ..self })
    }

    /// How much time is between two checkpoints.
    pub fn interval(&self) -> Duration {
        self.interval
    }

    /// How many are kept.
    pub fn keep(&self) -> usize {
        self.keep
    }
}
