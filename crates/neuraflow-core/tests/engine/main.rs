//! The engine from outside: graphs, workers, failures and flow control.

#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests, outside the test functions that clippy knows

mod cluster;
mod controls;
mod failures;
mod flow;
mod graphs;
mod hostile;
mod look_ahead;
mod lying;
mod moody;
mod outcome;
mod parts;
mod races;
mod rates;
mod recovery;
mod stepped;
