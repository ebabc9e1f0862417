//! How sure a share is.

/// Wilson's 95 % interval of a share of `n` (E. B. Wilson (1927), J. Am. Stat. Assoc. 22:209–212).
pub fn wilson(share: f64, n: f64) -> [f64; 2] {
    const Z: f64 = 1.959_963_984_540_054;
    if n == 0.0 {
        return [0.0, 1.0];
    }
    let z = Z * Z / n;
    let half = Z * (share * (1.0 - share) / n + z / (4.0 * n)).sqrt();
    let [low, high] = [share + z / 2.0 - half, share + z / 2.0 + half].map(|edge| edge / (1.0 + z));
    // Rounding must not put none or all of them outside.
    [low.clamp(0.0, share), high.clamp(share, 1.0)]
}
