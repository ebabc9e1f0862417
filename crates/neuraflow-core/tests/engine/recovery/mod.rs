//! Checkpoints: runs that are killed anywhere and go on, until the end.

mod decay;
mod faults;
pub(crate) mod graph;
mod heavy;
mod kills;
mod long;
pub(crate) mod operators;
mod refused;
mod rescale;
pub(crate) mod sink;
mod store;
mod supervision;
pub(crate) mod tape;
