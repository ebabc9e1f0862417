//! Eigenvalues of symmetric matrices, alone and against another.

use nalgebra::{DMatrix, linalg};

use super::dense::{check, congruence, multiply, order};
use super::{LinalgError, Spectrum};

/// An eigenvalue below this share of the greatest is taken for zero. Average-referenced 64-channel EEG that travelled in `f32`
/// has its zero at 1e-16, and its next eigenvalue at 1e-5.
const ZERO: f64 = 1e-12;

impl Spectrum {
    /// Decomposes a symmetric matrix `[row][column]`; only its lower triangle is looked at.
    ///
    /// # Errors
    /// No square, a value that is not finite, or (never seen) no convergence.
    ///
    /// ```
    /// use neuraflow_ops::kernel::linalg::Spectrum;
    /// let spectrum = Spectrum::of(&[2.0, 1.0, 1.0, 2.0])?;
    /// assert!((spectrum.values[0] - 1.0).abs() < 1e-15 && (spectrum.values[1] - 3.0).abs() < 1e-15);
    /// assert!((spectrum.vectors[2] - spectrum.vectors[3]).abs() < 1e-15); // the greatest: both alike
    /// # Ok::<(), neuraflow_ops::kernel::linalg::LinalgError>(())
    /// ```
    pub fn of(matrix: &[f64]) -> Result<Self, LinalgError> {
        const ITERATIONS: usize = 10_000;
        let n = order("a symmetric matrix", matrix)?;
        check("a symmetric matrix", n, matrix)?;
        let eigen =
            linalg::SymmetricEigen::try_new(DMatrix::from_row_slice(n, n, matrix), f64::EPSILON, ITERATIONS)
                .ok_or(LinalgError::NotConverged {
                    what: "the eigenvalues",
                    iterations: ITERATIONS,
                    residual: f64::NAN,
                })?;
        let mut ascending: Vec<usize> = (0..n).collect();
        ascending.sort_by(|a, b| eigen.eigenvalues[*a].total_cmp(&eigen.eigenvalues[*b]));
        let values = ascending.iter().map(|at| eigen.eigenvalues[*at]).collect();
        let mut vectors = Vec::with_capacity(n * n);
        for at in ascending {
            vectors.extend(eigen.eigenvectors.column(at).iter());
        }
        Ok(Self { values, vectors })
    }

    /// Decomposes `a` against `b`, both symmetric and `b` positive definite: `a w = λ b w`, with `wᵀ b w = 1`
    /// (`scipy.linalg.eigh(a, b)`, but for the signs of the vectors).
    ///
    /// # Errors
    /// As [`of`](Self::of); [`LinalgError::Rank`] where `b` is singular.
    ///
    /// ```
    /// use neuraflow_ops::kernel::linalg::Spectrum;
    /// let spectrum = Spectrum::against(&[3.0, 0.0, 0.0, 4.0], &[1.0, 0.0, 0.0, 2.0])?;
    /// assert!((spectrum.values[0] - 2.0).abs() < 1e-14 && (spectrum.values[1] - 3.0).abs() < 1e-14);
    /// # Ok::<(), neuraflow_ops::kernel::linalg::LinalgError>(())
    /// ```
    pub fn against(a: &[f64], b: &[f64]) -> Result<Self, LinalgError> {
        let n = order("a symmetric matrix", b)?;
        check("a symmetric matrix", n, a)?;
        let whitener = Self::of_positive(b)?.map(|value| 1.0 / value.sqrt());
        let Self { values, vectors } = Self::of(&congruence(&whitener, a, n))?;
        let mut back = vec![0.0; n * n];
        multiply(&vectors, &whitener, n, &mut back);
        Ok(Self { values, vectors: back })
    }

    /// Decomposes a symmetric matrix that must be positive definite.
    pub(crate) fn of_positive(matrix: &[f64]) -> Result<Self, LinalgError> {
        let spectrum = Self::of(matrix)?;
        let greatest = spectrum.values.last().copied().unwrap_or(0.0);
        let rank = spectrum.values.iter().filter(|value| **value > ZERO * greatest && **value > 0.0).count();
        if rank < spectrum.values.len() {
            return Err(LinalgError::Rank { rank, order: spectrum.values.len() });
        }
        Ok(spectrum)
    }

    /// The symmetric matrix with the same vectors, whose eigenvalues are `f` of these.
    pub(crate) fn map(&self, f: impl Fn(f64) -> f64) -> Vec<f64> {
        let n = self.values.len();
        let mut scaled = vec![0.0; n * n];
        // [row][vector], so that the product sums over vectors, the smallest eigenvalue first.
        for (at, (value, vector)) in self.values.iter().zip(self.vectors.chunks_exact(n)).enumerate() {
            let factor = f(*value);
            for (row, component) in vector.iter().enumerate() {
                scaled[row * n + at] = factor * component;
            }
        }
        let mut out = vec![0.0; n * n];
        multiply(&scaled, &self.vectors, n, &mut out);
        for i in 0..n {
            for j in 0..i {
                out[i * n + j] = out[j * n + i];
            }
        }
        out
    }
}

/// Solves `a x = b` for a symmetric positive definite `a` `[row][column]`, by Cholesky's decomposition.
///
/// # Errors
/// Shapes that do not fit, values that are not finite, [`LinalgError::Rank`] where `a` is not positive definite.
///
/// ```
/// use neuraflow_ops::kernel::linalg::solve;
/// assert_eq!(solve(&[4.0, 0.0, 0.0, 16.0], &[8.0, 24.0])?, [2.0, 1.5]);
/// # Ok::<(), neuraflow_ops::kernel::linalg::LinalgError>(())
/// ```
pub fn solve(a: &[f64], b: &[f64]) -> Result<Vec<f64>, LinalgError> {
    let n = order("a symmetric matrix", a)?;
    check("a symmetric matrix", n, a)?;
    if b.len() != n {
        return Err(LinalgError::Length { what: "the right-hand side", expected: n, found: b.len() });
    }
    if let Some(found) = b.iter().find(|value| !value.is_finite()) {
        return Err(LinalgError::NotFinite { what: "the right-hand side", found: *found });
    }
    let factor = linalg::Cholesky::new(DMatrix::from_row_slice(n, n, a))
        .ok_or(LinalgError::Rank { rank: n - 1, order: n })?;
    Ok(factor.solve(&nalgebra::DVector::from_row_slice(b)).data.into())
}
