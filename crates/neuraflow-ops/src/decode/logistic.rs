//! Logistic regression of two classes.

use serde::{Deserialize, Serialize};

use super::ModelError;
use super::classifier::{finite, same};
use crate::kernel::linalg::{LinalgError, dot, solve};

/// `ln(p / (1 − p)) = wᵀ x + b` for the probability `p` of the second class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Logistic {
    pub(super) weights: Vec<f64>,
    pub(super) intercept: f64,
}

impl Logistic {
    /// Fits to vectors `[trial][feature]`: the least of `c Σ ln(1 + e^(−y f)) + ½ |w|²`, the intercept at no cost
    /// (`sklearn.linear_model.LogisticRegression(C=c)`, iterated until nothing moves).
    ///
    /// There are thousands of features and tens of trials, so Newton's steps are made in the trials' space: `w = Xᵀ a`.
    /// Each solves the least squares problem of iteratively reweighted least squares (P. J. Green (1984), J. R. Stat.
    /// Soc. B 46(2):149–170), and is halved while it does not go down.
    pub(super) fn fit(vectors: &[Vec<f64>], second: &[bool], c: f64) -> Result<Self, LinalgError> {
        const ITERATIONS: usize = 200;
        let n = vectors.len();
        let mut products = vec![0.0; n * n];
        for i in 0..n {
            for j in 0..=i {
                let product = dot(&vectors[i], &vectors[j]);
                (products[i * n + j], products[j * n + i]) = (product, product);
            }
        }
        let truth: Vec<f64> = second.iter().map(|second| f64::from(u8::from(*second))).collect();
        let problem = Problem { products: &products, truth: &truth, c };
        let mut at = Point { weights: vec![0.0; n], intercept: 0.0 };
        let mut moved = f64::MAX;
        for _ in 0..ITERATIONS {
            let (here, target) = (problem.scores(&at), problem.newton(&at)?);
            let (cost, mut share) = (problem.cost(&at, &here), 1.0);
            let (next, scores) = loop {
                let next = at.towards(&target, share);
                let scores = problem.scores(&next);
                if problem.cost(&next, &scores) <= cost || share < 1e-6 {
                    break (next, scores);
                }
                share *= 0.5;
            };
            moved = here.iter().zip(&scores).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            at = next;
            if moved <= 1e-12 * scores.iter().map(|score| score.abs()).fold(1.0, f64::max) {
                let mut weights = vec![0.0; vectors.first().map_or(0, Vec::len)];
                for (vector, factor) in vectors.iter().zip(&at.weights) {
                    weights.iter_mut().zip(vector).for_each(|(sum, value)| *sum += factor * value);
                }
                return Ok(Self { weights, intercept: at.intercept });
            }
        }
        let (what, iterations) = ("logistic regression", ITERATIONS);
        Err(LinalgError::NotConverged { what, iterations, residual: moved })
    }

    /// Checks a regression that was read.
    pub(super) fn check(&self, features: usize) -> Result<(), ModelError> {
        same("weights of the regression", features, self.weights.len())?;
        finite("weights", &self.weights)?;
        finite("intercept", &[self.intercept])
    }

    /// The score of the second class; that of the first is 0.
    pub(super) fn score(&self, vector: &[f64]) -> f64 {
        dot(&self.weights, vector) + self.intercept
    }
}

struct Problem<'a> {
    /// `[trial][trial]`: the products of their vectors.
    products: &'a [f64],
    truth: &'a [f64],
    c: f64,
}

struct Point {
    /// A weight for each trial.
    weights: Vec<f64>,
    intercept: f64,
}

impl Point {
    fn towards(&self, target: &Self, share: f64) -> Self {
        let between = |from: &f64, to: &f64| from + share * (to - from);
        let weights = self.weights.iter().zip(&target.weights).map(|(from, to)| between(from, to)).collect();
        Self { weights, intercept: between(&self.intercept, &target.intercept) }
    }
}

impl Problem<'_> {
    fn scores(&self, at: &Point) -> Vec<f64> {
        let rows = self.products.chunks_exact(self.truth.len());
        rows.map(|row| dot(row, &at.weights) + at.intercept).collect()
    }

    fn cost(&self, at: &Point, scores: &[f64]) -> f64 {
        let loss = scores.iter().zip(self.truth).map(|(score, truth)| {
            let margin = if *truth > 0.5 { *score } else { -score };
            // ln(1 + e^(−margin)) without overflow.
            libm::log1p(libm::exp(-margin.abs())) + (-margin).max(0.0)
        });
        let length = at.weights.iter().zip(scores).map(|(weight, score)| weight * (score - at.intercept));
        self.c * loss.sum::<f64>() + 0.5 * length.sum::<f64>()
    }

    /// Where a whole step of Newton's method leads.
    fn newton(&self, at: &Point) -> Result<Point, LinalgError> {
        let n = self.truth.len();
        let mut matrix = self.products.to_vec();
        let mut working = Vec::with_capacity(n);
        for (i, (score, truth)) in self.scores(at).iter().zip(self.truth).enumerate() {
            let p = 1.0 / (1.0 + libm::exp(-score));
            // Where a trial is beyond doubt its curvature vanishes; the place that the steps lead to is the same.
            let curvature = (p * (1.0 - p)).max(1e-10);
            matrix[i * n + i] += 1.0 / (self.c * curvature);
            working.push(score + (truth - p) / curvature);
        }
        let (u, v) = (solve(&matrix, &working)?, solve(&matrix, &vec![1.0; n])?);
        let intercept = u.iter().sum::<f64>() / v.iter().sum::<f64>();
        let weights = u.iter().zip(&v).map(|(u, v)| u - intercept * v).collect();
        Ok(Point { weights, intercept })
    }
}
