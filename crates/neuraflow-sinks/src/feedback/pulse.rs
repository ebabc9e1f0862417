//! Whether a client still takes what it is sent: it answers pings, and a ping waits behind everything sent before it.
//!
//! The system's buffers hold seconds of a slow session's messages, so that writing succeeds long after the client has
//! stopped reading. An answered ping proves that it has read.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// Pings sent in the time after which a client is given up.
const PINGS: u32 = 10;
/// As good as never, and no time at which an `Instant` would overflow.
pub(super) const NEVER: Duration = Duration::from_secs(365 * 86_400);

#[derive(Debug)]
pub(super) struct Pulse {
    interval: Duration,
    patience: Duration,
    next: Instant,
    number: u64,
    unanswered: VecDeque<(u64, Instant)>,
}

impl Pulse {
    /// Gives a client up at most `limit` after the last time it took something.
    pub(super) fn new(limit: Duration, now: Instant) -> Self {
        let limit = limit.min(NEVER);
        let interval = limit / PINGS;
        Self {
            interval,
            // The ping it has not answered was sent up to an interval after it took the last one.
            patience: limit.saturating_sub(interval),
            next: now,
            number: 0,
            unanswered: VecDeque::new(),
        }
    }

    /// How long one message may take to be taken.
    pub(super) fn patience(&self) -> Duration {
        self.patience
    }

    /// When to look again.
    pub(super) fn due(&self) -> Instant {
        let lost = self.unanswered.front().map(|(_, sent)| *sent + self.patience);
        lost.map_or(self.next, |lost| lost.min(self.next))
    }

    pub(super) fn is_lost(&self, now: Instant) -> bool {
        self.unanswered.front().is_some_and(|(_, sent)| now >= *sent + self.patience)
    }

    /// What to send in a ping, if one is due.
    pub(super) fn ping(&mut self, now: Instant) -> Option<[u8; 8]> {
        (now >= self.next).then(|| {
            self.number += 1;
            self.next = now + self.interval;
            self.unanswered.push_back((self.number, now));
            self.number.to_be_bytes()
        })
    }

    /// An answer came; `false` if it answers nothing that was asked. The latest answers all before it.
    pub(super) fn pong(&mut self, payload: &[u8]) -> bool {
        let Ok(number) = payload.try_into().map(u64::from_be_bytes) else { return false };
        let before = self.unanswered.len();
        if number <= self.number {
            self.unanswered.retain(|(asked, _)| *asked > number);
        }
        self.unanswered.len() < before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_lost_when_the_oldest_ping_stays_unanswered() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut pulse = Pulse::new(Duration::from_secs(2), start);
        let first = pulse.ping(start).unwrap();
        assert!(pulse.ping(at(199)).is_none());
        let second = pulse.ping(at(200)).unwrap();
        assert!(!pulse.is_lost(at(1_799)) && pulse.is_lost(at(1_800)));
        assert!(!pulse.pong(b"what") && !pulse.pong(&99_u64.to_be_bytes()));
        assert!(pulse.pong(&second), "answers the first too");
        assert!(!pulse.pong(&first) && !pulse.is_lost(at(9_000)));
    }
}
