//! What keeps a pipeline going while something around it fails: pure state machines on an injected clock.

mod backoff;
mod breaker;
mod budget;
mod clock;
mod concurrency;

pub use backoff::{Backoff, Jitter};
pub use breaker::{Breaker, BreakerConfig, BreakerState, Outcome, Permit, Transitions};
pub use budget::Budget;
pub use clock::{Clock, SystemClock};
pub use concurrency::Concurrency;
