//! Bit-packing of residuals: blocks of eight samples of a channel, each in as many bits as its largest needs.
//!
//! The samples of a block come in the tree's order of channels: first the widths of all channels, then their bits, the lowest first.
//! Eight values of *w* bits are *w* bytes. A last block of fewer samples has fewer bytes.
//!
//! Widths are half bytes where values have 16 bits, the lower half first, 15 standing for 16; otherwise bytes.

use super::bytes::{BitReader, BitWriter, Cursor};
use super::error::CodecError;
use super::values::ValueType;

/// Samples in a block.
pub(super) const BLOCK: usize = 8;

/// Whether widths are half bytes.
fn halves(whole: ValueType) -> bool {
    whole == ValueType::I16
}

/// Bytes that the widths of a block take.
fn size_of_widths(channels: usize, whole: ValueType) -> usize {
    if halves(whole) { channels.div_ceil(2) } else { channels }
}

/// Appends residuals, `[sample][channel]`.
pub(super) fn encode(residuals: &[u32], channels: usize, whole: ValueType, out: &mut Vec<u8>) {
    for block in residuals.chunks(BLOCK * channels) {
        let at = out.len();
        out.resize(at + size_of_widths(channels, whole), 0);
        for channel in 0..channels {
            let column = || block.iter().skip(channel).step_by(channels);
            let all = column().fold(0, |all, residual| all | residual);
            let mut width = u32::BITS - all.leading_zeros();
            if halves(whole) {
                if width == 15 {
                    width = 16;
                }
                out[at + channel / 2] |= (width.min(15) as u8) << (channel % 2 * 4);
            } else {
                out[at + channel] = width as u8;
            }
            let mut writer = BitWriter::new(out);
            for residual in column() {
                writer.put(*residual, width);
            }
            writer.finish();
        }
    }
}

/// Refuses what cannot be there: every block has at least the widths of its channels.
pub(super) fn check_size(
    bytes: usize,
    count: usize,
    channels: usize,
    whole: ValueType,
) -> Result<(), CodecError> {
    let blocks = count.div_ceil(BLOCK * channels.max(1));
    let expected = blocks * size_of_widths(channels, whole);
    if bytes < expected {
        let (expected, found) = (expected as u64, bytes as u64);
        return Err(CodecError::Truncated { what: "packed blocks", expected, found });
    }
    Ok(())
}

/// Reads `count` residuals, whole samples, from all of `bytes`.
pub(super) fn decode(
    bytes: &[u8],
    count: usize,
    channels: usize,
    whole: ValueType,
    residuals: &mut Vec<u32>,
) -> Result<(), CodecError> {
    check_size(bytes.len(), count, channels, whole)?;
    residuals.clear();
    residuals.resize(count, 0);
    let mut bytes = Cursor::new(bytes);
    for block in residuals.chunks_mut(BLOCK * channels) {
        let widths = bytes.take("widths of a block", size_of_widths(channels, whole))?;
        let rows = block.len() / channels;
        for channel in 0..channels {
            let width = if halves(whole) {
                match widths[channel / 2] >> (channel % 2 * 4) & 15 {
                    15 => 16,
                    width => width,
                }
            } else {
                widths[channel]
            };
            let width = u32::from(width);
            if width > u32::BITS {
                let found = u64::from(width);
                return Err(CodecError::Invalid {
                    what: "width of a block",
                    expected: "at most 32 bits",
                    found,
                });
            }
            let packed = bytes.take("packed block", (rows * width as usize).div_ceil(8))?;
            let mut reader = BitReader::new(packed);
            for residual in block.iter_mut().skip(channel).step_by(channels) {
                *residual = reader.take(width).unwrap_or_default();
            }
        }
    }
    match bytes.rest().len() {
        0 => Ok(()),
        found => Err(CodecError::Trailing { found: found as u64 }),
    }
}
