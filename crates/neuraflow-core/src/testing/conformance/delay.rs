//! The group delay of a stage, measured from its impulse response.

use std::f64::consts::TAU;

/// Frequencies looked at on each side of the pass band's edges, in the search for them.
const GRID: usize = 300;

/// An impulse response `h[n]`, one value per sample from the impulse on.
pub(super) struct ImpulseResponse {
    pub(super) values: Vec<f64>,
    pub(super) rate: f64,
}

impl ImpulseResponse {
    /// Group delay in samples at `hz`: `Re(Σ n·h[n]·e^(−iωn) / Σ h[n]·e^(−iωn))`, which is the negative slope of the
    /// phase (Oppenheim & Schafer, *Discrete-Time Signal Processing*, §5.1). `None` where nothing passes.
    pub(super) fn group_delay(&self, hz: f64) -> Option<f64> {
        let ((re, im), (ramp_re, ramp_im)) = self.transform(hz);
        let power = re * re + im * im;
        (power > 0.0).then(|| (ramp_re * re + ramp_im * im) / power)
    }

    /// The geometric centre of the band in which the gain is within 3 dB of the greatest. A band open at 0 Hz (a
    /// low-pass, a notch, no filter at all) has its centre at 0 Hz.
    pub(super) fn pass_band_centre(&self) -> Option<f64> {
        let nyquist = self.rate / 2.0;
        // From one period of the whole response up, evenly in log frequency.
        let lowest = self.rate / self.values.len().max(4) as f64;
        let step = (nyquist / lowest).powf(1.0 / GRID as f64);
        let grid: Vec<f64> = (0..=GRID).map(|i| lowest * step.powi(i as i32)).collect();
        let gains: Vec<f64> = grid.iter().map(|hz| self.power(*hz)).collect();
        let at_zero = self.power(0.0);
        let greatest = gains.iter().copied().fold(at_zero, f64::max);
        let limit = greatest / 2.0;
        if greatest <= 0.0 {
            return None;
        }
        if at_zero >= limit {
            return Some(0.0);
        }
        let first = gains.iter().position(|gain| *gain >= limit)?;
        let last = gains.iter().rposition(|gain| *gain >= limit)?;
        let low = self.edge(if first == 0 { 0.0 } else { grid[first - 1] }, grid[first], limit);
        let high = grid.get(last + 1).map_or(nyquist, |outside| self.edge(*outside, grid[last], limit));
        Some((low * high).sqrt())
    }

    /// The frequency between `outside` and `inside` at which the gain reaches `limit`, by bisection.
    fn edge(&self, mut outside: f64, mut inside: f64, limit: f64) -> f64 {
        for _ in 0..40 {
            let middle = (outside + inside) / 2.0;
            if self.power(middle) >= limit {
                inside = middle;
            } else {
                outside = middle;
            }
        }
        inside
    }

    fn power(&self, hz: f64) -> f64 {
        let ((re, im), _) = self.transform(hz);
        re * re + im * im
    }

    /// The response at `hz`, and that of `n · h[n]`.
    fn transform(&self, hz: f64) -> ((f64, f64), (f64, f64)) {
        let (step_im, step_re) = (-TAU * hz / self.rate).sin_cos();
        let (mut plain, mut ramp) = ((0.0, 0.0), (0.0, 0.0));
        let (mut re, mut im) = (1.0, 0.0);
        for (n, h) in self.values.iter().enumerate() {
            if n % 1024 == 0 {
                // Turning a unit vector step by step drifts; start again from the angle.
                (im, re) = (-TAU * (hz / self.rate * n as f64).fract()).sin_cos();
            }
            plain = (plain.0 + h * re, plain.1 + h * im);
            let weighted = h * n as f64;
            ramp = (ramp.0 + weighted * re, ramp.1 + weighted * im);
            (re, im) = (re * step_re - im * step_im, re * step_im + im * step_re);
        }
        (plain, ramp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pure_delay_has_its_delay_at_every_frequency() {
        let mut values = vec![0.0; 4096];
        values[17] = 2.0;
        let response = ImpulseResponse { values, rate: 250.0 };
        for hz in [0.0, 1.0, 10.0, 100.0] {
            let delay = response.group_delay(hz).unwrap();
            assert!((delay - 17.0).abs() < 1e-9, "{hz} Hz: {delay}");
        }
        assert_eq!(response.pass_band_centre(), Some(0.0));
    }

    #[test]
    fn the_centre_of_a_resonator_is_its_frequency() {
        // y[n] = x[n] − x[n−2] + 2 r cos θ y[n−1] − r² y[n−2]: a band-pass around θ.
        let (rate, r) = (250.0, 0.99);
        let theta = TAU * 20.0 / rate;
        let (mut y1, mut y2) = (0.0, 0.0);
        let values = (0..4096)
            .map(|n| {
                let x = f64::from(n == 0) - f64::from(n == 2);
                let y = x + 2.0 * r * theta.cos() * y1 - r * r * y2;
                (y1, y2) = (y, y1);
                y
            })
            .collect();
        let response = ImpulseResponse { values, rate };
        let centre = response.pass_band_centre().unwrap();
        assert!((centre - 20.0).abs() < 0.1, "{centre}");
        // A resonator delays by about 1 / (1 − r) samples at its peak.
        let delay = response.group_delay(centre).unwrap();
        assert!((delay - 100.0).abs() < 2.0, "{delay}");
    }
}
