//! The sampling rate: an exact rational, so that sample *n*'s time never drifts.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::time::Span;

const NANOS: i128 = 1_000_000_000;

/// Samples per second as an exact rational `num / den`, in lowest terms.
///
/// Sample *n* of a stream is taken `round(n · den · 10⁹ / num)` ns after its first (ties up): always computed
/// from *n*, never by adding up a rounded period.
///
/// ```
/// use neuraflow_core::model::SamplingRate;
/// let neuropixels = SamplingRate::ratio(1_953_125, 100)?; // 19,531.25 Hz
/// assert_eq!(neuropixels.offset(1).as_nanos(), 51_200);
/// let slow = SamplingRate::from_hz(12.8)?;
/// assert_eq!((slow.num(), slow.den()), (64, 5));
/// # Ok::<(), neuraflow_core::model::RateError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Parts")]
pub struct SamplingRate {
    num: u64,
    den: u64,
}

/// The rate as it is stored, not yet checked.
#[derive(Deserialize)]
struct Parts {
    num: u64,
    den: u64,
}

impl TryFrom<Parts> for SamplingRate {
    type Error = RateError;
    fn try_from(parts: Parts) -> Result<Self, RateError> {
        Self::ratio(parts.num, parts.den)
    }
}

/// Why a sampling rate was refused.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum RateError {
    /// Zero, negative, not finite, or so large that two samples would share a nanosecond.
    #[error("sampling rate must be above 0 and at most {max} Hz, found {found}; check the device's header", max = SamplingRate::MAX_HZ)]
    OutOfRange {
        /// What was given.
        found: String,
    },
    /// No fraction with a denominator up to 10⁶ is within a millionth of a hertz of the number given.
    #[error(
        "sampling rate {found} Hz is no simple fraction; give it exactly with SamplingRate::ratio(num, den)"
    )]
    NotRational {
        /// What was given.
        found: f64,
    },
}

impl SamplingRate {
    /// The fastest rate accepted: 100 MHz, at which samples are 10 ns apart.
    pub const MAX_HZ: u64 = 100_000_000;
    const MAX_DEN: u64 = 1_000_000_000;

    /// A whole number of samples per second.
    pub fn hz(hz: u64) -> Result<Self, RateError> {
        Self::ratio(hz, 1)
    }

    /// `num / den` samples per second.
    pub fn ratio(num: u64, den: u64) -> Result<Self, RateError> {
        let refused = || RateError::OutOfRange { found: format!("{num}/{den}") };
        if num == 0 || den == 0 {
            return Err(refused());
        }
        let g = gcd(num, den);
        let (num, den) = (num / g, den / g);
        let in_range = den <= Self::MAX_DEN && num <= Self::MAX_HZ.saturating_mul(den);
        if !in_range {
            return Err(refused());
        }
        Ok(Self { num, den })
    }

    /// The simplest fraction within 10⁻⁶ relative of a rate given in floating point, as file headers and
    /// command lines give it: 12.8 is 64/5, 19531.25 is 78125/4.
    pub fn from_hz(hz: f64) -> Result<Self, RateError> {
        if !(hz.is_finite() && hz > 0.0 && hz <= Self::MAX_HZ as f64) {
            return Err(RateError::OutOfRange { found: hz.to_string() });
        }
        // Convergents of the continued fraction: the simplest fraction first.
        let (mut h0, mut h1, mut k0, mut k1) = (0u64, 1u64, 1u64, 0u64);
        let mut x = hz;
        for _ in 0..32 {
            let a = x.floor();
            let (Some(h2), Some(k2)) = (
                (a as u64).checked_mul(h1).and_then(|v| v.checked_add(h0)),
                (a as u64).checked_mul(k1).and_then(|v| v.checked_add(k0)),
            ) else {
                break;
            };
            if k2 > 1_000_000 {
                break;
            }
            (h0, h1, k0, k1) = (h1, h2, k1, k2);
            if (h1 as f64 / k1 as f64 - hz).abs() <= hz * 1e-9 {
                return Self::ratio(h1, k1);
            }
            x = 1.0 / (x - a);
        }
        Err(RateError::NotRational { found: hz })
    }

    /// Numerator, in lowest terms.
    pub const fn num(self) -> u64 {
        self.num
    }

