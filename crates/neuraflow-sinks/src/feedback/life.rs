//! Whether a session is alive: a pure state machine on an injected time.

use std::collections::BTreeMap;

use neuraflow_core::model::StreamKey;
use serde::Serialize;

/// State of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// No window came yet.
    Waiting,
    /// Windows come.
    Live,
    /// A stream that had windows has none any more.
    Stale,
    /// The pipeline has ended as it should.
    Ended,
    /// The pipeline has failed.
    Failed,
}

impl State {
    /// Its name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Live => "live",
            Self::Stale => "stale",
            Self::Ended => "ended",
            Self::Failed => "failed",
        }
    }

    /// Whether nothing more will come.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Ended | Self::Failed)
    }
}

/// Follows the windows of a session. Every change answers whether the state is another one now.
#[derive(Debug)]
pub(super) struct Life {
    state: State,
    why: Option<String>,
    stale_after: u64,
    /// When each stream's last window came, and how long it may be silent.
    seen: BTreeMap<StreamKey, (u64, u64)>,
}

impl Life {
    pub(super) fn new(stale_after: u64) -> Self {
        Self { state: State::Waiting, why: None, stale_after, seen: BTreeMap::new() }
    }

    pub(super) fn state(&self) -> State {
        self.state
    }

    pub(super) fn why(&self) -> Option<&str> {
        self.why.as_deref()
    }

    /// A window of a stream came, and its next one takes `length`. Of several lengths the shortest counts.
    pub(super) fn window(&mut self, stream: StreamKey, now: u64, length: u64) -> bool {
        let patience = self.patience(length);
        let (seen, least) = self.seen.entry(stream).or_insert((now, patience));
        (*seen, *least) = (now, patience.min(*least));
        self.state == State::Waiting && self.change(State::Live, None)
    }

    /// A window of a stream was counted elsewhere. Its length is not known: `length` is a guess until one is seen.
    pub(super) fn counted(&mut self, stream: StreamKey, now: u64, length: u64) -> bool {
        let patience = self.patience(length);
        self.seen.entry(stream).or_insert((now, patience)).0 = now;
        self.state == State::Waiting && self.change(State::Live, None)
    }

    /// Windows longer than the limit come less often than that, and are no alarm for it.
    fn patience(&self, length: u64) -> u64 {
        self.stale_after.max(length.saturating_mul(2))
    }

    /// Time went by. `name` tells what people call a stream.
    pub(super) fn tick(&mut self, now: u64, name: impl Fn(StreamKey) -> String) -> bool {
        let due = |(seen, patience): &(u64, u64)| seen.saturating_add(*patience);
        let first = self.seen.iter().min_by_key(|(_, stream)| due(stream));
        match (self.state, first.map(|(key, stream)| (*key, *stream))) {
            (State::Live | State::Stale, Some((key, (seen, patience)))) => {
                let silent = now.saturating_sub(seen);
                if silent < patience {
                    return self.change(State::Live, None);
                }
                let why = format!("stream {}: no window for {:.1} s", name(key), silent as f64 / 1e9);
                self.change(State::Stale, Some(why))
            }
            _ => false,
        }
    }

    /// The pipeline has ended.
    pub(super) fn end(&mut self) -> bool {
        self.state != State::Failed && self.change(State::Ended, None)
    }

    /// The pipeline has failed.
    pub(super) fn fail(&mut self, why: String) -> bool {
        self.change(State::Failed, Some(why))
    }

    /// Another pipeline takes the session over.
    pub(super) fn reopen(&mut self) -> bool {
        self.seen.clear();
        self.state.is_final() && self.change(State::Waiting, None)
    }

    fn change(&mut self, state: State, why: Option<String>) -> bool {
        let changed = self.state != state;
        (self.state, self.why) = (state, why);
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn life() -> (Life, StreamKey, StreamKey) {
        (Life::new(SECOND), StreamKey::of_names("s", "a"), StreamKey::of_names("s", "b"))
    }

    #[test]
    fn any_silent_stream_makes_it_stale_and_its_next_window_clears_that() {
        let (mut life, a, b) = life();
        assert!(!life.tick(10 * SECOND, |_| String::new()), "nothing came yet: it waits, however long");
        assert!(life.window(a, 10 * SECOND, 0) && !life.window(b, 10 * SECOND, 0));
        assert!(!life.tick(11 * SECOND - 1, |_| String::new()));
        assert!(!life.window(a, 11 * SECOND - 1, 0));
        assert!(life.tick(11 * SECOND, |key| if key == b { "b".into() } else { "a".into() }));
        assert_eq!((life.state(), life.why()), (State::Stale, Some("stream b: no window for 1.0 s")));
        life.window(b, 11 * SECOND + 5, 0);
        assert!(life.tick(11 * SECOND + 5, |_| String::new()));
        assert_eq!((life.state(), life.why()), (State::Live, None));
    }

    #[test]
    fn windows_longer_than_the_limit_raise_no_alarm_while_they_come() {
        let (mut life, a, b) = life();
        life.window(a, 0, 2 * SECOND);
        assert!(!life.tick(4 * SECOND - 1, |_| String::new()), "the next window is due after 2 s");
        assert!(life.tick(4 * SECOND, |_| String::new()));
        assert_eq!(life.why(), Some("stream : no window for 4.0 s"));
        life.window(a, 4 * SECOND, 2 * SECOND);
        assert!(life.tick(4 * SECOND, |_| String::new()));
        life.window(b, 4 * SECOND, SECOND / 20);
        life.window(b, 4 * SECOND, 5 * SECOND);
        life.counted(b, 4 * SECOND, 5 * SECOND);
        assert!(life.tick(5 * SECOND, |_| String::new()), "of several lengths the shortest counts");
    }

    #[test]
    fn what_has_failed_stays_failed_until_it_is_opened_anew() {
        let (mut life, a, _) = life();
        life.window(a, 0, 0);
        assert!(life.fail("the headset is gone".into()));
        assert!(!life.end() && !life.tick(9 * SECOND, |_| String::new()) && !life.window(a, 9 * SECOND, 0));
        assert_eq!((life.state(), life.why()), (State::Failed, Some("the headset is gone")));
        assert!(life.reopen());
        assert_eq!((life.state(), life.why()), (State::Waiting, None));
        assert!(life.end() && !life.end());
    }
}
