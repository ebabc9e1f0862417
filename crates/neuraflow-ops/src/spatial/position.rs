//! Where electrodes sit, by their 10-20 names.

use std::f64::consts::PI;

use neuraflow_core::model::{Channel, ten_twenty_name};
use neuraflow_core::operator::OperatorError;

/// Where an electrode sits on the unit sphere, by its 10-20 or 10-10 name in any case: `[right, front, up]`. `None` for names
/// of neither system.
///
/// The idealised head of the 10-10 system: the ring through Fpz, T7, T8 and Oz lies 72° from Cz and is divided in steps of
/// 18°, the midline likewise; a row's electrodes divide the circle through its two ends on the ring and its middle. Names that
/// T7, T8, P7 and P8 had before (T3, T4, T5, T6) mean the same places, mastoids are TP9 and TP10.
///
/// Source: American Clinical Neurophysiology Society, Guideline 2: Guidelines for Standard Electrode Position Nomenclature
/// (2016); R. Oostenveld and P. Praamstra (2001), Clin. Neurophysiol. 112:713–719.
///
/// ```
/// use neuraflow_ops::spatial::position;
/// assert_eq!(position("Cz"), Some([0.0, 0.0, 1.0]));
/// let [right, front, up] = position("c3").unwrap_or_default();
/// assert!(right < 0.0 && front.abs() < 1e-12 && up > 0.5);
/// assert_eq!(position("T3"), position("T7"));
/// assert_eq!(position("Status"), None);
/// ```
pub fn position(name: &str) -> Option<[f64; 3]> {
    let name = current(&ten_twenty_name(name)?);
    let split = name.find(|c: char| c.is_ascii_digit()).unwrap_or(name.len().checked_sub(1)?);
    let (row, place) = name.split_at_checked(split)?;
    // The ends of the row on the ring, as an angle from the front, and its middle, as one from Cz; front is positive.
    let (azimuth, middle) = match row {
        "N" => (18.0, 90.0),
        "Fp" => (18.0, 72.0),
        "AF" => (36.0, 54.0),
        "F" => (54.0, 36.0),
        "FT" | "FC" => (72.0, 18.0),
        "T" | "C" => (90.0, 0.0),
        "TP" | "CP" => (108.0, -18.0),
        "P" => (126.0, -36.0),
        "PO" => (144.0, -54.0),
        "O" => (162.0, -72.0),
        "I" => (162.0, -90.0),
        _ => return None,
    };
    let on_midline = place == "z";
    let centre = sphere(f64::abs(middle), if middle < 0.0 { 180.0 } else { 0.0 });
    if on_midline {
        return (!row.starts_with('T') && row != "FT").then_some(centre);
    }
    let number: u32 = place.parse().ok()?;
    let side = if number % 2 == 1 { -1.0 } else { 1.0 };
    let step = number.div_ceil(2);
    match (row, step) {
        ("N" | "I", 1) => Some(sphere(90.0, side * azimuth)),
        ("Fp" | "O", 1) => Some(sphere(RING, side * azimuth)),
        ("N" | "I" | "Fp" | "O", _) => None,
        (_, 5) => Some(sphere(90.0, side * azimuth)),
        (_, 1..=4) => {
            let (near, far) = (sphere(RING, side * azimuth), sphere(RING, -side * azimuth));
            Some(on_circle(centre, near, far, f64::from(step) / 4.0))
        }
        _ => None,
    }
}

/// How far from Cz the ring of the outermost 10-20 electrodes lies, in degrees.
const RING: f64 = 72.0;

/// What an electrode is called now.
fn current(name: &str) -> String {
    let renamed = match name {
        "T3" => "T7",
        "T4" => "T8",
        "T5" => "P7",
        "T6" => "P8",
        "M1" => "TP9",
        "M2" => "TP10",
        other => other,
    };
    renamed.to_owned()
}

/// The point this far from the top, in this direction from the front, both in degrees.
fn sphere(polar: f64, azimuth: f64) -> [f64; 3] {
    let (polar, azimuth) = (polar * PI / 180.0, azimuth * PI / 180.0);
    let out = libm::sin(polar);
    [out * libm::sin(azimuth), out * libm::cos(azimuth), libm::cos(polar)]
}

