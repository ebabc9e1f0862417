//! A filter as a cascade of second-order sections, and what can be said of it before it runs.

use core::f64::consts::PI;

use num_complex::Complex64;

use super::DesignError;

/// Longest impulse response [`Sos::settling_samples`] looks at: 9 minutes at 30 kHz.
const MAX_SETTLING: usize = 1 << 24;

/// Least distance from the edge of stability that f32 arithmetic can hold; see [`Sos::is_stable_in_f32`].
const F32_MARGIN: f64 = 64.0 * f32::EPSILON as f64;

/// Zeros this close to the unit circle count as on it, where a numerator's delay is known exactly.
const SYMMETRY_TOLERANCE: f64 = 1e-14;

/// A stable cascade of second-order sections `[b0, b1, b2, 1, a1, a2]`, in SciPy's `sos` layout.
///
/// ```
/// use neuraflow_ops::kernel::{Response, butterworth, notch};
/// let mains = notch(50.0, 30.0, 250.0)?;
/// let band = butterworth(2, Response::Bandpass(1.0, 40.0), 250.0)?;
/// let both = mains.then(&band);
/// assert_eq!(both.sections().len(), 3);
/// # Ok::<(), neuraflow_ops::kernel::DesignError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Sos {
    sections: Vec<[f64; 6]>,
}

impl Sos {
    /// A cascade from its rows, for filters designed elsewhere.
    ///
    /// # Errors
    /// No section, or one that is not finite, not normalised to `a0 = 1`, or not stable (the stability
    /// triangle: |a2| < 1 and |a1| < 1 + a2).
    ///
    /// ```
    /// use neuraflow_ops::kernel::Sos;
    /// let smoother = Sos::from_sections(vec![[0.1, 0.0, 0.0, 1.0, -0.9, 0.0]])?;
    /// assert_eq!(smoother.sections().len(), 1);
    /// assert!(Sos::from_sections(vec![[0.1, 0.0, 0.0, 1.0, -1.0, 0.0]]).is_err());
    /// # Ok::<(), neuraflow_ops::kernel::DesignError>(())
    /// ```
    pub fn from_sections(sections: Vec<[f64; 6]>) -> Result<Self, DesignError> {
        if sections.is_empty() {
            return Err(DesignError::NoSections);
        }
        for (section, row) in sections.iter().enumerate() {
            let usable = row.iter().all(|c| c.is_finite()) && row[3] == 1.0;
            if !usable || margins(row).iter().any(|margin| *margin <= 0.0) {
                return Err(DesignError::Section { section, found: *row });
            }
        }
        Ok(Self { sections })
    }

    /// The rows `[b0, b1, b2, 1, a1, a2]`, first applied first.
    pub fn sections(&self) -> &[[f64; 6]] {
        &self.sections
    }

    /// This filter followed by another designed for the same sampling rate.
    pub fn then(&self, next: &Sos) -> Sos {
        Sos { sections: self.sections.iter().chain(&next.sections).copied().collect() }
    }

    /// Complex gain at `frequency` (Hz), as `scipy.signal.freqz_sos`.
    ///
    /// Polynomials are evaluated around z = 1 or z = −1, whichever is closer, so that a low edge at a high
    /// sampling rate loses no digits.
    ///
    /// ```
    /// use neuraflow_ops::kernel::{Response, butterworth};
    /// let filter = butterworth(3, Response::Lowpass(30.0), 250.0)?;
    /// let at_zero = filter.frequency_response(0.0, 250.0);
    /// assert!((at_zero.re - 1.0).abs() < 1e-12 && at_zero.im == 0.0);
    /// # Ok::<(), neuraflow_ops::kernel::DesignError>(())
    /// ```
    pub fn frequency_response(&self, frequency: f64, sampling_rate: f64) -> Complex64 {
        let point = Point::new(frequency, sampling_rate);
        self.sections.iter().fold(Complex64::new(1.0, 0.0), |gain, [b0, b1, b2, a0, a1, a2]| {
            let (numerator, _) = point.evaluate([*b0, *b1, *b2]);
            let (denominator, _) = point.evaluate([*a0, *a1, *a2]);
            gain * super::complex::div(numerator, denominator)
        })
    }

