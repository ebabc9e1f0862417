//! Injected time, and later the breaker, backoff and budget that run on it.

mod clock;

pub use clock::{Clock, SystemClock};
