//! Complex arithmetic in a fixed order of operations, without std's dispatched functions.
//!
//! `num_complex` takes its square root and modulus from std, whose bits depend on the processor, and divides
//! by another formula than NumPy. The designer's section order is decided by comparing moduli, so it follows
//! NumPy's formulas here.

use num_complex::Complex64;

/// Modulus.
pub(super) fn abs(z: Complex64) -> f64 {
    libm::hypot(z.re, z.im)
}

/// Division by Smith's method (Smith 1962, CACM 5(8):435), as NumPy divides.
pub(super) fn div(n: Complex64, d: Complex64) -> Complex64 {
    if d.re.abs() >= d.im.abs() {
        let ratio = d.im / d.re;
        let scale = 1.0 / (d.re + d.im * ratio);
        Complex64::new((n.re + n.im * ratio) * scale, (n.im - n.re * ratio) * scale)
    } else {
        let ratio = d.re / d.im;
        let scale = 1.0 / (d.re * ratio + d.im);
        Complex64::new((n.re * ratio + n.im) * scale, (n.im * ratio - n.re) * scale)
    }
}

/// Principal square root (real part not negative).
pub(super) fn sqrt(z: Complex64) -> Complex64 {
    if z.im == 0.0 {
        return if z.re < 0.0 {
            Complex64::new(0.0, (-z.re).sqrt().copysign(z.im))
        } else {
            Complex64::new(z.re.sqrt(), z.im)
        };
    }
    let modulus = abs(z);
    let (re, im) = if z.re > 0.0 {
        let re = (0.5 * (modulus + z.re)).sqrt();
        (re, 0.5 * (z.im / re))
    } else {
        let im = (0.5 * (modulus - z.re)).sqrt();
        (0.5 * (z.im / im), im)
    };
    Complex64::new(re.abs(), im.abs().copysign(z.im))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn square_root_squares_back_in_every_quadrant() {
        for (re, im) in [(3.0, 4.0), (-3.0, 4.0), (-3.0, -4.0), (3.0, -4.0), (-4.0, 0.0), (4.0, -0.0)] {
            let root = sqrt(Complex64::new(re, im));
            let back = root * root;
            assert!(root.re >= 0.0);
            assert!((back.re - re).abs() < 1e-14 && (back.im - im).abs() < 1e-14, "{re} {im}: {back}");
        }
    }

    #[test]
    fn division_undoes_multiplication() {
        let (a, b) = (Complex64::new(0.3, -2.0), Complex64::new(-1.5, 0.25));
        for (n, d) in [(a, b), (b, a)] {
            let back = div(n * d, d);
            assert!(abs(back - n) < 1e-15);
        }
    }
}
