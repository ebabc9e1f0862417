//! Why a decoder could not be fitted, or a model not be read.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::kernel::linalg::LinalgError;

/// Trials that no decoder can be fitted to. Nothing is retried: each says what to change.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum FitError {
    /// Fewer classes than a decision needs, or more than this decoder can tell apart.
    #[error("expected {expected}, found {found} classes")]
    Classes {
        /// How many, and what to do.
        expected: &'static str,
        /// How many were named.
        found: usize,
    },
    /// A class with too few trials.
    #[error(
        "expected at least {needed} trials of {class}, found {found}; record more, or check its marker's label"
    )]
    TooFewTrials {
        /// The name of the class, or `all classes`.
        class: String,
        /// How many are needed.
        needed: usize,
        /// How many there are.
        found: usize,
    },
    /// A trial that is no covariance, or of other channels or another rate than the first.
    #[error(
        "trial {trial} has another {what}: expected {expected}, found {found}; fit to trials of one pipeline"
    )]
    Layout {
        /// Its place among the trials, from 0.
        trial: usize,
        /// What differs.
        what: &'static str,
        /// What the first trial has.
        expected: String,
        /// What it has.
        found: String,
    },
    /// A trial at a marker that belongs to no class, or at none.
    #[error(
        "trial {trial} is at a marker of no class: expected {expected}, found {found}; cut epochs at these labels only"
    )]
    Label {
        /// Its place among the trials, from 0.
        trial: usize,
        /// The labels of the classes.
        expected: String,
        /// Its marker's label.
        found: String,
    },
    /// A trial without a covariance: samples were missing, or the recording ended within it.
    #[error(
        "expected finite numbers in trial {trial} ({class}), found NaN: it lies in a gap or beyond the recording's end; leave it out"
    )]
    Missing {
        /// Its place among the trials, from 0.
        trial: usize,
        /// The name of its class.
        class: String,
    },
    /// Too few windows of which it is known where whatever is decoded was.
    #[error("expected at least {needed} windows with {what}, found {found}; record more")]
    TooFewWindows {
        /// What they must have.
        what: String,
        /// How many are needed.
        needed: usize,
        /// How many there are.
        found: usize,
    },
    /// A window that does not fit the others.
    #[error(
        "window {window} has another {what}: expected {expected}, found {found}; fit to windows of one pipeline"
    )]
    Window {
        /// Its number on the grid.
        window: i64,
        /// What differs.
        what: &'static str,
        /// What would fit.
        expected: String,
        /// What it has.
        found: String,
    },
    /// A setting that does not fit the trials.
    #[error("{setting}: expected {expected}, found {found}")]
    Setting {
        /// Which one.
        setting: &'static str,
        /// What would do.
        expected: String,
        /// What was set.
        found: String,
    },
    /// The numbers admit no answer: a singular covariance above all.
    #[error("{what}: {source}")]
    Numbers {
        /// What was computed.
        what: String,
        /// Why it could not be.
        #[source]
        source: LinalgError,
    },
}

impl FitError {
    pub(super) fn numbers(what: impl Into<String>) -> impl FnOnce(LinalgError) -> Self {
        |source| Self::Numbers { what: what.into(), source }
    }
}

/// A model that could not be written or read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The system refused the file.
    #[error("could not {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Bytes that are no model, or no longer the model they were.
    #[error("model {what}: expected {expected}, found {found}; copy it again, or fit it anew")]
    Damaged {
        /// Which part.
        what: &'static str,
        /// What it should be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// A model that a newer release wrote.
    #[error(
        "expected a model of version {supported} or older, found version {found}; use the release that wrote it, or a newer one"
    )]
    Version {
        /// The newest that this release reads.
        supported: u16,
        /// The model's.
        found: u16,
    },
    /// Parts that do not fit each other.
    #[error("model {what}: expected {expected}, found {found}; fit it anew")]
    Invalid {
        /// Which part.
        what: &'static str,
        /// What the other parts call for.
        expected: String,
        /// What it is.
        found: String,
    },
}
