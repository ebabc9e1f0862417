//! The wire: messages of bounded length, one after another. Whatever comes in is checked before it is believed.

use std::io::{self, Read, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The longest message.
const LONGEST: u32 = 4 << 20;

fn invalid(what: impl ToString) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_string())
}

/// Appends a message to what is to be written at once.
pub(super) fn put(message: &impl Serialize, out: &mut Vec<u8>) -> io::Result<()> {
    let length = bincode::serialized_size(message).map_err(invalid)?;
    let length = u32::try_from(length).ok().filter(|length| *length <= LONGEST);
    let length = length.ok_or_else(|| invalid("a message of more than 4 MiB"))?;
    out.extend_from_slice(&length.to_le_bytes());
    bincode::serialize_into(out, message).map_err(invalid)
}

/// Writes a message.
pub(super) fn send(message: &impl Serialize, to: &mut impl Write) -> io::Result<()> {
    let mut bytes = Vec::new();
    put(message, &mut bytes)?;
    to.write_all(&bytes)
}

/// Reads a message.
pub(super) fn receive<T: DeserializeOwned>(from: &mut impl Read) -> io::Result<T> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let length = u32::from_le_bytes(length);
    if length > LONGEST {
        return Err(invalid(format!("a message that says it has {length} bytes")));
    }
    let mut bytes = Vec::new();
    from.take(u64::from(length)).read_to_end(&mut bytes)?; // grows with what comes, not with what was said
    if bytes.len() < length as usize {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    bincode::deserialize(&bytes).map_err(invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_is_received() {
        let mut bytes = Vec::new();
        put(&(7u64, "seven"), &mut bytes).unwrap();
        put(&(8u64, "eight"), &mut bytes).unwrap();
        let mut from = bytes.as_slice();
        assert_eq!(receive::<(u64, String)>(&mut from).unwrap(), (7, "seven".to_owned()));
        assert_eq!(receive::<(u64, String)>(&mut from).unwrap(), (8, "eight".to_owned()));
        assert_eq!(receive::<u64>(&mut from).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn lies_about_the_length_are_errors() {
        let huge = u32::MAX.to_le_bytes();
        assert_eq!(receive::<u64>(&mut huge.as_slice()).unwrap_err().kind(), io::ErrorKind::InvalidData);
        let short = [9, 0, 0, 0, 1, 2];
        assert_eq!(receive::<u64>(&mut short.as_slice()).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        let text = [8, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255];
        assert_eq!(receive::<String>(&mut text.as_slice()).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
