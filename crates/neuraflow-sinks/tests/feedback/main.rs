//! The feedback server over real sockets, and its readers in process.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)]

mod abuse;
mod clients;
mod headset;
mod kit;
mod measure;
mod numbers;
mod pipeline;
mod process;
mod protocol;
mod scraped;
mod suppress;
mod vitals;
