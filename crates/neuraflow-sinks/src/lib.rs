//! Sinks of NeuraFlow: callbacks, channels, files.
