//! Small positive-definite systems.

/// Replaces `b` by the solution of A x = b, A symmetric `[row][column]` of the same size, by Cholesky's factors. False, with `b`
/// spoilt, where A is not positive definite to rounding.
pub(crate) fn solve_positive(a: &[f64], b: &mut [f64]) -> bool {
    let size = b.len();
    let mut factor = a.to_vec();
    for row in 0..size {
        for column in 0..=row {
            let (left, right) = (row * size, column * size);
            let known = (0..column).fold(0.0, |sum, k| sum + factor[left + k] * factor[right + k]);
            let rest = factor[left + column] - known;
            if row == column {
                // What is left of a variance that the columns before explain is a rounding.
                let explained = rest <= 1e-12 * a[left + row];
                if explained || !rest.is_finite() {
                    return false;
                }
                factor[left + row] = rest.sqrt();
            } else {
                factor[left + column] = rest / factor[right + column];
            }
        }
    }
    for row in 0..size {
        let known = (0..row).fold(0.0, |sum, k| sum + factor[row * size + k] * b[k]);
        b[row] = (b[row] - known) / factor[row * size + row];
    }
    for row in (0..size).rev() {
        let known = (row + 1..size).fold(0.0, |sum, k| sum + factor[k * size + row] * b[k]);
        b[row] = (b[row] - known) / factor[row * size + row];
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_solution_multiplies_back_and_a_singular_matrix_is_refused() {
        let a = [4.0, 2.0, 0.5, 2.0, 5.0, 1.0, 0.5, 1.0, 3.0];
        let expected = [1.0, -2.0, 0.25];
        let mut b = [0, 1, 2].map(|row| (0..3).map(|k| a[3 * row + k] * expected[k]).sum::<f64>());
        assert!(solve_positive(&a, &mut b));
        assert!(b.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-14));
        assert!(!solve_positive(&[1.0, 2.0, 2.0, 4.0], &mut [1.0, 1.0]));
        assert!(!solve_positive(&[0.0], &mut [1.0]));
    }
}
