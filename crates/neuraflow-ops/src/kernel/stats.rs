//! Statistics of one channel whose sums are fixed trees, and which leave missing values out.
//!
//! A sum's tree depends on the number of values only, never on the processor's vector width, so the same input
//! gives the same bits everywhere. A value is valid when it is finite.

mod channels;

pub use channels::rms_of_channels;
pub(super) use channels::sums;

/// A statistic and the number of valid values it comes from. Too few valid values give NaN.
///
/// ```
/// use neuraflow_ops::kernel::stats;
/// let mean = stats::mean(&[1.0, f64::NAN, 3.0]);
/// assert_eq!((mean.value, mean.valid), (2.0, 2));
/// assert!(stats::mean(&[]).value.is_nan());
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Statistic {
    /// The statistic, in the unit its function names.
    pub value: f64,
    /// Number of valid values.
    pub valid: usize,
}

/// Values summed one after the other into each of eight partial sums before the tree branches.
const BLOCK: usize = 128;

/// Sum over all values, NaN if any is: eight interleaved partial sums per block of 128, blocks added pairwise
/// (error grows with log n: N. J. Higham, *Accuracy and Stability of Numerical Algorithms*, §4.2).
///
/// ```
/// use neuraflow_ops::kernel::stats;
/// assert_eq!(stats::sum(&[1.0, 2.0, 3.5]), 6.5);
/// assert_eq!(stats::sum(&[]), 0.0);
/// ```
pub fn sum(x: &[f64]) -> f64 {
    sum_of(x, |value| value)
}

/// Number of valid values.
///
/// ```
/// use neuraflow_ops::kernel::stats;
/// assert_eq!(stats::count_valid(&[1.0, f64::NAN, f64::INFINITY]), 1);
/// ```
pub fn count_valid(x: &[f64]) -> usize {
    x.iter().filter(|value| value.is_finite()).count()
}

/// Mean of the valid values, in their unit. NaN without one.
///
/// ```
/// use neuraflow_ops::kernel::stats;
/// assert_eq!(stats::mean(&[1.0, 2.0, 6.0]).value, 3.0);
/// ```
pub fn mean(x: &[f64]) -> Statistic {
    let valid = count_valid(x);
    let value = if valid == 0 { f64::NAN } else { sum_of(x, |v| valid_or_zero(v, v)) / valid as f64 };
    Statistic { value, valid }
}

/// Mean magnitude of the valid values, in their unit. NaN without one.
///
/// ```
/// use neuraflow_ops::kernel::stats;
/// assert_eq!(stats::mean_magnitude(&[3.0, -5.0, f64::NAN]).value, 4.0);
/// ```
pub fn mean_magnitude(x: &[f64]) -> Statistic {
    let valid = count_valid(x);
    let value = if valid == 0 { f64::NAN } else { sum_of(x, |v| valid_or_zero(v, v.abs())) / valid as f64 };
    Statistic { value, valid }
}

/// Root of the mean square of the valid values, in their unit; the mean is not taken off. NaN without one.
///
/// ```
/// use neuraflow_ops::kernel::stats;
/// assert_eq!(stats::rms(&[3.0, -3.0, f64::NAN]).value, 3.0);
/// ```
pub fn rms(x: &[f64]) -> Statistic {
    let valid = count_valid(x);
    let value =
        if valid == 0 { f64::NAN } else { (sum_of(x, |v| valid_or_zero(v, v * v)) / valid as f64).sqrt() };
    Statistic { value, valid }
}

/// Variance of the valid values, in their unit squared, with divisor `valid − ddof` (`numpy.nanvar`): 0 for the
/// variance of the values, 1 for an estimate of their population's. Two passes. NaN when the divisor is not
/// positive.
///
/// ```
/// use neuraflow_ops::kernel::stats;
/// assert_eq!(stats::variance(&[1.0, 3.0], 0).value, 1.0);
/// assert_eq!(stats::variance(&[1.0, 3.0], 1).value, 2.0);
/// assert!(stats::variance(&[1.0], 1).value.is_nan());
/// ```
pub fn variance(x: &[f64], ddof: usize) -> Statistic {
    let Statistic { value: mean, valid } = mean(x);
    let value = if valid <= ddof {
        f64::NAN
    } else {
        sum_of(x, |v| valid_or_zero(v, (v - mean) * (v - mean))) / (valid - ddof) as f64
    };
    Statistic { value, valid }
}