fn inner(a: [f64; 3], b: [f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn minus(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

fn outer(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

/// The part `f` of the way from `a` to `b` on the circle through `a`, `b` and `c`, all on the sphere.
fn on_circle(a: [f64; 3], b: [f64; 3], c: [f64; 3], f: f64) -> [f64; 3] {
    let normal = outer(minus(b, a), minus(c, a));
    let length = inner(normal, normal).sqrt();
    let axis = normal.map(|v| v / length);
    let centre = axis.map(|v| v * inner(axis, a));
    let (from, to) = (minus(a, centre), minus(b, centre));
    let angle = libm::atan2(inner(axis, outer(from, to)), inner(from, to)) * f;
    let side = outer(axis, from);
    let (cos, sin) = (libm::cos(angle), libm::sin(angle));
    [0, 1, 2].map(|i| centre[i] + from[i] * cos + side[i] * sin)
}

/// The angle between two places on the head, in radians.
pub(super) fn angle(a: [f64; 3], b: [f64; 3]) -> f64 {
    let across = outer(a, b);
    libm::atan2(inner(across, across).sqrt(), inner(a, b))
}

/// The place in a layout of the channel with this label, else of the one with this 10-20 name, as it is called now or was
/// before. The name alone: a label that merely has a 10-20 name in it, as `Fp1-F7` has, is that channel or none.
pub(crate) fn find(channels: &[Channel], name: &str, what: &'static str) -> Result<usize, OperatorError> {
    let wanted = ten_twenty_name(name).filter(|wanted| wanted.eq_ignore_ascii_case(name));
    let by_label = || channels.iter().position(|channel| channel.label() == name);
    let by_name = || channels.iter().position(|c| wanted.is_some() && c.ten_twenty() == wanted.as_deref());
    let by_other_name = || {
        let wanted = current(wanted.as_deref()?);
        channels.iter().position(|channel| channel.ten_twenty().is_some_and(|name| current(name) == wanted))
    };
    by_label().or_else(by_name).or_else(by_other_name).ok_or_else(|| OperatorError::Spec {
        what,
        expected: format!("one of {}", channels.iter().map(Channel::label).collect::<Vec<_>>().join(", ")),
        found: name.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Angle between two electrodes, in degrees.
    fn degrees(a: &str, b: &str) -> f64 {
        angle(position(a).unwrap(), position(b).unwrap()) * 180.0 / PI
    }

    #[test]
    fn the_midline_and_the_ring_are_divided_evenly() {
        let midline = ["Nz", "Fpz", "AFz", "Fz", "FCz", "Cz", "CPz", "Pz", "POz", "Oz", "Iz"];
        for pair in midline.windows(2) {
            assert!((degrees(pair[0], pair[1]) - 18.0).abs() < 1e-9, "{pair:?}");
        }
        let ring = ["Fpz", "Fp1", "AF7", "F7", "FT7", "T7", "TP7", "P7", "PO7", "O1", "Oz"];
        let step = degrees("Fpz", "Fp2");
        for pair in ring.windows(2) {
            assert!((degrees(pair[0], pair[1]) - step).abs() < 1e-9, "{pair:?}");
        }
        assert!((degrees("Cz", "T7") - 72.0).abs() < 1e-9 && (degrees("Cz", "C3") - 36.0).abs() < 1e-9);
    }

    #[test]
    fn left_mirrors_right_and_every_place_is_on_the_sphere() {
        for row in ["AF", "F", "FC", "C", "CP", "P", "PO"] {
            for step in 0..5 {
                let left = position(&format!("{row}{}", 2 * step + 1)).unwrap();
                let right = position(&format!("{row}{}", 2 * step + 2)).unwrap();
                assert!((inner(left, left) - 1.0).abs() < 1e-12);
                let mirrored = [-right[0], right[1], right[2]];
                assert!(angle(left, mirrored) < 1e-7, "{row} {step}");
            }
        }
    }

    #[test]
    fn what_is_no_place_is_none() {
        for name in ["", "Tz", "Fp3", "O9", "CCP5h", "Status", "EXG1", "Fp11"] {
            assert_eq!(position(name), None, "{name}");
        }
    }
}
