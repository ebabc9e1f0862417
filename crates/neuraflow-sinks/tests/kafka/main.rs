//! Results into a real broker, which is killed, by writers that crash.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod at_least_once;
mod exactly_once;
mod kit;
