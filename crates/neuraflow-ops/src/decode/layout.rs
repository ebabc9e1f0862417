//! What the numbers of a trial are.

use neuraflow_core::model::FeatureSpec;

use super::FitError;

/// What stands in a trial's columns; its rows are the channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// The same channels: a covariance.
    Covariance,
    /// So many samples in a row: an epoch.
    Samples(usize),
}

impl Layout {
    /// The layout of a feature's numbers; `None` for what no decoder is fitted to.
    pub(super) fn of(spec: &FeatureSpec) -> Option<Self> {
        if spec.rows == spec.columns {
            Some(Self::Covariance)
        } else if !spec.is_empty() && spec.columns.iter().all(|name| name.ends_with(" ms")) {
            Some(Self::Samples(spec.columns.len()))
        } else {
            None
        }
    }

    /// How many columns there are beside so many channels.
    pub(super) fn columns(self, channels: usize) -> usize {
        match self {
            Self::Covariance => channels,
            Self::Samples(samples) => samples,
        }
    }

    /// What a trial of it is, and what makes one.
    pub(super) fn name(self) -> String {
        match self {
            Self::Covariance => "a covariance, from feature::Covariance".to_owned(),
            Self::Samples(samples) => format!("an epoch of {samples} samples, from feature::Samples"),
        }
    }

    /// What trials of another layout than a decoder's are told.
    pub(super) fn refused(self, expected: &str) -> FitError {
        FitError::Layout { trial: 0, what: "layout", expected: expected.to_owned(), found: self.name() }
    }
}
