//! Where electrodes sit, and what lies between them.
//!
//! Positions are those of the 10-10 system on a sphere. Between electrodes a spherical spline of order 4 is drawn: F. Perrin, J. Pernier, O.
//! Bertrand and J. F. Echallier (1989), Electroencephalogr. Clin. Neurophysiol. 72(2):184–187.

type Point = [f64; 3];

/// The polar angle of the ring through Fpz, T7, T8 and Oz, in degrees from Cz.
const RING: f64 = 72.0;

/// Rows of the 10-10 system: azimuth of the row's end on the ring, and the angle of its middle from Cz (front is positive).
const ROWS: [(&str, f64, f64); 14] = [
    ("FP", 18.0, 72.0),
    ("AF", 36.0, 54.0),
    ("F", 54.0, 36.0),
    ("FT", 72.0, 18.0),
    ("FC", 72.0, 18.0),
    ("T", 90.0, 0.0),
    ("C", 90.0, 0.0),
    ("TP", 108.0, -18.0),
    ("CP", 108.0, -18.0),
    ("P", 126.0, -36.0),
    ("PO", 144.0, -54.0),
    ("O", 162.0, -72.0),
    ("N", 18.0, 90.0),
    ("I", 162.0, -90.0),
];

/// Where an electrode sits on the unit sphere, by its 10-20 or 10-10 name: x to the right, y to the front, z up.
pub(super) fn position(name: &str) -> Option<Point> {
    let name = name.to_ascii_uppercase();
    let name = match name.as_str() {
        "T3" => "T7",
        "T4" => "T8",
        "T5" => "P7",
        "T6" => "P8",
        "M1" => "TP9",
        "M2" => "TP10",
        other => other,
    };
    // A midline name ends in z.
    let digits = name.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    let (row, number) = match name.strip_suffix('Z') {
        Some(row) => (row, "Z"),
        None => name.split_at(digits),
    };
    let (_, azimuth, middle) = *ROWS.iter().find(|(known, ..)| *known == row)?;
    let top = point(middle.abs(), if middle < 0.0 { 180.0 } else { 0.0 });
    if number == "Z" {
        return (!row.starts_with('T') && row != "FT").then_some(top);
    }
    let number: u8 = number.parse().ok().filter(|number| (1..=10).contains(number))?;
    let (side, step) = (if number % 2 == 1 { -1.0 } else { 1.0 }, number.div_ceil(2));
    match (row, step) {
        ("N" | "I", 1) => Some(point(90.0, side * azimuth)),
        ("FP" | "O", 1) => Some(point(RING, side * azimuth)),
        ("N" | "I" | "FP" | "O", _) => None,
        (_, 5) => Some(point(90.0, side * azimuth)),
        _ => {
            let (end, other) = (point(RING, side * azimuth), point(RING, -side * azimuth));
            Some(on_circle(top, end, other, f64::from(step) / 4.0))
        }
    }
}

/// Seen from above: right and front, 1 at the head's outline through nasion and inion.
pub(super) fn flat([x, y, z]: Point) -> [f64; 2] {
    let (far, polar) = (x.hypot(y), z.clamp(-1.0, 1.0).acos() / std::f64::consts::FRAC_PI_2);
    if far < 1e-9 { [0.0, 0.0] } else { [x / far * polar, y / far * polar] }
}

/// The point of the sphere that is [`flat`] there.
pub(super) fn round([x, y]: [f64; 2]) -> Point {
    point(90.0 * x.hypot(y), x.atan2(y).to_degrees())
}

fn point(polar: f64, azimuth: f64) -> Point {
    let ((sin, cos), (right, front)) = (polar.to_radians().sin_cos(), azimuth.to_radians().sin_cos());
    [sin * right, sin * front, cos]
}

