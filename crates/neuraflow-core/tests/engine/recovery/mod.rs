//! Checkpoints: runs that are killed anywhere and go on, until the end.

mod faults;
mod graph;
mod heavy;
mod kills;
mod long;
mod operators;
mod refused;
mod rescale;
mod sink;
mod store;
mod supervision;
mod tape;
