//! The geometry of covariances: their mean, their distances, and the flat space that touches it at a point.

use super::dense::{check, congruence, dot, order};
use super::{LinalgError, Spectrum};

/// The tangent space of positive definite matrices at a reference, with the affine-invariant metric: distances there do
/// not change when all signals are mixed by the same matrix.
///
/// The vector of `C` is the upper triangle, row by row, of `ln(R^−½ C R^−½)`, with what lies off the diagonal times √2, so that its
/// length is the distance of `C` from `R` (`pyriemann`'s `tangent_space` and `distance_riemann`).
///
/// Source: A. Barachant, S. Bonnet, M. Congedo and C. Jutten (2012), IEEE Trans. Biomed. Eng. 59(4):920–928.
///
/// ```
/// use neuraflow_ops::kernel::linalg::TangentSpace;
/// let space = TangentSpace::at(&[1.0, 0.0, 0.0, 4.0])?;
/// let e = std::f64::consts::E;
/// let vector = space.vector(&[e, 0.0, 0.0, 4.0])?;
/// assert!((vector[0] - 1.0).abs() < 1e-14 && vector[1..].iter().all(|v| v.abs() < 1e-14));
/// assert!((space.distance(&[e, 0.0, 0.0, 4.0])? - 1.0).abs() < 1e-14);
/// # Ok::<(), neuraflow_ops::kernel::linalg::LinalgError>(())
/// ```
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "Vec<f64>", into = "Vec<f64>")]
pub struct TangentSpace {
    order: usize,
    /// `R^−½`: all that is needed of the reference, and what is written down of it.
    whitener: Vec<f64>,
}

impl From<TangentSpace> for Vec<f64> {
    fn from(space: TangentSpace) -> Self {
        space.whitener
    }
}

impl TryFrom<Vec<f64>> for TangentSpace {
    type Error = LinalgError;

    fn try_from(whitener: Vec<f64>) -> Result<Self, LinalgError> {
        let order = order("the reference", &whitener)?;
        check("the reference", order, &whitener)?;
        Ok(Self { order, whitener })
    }
}

impl TangentSpace {
    /// The tangent space at this matrix `[row][column]`.
    ///
    /// # Errors
    /// No square, a value that is not finite, [`LinalgError::Rank`] where it is singular.
    pub fn at(reference: &[f64]) -> Result<Self, LinalgError> {
        let order = order("the reference", reference)?;
        let whitener = Spectrum::of_positive(reference)?.map(|value| 1.0 / value.sqrt());
        Ok(Self { order, whitener })
    }

    /// Channels of the reference.
    pub fn order(&self) -> usize {
        self.order
    }

    /// Numbers in a [`vector`](Self::vector): `n (n + 1) / 2` for `n` channels.
    pub fn dimension(&self) -> usize {
        self.order * (self.order + 1) / 2
    }

    /// Where a covariance lies in this space.
    ///
    /// # Errors
    /// Another order than the reference's, a value that is not finite, [`LinalgError::Rank`] where it is singular.
    pub fn vector(&self, covariance: &[f64]) -> Result<Vec<f64>, LinalgError> {
        let logarithm = self.seen_from_here(covariance)?.map(libm::log);
        let mut vector = Vec::with_capacity(self.dimension());
        for (row, values) in logarithm.chunks_exact(self.order).enumerate() {
            vector.push(values[row]);
            vector.extend(values[row + 1..].iter().map(|value| std::f64::consts::SQRT_2 * value));
        }
        Ok(vector)
    }

    /// How far a covariance is from the reference: `√(Σ ln² λ)` over the eigenvalues of one against the other.
    ///
    /// # Errors
    /// As [`vector`](Self::vector).
    pub fn distance(&self, covariance: &[f64]) -> Result<f64, LinalgError> {
        let eigenvalues = self.seen_from_here(covariance)?.values;
        let logarithms: Vec<f64> = eigenvalues.into_iter().map(libm::log).collect();
        Ok(dot(&logarithms, &logarithms).sqrt())
    }

    /// The covariance recentred: `R^−½ C R^−½`, what it is where all signals are mixed so that the reference becomes the unit matrix.
    ///
    /// # Errors
    /// Another order than the reference's, a value that is not finite.
    pub fn recentred(&self, covariance: &[f64]) -> Result<Vec<f64>, LinalgError> {
        check("a covariance", self.order, covariance)?;
        Ok(congruence(&self.whitener, covariance, self.order))
    }

