//! What is left of samples once they are predicted.
//!
//! A sample is expected to differ from the one before as its parent's does ([`Tree`](super::tree::Tree)). Differences are taken modulo
//! two to the power of the type's bits, so the samples come back exactly whatever they are, and are then written
//! unsigned (zigzag): `[sample][channel in the tree's order]`.

use super::bytes::{unzigzag, zigzag};
use super::tree::Tree;
use super::values::ValueType;

/// Residuals of `rows`, which follow the row `last`; `last` becomes the last of them.
pub(super) fn predict(
    rows: &[i32],
    last: &mut [i32],
    tree: &Tree,
    whole: ValueType,
    residuals: &mut Vec<u32>,
) {
    residuals.clear();
    residuals.reserve(rows.len());
    let mut change = vec![0i32; last.len() + 1];
    for row in rows.chunks_exact(last.len()) {
        for ((change, now), last) in change.iter_mut().zip(row).zip(&mut *last) {
            *change = now.wrapping_sub(*last);
            *last = *now;
        }
        residuals.extend(tree.links().iter().map(|(child, parent)| {
            let residual = change[*child as usize].wrapping_sub(change[*parent as usize]);
            zigzag(whole.wrap(residual))
        }));
    }
}

/// The rows that leave `residuals`; the inverse of [`predict`].
pub(super) fn undo(residuals: &[u32], last: &mut [i32], tree: &Tree, whole: ValueType, rows: &mut Vec<i32>) {
    rows.reserve(residuals.len());
    let mut change = vec![0i32; last.len() + 1];
    for row in residuals.chunks_exact(last.len()) {
        for ((child, parent), residual) in tree.links().iter().zip(row) {
            change[*child as usize] = unzigzag(*residual).wrapping_add(change[*parent as usize]);
        }
        for (last, change) in last.iter_mut().zip(&change) {
            *last = whole.wrap(last.wrapping_add(*change));
        }
        rows.extend_from_slice(last);
    }
}