fn dot(a: Point, b: Point) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn cross(a: Point, b: Point) -> Point {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

fn minus(a: Point, b: Point) -> Point {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

/// The part `f` of the way from `a` to `b` on the circle through `a`, `b` and `c`, all of them on the sphere.
fn on_circle(a: Point, b: Point, c: Point, f: f64) -> Point {
    let axis = cross(minus(b, a), minus(c, a));
    let length = dot(axis, axis).sqrt();
    let axis = axis.map(|value| value / length);
    let centre = axis.map(|value| value * dot(axis, a));
    let (from, to) = (minus(a, centre), minus(b, centre));
    let (sin, cos) = (dot(axis, cross(from, to)).atan2(dot(from, to)) * f).sin_cos();
    let side = cross(axis, from);
    [0, 1, 2].map(|i| centre[i] + from[i] * cos + side[i] * sin)
}

/// A smooth surface over the sphere through a value at each electrode.
pub(super) struct Spline {
    sites: Vec<Point>,
    /// One for each site, and what is everywhere.
    weights: Vec<f64>,
}

impl Spline {
    /// `None` where there is no such surface: no electrode, or two at one place.
    pub(super) fn through(sites: &[Point], values: &[f64]) -> Option<Self> {
        let n = sites.len();
        let mut rows: Vec<Vec<f64>> = Vec::with_capacity(n + 1);
        for (a, value) in sites.iter().zip(values) {
            rows.push(sites.iter().map(|b| kernel(dot(*a, *b))).chain([1.0, *value]).collect());
        }
        rows.push(std::iter::repeat_n(1.0, n).chain([0.0, 0.0]).collect());
        Some(Self { sites: sites.to_vec(), weights: solve(rows)? })
    }

    pub(super) fn at(&self, place: Point) -> f64 {
        let near =
            self.sites.iter().zip(&self.weights).map(|(site, weight)| weight * kernel(dot(*site, place)));
        near.sum::<f64>() + self.weights.last().copied().unwrap_or(0.0)
    }
}

/// The spline's kernel for the cosine of an angle.
fn kernel(cosine: f64) -> f64 {
    let (mut sum, mut before, mut now) = (0.0, 1.0, cosine);
    for n in 1..=10 {
        let n = f64::from(n);
        sum += (2.0 * n + 1.0) / (n * (n + 1.0)).powi(4) * now;
        (before, now) = (now, ((2.0 * n + 1.0) * cosine * now - n * before) / (n + 1.0));
    }
    sum / (4.0 * std::f64::consts::PI)
}

/// Gauss's elimination of equations, each a row with its right side last.
fn solve(mut rows: Vec<Vec<f64>>) -> Option<Vec<f64>> {
    let n = rows.len();
    for at in 0..n {
        let best = (at..n).max_by(|a, b| rows[*a][at].abs().total_cmp(&rows[*b][at].abs()))?;
        rows.swap(at, best);
        if rows[at][at].abs() < 1e-14 {
            return None;
        }
        let pivot = rows[at].clone();
        for row in &mut rows[at + 1..] {
            let factor = row[at] / pivot[at];
            row.iter_mut().zip(&pivot).for_each(|(value, above)| *value -= factor * above);
        }
    }
    let mut solution = vec![0.0; n];
    for at in (0..n).rev() {
        let known: f64 = (at + 1..n).map(|after| rows[at][after] * solution[after]).sum();
        solution[at] = (rows[at][n] - known) / rows[at][at];
    }
    Some(solution)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn electrodes_are_where_the_system_puts_them() {
        let near = |name: &str, [x, y]: [f64; 2]| {
            let [right, front] = flat(position(name).unwrap());
            assert!((right - x).abs() < 1e-9 && (front - y).abs() < 1e-9, "{name}: {right} {front}");
        };
        near("Cz", [0.0, 0.0]);
        near("C3", [-0.4, 0.0]);
        near("T8", [0.8, 0.0]);
        near("T4", [0.8, 0.0]);
        near("Fpz", [0.0, 0.8]);
        near("Oz", [0.0, -0.8]);
        near("Iz", [0.0, -1.0]);
        near("T10", [1.0, 0.0]);
        let [right, front] = flat(position("FC5").unwrap());
        assert!(right < -0.5 && front > 0.1, "{right} {front}");
        for none in ["", "Z", "EOG", "C11", "C0", "FTz", "O3", "Status", "µ1"] {
            assert_eq!(position(none), None, "{none}");
        }
        let there = position("PO7").unwrap();
        let back = round(flat(there));
        assert!(minus(there, back).iter().all(|off| off.abs() < 1e-12));
    }

    #[test]
    fn the_surface_goes_through_its_values() {
        let sites: Vec<Point> =
            ["Fz", "C3", "Cz", "C4", "Pz", "O1"].iter().filter_map(|n| position(n)).collect();
        let values = [1.0, -2.0, 3.0, 0.5, 0.0, 4.0];
        let spline = Spline::through(&sites, &values).unwrap();
        for (site, value) in sites.iter().zip(values) {
            assert!((spline.at(*site) - value).abs() < 1e-9);
        }
        let even = Spline::through(&sites, &[2.0; 6]).unwrap();
        assert!((even.at(round([0.3, 0.6])) - 2.0).abs() < 1e-9);
        assert!(Spline::through(&[sites[0], sites[0]], &[1.0, 2.0]).is_none());
    }
}
