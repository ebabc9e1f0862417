//! The ingest and the source against a real broker, which is killed, trimmed, and given what nobody can read.

mod kit;
mod letters;
mod loss;
mod outage;
mod restart;
mod room;
