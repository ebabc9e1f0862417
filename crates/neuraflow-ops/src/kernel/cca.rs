//! Canonical correlation analysis (feature `linalg`): how well some combination of these signals follows some combination of
//! those.
//!
//! The largest canonical correlation of X and Y is the greatest correlation that a weighted sum of X's signals can have with
//! one of Y's. It is the largest singular value of `Qxᵀ · Qy`, where `Qx` and `Qy` are orthonormal bases of the centred signals,
//! from their QR decompositions. Sources: H. Hotelling (1936), Biometrika 28:321–377; Å. Björck and G. H. Golub (1973),
//! Math. Comput. 27:579–594. The reference is NumPy's QR and SVD, to 1e-10.

use std::f64::consts::TAU;

use nalgebra::DMatrix;

use super::KernelError;

/// A direction with less than this of its signal left, once the others are taken off, is rounding: samples travel as `f32`.
/// So channels against their common average have one dimension less than their number.
const DEPENDENT: f64 = 1e-6;
/// A signal that varies by less than this part of its mean is constant.
const CONSTANT: f64 = 1e-7;

/// An orthonormal basis of the centred signals of a segment.
#[derive(Clone, Debug, PartialEq)]
pub struct Basis {
    /// A column for each dimension.
    columns: DMatrix<f64>,
}

impl Basis {
    /// The basis of `signals` signals in sample-major values `[sample][signal]`, of whatever units: scaling changes nothing.
    /// Constant signals and those that depend on others add no dimension.
    ///
    /// # Errors
    /// No signal; a number of values that is no multiple of theirs; a value that is not finite.
    ///
    /// ```
    /// use neuraflow_ops::kernel::cca::Basis;
    /// // Three signals of four samples: the third is the sum of the others.
    /// let basis = Basis::of(&[1.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], 3)?;
    /// assert_eq!(basis.dimensions(), 2);
    /// # Ok::<(), neuraflow_ops::kernel::KernelError>(())
    /// ```
    pub fn of(values: &[f64], signals: usize) -> Result<Self, KernelError> {
        if signals == 0 {
            return Err(KernelError::NoChannels);
        }
        if !values.len().is_multiple_of(signals) {
            return Err(KernelError::NotWholeSamples { channels: signals, found: values.len() });
        }
        if let Some(index) = values.iter().position(|value| !value.is_finite()) {
            return Err(KernelError::NotFinite { index, found: values[index] });
        }
        let samples = values.len() / signals;
        let mut columns = Vec::with_capacity(values.len());
        let mut kept = 0;
        for signal in 0..signals {
            let values = || values.iter().skip(signal).step_by(signals);
            let mean = values().sum::<f64>() / samples.max(1) as f64;
            let norm = values().map(|value| (value - mean) * (value - mean)).sum::<f64>().sqrt();
            // At length 1 a direction that is left over can be told from rounding.
            if norm > CONSTANT * mean.abs() * (samples as f64).sqrt() && norm.is_finite() {
                columns.extend(values().map(|value| (value - mean) / norm));
                kept += 1;
            }
        }
        if kept == 0 {
            return Ok(Self { columns: DMatrix::zeros(samples, 0) });
        }
        let qr = DMatrix::from_vec(samples, kept, columns).col_piv_qr();
        // Pivoting leaves what depends most on the others to the end.
        let dimensions = qr.r().diagonal().iter().take_while(|left| left.abs() > DEPENDENT).count();
        Ok(Self { columns: qr.q().columns(0, dimensions).into_owned() })
    }

    /// The basis of the sines and cosines of a frequency in Hz and its harmonics at these sample numbers: two signals for
    /// each harmonic, from the first. Its span does not depend on where counting begins.
    ///
    /// # Errors
    /// No harmonic.
    pub fn of_sinusoids(
        hz: f64,
        harmonics: usize,
        rate: f64,
        samples: &[usize],
    ) -> Result<Self, KernelError> {
        let mut values = Vec::with_capacity(samples.len() * harmonics * 2);
        for sample in samples {
            for harmonic in 1..=harmonics {
                let cycles = harmonic as f64 * hz * *sample as f64 / rate;
                let (sine, cosine) = libm::sincos(TAU * (cycles - libm::floor(cycles)));
                values.extend([sine, cosine]);
            }
        }
        Self::of(&values, 2 * harmonics)
    }

    /// Its dimensions: at most the number of signals, and less than the number of samples.
    pub fn dimensions(&self) -> usize {
        self.columns.ncols()
    }

    /// The largest canonical correlation with another segment of as many samples, from 0 to 1; `None` where one of the two
    /// has no dimension.
    ///
    /// Where the dimensions of both together reach the number of samples it is 1 whatever the signals are: see to it that
    /// there are many more samples.
    ///
    /// # Errors
    /// Another number of samples.
    ///
    /// ```
    /// use neuraflow_ops::kernel::cca::Basis;
    /// // A second at 250 Hz of a channel that follows 15 Hz with some delay.
    /// let wave: Vec<f64> = (0..250).map(|n| (0.12 * std::f64::consts::PI * n as f64 - 1.0).sin()).collect();
    /// let (channel, samples) = (Basis::of(&wave, 1)?, (0..250).collect::<Vec<_>>());
    /// let correlation = |hz| channel.correlation(&Basis::of_sinusoids(hz, 2, 250.0, &samples)?);
    /// assert!(correlation(15.0)?.is_some_and(|rho| rho > 1.0 - 1e-12));
    /// assert!(correlation(11.0)?.is_some_and(|rho| rho < 1e-6));
    /// # Ok::<(), neuraflow_ops::kernel::KernelError>(())
    /// ```
    pub fn correlation(&self, other: &Self) -> Result<Option<f64>, KernelError> {
        let (expected, found) = (self.columns.nrows(), other.columns.nrows());
        if expected != found {
            return Err(KernelError::Length { what: "the other segment", expected, found });
        }
        if self.dimensions() == 0 || other.dimensions() == 0 {
            return Ok(None);
        }
        let product = DMatrix::from_fn(self.dimensions(), other.dimensions(), |row, column| {
            let (a, b) = (self.columns.column(row), other.columns.column(column));
            a.iter().zip(b.iter()).map(|(a, b)| a * b).sum::<f64>()
        });
        let largest = product.singular_values().iter().fold(0.0_f64, |largest, value| largest.max(*value));
        Ok(Some(largest.min(1.0)))
    }
}