/// Natural logarithm of [`variance`]: the feature of common spatial patterns. A flat signal gives −∞.
///
/// ```
/// use neuraflow_ops::kernel::stats;
/// assert_eq!(stats::log_variance(&[1.0, 3.0], 0).value, 0.0);
/// assert_eq!(stats::log_variance(&[2.0, 2.0], 0).value, f64::NEG_INFINITY);
/// ```
pub fn log_variance(x: &[f64], ddof: usize) -> Statistic {
    let Statistic { value, valid } = variance(x, ddof);
    Statistic { value: libm::log(value), valid }
}

/// Least valid value. NaN without one.
///
/// ```
/// use neuraflow_ops::kernel::stats;
/// assert_eq!(stats::min(&[2.0, f64::NAN, -1.0]).value, -1.0);
/// ```
pub fn min(x: &[f64]) -> Statistic {
    extreme(x, |found, best| found < best)
}

/// Greatest valid value. NaN without one.
///
/// ```
/// use neuraflow_ops::kernel::stats;
/// assert_eq!(stats::max(&[2.0, f64::INFINITY, -1.0]).value, 2.0);
/// ```
pub fn max(x: &[f64]) -> Statistic {
    extreme(x, |found, best| found > best)
}

/// Greatest minus least valid value, in their unit (`numpy.ptp`). NaN without one.
///
/// ```
/// use neuraflow_ops::kernel::stats;
/// assert_eq!(stats::peak_to_peak(&[2.0, f64::NAN, -1.0]).value, 3.0);
/// ```
pub fn peak_to_peak(x: &[f64]) -> Statistic {
    let Statistic { value, valid } = max(x);
    Statistic { value: value - min(x).value, valid }
}

/// Sum of `term` over all values, in the tree described at [`sum`].
fn sum_of(x: &[f64], term: impl Fn(f64) -> f64 + Copy) -> f64 {
    if x.len() > BLOCK {
        // The left half is a power-of-two number of blocks, so the tree follows from the length alone.
        let left = x.len().div_ceil(BLOCK).next_power_of_two() / 2 * BLOCK;
        let (left, right) = x.split_at(left);
        return sum_of(left, term) + sum_of(right, term);
    }
    let mut partial = [0.0; 8];
    let (rows, rest) = x.as_chunks::<8>();
    for row in rows {
        for (partial, value) in partial.iter_mut().zip(row) {
            *partial += term(*value);
        }
    }
    for (partial, value) in partial.iter_mut().zip(rest) {
        *partial += term(*value);
    }
    let [a, b, c, d, e, f, g, h] = partial;
    ((a + b) + (c + d)) + ((e + f) + (g + h))
}

fn valid_or_zero(value: f64, term: f64) -> f64 {
    if value.is_finite() { term } else { 0.0 }
}

fn extreme(x: &[f64], better: fn(f64, f64) -> bool) -> Statistic {
    let mut valid = 0;
    let mut best = f64::NAN;
    for value in x.iter().copied().filter(|value| value.is_finite()) {
        if valid == 0 || better(value, best) {
            best = value;
        }
        valid += 1;
    }
    Statistic { value: best, valid }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sum_is_exact_for_integers_of_any_length() {
        for length in 0..1100 {
            let x: Vec<f64> = (0..length).map(f64::from).collect();
            assert_eq!(sum(&x), f64::from(length) * f64::from((length - 1).max(0)) / 2.0);
        }
    }

    #[test]
    fn nothing_valid_is_nan_with_a_count_of_zero() {
        let x = [f64::NAN, f64::NEG_INFINITY];
        for statistic in [mean(&x), rms(&x), variance(&x, 0), min(&x), max(&x), peak_to_peak(&x)] {
            assert!(statistic.value.is_nan());
            assert_eq!(statistic.valid, 0);
        }
    }
}
