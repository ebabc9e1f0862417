//! How sure a share of trials is.

/// Wilson's 95 % interval of a share (E. B. Wilson (1927), J. Am. Stat. Assoc. 22:209–212).
pub fn wilson(right: usize, n: usize) -> [f64; 2] {
    const Z: f64 = 1.959_963_984_540_054;
    if n == 0 {
        return [0.0, 1.0];
    }
    let (right, n) = (right as f64, n as f64);
    let (share, z) = (right / n, Z * Z / n);
    let half = Z * (share * (1.0 - share) / n + z / (4.0 * n)).sqrt();
    [(share + z / 2.0 - half) / (1.0 + z), (share + z / 2.0 + half) / (1.0 + z)]
        .map(|edge| edge.clamp(0.0, 1.0))
}
