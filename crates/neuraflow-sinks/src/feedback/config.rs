//! Settings of a feedback server, with defaults that are safe on a machine that other people's web pages visit too.

use std::time::Duration;

/// Settings of a [`Feedback`](super::Feedback). Every limit has a default; change what you need.
///
/// ```
/// use neuraflow_sinks::feedback::FeedbackConfig;
/// let config = FeedbackConfig { max_clients: 200, ..FeedbackConfig::default() }.allow("lab.example.org");
/// assert!(config.hosts.iter().any(|host| host == "lab.example.org"));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct FeedbackConfig {
    /// A stream without a window for so long is stale; where windows are longer, after the time of two. Default: 1 s.
    pub stale_after: Duration,
    /// A window that is older than this is not published as `features` or `decision`: what is shown or done to a person must not
    /// come late, least of all what a restart repeats. Its age counts from the arrival of the packet that closed it. `signal` and
    /// `quality` are for looking at and have no limit; any sink may be given its own with
    /// [`max_age`](super::FeedbackSink::max_age). `None` for no limit. Default: 100 ms.
    pub max_age: Option<Duration>,
    /// How many of a session's messages a client may be behind before the oldest make room. Default: 512.
    pub queue: usize,
    /// A client that takes nothing for so long is closed. Default: 2 s.
    pub slow_after: Duration,
    /// WebSocket clients at a time, all sessions together. Default: 128.
    pub max_clients: usize,
    /// TCP connections at a time, with or without a WebSocket. Default: 256.
    pub max_connections: usize,
    /// How long the head of a request may take to arrive. Default: 5 s.
    pub handshake: Duration,
    /// Bytes in a message from a client, and in the head of a request. Default: 16 KiB.
    pub max_incoming: usize,
    /// Messages a second, pings included, that a client may send on average. Default: 20.
    pub max_incoming_rate: u32,
    /// Series that a metric may have, see [`Metrics`](crate::metrics::Metrics). Default: 2000.
    pub series: usize,
    /// Names that `Host` and `Origin` may have; ports do not count. Default: the names of loopback.
    pub hosts: Vec<String>,
}

impl Default for FeedbackConfig {
    fn default() -> Self {
        Self {
            stale_after: Duration::from_secs(1),
            max_age: Some(Duration::from_millis(100)),
            queue: 512,
            slow_after: Duration::from_secs(2),
            max_clients: 128,
            max_connections: 256,
            handshake: Duration::from_secs(5),
            max_incoming: 16 * 1024,
            max_incoming_rate: 20,
            series: 2_000,
            hosts: ["localhost", "127.0.0.1", "[::1]"].map(str::to_owned).to_vec(),
        }
    }
}

impl FeedbackConfig {
    /// Also lets in requests for, and pages from, `host`: a name or an address without a port (IPv6 in brackets).
    #[must_use]
    pub fn allow(mut self, host: impl Into<String>) -> Self {
        self.hosts.push(host.into());
        self
    }
}
