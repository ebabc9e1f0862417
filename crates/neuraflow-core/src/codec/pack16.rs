//! The same bytes as [`pack`](super::pack) for values of 16 bits, some ten times as fast: prediction and packing in one pass over tiles of eight
//! samples that stay in the first cache.
//!
//! Samples come side by side, [`[sample][channel]`], but the blocks of a channel go one after the other. So tiles of eight by eight are
//! turned, and what is done to the eight differences of a channel is done to all at once. Bits are moved together by halves within
//! a 64-bit word: no branch depends on a width.

use super::error::CodecError;
use super::pack::{BLOCK, check_size};
use super::tree::Tree;
use super::values::ValueType;

/// Eight differences: of one channel over time, or of one sample over channels.
type Eight = [i16; BLOCK];

/// Working memory.
#[derive(Clone, Debug, Default)]
pub(super) struct Tiles {
    /// The differences of each channel; at least one more, which is zero, for channels without a parent.
    change: Vec<Eight>,
    last: Vec<i16>,
}

impl Tiles {
    fn begin(&mut self, last: &[i32]) {
        self.change.clear();
        self.change.resize((last.len() + 1).next_multiple_of(BLOCK), [0; BLOCK]);
        self.last.clear();
        self.last.extend(last.iter().map(|value| *value as i16));
    }

    fn end(&self, last: &mut [i32]) {
        for (to, from) in last.iter_mut().zip(&self.last) {
            *to = i32::from(*from);
        }
    }

    /// Appends `rows`, which follow the row `last`; `last` becomes the last of them.
    pub(super) fn encode(&mut self, rows: &[i16], last: &mut [i32], tree: &Tree, out: &mut Vec<u8>) {
        let channels = last.len();
        self.begin(last);
        for block in rows.chunks(BLOCK * channels) {
            let count = block.len() / channels;
            self.differences(block, channels);
            let at = out.len();
            let payload = at + channels.div_ceil(2);
            // Room for the widest block, and for writing 16 bytes at once.
            out.resize(payload + 16 * channels + 16, 0);
            let (widths, packed) = out[at..].split_at_mut(channels.div_ceil(2));
            let mut written = 0;
            for (n, (child, parent)) in tree.links().iter().enumerate() {
                let (child, parent) = (&self.change[*child as usize], &self.change[*parent as usize]);
                let mut residual = [0u16; BLOCK];
                let mut all = 0;
                for ((residual, child), parent) in residual.iter_mut().zip(child).zip(parent) {
                    let difference = child.wrapping_sub(*parent);
                    *residual = ((difference << 1) ^ (difference >> 15)) as u16;
                    all |= *residual;
                }
                let mut width = u16::BITS - all.leading_zeros();
                width += u32::from(width == 15);
                widths[n / 2] |= (width.min(15) as u8) << (n % 2 * 4);
                if let Some(place) = packed.get_mut(written..).and_then(|rest| rest.first_chunk_mut()) {
                    *place = pack(residual, width);
                }
                written += (width as usize * count).div_ceil(8);
            }
            out.truncate(payload + written);
        }
        self.end(last);
    }

    /// Fills `change` from a block of up to eight rows, and takes its last row for `last`.
    fn differences(&mut self, block: &[i16], channels: usize) {
        let count = block.len() / channels;
        for (group, (last, change)) in
            self.last.chunks_mut(BLOCK).zip(self.change.chunks_exact_mut(BLOCK)).enumerate()
        {
            let at = group * BLOCK;
            let lanes = last.len();
            let mut before = [0; BLOCK];
            before[..lanes].copy_from_slice(last);
            let mut tile = [[0; BLOCK]; BLOCK];
            if lanes == BLOCK && count == BLOCK {
                for (n, row) in tile.iter_mut().enumerate() {
                    if let Some(now) = block.get(n * channels + at..).and_then(|rest| rest.first_chunk()) {
                        *row = subtract(now, &before);
                        before = *now;
                    }
                }
            } else {
                for (n, row) in tile.iter_mut().take(count).enumerate() {
                    let mut now = [0; BLOCK];
                    now[..lanes].copy_from_slice(&block[n * channels + at..][..lanes]);
                    *row = subtract(&now, &before);
                    before = now;
                }
            }
            last.copy_from_slice(&before[..lanes]);
            change.copy_from_slice(&turn(tile));
        }
    }

