//! Pieces: how something of any length travels over a link whose messages are short, so that signs of life and credits get
//! through in between.

use std::io::{self, Read, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::wire::{self, Bytes, invalid};

/// Bytes of one piece.
const PIECE: usize = 1 << 20;

/// Bytes of all pieces together: the largest state of a stream, and room for what is around it.
const LONGEST: usize = (1 << 30) + (64 << 20);

/// A part of something longer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Piece {
    bytes: Bytes,
    last: bool,
}

/// A message in pieces.
pub(super) fn cut(message: &impl Serialize) -> io::Result<Vec<Piece>> {
    let bytes = bincode::serialize(message).map_err(invalid)?;
    if bytes.len() > LONGEST {
        return Err(invalid(format!("a message of {} bytes", bytes.len())));
    }
    let mut pieces: Vec<_> =
        bytes.chunks(PIECE).map(|bytes| Piece { bytes: Bytes(bytes.to_vec()), last: false }).collect();
    pieces.last_mut().into_iter().for_each(|piece| piece.last = true);
    Ok(pieces)
}

/// The pieces of a message that is not all there yet.
#[derive(Debug, Default)]
pub(super) struct Gathered(Vec<u8>);

impl Gathered {
    /// One more piece. With the last one comes the message.
    pub(super) fn add<T: DeserializeOwned>(&mut self, piece: &Piece) -> io::Result<Option<T>> {
        if self.0.len() + piece.bytes.0.len() > LONGEST {
            return Err(invalid("a message without an end"));
        }
        self.0.extend_from_slice(&piece.bytes.0);
        if !piece.last {
            return Ok(None);
        }
        bincode::deserialize(&std::mem::take(&mut self.0)).map(Some).map_err(invalid)
    }
}

/// Writes a message piece by piece.
pub(super) fn send(message: &impl Serialize, to: &mut impl Write) -> io::Result<()> {
    cut(message)?.iter().try_for_each(|piece| wire::send(piece, to))
}

/// Reads a message that comes piece by piece.
pub(super) fn receive<T: DeserializeOwned>(from: &mut impl Read) -> io::Result<T> {
    let mut gathered = Gathered::default();
    loop {
        if let Some(message) = gathered.add(&wire::receive(from)?)? {
            return Ok(message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_longer_than_a_message_arrives_whole() {
        for length in [0, 1, PIECE - 8, PIECE - 7, 5 * PIECE + 3] {
            let long = Bytes((0..length).map(|n| (n % 251) as u8).collect());
            let mut bytes = Vec::new();
            send(&long, &mut bytes).unwrap();
            send(&"and what follows", &mut bytes).unwrap();
            let mut from = bytes.as_slice();
            assert!(receive::<Bytes>(&mut from).unwrap() == long, "{length}");
            assert_eq!(receive::<String>(&mut from).unwrap(), "and what follows");
            assert_eq!(receive::<String>(&mut from).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        }
    }

    #[test]
    fn pieces_of_something_else_are_an_error() {
        let mut gathered = Gathered::default();
        let piece = |bytes: &[u8], last| Piece { bytes: Bytes(bytes.to_vec()), last };
        assert_eq!(gathered.add::<String>(&piece(&[255; 8], false)).unwrap(), None);
        assert!(gathered.add::<String>(&piece(&[255; 8], true)).is_err());
    }
}
