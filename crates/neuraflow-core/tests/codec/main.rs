//! The signal codec: what is encoded comes back, and what was not encoded is refused.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // helpers are no tests to clippy

mod bounds;
mod chunks;
mod frames;
mod goldens;
mod hostile;
mod support;