    /// Reads `count` values, whole samples, from all of `bytes`, and appends them to `rows`.
    pub(super) fn decode(
        &mut self,
        bytes: &[u8],
        count: usize,
        last: &mut [i32],
        tree: &Tree,
        rows: &mut Vec<i16>,
    ) -> Result<(), CodecError> {
        let channels = last.len();
        check_size(bytes.len(), count, channels, ValueType::I16)?;
        self.begin(last);
        let start = rows.len();
        rows.resize(start + count, 0);
        let mut rest = bytes;
        for block in rows[start..].chunks_mut(BLOCK * channels) {
            let samples = block.len() / channels;
            let truncated = |expected: usize, found: usize| CodecError::Truncated {
                what: "packed block",
                expected: expected as u64,
                found: found as u64,
            };
            let size = channels.div_ceil(2);
            let (widths, packed) = rest.split_at_checked(size).ok_or(truncated(size, rest.len()))?;
            let mut read = 0;
            for (n, (child, parent)) in tree.links().iter().enumerate() {
                let width = u32::from(widths[n / 2] >> (n % 2 * 4) & 15);
                let width = width + u32::from(width == 15);
                let tail = packed.get(read..).unwrap_or_default();
                let residual = match tail.first_chunk() {
                    Some(bytes) => unpack(bytes, width),
                    None => {
                        let mut bytes = [0; 16];
                        bytes[..tail.len()].copy_from_slice(tail);
                        unpack(&bytes, width)
                    }
                };
                read += (width as usize * samples).div_ceil(8);
                let parent = self.change[*parent as usize];
                for ((change, residual), parent) in
                    self.change[*child as usize].iter_mut().zip(residual).zip(parent)
                {
                    *change = ((residual >> 1) as i16 ^ -((residual & 1) as i16)).wrapping_add(parent);
                }
            }
            rest = packed.get(read..).ok_or(truncated(read, packed.len()))?;
            self.sums(block, channels);
        }
        self.end(last);
        match rest.len() {
            0 => Ok(()),
            found => Err(CodecError::Trailing { found: found as u64 }),
        }
    }

    /// Fills a block of up to eight rows from `change`, and takes its last row for `last`.
    fn sums(&mut self, block: &mut [i16], channels: usize) {
        let count = block.len() / channels;
        for (group, (last, change)) in
            self.last.chunks_mut(BLOCK).zip(self.change.chunks_exact(BLOCK)).enumerate()
        {
            let at = group * BLOCK;
            let lanes = last.len();
            let Some(tile) = change.first_chunk() else { return };
            let tile = turn(*tile);
            let mut now = [0; BLOCK];
            now[..lanes].copy_from_slice(last);
            if lanes == BLOCK && count == BLOCK {
                for (n, row) in tile.iter().enumerate() {
                    now = add(&now, row);
                    if let Some(to) =
                        block.get_mut(n * channels + at..).and_then(|rest| rest.first_chunk_mut())
                    {
                        *to = now;
                    }
                }
            } else {
                for (n, row) in tile.iter().take(count).enumerate() {
                    now = add(&now, row);
                    block[n * channels + at..][..lanes].copy_from_slice(&now[..lanes]);
                }
            }
            last.copy_from_slice(&now[..lanes]);
        }
    }
}

#[inline(always)]
fn subtract(a: &Eight, b: &Eight) -> Eight {
    std::array::from_fn(|n| a[n].wrapping_sub(b[n]))
}

#[inline(always)]
fn add(a: &Eight, b: &Eight) -> Eight {
    std::array::from_fn(|n| a[n].wrapping_add(b[n]))
}

/// Rows become columns: three rounds in which row *n* meets row *n* + 4, as compilers turn into shuffles.
#[inline(always)]
fn turn(tile: [Eight; BLOCK]) -> [Eight; BLOCK] {
    let round = |t: [Eight; BLOCK]| -> [Eight; BLOCK] {
        std::array::from_fn(|n| {
            let (a, b, half) = (t[n / 2], t[n / 2 + 4], n % 2 * 4);
            [a[half], b[half], a[half + 1], b[half + 1], a[half + 2], b[half + 2], a[half + 3], b[half + 3]]
        })
    };
    round(round(round(tile)))
}

