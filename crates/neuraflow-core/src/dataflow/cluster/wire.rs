//! The wire: messages of bounded length, one after another. Whatever comes in is checked before it is believed.

use std::fmt;
use std::io::{self, Read, Write};

use serde::de::{DeserializeOwned, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest message.
const LONGEST: u32 = 4 << 20;

pub(super) fn invalid(what: impl ToString) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_string())
}

/// Bytes that are copied as they are; serde takes others number by number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Bytes(pub(in super::super) Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Whole;
        impl Visitor<'_> for Whole {
            type Value = Bytes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes(bytes.to_vec()))
            }

            fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Bytes, E> {
                Ok(Bytes(bytes))
            }
        }
        deserializer.deserialize_byte_buf(Whole)
    }
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
