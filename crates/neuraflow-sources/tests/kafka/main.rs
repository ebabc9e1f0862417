//! The ingest and the source against a real broker, which is killed, trimmed, and given what nobody can read.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod again;
mod begins;
mod kit;
mod letters;
mod loss;
mod outage;
mod restart;
mod room;
