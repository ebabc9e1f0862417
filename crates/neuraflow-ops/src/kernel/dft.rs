//! Discrete Fourier transform of real values, of any length.

use num_complex::{Complex, Complex64};

use super::cell::{Cell, DOUBLES, SINGLES, Wide};
use super::fft::{Fft, root, rounded};
use super::simd::widest;
use super::{KernelError, Value};

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
pub(crate) struct RealTransform<C: Cell> {
    length: usize,
    plan: Fft<C>,
    work: Vec<C>,
    /// For an even length, the roots that join the transforms of even and odd values.
    roots: Vec<Complex<C::Scalar>>,
}

impl<C: Cell> RealTransform<C> {
    /// `length` is not 0.
    pub(super) fn new(length: usize) -> Self {
        let inner = if length.is_multiple_of(2) { length / 2 } else { length };
        let roots = if length.is_multiple_of(2) {
            (0..=inner).map(|k| rounded(root(k, length))).collect()
        } else {
            vec![]
        };
        Self { length, plan: Fft::new(inner), work: vec![C::ZERO; inner], roots }
    }

    pub(super) fn bins(&self) -> usize {
        self.length / 2 + 1
    }

    /// `x` has the planned length, and `spectrum` that of the bins.
    #[inline(always)]
    pub(super) fn forward(&mut self, x: &[C::Real], spectrum: &mut [C]) {
        let is_even = !self.roots.is_empty();
        if is_even {
            // Even and odd values as real and imaginary parts of a transform of half the length.
            for (work, [even, odd]) in self.work.iter_mut().zip(x.as_chunks().0) {
                *work = C::new(*even, *odd);
            }
        } else {
            for (work, value) in self.work.iter_mut().zip(x) {
                *work = C::real(*value);
            }
        }
        self.plan.forward(&mut self.work);
        if !is_even {
            spectrum.copy_from_slice(&self.work[..spectrum.len()]);
            return;
        }
        let half = self.work.len();
        // Value 0 is its own mirror image, and the one beyond the last.
        spectrum[0] = join(self.work[0], self.work[0], self.roots[0]);
        spectrum[half] = join(self.work[0], self.work[0], self.roots[half]);
        let mirrored = self.work[1..].iter().rev();
        let pairs = self.work[1..].iter().zip(mirrored).zip(&self.roots[1..half]);
        for (bin, ((z, mirrored), root)) in spectrum[1..half].iter_mut().zip(pairs) {
            *bin = join(*z, *mirrored, *root);
        }
    }
}

/// A number of which `W` channels are transformed side by side, by the widest vectors. This is no generic function: those are
/// compiled anew wherever somebody calls them, and this one is large.
pub(crate) trait SideBySide<const W: usize>: Value {
    fn forward(transform: &mut RealTransform<Wide<Self, W>>, x: &[[Self; W]], spectrum: &mut [Wide<Self, W>]);
}

macro_rules! side_by_side {
    ($($number:ty, $lanes:expr;)*) => {
        $(impl SideBySide<{ $lanes }> for $number {
            fn forward(
                transform: &mut RealTransform<Wide<Self, { $lanes }>>,
                x: &[[Self; { $lanes }]],
                spectrum: &mut [Wide<Self, { $lanes }>],
            ) {
                widest(
                    #[inline(always)]
                    || transform.forward(x, spectrum),
                );
            }
        })*
    };
}
side_by_side! { f64, 1; f64, DOUBLES; f32, 1; f32, SINGLES; }

/// A bin from the transform of even and odd values at it, and at its mirror image.
#[inline(always)]
fn join<C: Cell>(z: C, mirrored: C, root: Complex<C::Scalar>) -> C {
    let (even, difference) = ((z + mirrored.conj()).halved(), (z - mirrored.conj()).halved());
    even + difference.turned().times(root)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits<S: Value, const W: usize>(spectrum: &[Wide<S, W>]) -> Vec<u64> {
        let parts = spectrum.iter().flat_map(|bin| bin.re.into_iter().chain(bin.im));
        parts.map(|part| part.to_f64().to_bits()).collect()
    }

    fn same_bits_on_every_instruction_set<S: SideBySide<W>, const W: usize>() {
        for length in [1, 2, 3, 7, 60, 64, 67, 97, 250, 1009, 1500, 1501, 2018] {
            let value = |n: usize| S::from_f64((n * 7919 % 2003) as f64 / 7.0 - 90.0);
            let mut x = vec![[S::ZERO; W]; length];
            x.as_flattened_mut().iter_mut().enumerate().for_each(|(n, x)| *x = value(n));
            let mut transform = RealTransform::<Wide<S, W>>::new(length);
            let mut spectrum = vec![Wide::ZERO; transform.bins()];
            transform.forward(&x, &mut spectrum);
            let baseline = bits(&spectrum);
            S::forward(&mut transform, &x, &mut spectrum);
            assert_eq!(bits(&spectrum), baseline, "{length}");
            #[cfg(target_arch = "x86_64")]
            if let Some(avx512) = fearless_simd::Level::new().as_avx512() {
                fearless_simd::Simd::vectorize(
                    avx512,
                    #[inline(always)]
                    || transform.forward(&x, &mut spectrum),
                );
                assert_eq!(bits(&spectrum), baseline, "AVX-512, {length}");
            }
        }
    }

    #[test]
    fn every_instruction_set_gives_the_same_bits() {
        same_bits_on_every_instruction_set::<f64, DOUBLES>();
        same_bits_on_every_instruction_set::<f32, SINGLES>();
    }
}