    /// Denominator, in lowest terms.
    pub const fn den(self) -> u64 {
        self.den
    }

    /// Hertz in floating point: for filter design and for people, never for time.
    pub fn as_hz(self) -> f64 {
        self.num as f64 / self.den as f64
    }

    /// Event time from the first sample to sample `n`: `round(n · den · 10⁹ / num)` ns, ties up.
    pub fn offset(self, n: u64) -> Span {
        let num = i128::from(self.num);
        let exact2 = i128::from(n) * i128::from(self.den) * NANOS * 2 + num;
        Span::nanos(i64::try_from(exact2.div_euclid(2 * num)).unwrap_or(i64::MAX))
    }

    /// The first sample whose [`offset`](Self::offset) is at or beyond `span`.
    pub fn first_at_or_after(self, span: Span) -> u64 {
        if span <= Span::ZERO {
            return 0;
        }
        // offset(n) ≥ s  ⇔  floor(n·p/q + 1/2) ≥ s  ⇔  n·p/q ≥ s − 1/2, with p = den·10⁹ and q = num.
        let (p, q) = (i128::from(self.den) * NANOS, i128::from(self.num));
        let rhs2 = (2 * i128::from(span.as_nanos()) - 1) * q;
        u64::try_from((rhs2 + 2 * p - 1).div_euclid(2 * p)).unwrap_or(u64::MAX)
    }

    /// The sample nearest to `span` after the first sample; the earlier one on a tie.
    pub fn nearest(self, span: Span) -> u64 {
        let after = self.first_at_or_after(span);
        match after.checked_sub(1) {
            Some(before)
                if span.as_nanos() - self.offset(before).as_nanos()
                    <= self.offset(after).as_nanos() - span.as_nanos() =>
            {
                before
            }
            _ => after,
        }
    }

    /// How many whole samples fit in `span`, rounded to the nearest; at least 0.
    pub fn samples_in(self, span: Span) -> u64 {
        let p = i128::from(span.as_nanos().max(0)) * i128::from(self.num);
        let q = i128::from(self.den) * NANOS;
        u64::try_from((2 * p + q).div_euclid(2 * q)).unwrap_or(u64::MAX)
    }
}

impl fmt::Debug for SamplingRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for SamplingRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} Hz", self.as_hz())
    }
}

const fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn times_come_from_n_and_ties_go_up() {
        let rate = SamplingRate::ratio(2_000_000_000, 30).unwrap(); // a period of 15 ns
        assert_eq!(rate.offset(1).as_nanos(), 15);
        let half = SamplingRate::ratio(40_000_000, 1).unwrap(); // 25 ns
        assert_eq!(half.offset(3).as_nanos(), 75);
        let third = SamplingRate::hz(30_000).unwrap();
        assert_eq!(third.offset(1).as_nanos(), 33_333);
        assert_eq!(third.offset(3).as_nanos(), 100_000);
        let tie = SamplingRate::ratio(80_000_000, 1).unwrap(); // 12.5 ns
        assert_eq!(tie.offset(1).as_nanos(), 13);
    }

    #[test]
    fn refuses_what_is_no_rate() {
        for bad in [f64::NAN, f64::INFINITY, 0.0, -250.0, 1e12] {
            assert!(SamplingRate::from_hz(bad).is_err(), "{bad}");
        }
        assert!(SamplingRate::ratio(0, 1).is_err());
        assert!(SamplingRate::ratio(1, 0).is_err());
        assert_eq!(SamplingRate::from_hz(19531.25).unwrap(), SamplingRate::ratio(78_125, 4).unwrap());
        assert_eq!(SamplingRate::from_hz(487.5).unwrap(), SamplingRate::ratio(975, 2).unwrap());
    }

    proptest! {
        #[test]
        fn first_at_or_after_inverts_offset(num in 1u64..2_000_000, den in 1u64..1000, n in 0u64..1_000_000_000) {
            let rate = SamplingRate::ratio(num, den).unwrap();
            prop_assume!(rate.offset(n + 2).as_nanos() < i64::MAX / 2);
            let t = rate.offset(n);
            prop_assert_eq!(rate.first_at_or_after(t), n);
            prop_assert_eq!(rate.first_at_or_after(t + Span::nanos(1)), n + 1);
            prop_assert_eq!(rate.nearest(t), n);
        }
    }
}
