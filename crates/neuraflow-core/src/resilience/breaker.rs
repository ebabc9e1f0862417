//! A circuit breaker: stops calling a peer that fails or crawls, and tries it carefully later.
//!
//! ```text
//!            too many failures, or slow calls
//!   closed ------------------------------------> open
//!      ^                                        |    ^
//!      | all trials succeed     its time is up  v    | a trial fails
//!      +----------------------------------- half-open
//! ```
//!
//! A state machine without clock or thread: whoever calls says what time it is.

use std::collections::VecDeque;
use std::time::Duration;

use super::backoff::{Backoff, Jitter};

/// When a breaker opens, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerConfig {
    /// Calls that are looked back on, at most.
    pub window: usize,
    /// And none that is older than this.
    pub age: Duration,
    /// Below so many calls no share of them says anything.
    pub minimum: usize,
    /// Opens when so many of a hundred calls have failed.
    pub failed_percent: u8,
    /// A call that takes longer than this is slow, also if it succeeds.
    pub slow_after: Duration,
    /// Opens when so many of a hundred calls were slow or have failed.
    pub slow_percent: u8,
    /// Opens after so many failures in a row, however few calls there were.
    pub in_a_row: u32,
    /// How long it stays open: longer each time that a trial fails.
    pub open: Backoff,
    /// Trials that are let through when its time is up; all must succeed.
    pub trials: u32,
}

impl Default for BreakerConfig {
    /// Half of the last 100 calls of 10 s failed, or 80 of 100 took longer than a second, of at least 20; or five failures in a
    /// row. Open for 1 s, then twice as long each time up to 30 s, with jitter; three trials.
    fn default() -> Self {
        Self {
            window: 100,
            age: Duration::from_secs(10),
            minimum: 20,
            failed_percent: 50,
            slow_after: Duration::from_secs(1),
            slow_percent: 80,
            in_a_row: 5,
            open: Backoff::new(Duration::from_secs(1), Duration::from_secs(30)),
            trials: 3,
        }
    }
}

/// What came of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It succeeded, and took so long.
    Success(Duration),
    /// It failed, or was given up after too long.
    Failure,
    /// The caller was wrong, not the peer: says nothing about the peer.
    Misuse,
}

/// Where a breaker is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerState {
    /// Calls go through.
    Closed,
    /// No call goes through.
    Open,
    /// A few calls go through, to see.
    HalfOpen,
}

impl BreakerState {
    /// `closed`, `open` or `half_open`, as metrics call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// How often a breaker has changed to each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Transitions {
    /// It opened.
    pub opened: u64,
    /// Its time was up, and it let a few calls through to see.
    pub half_opened: u64,
    /// Its trials have succeeded.
    pub closed: u64,
}

/// A call that was let through. Its outcome is told with it.
#[derive(Debug)]
#[must_use = "a trial whose outcome is never told keeps a breaker half open"]
pub struct Permit {
    /// How often the breaker had changed its state when it was given: outcomes of calls from before say nothing any more.
    era: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    Open { until: u64 },
    HalfOpen { out: u32, succeeded: u32 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    Good,
    Slow,
    Failed,
}

/// A circuit breaker. Times are nanoseconds of one monotonic clock.
///
/// ```
/// use std::time::Duration;
/// use neuraflow_core::resilience::{Breaker, BreakerConfig, BreakerState, Jitter, Outcome};
/// let mut breaker = Breaker::new(BreakerConfig::default(), Jitter::new(7));
/// for _ in 0..5 {
///     let permit = breaker.admit(0).unwrap();
///     breaker.done(permit, Outcome::Failure, 0);
/// }
/// let wait = breaker.admit(0).unwrap_err(); // open: ask again after that
/// assert!(wait >= Duration::from_millis(500) && wait <= Duration::from_secs(1));
/// assert!(breaker.admit(wait.as_nanos() as u64).is_ok()); // a trial
/// assert_eq!(breaker.state(), BreakerState::HalfOpen);
/// ```
#[derive(Debug)]
pub struct Breaker {
    config: BreakerConfig,
    jitter: Jitter,
    state: State,
    era: u64,
    calls: VecDeque<(u64, Call)>,
    in_a_row: u32,
    /// Times it was opened since it was last closed.
    opened: u32,
    transitions: Transitions,
}

impl Breaker {
    /// A closed one.
    pub fn new(config: BreakerConfig, jitter: Jitter) -> Self {
        let (state, calls, transitions) = (State::Closed, VecDeque::new(), Transitions::default());
        Self { config, jitter, state, era: 0, calls, in_a_row: 0, opened: 0, transitions }
    }

