//! The feedback server over real sockets, and its readers in process.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod abuse;
mod age;
mod clients;
mod kit;
mod numbers;
mod process;
mod protocol;
