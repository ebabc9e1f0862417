//! The analytic signal of a whole stretch.

use num_complex::Complex64;

use super::fft::Fft;

/// Makes analytic signals of one length: `scipy.signal.hilbert(x)`.
#[derive(Debug, Clone)]
pub(crate) struct Analytic {
    length: usize,
    plan: Fft<Complex64>,
}

impl Analytic {
    /// `length` is not 0.
    pub(crate) fn new(length: usize) -> Self {
        Self { length, plan: Fft::new(length) }
    }

    /// Replaces `out` by the analytic signal of `x`, which has the planned length. Allocates nothing once `out` has it too.
    pub(crate) fn process(&mut self, x: &[f64], out: &mut Vec<Complex64>) {
        out.clear();
        out.extend(x.iter().map(|value| Complex64::new(*value, 0.0)));
        self.plan.forward(out);
        let half = self.length.div_ceil(2);
        for (bin, value) in out.iter_mut().enumerate() {
            let weight = match bin {
                0 => 1.0,
                bin if bin < half => 2.0,
                bin if 2 * bin == self.length => 1.0,
                _ => 0.0,
            };
            // Conjugated, for the inverse by a forward transform.
            *value = value.conj() * (weight / self.length as f64);
        }
        self.plan.forward(out);
        out.iter_mut().for_each(|value| *value = value.conj());
    }
}
