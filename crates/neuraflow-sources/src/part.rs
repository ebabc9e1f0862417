//! What positions call a stream.

use neuraflow_core::model::StreamHeader;

/// The stream's name for people, and its key's hash, which tells it from others of that name.
pub(crate) fn part(header: &StreamHeader) -> String {
    format!("{}-{:016x}", header.name, header.key.stable_hash())
}
