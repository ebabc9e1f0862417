//! Reads a log on, frame by frame.

use std::io;

use super::frame::{self, Found};
use super::log::Log;

/// Bytes that are read at a time.
const READ: u64 = 1 << 20;

/// Reads a log from a place on, frame by frame.
pub(super) struct Reader {
    /// Where `bytes` begin.
    place: u64,
    bytes: Vec<u8>,
    at: usize,
    /// Bytes that the file has behind them.
    more: u64,
}

impl Reader {
    pub(super) fn new(place: u64) -> Self {
        Self { place, bytes: Vec::new(), at: 0, more: 0 }
    }

    /// Where the next frame is looked for.
    pub(super) fn here(&self) -> u64 {
        self.place + self.at as u64
    }

    /// What lies before this place was taken from elsewhere.
    pub(super) fn skip(&mut self, place: u64) {
        self.bytes.clear();
        (self.place, self.at, self.more) = (place, 0, 0);
    }

    /// Reads on, if there is anything. The log does not change meanwhile but at its end. Counts what is gone.
    pub(super) fn fill(&mut self, log: &mut Log, damaged: &mut u64) -> io::Result<bool> {
        let Some((place, stretch)) = log.stretch(self.here()) else { return Ok(false) };
        *damaged += place - self.here();
        // A frame that was not whole needs more than the last time.
        let left = (self.bytes.len() - self.at) as u64;
        self.bytes = stretch.read(READ.max(2 * left))?;
        (self.place, self.at, self.more) = (place, 0, stretch.bytes - self.bytes.len() as u64);
        Ok(true)
    }

    /// The next payload in what was read, and where its frame ends. Counts what is damaged.
    pub(super) fn next(&mut self, damaged: &mut u64) -> Option<(&[u8], u64)> {
        loop {
            match frame::find(&self.bytes[self.at..], self.place + self.at as u64) {
                Found::Frame(payload, size) => {
                    self.at += size;
                    let range = self.at - payload.len()..self.at;
                    return Some((&self.bytes[range], self.place + self.at as u64));
                }
                Found::Damaged(bytes) => {
                    *damaged += bytes as u64;
                    self.at += bytes;
                }
                Found::Nothing => {
                    if self.more == 0 {
                        *damaged += (self.bytes.len() - self.at) as u64;
                        self.at = self.bytes.len();
                    }
                    return None;
                }
            }
        }
    }
}
