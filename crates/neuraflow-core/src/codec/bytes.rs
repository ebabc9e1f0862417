//! Bytes and bits, written and read within bounds.

use super::error::CodecError;

/// Appends an integer, seven bits a byte, the lowest first.
pub(super) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Reads from the front of bytes that may be anything.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(super) fn new(rest: &'a [u8]) -> Self {
        Self { rest }
    }

    /// What has not been read.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next `count` bytes, which are `what`.
    pub(super) fn take(&mut self, what: &'static str, count: usize) -> Result<&'a [u8], CodecError> {
        let found = self.rest.len() as u64;
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(CodecError::Truncated {
            what,
            expected: count as u64,
            found,
        })?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], CodecError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(what, N)?);
        Ok(array)
    }

    pub(super) fn u8(&mut self, what: &'static str) -> Result<u8, CodecError> {
        Ok(self.array::<1>(what)?[0])
    }

    pub(super) fn u32(&mut self, what: &'static str) -> Result<u32, CodecError> {
        Ok(u32::from_le_bytes(self.array(what)?))
    }

    pub(super) fn f64(&mut self, what: &'static str) -> Result<f64, CodecError> {
        Ok(f64::from_le_bytes(self.array(what)?))
    }

    pub(super) fn varint(&mut self, what: &'static str) -> Result<u64, CodecError> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.u8(what)?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(CodecError::Invalid { what, expected: "an integer of at most 10 bytes", found: value })
    }
}

/// Appends bits, the lowest of each byte first.
#[derive(Debug)]
pub(super) struct BitWriter<'a> {
    out: &'a mut Vec<u8>,
    held: u64,
    bits: u32,
}

impl<'a> BitWriter<'a> {
    pub(super) fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out, held: 0, bits: 0 }
    }

    /// Appends the lowest `bits` bits of `value`, which has no others; at most 32.
    #[inline]
    pub(super) fn put(&mut self, value: u32, bits: u32) {
        self.held |= u64::from(value) << self.bits;
        self.bits += bits;
        while self.bits >= 8 {
            self.out.push(self.held as u8);
            self.held >>= 8;
            self.bits -= 8;
        }
    }

    /// Fills up the last byte with zeros.
    pub(super) fn finish(self) {
        if self.bits > 0 {
            self.out.push(self.held as u8);
        }
    }
}

/// Reads what a [`BitWriter`] wrote.
#[derive(Debug)]
pub(super) struct BitReader<'a> {
    rest: &'a [u8],
    held: u64,
    bits: u32,
}

impl<'a> BitReader<'a> {
    pub(super) fn new(rest: &'a [u8]) -> Self {
        Self { rest, held: 0, bits: 0 }
    }

    /// At least 32 bits held, unless the bytes end before.
    #[inline]
    fn fill(&mut self) {
        while self.bits < 32 {
            let Some((byte, rest)) = self.rest.split_first() else { return };
            self.held |= u64::from(*byte) << self.bits;
            self.bits += 8;
            self.rest = rest;
        }
    }

    /// The next `bits` bits, at most 32.
    #[inline]
    pub(super) fn take(&mut self, bits: u32) -> Option<u32> {
        self.fill();
        self.bits = self.bits.checked_sub(bits)?;
        let value = self.held & ((1u64 << bits) - 1);
        self.held >>= bits;
        Some(value as u32)
    }

    /// How many ones follow, up to `most`; the zero that ends fewer is read too.
    #[inline]
    pub(super) fn ones(&mut self, most: u32) -> Option<u32> {
        self.fill();
        let ones = self.held.trailing_ones().min(most);
        let read = if ones < most { ones + 1 } else { ones };
        self.bits = self.bits.checked_sub(read)?;
        self.held >>= read;
        Some(ones)
    }

    /// Whole bytes that have not been touched.
    pub(super) fn untouched(&self) -> usize {
        self.rest.len() + (self.bits / 8) as usize
    }
}

/// Small differences of either sign as small numbers: 0, −1, 1, −2 … become 0, 1, 2, 3 …
#[inline(always)]
pub(super) const fn zigzag(value: i32) -> u32 {
    ((value << 1) ^ (value >> 31)) as u32
}

/// The inverse of [`zigzag`].
#[inline(always)]
pub(super) const fn unzigzag(value: u32) -> i32 {
    (value >> 1) as i32 ^ -((value & 1) as i32)
}