    /// The covariance as it is where the reference is the unit matrix.
    fn seen_from_here(&self, covariance: &[f64]) -> Result<Spectrum, LinalgError> {
        check("a covariance", self.order, covariance)?;
        Spectrum::of_positive(&congruence(&self.whitener, covariance, self.order))
    }
}

/// The point on the shortest way from one positive definite matrix to another where this share of the way is gone:
/// `A^½ (A^−½ B A^−½)^share A^½` (`pyriemann`'s `geodesic_riemann`).
///
/// ```
/// use neuraflow_ops::kernel::linalg::geodesic;
/// let halfway = geodesic(&[1.0, 0.0, 0.0, 1.0], &[4.0, 0.0, 0.0, 9.0], 0.5)?;
/// assert!((halfway[0] - 2.0).abs() < 1e-14 && (halfway[3] - 3.0).abs() < 1e-14);
/// # Ok::<(), neuraflow_ops::kernel::linalg::LinalgError>(())
/// ```
///
/// # Errors
/// No squares of one order, a value that is not finite, [`LinalgError::Rank`] where one is singular.
pub fn geodesic(from: &[f64], to: &[f64], share: f64) -> Result<Vec<f64>, LinalgError> {
    let n = order("the beginning", from)?;
    check("the end", n, to)?;
    let here = Spectrum::of_positive(from)?;
    let seen = Spectrum::of_positive(&congruence(&here.map(|value| 1.0 / value.sqrt()), to, n))?;
    Ok(congruence(&here.map(f64::sqrt), &seen.map(|value| libm::pow(value, share)), n))
}

/// The mean of covariances `[row][column]`: the matrix whose squared [distances](TangentSpace::distance) to all of them
/// sum up to the least (`pyriemann.utils.mean.mean_riemann`, iterated further).
///
/// Source: M. Moakher (2005), SIAM J. Matrix Anal. Appl. 26(3):735–747; the steps are those of M. Congedo, A. Barachant
/// and R. Bhatia (2017), Brain-Computer Interfaces 4(3):155–174.
///
/// ```
/// use neuraflow_ops::kernel::linalg::riemann_mean;
/// let mean = riemann_mean(&[vec![1.0, 0.0, 0.0, 1.0], vec![4.0, 0.0, 0.0, 9.0]])?;
/// assert!((mean[0] - 2.0).abs() < 1e-12 && (mean[3] - 3.0).abs() < 1e-12);
/// # Ok::<(), neuraflow_ops::kernel::linalg::LinalgError>(())
/// ```
///
/// # Errors
/// No matrix, matrices of different orders, a singular one, or no convergence in 100 steps.
pub fn riemann_mean<M: AsRef<[f64]>>(covariances: &[M]) -> Result<Vec<f64>, LinalgError> {
    const ITERATIONS: usize = 100;
    const CLOSE: f64 = 1e-10;
    let Some(first) = covariances.first() else {
        return Err(LinalgError::TooFew { what: "covariances", needed: 1, found: 0 });
    };
    let n = order("a covariance", first.as_ref())?;
    let mut mean = vec![0.0; n * n];
    for covariance in covariances {
        check("a covariance", n, covariance.as_ref())?;
        mean.iter_mut().zip(covariance.as_ref()).for_each(|(sum, value)| *sum += value);
    }
    let share = 1.0 / covariances.len() as f64;
    mean.iter_mut().for_each(|sum| *sum *= share);
    let (mut step, mut best, mut length) = (1.0, f64::MAX, f64::MAX);
    for _ in 0..ITERATIONS {
        let here = Spectrum::of_positive(&mean)?;
        let whitener = here.map(|value| 1.0 / value.sqrt());
        let mut direction = vec![0.0; n * n];
        for covariance in covariances {
            let seen = Spectrum::of_positive(&congruence(&whitener, covariance.as_ref(), n))?;
            direction.iter_mut().zip(seen.map(libm::log)).for_each(|(sum, value)| *sum += share * value);
        }
        length = direction.iter().map(|value| value * value).sum::<f64>().sqrt();
        let forward = Spectrum::of(&direction)?.map(|value| libm::exp(step * value));
        mean = congruence(&here.map(f64::sqrt), &forward, n);
        if length <= CLOSE {
            return Ok(mean);
        }
        if step * length < best {
            (best, step) = (step * length, 0.95 * step);
        } else {
            step *= 0.5;
        }
    }
    Err(LinalgError::NotConverged {
        what: "the mean of covariances",
        iterations: ITERATIONS,
        residual: length,
    })
}
