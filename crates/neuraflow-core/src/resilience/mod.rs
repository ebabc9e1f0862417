//! What keeps a pipeline going while something around it fails: pure state machines on an injected clock.

mod backoff;
mod breaker;
mod budget;
mod clock;

pub use backoff::{Backoff, Jitter};
pub use breaker::{Breaker, BreakerConfig, BreakerState, Outcome, Permit};
pub use budget::RetryBudget;
pub use clock::{Clock, SystemClock};
