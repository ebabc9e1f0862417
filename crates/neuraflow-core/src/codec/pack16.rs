//! The same bytes as [`pack`](super::pack) for values of 16 bits, some ten times as fast: prediction and packing in one pass over tiles of eight
//! samples that stay in the first cache.
//!
//! Samples come side by side, `[sample][channel]`, but the blocks of a channel go one after the other. So tiles of eight by eight are
//! turned, and what is done to the eight differences of a channel is done to all at once. Bits are moved together by halves within
//! a 64-bit word: no branch depends on a width.

use super::error::CodecError;
use super::pack::{BLOCK, check_size};
use super::tree::Tree;
use super::values::ValueType;

/// Eight differences: of one channel over time, or of one sample over channels. Four to a word, the first lowest: arithmetic on words
/// does four at once, on any processor and without a detour over vector registers.
type Eight = [u64; 2];

/// The lowest and the highest bit of each of four lanes.
const LOW: u64 = 0x0001_0001_0001_0001;
const HIGH: u64 = LOW << 15;

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
        self.change.resize((last.len() + 1).next_multiple_of(BLOCK), [0; 2]);
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
                let residual = zigzag(subtract(*child, *parent));
                let all = residual[0] | residual[1];
                let all = all | all >> 32;
                let all = (all | all >> 16) as u16;
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
            let mut before = load(last);
            let mut tile = [[0; 2]; BLOCK];
            for (n, row) in tile.iter_mut().take(count).enumerate() {
                let now = match block.get(n * channels + at..).and_then(|rest| rest.first_chunk::<BLOCK>()) {
                    Some(eight) if lanes == BLOCK => load(eight),
                    _ => load(&block[n * channels + at..][..lanes]),
                };
                *row = subtract(now, before);
                before = now;
            }
            store(before, last);
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
                self.change[*child as usize] = add(unzigzag(residual), self.change[*parent as usize]);
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
            let mut now = load(last);
            for (n, row) in tile.iter().take(count).enumerate() {
                now = add(now, *row);
                let rest = &mut block[n * channels + at..];
                match rest.first_chunk_mut::<BLOCK>() {
                    Some(eight) if lanes == BLOCK => store(now, eight),
                    _ => store(now, &mut rest[..lanes]),
                }
            }
            store(now, last);
        }
    }
}

/// Up to eight values, the others zero.
#[inline(always)]
fn load(values: &[i16]) -> Eight {
    let word = |values: &[i16]| {
        let lanes = values.iter().zip([0, 16, 32, 48]);
        lanes.fold(0, |word, (value, shift)| word | u64::from(*value as u16) << shift)
    };
    match values.first_chunk::<BLOCK>() {
        Some(values) => [word(&values[..4]), word(&values[4..])],
        None => [word(values), word(values.get(4..).unwrap_or_default())],
    }
}

/// As many of eight values as there is room for.
#[inline(always)]
fn store(eight: Eight, values: &mut [i16]) {
    match values.first_chunk_mut::<BLOCK>() {
        Some(values) => *values = std::array::from_fn(|n| lane(eight, n)),
        None => values.iter_mut().enumerate().for_each(|(n, value)| *value = lane(eight, n)),
    }
}

#[inline(always)]
fn lane(eight: Eight, n: usize) -> i16 {
    (eight[n / 4] >> (16 * (n % 4))) as i16
}

/// Lane by lane, modulo 2¹⁶: the highest bits are kept out of the way of carries, and put right after.
#[inline(always)]
fn add(a: Eight, b: Eight) -> Eight {
    let word = |a: u64, b: u64| ((a & !HIGH) + (b & !HIGH)) ^ ((a ^ b) & HIGH);
    [word(a[0], b[0]), word(a[1], b[1])]
}

#[inline(always)]
fn subtract(a: Eight, b: Eight) -> Eight {
    let word = |a: u64, b: u64| ((a | HIGH) - (b & !HIGH)) ^ ((a ^ !b) & HIGH);
    [word(a[0], b[0]), word(a[1], b[1])]
}

