//! Bytes from anywhere in a file, mostly from front to back.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};

/// A file that is read at given places; what lies just ahead costs no system call.
#[derive(Debug)]
pub(super) struct Positioned {
    file: BufReader<File>,
    /// Where the file stands, if that is known.
    at: Option<u64>,
}

impl Positioned {
    /// Takes over a file, wherever it stands.
    pub(super) fn new(file: BufReader<File>) -> Self {
        Self { file, at: None }
    }

    /// Fills `into` with the bytes from `start` on.
    pub(super) fn read(&mut self, start: u64, into: &mut [u8]) -> io::Result<()> {
        self.go_to(start)?;
        self.file.read_exact(into)?;
        self.at = Some(start + into.len() as u64);
        Ok(())
    }

    /// Fills as much of `into` as the file has from `start` on.
    pub(super) fn read_some(&mut self, start: u64, into: &mut [u8]) -> io::Result<usize> {
        self.go_to(start)?;
        let mut filled = 0;
        while let Some(room) = into.get_mut(filled..).filter(|room| !room.is_empty()) {
            match self.file.read(room)? {
                0 => break,
                read => filled += read,
            }
        }
        self.at = Some(start + filled as u64);
        Ok(filled)
    }

    fn go_to(&mut self, start: u64) -> io::Result<()> {
        let forward =
            self.at.take().and_then(|now| i64::try_from(start).ok()?.checked_sub(i64::try_from(now).ok()?));
        match forward {
            Some(distance) => self.file.seek_relative(distance),
            None => self.file.seek(SeekFrom::Start(start)).map(drop),
        }
    }
}
