//! A line: one of Timely's connections, and what it hears when the other end is gone.
//!
//! Timely's threads panic on a lost connection, and take along whoever waits for them. On this line they hear instead that it
//! has ended in order; but not before all workers have left, so that no half message is ever taken for a whole one.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use timely::communication::allocator::zero_copy::stream::Stream;

use super::super::error::PipelineError;
use super::super::shared::Shared;

/// Bytes of a message's header, and where its length stands in it, as a big-endian number of 8 bytes. Without a body it ends the line.
const HEADER: usize = 48;
const LENGTH: usize = 32;

/// How long the link may take to tell why the line has broken.
const EXPLANATION: Duration = Duration::from_secs(1);

/// Something has broken. Waits until the link has told why, but not for long.
pub(super) fn await_explanation(shared: &Shared) {
    let mut waited = Duration::ZERO;
    let nap = Duration::from_millis(5);
    while !shared.aborted() && waited < EXPLANATION {
        std::thread::sleep(nap);
        waited += nap;
    }
}

/// Where in the messages the reader is.
#[derive(Debug, Default)]
struct Place {
    header: Vec<u8>,
    body: u64,
    over: bool,
}

impl Place {
    fn advance(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.over {
            if self.body > 0 {
                let taken = bytes.len().min(usize::try_from(self.body).unwrap_or(usize::MAX));
                self.body -= taken as u64;
                bytes = &bytes[taken..];
                continue;
            }
            let taken = bytes.len().min(HEADER - self.header.len());
            self.header.extend_from_slice(&bytes[..taken]);
            bytes = &bytes[taken..];
            if self.header.len() == HEADER {
                let length = self.header[LENGTH..LENGTH + 8].iter();
                self.body = length.fold(0, |length, byte| length << 8 | u64::from(*byte));
                self.over = self.body == 0;
                self.header.clear();
            }
        }
    }

    /// Zeros that bring what was begun to its end, and then the line to its own.
    fn wind_up(&mut self, bytes: &mut [u8]) -> usize {
        let missing = match (self.over, self.body) {
            (true, _) => 0,
            (false, 0) => HEADER - self.header.len(),
            (false, body) => usize::try_from(body).unwrap_or(usize::MAX),
        };
        let count = missing.min(bytes.len());
        bytes[..count].fill(0);
        self.advance(&bytes[..count]);
        count
    }
}

/// One of Timely's connections to another process.
pub(super) struct Line {
    socket: TcpStream,
    process: usize,
    shared: Arc<Shared>,
    place: Place,
    broken: bool,
}

impl Line {
    pub(super) fn new(socket: TcpStream, process: usize, shared: &Arc<Shared>) -> Self {
        Self { socket, process, shared: Arc::clone(shared), place: Place::default(), broken: false }
    }

    fn lose(&mut self, how: &str) {
        self.broken = true;
        await_explanation(&self.shared);
        if let Some(peers) = self.shared.peers.as_ref().filter(|_| !self.shared.aborted()) {
            self.shared.fail(PipelineError::Cluster(peers.lost(self.process, how)));
        }
    }
}

impl Read for Line {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        while !self.broken {
            match self.socket.read(bytes) {
                Ok(0) if self.place.over => return Ok(0),
                Ok(0) => self.lose("it closed the connection"),
                Ok(count) => {
                    self.place.advance(&bytes[..count]);
                    return Ok(count);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) if self.place.over => return Ok(0),
                Err(error) => self.lose(&error.to_string()),
            }
            if self.broken {
                while !self.shared.wait_until_gone(Duration::from_millis(100)) && !self.shared.is_hung() {}
            }
        }
        Ok(self.place.wind_up(bytes))
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        while !self.broken {
            match self.socket.write(bytes) {
                Ok(count) if count > 0 || bytes.is_empty() => return Ok(count),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Ok(_) => self.lose("it takes nothing more"),
                Err(error) => self.lose(&error.to_string()),
            }
        }
        Ok(bytes.len()) // to nobody: the run has failed
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(()) // a socket holds nothing back
    }
}

impl Stream for Line {
    fn try_clone(&self) -> io::Result<Self> {
        self.socket.try_clone().map(|socket| Self::new(socket, self.process, &self.shared))
    }

    fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.socket.set_nonblocking(nonblocking)
    }

    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        let _ = self.socket.shutdown(how); // one that is broken already is shut down
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(length: u8) -> Vec<u8> {
        let mut bytes = vec![7; HEADER];
        bytes[LENGTH..LENGTH + 8].copy_from_slice(&u64::from(length).to_be_bytes());
        bytes.extend(std::iter::repeat_n(9, usize::from(length)));
        bytes
    }

    #[test]
    fn wherever_it_breaks_it_ends_in_order() {
        let whole = [message(5), message(17)].concat();
        for cut in 0..=whole.len() {
            let mut place = Place::default();
            place.advance(&whole[..cut]);
            let (mut wound_up, mut bytes) = (Vec::new(), [1; 7]);
            while let count @ 1.. = place.wind_up(&mut bytes) {
                wound_up.extend_from_slice(&bytes[..count]);
            }
            assert!(place.over && wound_up.iter().all(|byte| *byte == 0), "{cut}");
            let mut all = Place::default();
            all.advance(&[&whole[..cut], &wound_up].concat());
            assert!(all.over, "{cut}");
        }
    }

    #[test]
    fn pieces_make_no_difference() {
        let whole = [message(5), message(17), message(0)].concat();
        for piece in 1..whole.len() {
            let mut place = Place::default();
            for (n, bytes) in whole.chunks(piece).enumerate() {
                assert!(!place.over, "{n} of {piece}");
                place.advance(bytes);
            }
            assert!(place.over, "{piece}");
        }
    }
}