/// [`bytes::zigzag`](super::bytes::zigzag) of each lane.
#[inline(always)]
fn zigzag(eight: Eight) -> Eight {
    eight.map(|word| (word & !HIGH) << 1 ^ ((word & HIGH) >> 15).wrapping_mul(0xffff))
}

/// The inverse of [`zigzag`].
#[inline(always)]
fn unzigzag(eight: Eight) -> Eight {
    eight.map(|word| (word & !LOW) >> 1 ^ (word & LOW).wrapping_mul(0xffff))
}

/// Rows become columns: four tiles of four by four, each turned by itself and put where it belongs.
#[inline(always)]
fn turn(t: [Eight; BLOCK]) -> [Eight; BLOCK] {
    let four = |at: usize, half: usize| turn_four(std::array::from_fn(|n| t[at + n][half]));
    let (upper, lower) = ([four(0, 0), four(4, 0)], [four(0, 1), four(4, 1)]);
    std::array::from_fn(|n| {
        let [left, right] = if n < 4 { upper } else { lower };
        [left[n % 4], right[n % 4]]
    })
}

#[inline(always)]
fn turn_four([a, b, c, d]: [u64; 4]) -> [u64; 4] {
    const EVEN: u64 = 0x0000_ffff_0000_ffff;
    let lanes = |a: u64, b: u64| (a & EVEN | (b & EVEN) << 16, (a >> 16) & EVEN | b & !EVEN);
    let ((a, b), (c, d)) = (lanes(a, b), lanes(c, d));
    let pairs = |a: u64, c: u64| (a & 0xffff_ffff | c << 32, a >> 32 | c & !0xffff_ffff);
    let ((a, c), (b, d)) = (pairs(a, c), pairs(b, d));
    [a, b, c, d]
}

/// The lowest `width` bits of each value, one after the other; values have no others.
#[inline(always)]
fn pack(values: Eight, width: u32) -> [u8; 16] {
    let (low, high) = (squeeze(values[0], width), squeeze(values[1], width));
    let bits = 4 * width;
    let packed = u128::from(low | high.unbounded_shl(bits)) | u128::from(high.unbounded_shr(64 - bits)) << 64;
    packed.to_le_bytes()
}

/// The inverse of [`pack`]; bits beyond are left out.
#[inline(always)]
fn unpack(bytes: &[u8; 16], width: u32) -> Eight {
    let packed = u128::from_le_bytes(*bytes);
    let (low, high) = (packed as u64, (packed >> 64) as u64);
    let bits = 4 * width;
    let all = u64::MAX.unbounded_shr(64 - bits);
    let second = low.unbounded_shr(bits) | high.unbounded_shl(64 - bits);
    [spread(low & all, width), spread(second & all, width)]
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
        let tile = |rows: usize, columns: usize| -> [Eight; BLOCK] {
            let value = |r: usize, c: usize| (rows * r + columns * c) as i16;
            std::array::from_fn(|r| load(&std::array::from_fn::<i16, BLOCK, _>(|c| value(r, c))))
        };
        assert_eq!(turn(tile(10, 1)), tile(1, 10));
    }

    proptest! {
        #[test]
        fn every_width_comes_back(values: [u16; BLOCK], width in 0u32..=16) {
            let values = values.map(|value| (u32::from(value) & ((1 << width) - 1)) as u16);
            let values = load(&values.map(|value| value as i16));
            prop_assert_eq!(unpack(&pack(values, width), width), values);
        }

        #[test]
        fn lanes_do_not_see_each_other(a: [i16; BLOCK], b: [i16; BLOCK]) {
            let of = |f: fn(i16, i16) -> i16| load(&std::array::from_fn::<i16, BLOCK, _>(|n| f(a[n], b[n])));
            prop_assert_eq!(add(load(&a), load(&b)), of(i16::wrapping_add));
            prop_assert_eq!(subtract(load(&a), load(&b)), of(i16::wrapping_sub));
            prop_assert_eq!(zigzag(load(&a)), of(|a, _| a << 1 ^ a >> 15));
            prop_assert_eq!(unzigzag(zigzag(load(&a))), load(&a));
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
