//! Discrete Fourier transform of real values, of any length.

use num_complex::Complex64;

use super::KernelError;
use super::cell::Cell;
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
    transform: RealTransform<Complex64>,
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
        Ok(Self { transform: RealTransform::new(length) })
    }

    /// Number of bins: half the length, rounded down, and one.
    pub fn bins(&self) -> usize {
        self.transform.bins()
    }

    /// Transforms `x` into `spectrum`, unscaled. Allocates nothing.
    ///
    /// # Errors
    /// `x` is not of the planned length, or `spectrum` not of [`RealDft::bins`].
    pub fn forward(&mut self, x: &[f64], spectrum: &mut [Complex64]) -> Result<(), KernelError> {
        let lengths = [("x", self.transform.length, x.len()), ("spectrum", self.bins(), spectrum.len())];
        if let Some((what, expected, found)) = lengths.into_iter().find(|(_, e, f)| e != f) {
            return Err(KernelError::Length { what, expected, found });
        }
        self.transform.forward(x, spectrum);
        Ok(())
    }
}

/// The transform of real values of one channel, or of several side by side.
#[derive(Debug, Clone)]
pub(super) struct RealTransform<C> {
    length: usize,
    plan: Fft<C>,
    work: Vec<C>,
    /// For an even length, the roots that join the transforms of even and odd values.
    roots: Vec<Complex64>,
}

impl<C: Cell> RealTransform<C> {
    /// `length` is not 0.
    pub(super) fn new(length: usize) -> Self {
        let inner = if length.is_multiple_of(2) { length / 2 } else { length };
        let roots =
            if length.is_multiple_of(2) { (0..=inner).map(|k| root(k, length)).collect() } else { vec![] };
        Self { length, plan: Fft::new(inner), work: vec![C::ZERO; inner], roots }
    }

    pub(super) fn bins(&self) -> usize {
        self.length / 2 + 1
    }

    /// `x` has the planned length, and `spectrum` that of the bins.
    #[inline(always)]
    pub(super) fn forward(&mut self, x: &[C::Real], spectrum: &mut [C]) {
        if self.roots.is_empty() {
            for (work, value) in self.work.iter_mut().zip(x) {
                *work = C::real(*value);
            }
            self.plan.forward(&mut self.work);
            spectrum.copy_from_slice(&self.work[..spectrum.len()]);
            return;
        }
        // Even and odd values as real and imaginary parts of a transform of half the length.
        for (work, [even, odd]) in self.work.iter_mut().zip(x.as_chunks().0) {
            *work = C::new(*even, *odd);
        }
        self.plan.forward(&mut self.work);
        let half = self.work.len();
        for (k, (bin, root)) in spectrum.iter_mut().zip(&self.roots).enumerate() {
            let (z, mirrored) = (self.work[k % half], self.work[(half - k) % half].conj());
            let (even, difference) = ((z + mirrored).halved(), (z - mirrored).halved());
            *bin = even + difference.turned().times(*root);
        }
    }
}
