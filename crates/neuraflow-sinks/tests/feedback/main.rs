//! The feedback server over real sockets, and its readers in process.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod abuse;
mod clients;
mod kit;
mod numbers;
mod pipeline;
mod process;
mod protocol;
