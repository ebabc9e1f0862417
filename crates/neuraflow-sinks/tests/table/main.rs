//! Tables: the same suite on the local store and on a real Bigtable emulator, and what is particular to each.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)] // helpers outside #[test]

mod emulator;
mod fake;
mod format;
mod hotspot;
mod kit;
mod live;
mod local;
mod migration;
mod partial;
#[path = "../../../../tests/support/service.rs"]
mod service;
mod suite;
mod throughput;
