//! Time, windows and the dataflow of NeuraFlow.