    /// Group delay at `frequency` (Hz) in samples: the negative slope of the phase, from each section's
    /// coefficients (J. O. Smith, *Introduction to Digital Filters*, "Numerical Computation of Group Delay").
    ///
    /// Numerators with zeros on the unit circle delay by half their length at any frequency; this is used at
    /// the zero itself, where the slope is not defined.
    ///
    /// ```
    /// use neuraflow_ops::kernel::{Response, butterworth};
    /// let filter = butterworth(4, Response::Bandpass(1.0, 40.0), 250.0)?;
    /// let milliseconds = |hz| 1e3 * filter.group_delay_at(hz, 250.0) / 250.0;
    /// assert!((milliseconds(1.0) - 615.7).abs() < 0.1);
    /// assert!((milliseconds(10.0) - 14.3).abs() < 0.1);
    /// # Ok::<(), neuraflow_ops::kernel::DesignError>(())
    /// ```
    pub fn group_delay_at(&self, frequency: f64, sampling_rate: f64) -> f64 {
        let point = Point::new(frequency, sampling_rate);
        let delay = |polynomial| {
            let (value, slope) = point.evaluate(polynomial);
            super::complex::div(slope, value).re
        };
        let of_section = |[b0, b1, b2, a0, a1, a2]: &[f64; 6]| {
            let numerator = linear_phase_delay([*b0, *b1, *b2]).unwrap_or_else(|| delay([*b0, *b1, *b2]));
            numerator - delay([*a0, *a1, *a2])
        };
        self.sections.iter().map(of_section).sum()
    }

    /// State `[z0, z1]` of each section after a constant input of 1 since ever: `scipy.signal.sosfilt_zi`.
    /// Scaled by the first value it starts a filter without a jump.
    ///
    /// Solved in closed form. The sum 1 + a1 + a2 is exact for poles near z = 1, where SciPy's general solver
    /// loses as many digits as that sum is small.
    ///
    /// ```
    /// use neuraflow_ops::kernel::{Response, butterworth};
    /// let filter = butterworth(2, Response::Lowpass(30.0), 250.0)?;
    /// let [[b0, _, _, _, _, _]] = filter.sections() else { unreachable!() };
    /// let [[z0, _]] = filter.steady_state()[..] else { unreachable!() };
    /// assert!((b0 + z0 - 1.0).abs() < 1e-12); // the first output is the steady output
    /// # Ok::<(), neuraflow_ops::kernel::DesignError>(())
    /// ```
    pub fn steady_state(&self) -> Vec<[f64; 2]> {
        let mut input = 1.0;
        let state = |[b0, b1, b2, a0, a1, a2]: &[f64; 6]| {
            let gain = (b0 + b1 + b2) / (a0 + a1 + a2);
            let state = [input * (gain - b0), input * (b2 - a2 * gain)];
            input *= gain;
            state
        };
        self.sections.iter().map(state).collect()
    }

    /// Warm-up: the least n such that what the impulse response h still holds from sample n on is at most
    /// `tolerance` of the whole, Σₖ≥ₙ |h(k)| ≤ tolerance · Σₖ |h(k)|.
    ///
    /// So for an input bounded by M, everything older than n samples moves the output by no more than
    /// tolerance · M · Σ|h|. The sum of absolute values, rather than peak or energy, because a high-pass has
    /// its peak and nearly all its energy in the first sample, and yet remembers an offset for seconds.
    ///
    /// `None` when `tolerance` is not between 0 and 1, or the response is longer than 2²⁴ samples.
    /// It runs the filter: call it when building, not while processing.
    ///
    /// ```
    /// use neuraflow_ops::kernel::{Response, butterworth};
    /// let slow = butterworth(2, Response::Highpass(0.5), 250.0)?.settling_samples(1e-3);
    /// let fast = butterworth(2, Response::Highpass(5.0), 250.0)?.settling_samples(1e-3);
    /// assert!(slow > fast && fast > Some(50));
    /// # Ok::<(), neuraflow_ops::kernel::DesignError>(())
    /// ```
    pub fn settling_samples(&self, tolerance: f64) -> Option<usize> {
        if !(tolerance > 0.0 && tolerance < 1.0) {
            return None;
        }
        // A block is four time constants of the slowest pole, so one block to the next decays by e⁻⁴ and
        // what follows a negligible block is negligible.
        let slowest = self.sections.iter().map(radius).fold(0.0, f64::max);
        let block = libm::ceil(4.0 / (1.0 - slowest)).min(MAX_SETTLING as f64) as usize;
        let mut total = 0.0;
        let mut length = 0;
        let mut response = ImpulseResponse::new(&self.sections);
        loop {
            let mut sum = 0.0;
            for _ in 0..block {
                sum += response.next_value().abs();
            }
            total += sum;
            length += block;
            if sum <= 1e-3 * tolerance * total {
                break;
            }
            if length >= MAX_SETTLING {
                return None;
            }
        }
        let mut response = ImpulseResponse::new(&self.sections);
        let mut rest = total;
        for n in 0..length {
            if rest <= tolerance * total {
                return Some(n);
            }
            rest -= response.next_value().abs();
        }
        Some(length)
    }

