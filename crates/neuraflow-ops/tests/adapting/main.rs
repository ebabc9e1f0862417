//! What adapts and accumulates around a decoder: evidence of a trial, recentred covariances, another model.
#![cfg(feature = "linalg")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test's helpers fail by panicking")]

use std::sync::Arc;

use neuraflow_core::model::{Span, Timestamp};

mod chain;
mod evidence;
#[path = "../headset/mod.rs"]
mod headset;
mod recentre;

fn classes(names: &[&str]) -> Arc<[String]> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn at(millis: i64) -> Timestamp {
    Timestamp::EPOCH + Span::millis(millis)
}
