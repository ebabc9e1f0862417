//! Checkpoints: runs that are killed anywhere and go on, until the end.

mod decay;
mod faults;
pub(crate) mod graph;
pub(crate) mod heavy;
mod kills;
mod long;
pub(crate) mod operators;
mod refused;
mod rescale;
pub(crate) mod sink;
pub(crate) mod store;
mod supervision;
pub(crate) mod tape;
