//! Recordings and devices through a real Kafka.

mod checkpoints;
mod kit;
mod round_trip;
