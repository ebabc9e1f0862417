//! What a process notes of itself, line by line, and how the storm reads it. Times are those of the machine's clock: processes
//! come and go, and it is what they have in common.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// What the outbox and the feedback were like at one time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Note {
    /// Milliseconds since the Unix epoch.
    pub at: u64,
    /// Of the outbox.
    pub waiting_bytes: u64,
    /// Of the oldest item in it, in milliseconds.
    pub age: u64,
    /// Items that the table has taken from this process.
    pub handed_on: u64,
    /// Writes that have failed in this process.
    pub failures: u64,
    /// How often the breaker was opened in this process.
    pub openings: u64,
    /// From a packet's arrival in the process to the feedback, of all windows since the last note, in nanoseconds.
    pub feedback: Vec<u64>,
}

/// Milliseconds since the Unix epoch.
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Appends notes to a file.
#[derive(Debug)]
pub struct Journal(File);

impl Journal {
    /// Goes on with the file, if it is there.
    pub fn open(path: &Path) -> Self {
        Self(OpenOptions::new().create(true).append(true).open(path).unwrap())
    }

    /// In one write, so that a line is there whole or is the last.
    pub fn note(&mut self, note: &Note) {
        let line = serde_json::to_string(note).unwrap() + "\n";
        self.0.write_all(line.as_bytes()).unwrap();
    }
}

/// All notes so far. A process may have been killed in the middle of one.
pub fn read(path: &Path) -> Vec<Note> {
    let Ok(file) = File::open(path) else { return Vec::new() };
    let lines = BufReader::new(file).lines().map_while(Result::ok);
    lines.filter_map(|line| serde_json::from_str(&line).ok()).collect()
}
