//! A log of packets: what a source emitted, to be replayed to the same bits.
//!
//! A live source's packets depend on the moment: on arrivals, on a full queue, on timers. All of that is in its
//! packets, so a log of them is the recording of a live run. The file is a header (magic, version, checksum), then
//! one record for each packet: length, CRC-32, and the arrival and packet in bincode. bincode is no longer
//! maintained, so it stays behind this envelope: the version says which layout the payload has, nothing is decoded
//! before its checksum holds, and no length in a file makes more than one bounded allocation.

mod format;
mod record;
mod replay;

pub use record::Recorded;
pub use replay::{PacketLog, Torn};
