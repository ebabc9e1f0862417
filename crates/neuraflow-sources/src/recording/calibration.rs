//! From the numbers in a file to physical values.

use neuraflow_core::model::Unit;

/// The straight line from a signal's digital counts to its physical values, and from their unit to the stream's.
///
/// ```
/// use neuraflow_sources::recording::edf::Calibration;
/// let line = Calibration::new((-2048, 2048), (-10.0, 10.0), "V").unwrap();
/// assert_eq!(line.physical(192), 0.9375);      // volts, as the file declares
/// assert_eq!(line.streamed(192), 937_500.0);   // microvolts, as the stream carries
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Calibration {
    digital_min: f64,
    gain: f64,
    physical_min: f64,
    scale: f64,
    unit: Unit,
}

impl Calibration {
    /// The line through `(digital.0, physical.0)` and `(digital.1, physical.1)`, in the declared unit. `None`
    /// where the ranges determine no line, or one whose sign is doubtful: the digital range is empty or reversed
    /// (EDF inverts a signal by its physical range), or the physical range is empty.
    pub fn new(digital: (i64, i64), physical: (f64, f64), unit: &str) -> Option<Self> {
        Self::through((digital.0 as f64, digital.1 as f64), physical, unit)
    }

    /// The same, where the file's numbers need not be whole.
    pub(super) fn through(digital: (f64, f64), physical: (f64, f64), unit: &str) -> Option<Self> {
        // The physical bounds are as the header has them, so that equality is exact. NaN determines no line either.
        let increasing = digital.0 < digital.1 && digital.1 - digital.0 < f64::INFINITY;
        let gain = (physical.1 - physical.0) / (digital.1 - digital.0);
        if !increasing || physical.0 == physical.1 || !gain.is_finite() {
            return None;
        }
        let (scale, unit) = match microvolts_per(unit) {
            Some(scale) => (scale, Unit::Microvolt),
            None => (1.0, Unit::Other(unit.to_owned())),
        };
        Some(Self { digital_min: digital.0, gain, physical_min: physical.0, scale, unit })
    }

    /// No calibration: physical values are the digital counts.
    pub fn counts() -> Self {
        let unit = Unit::Other("digital count".to_owned());
        Self { digital_min: 0.0, gain: 1.0, physical_min: 0.0, scale: 1.0, unit }
    }

    /// The physical value of a count, in the unit that the file declares.
    pub fn physical(&self, digital: i32) -> f64 {
        self.physical_of(f64::from(digital))
    }

    /// The same, where the file's numbers need not be whole.
    pub(super) fn physical_of(&self, digital: f64) -> f64 {
        (digital - self.digital_min) * self.gain + self.physical_min
    }

    /// The value of a count as the stream carries it: voltages in µV, anything else in the declared unit.
    pub fn streamed(&self, digital: i32) -> f32 {
        self.streamed_of(f64::from(digital))
    }

    /// The same, where the file's numbers need not be whole. What no `f32` can hold is a missing value.
    pub(super) fn streamed_of(&self, digital: f64) -> f32 {
        let value = (self.physical_of(digital) * self.scale) as f32;
        if value.is_finite() { value } else { f32::NAN }
    }

    /// The unit of the [streamed](Self::streamed) values.
    pub fn unit(&self) -> &Unit {
        &self.unit
    }
}

/// How many microvolts a unit is, if it is a voltage. `MV` is not taken for millivolts.
fn microvolts_per(unit: &str) -> Option<f64> {
    match unit.trim() {
        "uV" | "UV" | "uv" | "\u{b5}V" | "\u{3bc}V" => Some(1.0),
        "mV" | "mv" => Some(1e3),
        "V" | "v" => Some(1e6),
        "nV" | "nv" => Some(1e-3),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_voltage_travels_in_microvolts() {
        for (unit, scale) in [("uV", 1.0), ("µV", 1.0), ("μV", 1.0), ("mV", 1e3), ("V", 1e6), ("nV", 1e-3)]
        {
            let line = Calibration::new((0, 10), (0.0, 10.0), unit).unwrap();
            assert_eq!(line.unit(), &Unit::Microvolt, "{unit}");
            assert_eq!(line.streamed(3), (3.0 * scale) as f32, "{unit}");
        }
        let celsius = Calibration::new((0, 10), (0.0, 10.0), "degC").unwrap();
        assert_eq!((celsius.unit(), celsius.streamed(3)), (&Unit::Other("degC".into()), 3.0));
    }

    #[test]
    fn an_inverted_physical_range_inverts_and_a_doubtful_line_is_none() {
        let line = Calibration::new((-32768, 32767), (8711.0, -8711.0), "uV").unwrap();
        assert!(line.physical(-24) > 0.0);
        assert_eq!(Calibration::new((10, -10), (0.0, 1.0), "uV"), None);
        assert_eq!(Calibration::new((-10, 10), (100.0, 100.0), "uV"), None);
        assert_eq!(Calibration::counts().physical(-77), -77.0);
    }
}
