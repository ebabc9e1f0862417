//! Checkpoints: what is promised when all goes well, when power fails, and when bytes decay.

#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests, outside the test functions that clippy knows

mod crashes;
mod goldens;
mod hostile;
mod parts;
mod pipelines;
mod rules;
mod world;