/// The lowest `width` bits of each value, one after the other; values have no others.
#[inline(always)]
fn pack(values: [u16; BLOCK], width: u32) -> [u8; 16] {
    let word = |n: usize| {
        let lane = |k: usize| u64::from(values[n + k]) << (16 * k);
        lane(0) | lane(1) | lane(2) | lane(3)
    };
    let (low, high) = (squeeze(word(0), width), squeeze(word(4), width));
    let bits = 4 * width;
    let packed = u128::from(low | high.unbounded_shl(bits)) | u128::from(high.unbounded_shr(64 - bits)) << 64;
    packed.to_le_bytes()
}

/// The inverse of [`pack`]; bits beyond are left out.
#[inline(always)]
fn unpack(bytes: &[u8; 16], width: u32) -> [u16; BLOCK] {
    let packed = u128::from_le_bytes(*bytes);
    let (low, high) = (packed as u64, (packed >> 64) as u64);
    let bits = 4 * width;
    let all = u64::MAX.unbounded_shr(64 - bits);
    let low_half = spread(low & all, width);
    let high_half = spread((low.unbounded_shr(bits) | high.unbounded_shl(64 - bits)) & all, width);
    std::array::from_fn(|n| {
        let half = if n < 4 { low_half } else { high_half };
        (half >> (16 * (n % 4))) as u16
    })
}

/// Four lanes of 16 bits to four times `width` bits.
#[inline(always)]
fn squeeze(lanes: u64, width: u32) -> u64 {
    let free = 16 - width;
    let pairs = lanes & 0x0000_ffff_0000_ffff | (lanes & 0xffff_0000_ffff_0000) >> free;
    pairs & 0x0000_0000_ffff_ffff | (pairs & 0xffff_ffff_0000_0000) >> (2 * free)
}

/// The inverse of [`squeeze`].
#[inline(always)]
fn spread(bits: u64, width: u32) -> u64 {
    let lane = (1u64 << width) - 1;
    let pair = (1u64 << (2 * width)) - 1;
    let pairs = bits & pair | (bits >> (2 * width)) << 32;
    let lanes = lane | lane << 32;
    pairs & lanes | (pairs >> width & lanes) << 16
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{pack as slow, residual};
    use super::*;

    #[test]
    fn tiles_are_turned() {
        let tile: [Eight; BLOCK] = std::array::from_fn(|r| std::array::from_fn(|c| (10 * r + c) as i16));
        let turned: [Eight; BLOCK] = std::array::from_fn(|r| std::array::from_fn(|c| (10 * c + r) as i16));
        assert_eq!(turn(tile), turned);
    }

    proptest! {
        #[test]
        fn every_width_comes_back(values: [u16; BLOCK], width in 0u32..=16) {
            let values = values.map(|value| (u32::from(value) & ((1 << width) - 1)) as u16);
            prop_assert_eq!(unpack(&pack(values, width), width), values);
        }

        #[test]
        fn the_bytes_are_those_of_the_plain_loop(
            channels in 1usize..20,
            rows in 1usize..30,
            spread in 0u32..17,
            seed: u64,
        ) {
            let mut random = seed;
            let mut next = || {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                ((random >> 33) as i16).unbounded_shr(16 - spread.min(16))
            };
            let values: Vec<i16> = (0..rows * channels).map(|_| next()).collect();
            let last: Vec<i32> = (0..channels).map(|_| i32::from(next())).collect();
            let mut costs = super::super::tree::Costs::new(channels);
            costs.learn(&values);
            let tree = costs.tree();
            let (mut one, mut other) = (Vec::new(), Vec::new());
            let mut after = last.clone();
            Tiles::default().encode(&values, &mut after, &tree, &mut one);
            let wide: Vec<i32> = values.iter().map(|value| i32::from(*value)).collect();
            let mut residuals = Vec::new();
            residual::predict(&wide, &mut last.clone(), &tree, ValueType::I16, &mut residuals);
            slow::encode(&residuals, channels, ValueType::I16, &mut other);
            prop_assert_eq!(&one, &other);
            let (mut found, mut end) = (Vec::new(), last);
            Tiles::default().decode(&one, values.len(), &mut end, &tree, &mut found).unwrap();
            prop_assert_eq!((found, end), (values, after));
        }
    }
}
