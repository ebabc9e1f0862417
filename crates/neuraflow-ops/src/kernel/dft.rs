//! Discrete Fourier transform of real values, of any length.

use num_complex::Complex64;

use super::KernelError;
use super::fft::{Fft, root};

/// The transform X(k) = Σ x(j) e^(−2πi jk / n) of n real values, for k from 0 to n/2: `scipy.fft.rfft`.
///
/// Planned once; any length, fastest without large prime factors. The same bits on every processor.
///
/// ```
/// use neuraflow_ops::kernel::{Complex64, RealDft};
/// let mut dft = RealDft::new(3)?;
/// let mut spectrum = vec![Complex64::default(); dft.bins()];
/// dft.forward(&[1.0, 2.0, 3.0], &mut spectrum)?;
/// assert_eq!(spectrum[0].re, 6.0);
/// assert!((spectrum[1].re + 1.5).abs() < 1e-15);
/// # Ok::<(), neuraflow_ops::kernel::KernelError>(())
/// ```
#[derive(Debug, Clone)]
pub struct RealDft {
    length: usize,
    plan: Fft,
    work: Vec<Complex64>,
    /// For an even length, the roots that join the transforms of even and odd values.
    roots: Vec<Complex64>,
}

impl RealDft {
    /// Plans a transform of `length` values.
    ///
    /// # Errors
    /// A length of 0.
    pub fn new(length: usize) -> Result<Self, KernelError> {
        if length == 0 {
            return Err(KernelError::EmptySegment);
        }
        let inner = if length.is_multiple_of(2) { length / 2 } else { length };
        let roots =
            if length.is_multiple_of(2) { (0..=inner).map(|k| root(k, length)).collect() } else { vec![] };
        Ok(Self { length, plan: Fft::new(inner), work: vec![Complex64::default(); inner], roots })
    }

    /// Number of bins: half the length, rounded down, and one.
    pub fn bins(&self) -> usize {
        self.length / 2 + 1
    }

    /// Transforms `x` into `spectrum`, unscaled. Allocates nothing.
    ///
    /// # Errors
    /// `x` is not of the planned length, or `spectrum` not of [`RealDft::bins`].
    pub fn forward(&mut self, x: &[f64], spectrum: &mut [Complex64]) -> Result<(), KernelError> {
        let lengths = [("x", self.length, x.len()), ("spectrum", self.bins(), spectrum.len())];
        if let Some((what, expected, found)) = lengths.into_iter().find(|(_, e, f)| e != f) {
            return Err(KernelError::Length { what, expected, found });
        }
        if self.roots.is_empty() {
            for (work, value) in self.work.iter_mut().zip(x) {
                *work = Complex64::new(*value, 0.0);
            }
            self.plan.forward(&mut self.work);
            spectrum.copy_from_slice(&self.work[..spectrum.len()]);
            return Ok(());
        }
        // Even and odd values as real and imaginary parts of a transform of half the length.
        for (work, [even, odd]) in self.work.iter_mut().zip(x.as_chunks().0) {
            *work = Complex64::new(*even, *odd);
        }
        self.plan.forward(&mut self.work);
        let half = self.work.len();
        for (k, (bin, root)) in spectrum.iter_mut().zip(&self.roots).enumerate() {
            let (z, mirrored) = (self.work[k % half], self.work[(half - k) % half].conj());
            let (even, difference) = ((z + mirrored) / 2.0, (z - mirrored) / 2.0);
            let odd = Complex64::new(difference.im, -difference.re);
            *bin = even + odd * root;
        }
        Ok(())
    }
}