    /// Where it is. One whose time is up stays open until somebody asks.
    pub fn state(&self) -> BreakerState {
        match self.state {
            State::Closed => BreakerState::Closed,
            State::Open { .. } => BreakerState::Open,
            State::HalfOpen { .. } => BreakerState::HalfOpen,
        }
    }

    /// How often it has changed to which state.
    pub fn transitions(&self) -> Transitions {
        self.transitions
    }

    /// Lets a call through.
    ///
    /// # Errors
    /// Not now; ask again after so long. Nothing is to be waited for where all trials are out: one of them will be told of.
    pub fn admit(&mut self, now: u64) -> Result<Permit, Duration> {
        if let State::Open { until } = self.state {
            if now < until {
                return Err(Duration::from_nanos(until - now));
            }
            self.change(State::HalfOpen { out: 0, succeeded: 0 });
        }
        if let State::HalfOpen { out, succeeded } = &mut self.state {
            if *out + *succeeded >= self.config.trials.max(1) {
                return Err(Duration::ZERO);
            }
            *out += 1;
        }
        Ok(Permit { era: self.era })
    }

    /// What came of a call that was let through.
    pub fn done(&mut self, permit: Permit, outcome: Outcome, now: u64) {
        if permit.era != self.era {
            return;
        }
        let call = match outcome {
            Outcome::Success(took) if took <= self.config.slow_after => Call::Good,
            Outcome::Success(_) => Call::Slow,
            Outcome::Failure => Call::Failed,
            Outcome::Misuse => {
                if let State::HalfOpen { out, .. } = &mut self.state {
                    *out -= 1; // somebody else may try
                }
                return;
            }
        };
        match (&mut self.state, call) {
            (State::HalfOpen { out, succeeded }, Call::Good) => {
                (*out, *succeeded) = (*out - 1, *succeeded + 1);
                if *succeeded >= self.config.trials.max(1) {
                    self.opened = 0;
                    self.change(State::Closed);
                }
            }
            (State::HalfOpen { .. }, _) => self.open(now),
            (State::Closed, call) => {
                self.look_back(call, now);
                if self.is_too_much() {
                    self.open(now);
                }
            }
            (State::Open { .. }, _) => {}
        }
    }

    fn look_back(&mut self, call: Call, now: u64) {
        self.in_a_row = if call == Call::Failed { self.in_a_row.saturating_add(1) } else { 0 };
        self.calls.push_back((now, call));
        let oldest = now.saturating_sub(nanos(self.config.age));
        while self.calls.len() > self.config.window.max(1)
            || self.calls.front().is_some_and(|(at, _)| *at < oldest)
        {
            self.calls.pop_front();
        }
    }

    fn is_too_much(&self) -> bool {
        let all = self.calls.len();
        let share = |calls: usize, percent: u8| calls * 100 >= usize::from(percent) * all;
        let failed = self.calls.iter().filter(|(_, call)| *call == Call::Failed).count();
        let bad = self.calls.iter().filter(|(_, call)| *call != Call::Good).count();
        self.in_a_row >= self.config.in_a_row.max(1)
            || all >= self.config.minimum
                && (failed > 0 && share(failed, self.config.failed_percent)
                    || bad > 0 && share(bad, self.config.slow_percent))
    }

    fn open(&mut self, now: u64) {
        let wait = self.config.open.spread(self.opened, &mut self.jitter);
        self.opened = self.opened.saturating_add(1);
        self.change(State::Open { until: now.saturating_add(nanos(wait)) });
    }

    fn change(&mut self, state: State) {
        let transitions = &mut self.transitions;
        *match state {
            State::Closed => &mut transitions.closed,
            State::Open { .. } => &mut transitions.opened,
            State::HalfOpen { .. } => &mut transitions.half_opened,
        } += 1;
        (self.state, self.era, self.in_a_row) = (state, self.era + 1, 0);
        self.calls.clear();
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
