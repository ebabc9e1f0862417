//! One hash that is the same in every process, on every machine and in every release.
//!
//! Routing, storage keys and output digests depend on it: changing it moves streams between key groups and
//! breaks stored rows, so it is pinned by a test.

use std::hash::Hasher;

use siphasher::sip128::{Hasher128, SipHasher13};

/// A 128-bit stable hash, fed with explicit little-endian bytes.
#[derive(Clone, Debug)]
pub struct StableHasher(SipHasher13);

impl Default for StableHasher {
    fn default() -> Self {
        Self(SipHasher13::new_with_keys(0x6e65_7572_6166_6c6f, 0x7700_0000_0000_0001))
    }
}

impl StableHasher {
    /// Adds raw bytes.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.write(bytes);
        self
    }

    /// Adds an integer.
    pub fn u64(&mut self, value: u64) -> &mut Self {
        self.bytes(&value.to_le_bytes())
    }

    /// Adds a number by its bits; every NaN counts as the same NaN, since its payload is not part of a result.
    pub fn f64(&mut self, value: f64) -> &mut Self {
        self.u64(if value.is_nan() { f64::NAN.to_bits() & !(1 << 63) } else { value.to_bits() })
    }

    /// The hash of everything added so far.
    pub fn finish(&self) -> u128 {
        self.0.finish128().as_u128()
    }
}

/// The stable hash of one run of bytes.
pub fn stable_hash(bytes: &[u8]) -> u128 {
    StableHasher::default().bytes(bytes).finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_pinned() {
        assert_eq!(stable_hash(b"neuraflow"), 0x71cc049d230b36cd0ab1889d8712b610);
    }

    #[test]
    fn nan_payloads_do_not_count() {
        let of = |v: f64| StableHasher::default().f64(v).finish();
        assert_eq!(of(f64::NAN), of(-f64::NAN));
        assert_ne!(of(0.0), of(-0.0));
    }
}
