//! Checkpoints: runs that are killed anywhere and go on, until the end.

mod kills;
mod operators;
mod sink;
mod store;
mod tape;
