//! Recordings and devices through a real Kafka.

mod kit;
mod round_trip;
