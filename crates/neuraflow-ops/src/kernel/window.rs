//! Taper functions for spectra.

use core::f64::consts::PI;

/// A taper applied to a segment before its spectrum is taken.
///
/// ```
/// use neuraflow_ops::kernel::Window;
/// let taper = Window::Hann.values(4);
/// assert!((taper[2] - 1.0).abs() < 1e-15); // periodic: the peak is at N/2
/// assert_eq!(Window::Boxcar.values(2), [1.0, 1.0]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// No taper: all ones.
    Boxcar,
    /// Hann, periodic: `scipy.signal.get_window('hann', N)`. For spectra.
    Hann,
    /// Hann, symmetric: `scipy.signal.windows.hann(N)`. For filter design.
    HannSymmetric,
    /// Hamming, symmetric: `scipy.signal.windows.hamming(N)`. For filter design.
    HammingSymmetric,
}

impl Window {
    /// The taper's `length` values, from 0 to 1, dimensionless.
    pub fn values(self, length: usize) -> Vec<f64> {
        let period = match self {
            Window::Boxcar => return vec![1.0; length],
            Window::Hann => length,
            Window::HannSymmetric | Window::HammingSymmetric => length.saturating_sub(1),
        };
        if length <= 1 {
            return vec![1.0; length];
        }
        let mean = if self == Window::HammingSymmetric { 0.54 } else { 0.5 };
        (0..length).map(|n| mean - (1.0 - mean) * libm::cos(2.0 * PI * n as f64 / period as f64)).collect()
    }
}
