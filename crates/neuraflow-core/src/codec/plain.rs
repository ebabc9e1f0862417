//! Residuals as whole bytes: all lowest bytes first, then all second ones, and so on; as they are, or through LZ4, which
//! finds flat channels and repetitions.

use super::error::CodecError;
use super::values::ValueType;

/// LZ4 makes at most 255 bytes of one.
const LZ4_MOST: usize = 255;

/// Appends the bytes of `residuals`, channel by channel within each plane of bytes.
pub(super) fn shuffle(residuals: &[u32], channels: usize, whole: ValueType, out: &mut Vec<u8>) {
    out.reserve(residuals.len() * whole.bytes());
    for byte in 0..whole.bytes() {
        for channel in 0..channels {
            let column = residuals.iter().skip(channel).step_by(channels);
            out.extend(column.map(|residual| (residual >> (8 * byte)) as u8));
        }
    }
}

/// Reads `count` residuals from exactly the bytes that hold them.
pub(super) fn unshuffle(
    bytes: &[u8],
    count: usize,
    channels: usize,
    whole: ValueType,
    residuals: &mut Vec<u32>,
) -> Result<(), CodecError> {
    let expected = count * whole.bytes();
    if bytes.len() < expected {
        let (expected, found) = (expected as u64, bytes.len() as u64);
        return Err(CodecError::Truncated { what: "plain residuals", expected, found });
    }
    if bytes.len() > expected {
        return Err(CodecError::Trailing { found: (bytes.len() - expected) as u64 });
    }
    residuals.clear();
    residuals.resize(count, 0);
    let rows = count / channels.max(1);
    for (byte, plane) in bytes.chunks_exact(count.max(1)).enumerate() {
        for (channel, column) in plane.chunks_exact(rows.max(1)).enumerate() {
            for (residual, value) in residuals.iter_mut().skip(channel).step_by(channels).zip(column) {
                *residual |= u32::from(*value) << (8 * byte);
            }
        }
    }
    Ok(())
}

/// Appends shuffled bytes, compressed.
pub(super) fn compress(shuffled: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&lz4_flex::block::compress(shuffled));
}

/// The `size` shuffled bytes that [`compress`] made `bytes` of.
pub(super) fn decompress(bytes: &[u8], size: usize) -> Result<Vec<u8>, CodecError> {
    if size > bytes.len().saturating_mul(LZ4_MOST) {
        let (expected, found) = (size.div_ceil(LZ4_MOST) as u64, bytes.len() as u64);
        return Err(CodecError::Truncated { what: "LZ4 block", expected, found });
    }
    let invalid = |found: usize| CodecError::Invalid {
        what: "LZ4 block",
        expected: "one of as many bytes as the residuals have",
        found: found as u64,
    };
    let mut shuffled = vec![0; size];
    match lz4_flex::block::decompress_into(bytes, &mut shuffled) {
        Ok(found) if found == size => Ok(shuffled),
        Ok(found) => Err(invalid(found)),
        Err(_) => Err(invalid(bytes.len())),
    }
}
