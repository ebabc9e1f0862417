//! What the numbers of a trial are.

use neuraflow_core::model::FeatureSpec;

use super::FitError;

/// What stands in a trial's columns; its rows are the channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// The same channels: a covariance.
    Covariance,
    /// The channels of its own band, of so many bands: a covariance in each.
    Bands(usize),
    /// So many samples in a row: an epoch.
    Samples(usize),
}

impl Layout {
    /// The layout of a feature's numbers; `None` for what no decoder is fitted to.
    pub(super) fn of(spec: &FeatureSpec) -> Option<Self> {
        if spec.rows == spec.columns {
            Some(Self::Covariance)
        } else if let Some(bands) = bands(spec) {
            Some(Self::Bands(bands))
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
            Self::Bands(bands) => channels / bands.max(1),
            Self::Samples(samples) => samples,
        }
    }

    /// What a trial of it is, and what makes one.
    pub(super) fn name(self) -> String {
        match self {
            Self::Covariance => "a covariance, from feature::Covariance".to_owned(),
            Self::Bands(bands) => format!("covariances in {bands} bands, from feature::Covariance::by_band"),
            Self::Samples(samples) => format!("an epoch of {samples} samples, from feature::Samples"),
        }
    }

    /// What trials of another layout than a decoder's are told.
    pub(super) fn refused(self, expected: &str) -> FitError {
        FitError::Layout { trial: 0, what: "layout", expected: expected.to_owned(), found: self.name() }
    }
}

/// How many bands a covariance by band has: every row is a column's name behind that of a band, in the columns' order.
fn bands(spec: &FeatureSpec) -> Option<usize> {
    let columns = spec.columns.len();
    let of_band = |rows: &[String]| {
        let band = |(row, column): (&String, &String)| row.strip_suffix(column.as_str()).map(str::to_owned);
        let mut bands = rows.iter().zip(spec.columns.iter()).map(band);
        let first = bands.next().flatten().filter(|band| band.ends_with(" Hz "));
        first.is_some() && bands.all(|band| band == first)
    };
    let whole = columns > 0 && !spec.rows.is_empty() && spec.rows.len().is_multiple_of(columns);
    (whole && spec.rows.chunks(columns).all(of_band)).then_some(spec.rows.len() / columns)
}

/// The greatest difference between two values of a channel in an epoch `[channel][sample]`.
pub(super) fn peak_to_peak(epoch: &[f64], samples: usize) -> f64 {
    let range = |row: &[f64]| {
        let low = row.iter().copied().fold(f64::INFINITY, f64::min);
        row.iter().copied().fold(f64::NEG_INFINITY, f64::max) - low
    };
    epoch.chunks_exact(samples.max(1)).map(range).fold(0.0, f64::max)
}
