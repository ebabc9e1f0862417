//! Reading a session's messages in the same process, without a socket.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::channel::Channel;
use super::reader::{Next, Reader, Received};
use super::subscription::Subscription;

/// How long a reader sleeps at most when nothing wakes it: a clock that was injected tells nobody that it went on.
const NAP: Duration = Duration::from_millis(20);

/// Reads the messages that a WebSocket client would get, but for heartbeats.
///
/// As an iterator it waits for each message, and ends once the session has ended or failed and all was read.
pub struct Subscriber {
    channel: Arc<Channel>,
    reader: Reader,
    hello: Option<Received>,
}

impl Subscriber {
    pub(super) fn new(channel: Arc<Channel>, asked: Subscription) -> Self {
        let (reader, hello) = channel.join(asked, "neuraflow.v1");
        Self { channel, reader, hello: Some(hello) }
    }

    /// The next message if it is there already.
    pub fn try_recv(&mut self) -> Option<Received> {
        if let Some(hello) = self.hello.take() {
            return Some(hello);
        }
        match self.channel.poll(&mut self.reader) {
            Next::Message(message) => Some(message),
            Next::Wait(_) => None,
        }
    }

    /// The next message if it comes within `timeout`.
    pub fn recv_timeout(&mut self, timeout: Duration) -> Option<Received> {
        self.wait(Instant::now().checked_add(timeout))
    }

    /// The next message, waited for; `None` once the session has ended or failed and all was read.
    pub fn recv(&mut self) -> Option<Received> {
        self.wait(None)
    }

    /// From now on another part is wanted.
    pub fn ask(&mut self, asked: Subscription) {
        self.reader.ask(asked);
    }

    fn wait(&mut self, deadline: Option<Instant>) -> Option<Received> {
        if let Some(hello) = self.hello.take() {
            return Some(hello);
        }
        let mut core = self.channel.lock();
        loop {
            let until = match self.reader.poll(&core.ring, self.channel.clock.now()) {
                Next::Message(message) => return Some(message),
                Next::Wait(until) => until,
            };
            if core.said.is_final() && self.reader.is_done(&core.ring) {
                return None;
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return None;
            }
            let nap = if until.is_some() { NAP } else { Duration::from_secs(1) };
            core = self.channel.wait(core, left.map_or(nap, |left| left.min(nap)));
        }
    }
}

impl Iterator for Subscriber {
    type Item = Received;

    fn next(&mut self) -> Option<Received> {
        self.recv()
    }
}

impl fmt::Debug for Subscriber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscriber").field("session", &self.channel.name).finish()
    }
}
