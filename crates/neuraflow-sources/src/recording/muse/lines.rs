//! Lines of a text file, in memory that no line can grow.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek};

/// No row of numbers is as long as this many bytes.
const LONGEST: usize = 4096;

/// Reads line by line. Ends of lines may be LF or CR LF.
#[derive(Debug)]
pub(super) struct Lines {
    file: BufReader<File>,
    line: Vec<u8>,
    /// How many lines have been read.
    pub(super) number: u64,
}

impl Lines {
    /// From wherever the file stands.
    pub(super) fn new(file: File) -> Self {
        Self { file: BufReader::with_capacity(64 << 10, file), line: Vec::new(), number: 0 }
    }

    /// Back to the first line.
    pub(super) fn rewind(&mut self) -> io::Result<()> {
        self.number = 0;
        self.file.rewind()
    }

    /// Goes on to the next line; `false` at the end of the file.
    pub(super) fn advance(&mut self) -> io::Result<bool> {
        self.line.clear();
        let mut any = false;
        loop {
            let bytes = self.file.fill_buf()?;
            if bytes.is_empty() {
                break;
            }
            any = true;
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let part = &bytes[..end.unwrap_or(bytes.len())];
            let room = (LONGEST + 1).saturating_sub(self.line.len());
            self.line.extend_from_slice(&part[..part.len().min(room)]);
            let used = end.map_or(bytes.len(), |end| end + 1);
            self.file.consume(used);
            if end.is_some() {
                break;
            }
        }
        self.number += u64::from(any);
        Ok(any)
    }

    /// The line's text without its end; `None` where it is no text, or too long for a row.
    pub(super) fn text(&self) -> Option<&str> {
        let line = self.line.strip_suffix(b"\r").unwrap_or(&self.line);
        (line.len() <= LONGEST).then(|| std::str::from_utf8(line).ok()).flatten()
    }
}
