//! Products of small dense matrices, `[row][column]`, in a fixed order of additions.

use super::LinalgError;

/// Rows of a square matrix of so many values.
pub(super) fn order(what: &'static str, matrix: &[f64]) -> Result<usize, LinalgError> {
    let order = matrix.len().isqrt();
    if order == 0 || order * order != matrix.len() {
        let expected = order.max(1) * order.max(1);
        return Err(LinalgError::Length { what, expected, found: matrix.len() });
    }
    Ok(order)
}

/// The matrix has `order` rows and columns of finite numbers.
pub(super) fn check(what: &'static str, order: usize, matrix: &[f64]) -> Result<(), LinalgError> {
    if matrix.len() != order * order {
        return Err(LinalgError::Length { what, expected: order * order, found: matrix.len() });
    }
    match matrix.iter().find(|value| !value.is_finite()) {
        Some(found) => Err(LinalgError::NotFinite { what, found: *found }),
        None => Ok(()),
    }
}

/// `out = a · b`, where `b` and `out` have `width` columns. Sums run over the inner index, first to last, side by side
/// for all columns.
pub(crate) fn multiply(a: &[f64], b: &[f64], width: usize, out: &mut [f64]) {
    let inner = b.len() / width.max(1);
    for (row, sums) in a.chunks_exact(inner.max(1)).zip(out.chunks_exact_mut(width.max(1))) {
        sums.fill(0.0);
        for (factor, values) in row.iter().zip(b.chunks_exact(width.max(1))) {
            for (sum, value) in sums.iter_mut().zip(values) {
                *sum += factor * value;
            }
        }
    }
}

/// `w · a · wᵀ` for symmetric `a`, made symmetric to the last bit; `w` has as many columns as `a`, and any number of rows.
pub(crate) fn congruence(w: &[f64], a: &[f64], order: usize) -> Vec<f64> {
    let rows = w.len() / order.max(1);
    let (mut half, mut out) = (vec![0.0; w.len()], vec![0.0; rows * rows]);
    multiply(w, a, order, &mut half);
    for (i, left) in half.chunks_exact(order.max(1)).enumerate() {
        for (j, right) in w.chunks_exact(order.max(1)).enumerate().skip(i) {
            let product = dot(left, right);
            (out[i * rows + j], out[j * rows + i]) = (product, product);
        }
    }
    out
}

/// `Σ x · y`, in eight interleaved sums that are then added as a tree.
pub(crate) fn dot(x: &[f64], y: &[f64]) -> f64 {
    let mut partial = [0.0; 8];
    let ((x, x_rest), (y, y_rest)) = (x.as_chunks::<8>(), y.as_chunks::<8>());
    for (x, y) in x.iter().zip(y) {
        for ((sum, x), y) in partial.iter_mut().zip(x).zip(y) {
            *sum += x * y;
        }
    }
    for ((sum, x), y) in partial.iter_mut().zip(x_rest).zip(y_rest) {
        *sum += x * y;
    }
    let [a, b, c, d, e, f, g, h] = partial;
    ((a + b) + (c + d)) + ((e + f) + (g + h))
}
