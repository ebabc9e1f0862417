//! Features: numbers computed from a window, one row for each channel.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::window::WindowInfo;

/// The layout of a feature vector: which row and column each number has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeatureSpec {
    /// Row names: channels, or whatever an operator computes one row of numbers for.
    pub rows: Arc<[String]>,
    /// Column names: bands, statistics, flags.
    pub columns: Arc<[String]>,
    /// Unit of the numbers, for people: `µV²`, `µV`, empty where there is none.
    pub unit: String,
}

impl FeatureSpec {
    /// Numbers in a vector of this layout.
    pub fn len(&self) -> usize {
        self.rows.len() * self.columns.len()
    }

    /// Whether it holds no number.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Numbers computed from one window, `[row][column]`. NaN where there was too little to compute them from.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Features {
    /// The window they were computed from; [`warm_up`](WindowInfo::warm_up) also covers the look-back.
    pub info: WindowInfo,
    /// What each number is.
    pub spec: Arc<FeatureSpec>,
    /// The numbers, `[row][column]`.
    pub values: Vec<f64>,
}

impl Clone for Features {
    fn clone(&self) -> Self {
        Self { info: self.info.clone(), spec: Arc::clone(&self.spec), values: self.values.clone() }
    }

    /// Allocates nothing where there is room.
    fn clone_from(&mut self, from: &Self) {
        self.info.clone_from(&from.info);
        if !Arc::ptr_eq(&self.spec, &from.spec) {
            self.spec = Arc::clone(&from.spec);
        }
        self.values.clone_from(&from.values);
    }
}

impl Features {
    /// The number at a row and a column, by name.
    pub fn get(&self, row: &str, column: &str) -> Option<f64> {
        let r = self.spec.rows.iter().position(|name| name == row)?;
        let c = self.spec.columns.iter().position(|name| name == column)?;
        self.values.get(r * self.spec.columns.len() + c).copied()
    }

    /// Each row's name and numbers.
    pub fn rows(&self) -> impl Iterator<Item = (&str, &[f64])> {
        let width = self.spec.columns.len().max(1);
        self.spec.rows.iter().map(String::as_str).zip(self.values.chunks_exact(width))
    }
}
