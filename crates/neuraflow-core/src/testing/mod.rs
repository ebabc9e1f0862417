//! What tests of operators, sources and sinks are made of (feature `testing`).

pub mod data;