    /// Whether the cascade may be run with coefficients and state in `f32`.
    ///
    /// A section's distance from the edge of the stability triangle is the least of 1 + a1 + a2, 1 − a1 + a2
    /// and 1 − a2; rounding in `f32` moves the poles and adds noise in proportion to its inverse. This asks for
    /// 64 f32 epsilons (7.6e-6) in every section: a 0.5 Hz high-pass at 250 Hz passes, at 30 kHz it does not.
    ///
    /// ```
    /// use neuraflow_ops::kernel::{Response, butterworth};
    /// let high_pass = Response::Highpass(0.5);
    /// assert!(butterworth(4, high_pass, 250.0)?.is_stable_in_f32());
    /// assert!(!butterworth(4, high_pass, 30_000.0)?.is_stable_in_f32());
    /// # Ok::<(), neuraflow_ops::kernel::DesignError>(())
    /// ```
    pub fn is_stable_in_f32(&self) -> bool {
        self.first_unstable_in_f32().is_none()
    }

    /// The first section that `f32` cannot hold.
    pub(super) fn first_unstable_in_f32(&self) -> Option<usize> {
        self.sections.iter().position(|row| margins(row).iter().any(|margin| *margin < F32_MARGIN))
    }

    /// The same cascade with every coefficient rounded to `f32`.
    pub(super) fn rounded_to_f32(&self) -> Sos {
        Sos { sections: self.sections.iter().map(|row| row.map(|c| f64::from(c as f32))).collect() }
    }
}

/// Distances to the three sides of the stability triangle; all positive for a stable section.
fn margins([_, _, _, a0, a1, a2]: &[f64; 6]) -> [f64; 3] {
    [a0 + a1 + a2, a0 - a1 + a2, a0 - a2]
}

/// Largest pole radius of a section.
fn radius([_, _, _, _, a1, a2]: &[f64; 6]) -> f64 {
    let discriminant = a1 * a1 - 4.0 * a2;
    if discriminant < 0.0 { a2.sqrt() } else { (a1.abs() + discriminant.sqrt()) / 2.0 }
}

/// Delay in samples of a symmetric or antisymmetric numerator, whose phase is a straight line.
fn linear_phase_delay([b0, b1, b2]: [f64; 3]) -> Option<f64> {
    let close = |a: f64, b: f64| (a - b).abs() <= SYMMETRY_TOLERANCE * a.abs();
    if b2 == 0.0 && b1 != 0.0 {
        (close(b0, b1) || close(b0, -b1)).then_some(0.5)
    } else if b2 != 0.0 {
        (close(b0, b2) || (b1 == 0.0 && close(b0, -b2))).then_some(1.0)
    } else {
        None
    }
}

/// A point on the unit circle, kept as its exact distance from z = 1 or z = −1.
struct Point {
    /// z⁻¹ = anchor − offset
    anchor: f64,
    offset: Complex64,
}

impl Point {
    fn new(frequency: f64, sampling_rate: f64) -> Self {
        let angle = 2.0 * PI * frequency / sampling_rate;
        let (half_sin, half_cos) = (libm::sin(angle / 2.0), libm::cos(angle / 2.0));
        let sin = libm::sin(angle);
        // 1 − e^(−jω) = 2 sin²(ω/2) + j sin ω, and −1 − e^(−jω) = −2 cos²(ω/2) + j sin ω
        if half_sin.abs() <= half_cos.abs() {
            Self { anchor: 1.0, offset: Complex64::new(2.0 * half_sin * half_sin, sin) }
        } else {
            Self { anchor: -1.0, offset: Complex64::new(-2.0 * half_cos * half_cos, sin) }
        }
    }

    /// Value of c0 + c1 z⁻¹ + c2 z⁻², and of c1 z⁻¹ + 2 c2 z⁻², expanded around the anchor.
    fn evaluate(&self, [c0, c1, c2]: [f64; 3]) -> (Complex64, Complex64) {
        let c1 = c1 * self.anchor;
        let u = self.offset * self.anchor;
        let square = u * u;
        let value = Complex64::from(c0 + c1 + c2) - u * (c1 + 2.0 * c2) + square * c2;
        let slope = Complex64::from(c1 + 2.0 * c2) - u * (c1 + 4.0 * c2) + square * (2.0 * c2);
        (value, slope)
    }
}

/// The cascade's answer to a single 1, one value at a time.
struct ImpulseResponse<'a> {
    sections: &'a [[f64; 6]],
    state: Vec<[f64; 2]>,
    input: f64,
}

impl<'a> ImpulseResponse<'a> {
    fn new(sections: &'a [[f64; 6]]) -> Self {
        Self { sections, state: vec![[0.0; 2]; sections.len()], input: 1.0 }
    }

    fn next_value(&mut self) -> f64 {
        let mut x = core::mem::take(&mut self.input);
        for ([b0, b1, b2, _, a1, a2], state) in self.sections.iter().zip(&mut self.state) {
            let y = b0 * x + state[0];
            state[0] = b1 * x - a1 * y + state[1];
            state[1] = b2 * x - a2 * y;
            x = y;
        }
        x
    }
}
