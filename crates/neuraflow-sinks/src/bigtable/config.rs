//! Which table, and how patient to be.

use std::time::Duration;

use neuraflow_core::resilience::Backoff;
use tonic::transport::Endpoint;

use crate::table::TableError;

/// Google's own variable: `host:port` of an emulator that is to be used instead of Google's servers.
const EMULATOR: &str = "BIGTABLE_EMULATOR_HOST";
/// The longest that a call may take.
const LONGEST: Duration = Duration::from_hours(24);

/// Which table, and how patient to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BigtableConfig {
    /// The Google Cloud project.
    pub project: String,
    /// The Bigtable instance.
    pub instance: String,
    /// The table.
    pub table: String,
    /// The application profile; empty for the default one.
    pub app_profile: String,
    /// `host:port` of an emulator; none for Google's servers.
    pub emulator: Option<String>,
    /// Connections, 1 to 64.
    pub channels: usize,
    /// How long one `put` may take with all its tries, and how long a read waits for what comes next; at most a day.
    pub deadline: Duration,
    /// How often an entry is tried within one `put`, and a read that breaks off is gone on with.
    pub attempts: u32,
    /// How long to wait between the tries.
    pub backoff: Backoff,
    /// Bytes of one request; more are sent in several.
    pub request_bytes: usize,
    /// The seed of the jitter.
    pub seed: u64,
}

impl BigtableConfig {
    /// That table, over one connection, with a deadline of 5 s, three tries 20 ms to 1 s apart, and requests of 4 MiB. The emulator is the
    /// one that `BIGTABLE_EMULATOR_HOST` names, if it is set.
    pub fn new(project: impl Into<String>, instance: impl Into<String>, table: impl Into<String>) -> Self {
        Self {
            project: project.into(),
            instance: instance.into(),
            table: table.into(),
            app_profile: String::new(),
            emulator: std::env::var(EMULATOR).ok(),
            channels: 1,
            deadline: Duration::from_secs(5),
            attempts: 3,
            backoff: Backoff::new(Duration::from_millis(20), Duration::from_secs(1)),
            request_bytes: 4 << 20,
            seed: u64::from(std::process::id()),
        }
    }

    pub(super) fn check(&self) -> Result<(), TableError> {
        let wrong = |what, expected, found: &dyn ToString| {
            Err(TableError::Setting { what, expected, found: found.to_string() })
        };
        let plain = |name: &str| {
            let fits = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
            !name.is_empty() && name.chars().all(fits)
        };
        for (what, name) in [("project", &self.project), ("instance", &self.instance), ("table", &self.table)]
        {
            if !plain(name) {
                return wrong(what, "letters, digits, and - _ . :", &format!("{name:?}"));
            }
        }
        if !(1..=64).contains(&self.channels) {
            return wrong("channels", "1 to 64", &self.channels);
        }
        if self.attempts == 0 {
            return wrong("attempts", "at least 1", &0);
        }
        if self.deadline.is_zero() || self.deadline > LONGEST {
            return wrong("deadline", "more than nothing, at most a day", &format!("{:?}", self.deadline));
        }
        match &self.emulator {
            Some(host) if Endpoint::from_shared(format!("http://{host}")).is_err() => {
                wrong("emulator", "host:port", host)
            }
            _ => Ok(()),
        }
    }

    /// What people call the table.
    pub(super) fn name(&self) -> String {
        format!("{}/{}/{}", self.project, self.instance, self.table)
    }
}
