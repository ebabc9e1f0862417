//! Sources of NeuraFlow: recordings, replay, synthetic headsets, device handles.

pub mod pace;
pub mod synthetic;
