//! Slepian tapers: the sequences whose energy is most concentrated in a band.

use core::f64::consts::PI;

use super::stats::sum;

/// A taper and the part of its energy that lies within the band.
#[derive(Debug, Clone)]
pub(crate) struct Slepian {
    pub(crate) values: Vec<f64>,
    pub(crate) concentration: f64,
}

/// The first `count` discrete prolate spheroidal sequences of `length` values and a time-half-bandwidth product, of norm 1, as
/// `scipy.signal.windows.dpss(length, half_bandwidth, count, sym=False, norm=2, return_ratios=True)` gives them but for their
/// signs: one value longer than asked for, whose last is then dropped.
///
/// Source: D. B. Percival and A. T. Walden, *Spectral Analysis for Physical Applications* (1993), ch. 8: eigenvectors of a
/// symmetric tridiagonal matrix, found by bisection and inverse iteration.
pub(crate) fn slepians(length: usize, half_bandwidth: f64, count: usize) -> Vec<Slepian> {
    let whole = length + 1;
    let width = half_bandwidth / whole as f64;
    let cosine = libm::cos(2.0 * PI * width);
    let n = |t: usize| t as f64;
    let diagonal: Vec<f64> = (0..whole)
        .map(|t| {
            let distance = (n(whole) - 1.0 - 2.0 * n(t)) / 2.0;
            distance * distance * cosine
        })
        .collect();
    let beside: Vec<f64> = (1..whole).map(|t| n(t) * (n(whole) - n(t)) / 2.0).collect();
    let matrix = Tridiagonal { diagonal, beside };
    // How much of a pair of values t apart lies within the band.
    let within: Vec<f64> = (0..whole)
        .map(|t| if t == 0 { 2.0 * width } else { 2.0 * libm::sin(2.0 * PI * width * n(t)) / (PI * n(t)) })
        .collect();
    (0..count.min(length))
        .map(|order| {
            let mut values = matrix.eigenvector(matrix.eigenvalue(order));
            let apart = |t: usize| -> f64 { values.iter().zip(&values[t..]).map(|(a, b)| a * b).sum() };
            let shares: Vec<f64> = within.iter().enumerate().map(|(t, within)| within * apart(t)).collect();
            let concentration = sum(&shares);
            values.pop();
            Slepian { values, concentration }
        })
        .collect()
}

/// A symmetric tridiagonal matrix.
struct Tridiagonal {
    diagonal: Vec<f64>,
    beside: Vec<f64>,
}

impl Tridiagonal {
    /// How many eigenvalues are above `x`: Sturm's count.
    fn above(&self, x: f64) -> usize {
        let (mut count, mut pivot) = (0, 1.0_f64);
        for (at, diagonal) in self.diagonal.iter().enumerate() {
            let coupling = if at == 0 { 0.0 } else { self.beside[at - 1] * self.beside[at - 1] / pivot };
            pivot = diagonal - x - coupling;
            if pivot == 0.0 {
                pivot = f64::EPSILON * (diagonal.abs() + x.abs()).max(f64::MIN_POSITIVE);
            }
            count += usize::from(pivot > 0.0);
        }
        count
    }

    /// The eigenvalue that `order` others exceed, by bisection.
    fn eigenvalue(&self, order: usize) -> f64 {
        // Gershgorin's discs.
        let radius = |at: usize| {
            let left = if at > 0 { self.beside[at - 1].abs() } else { 0.0 };
            left + self.beside.get(at).map_or(0.0, |value| value.abs())
        };
        let bounds =
            self.diagonal.iter().enumerate().map(|(at, value)| (value - radius(at), value + radius(at)));
        let (mut low, mut high) = bounds
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), (from, to)| {
                (low.min(from), high.max(to))
            });
        for _ in 0..200 {
            let middle = low + (high - low) / 2.0;
            if middle <= low || middle >= high {
                break;
            }
            if self.above(middle) > order {
                low = middle;
            } else {
                high = middle;
            }
        }
        low + (high - low) / 2.0
    }

    /// Its vector of norm 1, by inverse iteration from a start that no vector is orthogonal to.
    fn eigenvector(&self, eigenvalue: f64) -> Vec<f64> {
        let size = self.diagonal.len();
        let mut vector: Vec<f64> = (0..size).map(|at| 1.0 + 0.5 * libm::sin(1.0 + 7.0 * at as f64)).collect();
        for _ in 0..4 {
            self.solve_shifted(eigenvalue, &mut vector);
            let squares: Vec<f64> = vector.iter().map(|value| value * value).collect();
            let norm = sum(&squares).sqrt();
            vector.iter_mut().for_each(|value| *value /= norm);
        }
        vector
    }

    /// Replaces `b` by the solution of (T − shift) x = b, by elimination with exchange of neighbouring rows.
    fn solve_shifted(&self, shift: f64, b: &mut [f64]) {
        let size = b.len();
        // Each row of the upper triangle: on its diagonal, beside it, and two beside it.
        let mut rows = vec![[0.0; 3]; size];
        let beside = |at: usize| self.beside.get(at).copied().unwrap_or(0.0);
        let mut current = [self.diagonal[0] - shift, beside(0), 0.0];
        for at in 0..size - 1 {
            let mut next = [beside(at), self.diagonal[at + 1] - shift, beside(at + 1)];
            if next[0].abs() > current[0].abs() {
                core::mem::swap(&mut current, &mut next);
                b.swap(at, at + 1);
            }
            let pivot = if current[0] == 0.0 { f64::MIN_POSITIVE } else { current[0] };
            let factor = next[0] / pivot;
            rows[at] = [pivot, current[1], current[2]];
            b[at + 1] -= factor * b[at];
            current = [next[1] - factor * current[1], next[2] - factor * current[2], 0.0];
        }
        // The last pivot is nearly 0 at an eigenvalue: that is what makes its vector grow.
        let least = f64::EPSILON * (shift.abs() + 1.0) * 1e-3;
        let last = if current[0].abs() < least { least } else { current[0] };
        rows[size - 1] = [last, 0.0, 0.0];
        for at in (0..size).rev() {
            let one = b.get(at + 1).copied().unwrap_or(0.0);
            let two = b.get(at + 2).copied().unwrap_or(0.0);
            b[at] = (b[at] - rows[at][1] * one - rows[at][2] * two) / rows[at][0];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tapers_are_orthonormal_and_ever_less_concentrated() {
        // One value is dropped, so they are a little off.
        let tapers = slepians(128, 4.0, 7);
        for (i, a) in tapers.iter().enumerate() {
            for (j, b) in tapers.iter().enumerate() {
                let inner: f64 = a.values.iter().zip(&b.values).map(|(a, b)| a * b).sum();
                assert!((inner - f64::from(u8::from(i == j))).abs() < 0.02, "{i} {j}: {inner}");
            }
        }
        assert!(tapers.is_sorted_by(|a, b| a.concentration > b.concentration));
        assert!(tapers[0].concentration > 1.0 - 1e-8 && tapers[6].concentration > 0.5);
    }
}
