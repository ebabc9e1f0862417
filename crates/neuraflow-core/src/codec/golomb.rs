//! Adaptive Golomb codes: the residuals of each channel with a divisor that follows their mean.
//!
//! Golomb (1966) gives the best prefix code of geometric residuals, *m* ≈ ln 2 · mean; Rice's are those of powers of two, which
//! on EEG take 3 % more bytes. The means live on from frame to frame until the next key frame.

use super::bytes::{BitReader, BitWriter};
use super::error::CodecError;

/// Quotients from here on are not written out: 32 bits of the residual follow.
const ESCAPE: u32 = 24;

/// The largest initial scale.
const MAX_SCALE: u8 = 31;

/// The running mean of each channel's residuals, in the tree's order, in 256ths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Means {
    means: Vec<u64>,
    /// Rows seen since the key frame: the first count for more.
    seen: u32,
}

/// One channel's divisor.
struct Divisor {
    m: u64,
    /// Bits of the longer remainders.
    bits: u32,
    /// Remainders below it have a bit less.
    short: u64,
}

impl Divisor {
    #[inline]
    fn of(mean: u64) -> Self {
        // 11/16 for ln 2; the mean is in 256ths.
        let m = ((mean * 11) >> 12) + 1;
        let bits = u64::BITS - (m - 1).leading_zeros();
        Self { m, bits, short: (1 << bits) - m }
    }
}

/// The mean after one more residual.
#[inline]
fn follow(mean: u64, residual: u32, speed: u32) -> u64 {
    // One step of a plateau must not spoil the mean for long.
    let residual = u64::from(residual).min((mean >> 4) + 256) << 8;
    if residual >= mean { mean + ((residual - mean) >> speed) } else { mean - ((mean - residual) >> speed) }
}

impl Means {
    /// Forgets everything, as at a key frame.
    pub(super) fn restart(&mut self, channels: usize) {
        self.means.clear();
        self.means.resize(channels, 0);
        self.seen = 0;
    }

    fn begin(&mut self, scale: u8) {
        self.means.fill(384 << scale);
    }

    fn row_done(&mut self) -> u32 {
        self.seen = self.seen.saturating_add(1);
        match self.seen {
            0..6 => 2,
            6..16 => 3,
            _ => 4,
        }
    }

    /// Appends residuals, `[sample][channel]`, of as many channels as there are means.
    pub(super) fn encode(&mut self, residuals: &[u32], out: &mut Vec<u8>) {
        if self.seen == 0 {
            let sum: u64 = residuals.iter().map(|residual| u64::from(*residual)).sum();
            let mean = sum / (residuals.len() as u64).max(1);
            let scale = mean.max(1).ilog2() as u8;
            out.push(scale);
            self.begin(scale);
        }
        let mut writer = BitWriter::new(out);
        for row in residuals.chunks_exact(self.means.len()) {
            let speed = self.row_done();
            for (residual, mean) in row.iter().zip(&mut self.means) {
                let divisor = Divisor::of(*mean);
                let value = u64::from(*residual);
                let (quotient, rest) = (value / divisor.m, value % divisor.m);
                if quotient < u64::from(ESCAPE) {
                    let quotient = quotient as u32;
                    writer.put((1 << quotient) - 1, quotient + 1);
                    if rest < divisor.short {
                        writer.put(rest as u32, divisor.bits - 1);
                    } else {
                        let code = rest + divisor.short;
                        writer.put((code >> 1) as u32, divisor.bits.saturating_sub(1));
                        writer.put((code & 1) as u32, u32::from(divisor.bits > 0));
                    }
                } else {
                    writer.put((1 << ESCAPE) - 1, ESCAPE);
                    writer.put(*residual, 32);
                }
                *mean = follow(*mean, *residual, speed);
            }
        }
        writer.finish();
    }

    /// Reads `count` residuals, whole samples, from all of `bytes`.
    pub(super) fn decode(
        &mut self,
        bytes: &[u8],
        count: usize,
        residuals: &mut Vec<u32>,
    ) -> Result<(), CodecError> {
        let found = bytes.len() as u64;
        let truncated = |count: usize| CodecError::Truncated {
            what: "Golomb codes",
            expected: count.div_ceil(8) as u64,
            found,
        };
        let mut bytes = bytes;
        if self.seen == 0 {
            let (scale, rest) = bytes.split_first().ok_or(truncated(count))?;
            if *scale > MAX_SCALE {
                let found = u64::from(*scale);
                return Err(CodecError::Invalid {
                    what: "scale of Golomb codes",
                    expected: "0 to 31",
                    found,
                });
            }
            self.begin(*scale);
            bytes = rest;
        }
        // Every code has at least one bit.
        if count > bytes.len().saturating_mul(8) {
            return Err(truncated(count));
        }
        residuals.clear();
        residuals.reserve(count);
        let mut reader = BitReader::new(bytes);
        let channels = self.means.len();
        for _ in 0..count / channels.max(1) {
            let speed = self.row_done();
            for mean in &mut self.means {
                let residual = take(&mut reader, &Divisor::of(*mean)).ok_or(truncated(count))?;
                *mean = follow(*mean, residual, speed);
                residuals.push(residual);
            }
        }
        match reader.untouched() {
            0 => Ok(()),
            found => Err(CodecError::Trailing { found: found as u64 }),
        }
    }
}

#[inline]
fn take(reader: &mut BitReader<'_>, divisor: &Divisor) -> Option<u32> {
    let quotient = reader.ones(ESCAPE)?;
    if quotient == ESCAPE {
        return reader.take(32);
    }
    let mut rest = 0;
    if divisor.bits > 0 {
        rest = u64::from(reader.take(divisor.bits - 1)?);
        if rest >= divisor.short {
            rest = (rest << 1 | u64::from(reader.take(1)?)) - divisor.short;
        }
    }
    // What no encoder writes may be too large: its lowest bits will do.
    Some((u64::from(quotient) * divisor.m + rest) as u32)
}
