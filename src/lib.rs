//! Streaming neural signals as exact event-time windows on Timely Dataflow.
