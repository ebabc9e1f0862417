//! What operators check of the shape of what they are given, the rows they answer with, and what those say that keep no state.

use std::sync::Arc;

use ndarray::ArrayView2;
use neuraflow_core::checkpoint::RestoreError;
use neuraflow_core::model::{Channel, ChannelKind, Unit};
use neuraflow_core::operator::{OperatorError, shared};

use crate::kernel::Value;

/// The input must have the channels that were prepared.
#[inline]
pub(crate) fn same_channels(expected: usize, found: usize) -> Result<(), OperatorError> {
    if expected == found { Ok(()) } else { Err(other_channels(expected, found)) }
}

#[cold]
fn other_channels(expected: usize, found: usize) -> OperatorError {
    OperatorError::Input {
        what: "channels",
        expected: format!("{expected} as prepared; prepare again for another layout"),
        found: found.to_string(),
    }
}

/// A part of a restored state must have the length that this instance has.
pub(crate) fn same_length(what: &'static str, expected: usize, found: usize) -> Result<(), RestoreError> {
    if expected == found { Ok(()) } else { Err(RestoreError::Shape { what, expected, found }) }
}

/// How many samples plain sample-major values are.
pub(crate) fn whole_samples(values: usize, channels: usize) -> Result<usize, OperatorError> {
    match values.checked_div(channels) {
        Some(samples) if samples * channels == values => Ok(samples),
        None if values == 0 => Ok(0),
        _ => Err(OperatorError::Input {
            what: "values",
            expected: format!("a multiple of {channels}, one for each channel of each sample"),
            found: values.to_string(),
        }),
    }
}

/// Plain sample-major values as an array `[sample][channel]`.
pub(crate) fn as_array<T: Value>(values: &[T], channels: usize) -> Result<ArrayView2<'_, T>, OperatorError> {
    let samples = whole_samples(values.len(), channels)?;
    ArrayView2::from_shape((samples, channels), values).map_err(|error| OperatorError::Input {
        what: "values",
        expected: format!("{samples} samples of {channels} channels"),
        found: error.to_string(),
    })
}

/// The channels that features have rows for: by default all but triggers, whose numbers are codes. The same for all
/// operators of devices of one kind.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Rows {
    /// Channels of the input.
    pub(crate) width: usize,
    /// For each row, its channel's place in a sample.
    pub(crate) channels: Vec<usize>,
    /// For each row, its channel's name; a name that several channels have is followed by the channel's number.
    pub(crate) names: Arc<[String]>,
    /// For each row, whether it is in microvolts.
    pub(crate) microvolts: Vec<bool>,
}

impl Rows {
    pub(crate) fn of(channels: &[Channel]) -> Result<Arc<Self>, OperatorError> {
        let rows = Self::which(channels, |channel| channel.kind() != ChannelKind::Trigger);
        if rows.len() == 0 {
            return Err(OperatorError::Spec {
                what: "channels",
                expected: "at least one that is not a trigger".to_owned(),
                found: format!("{} channels, none of them a signal", channels.len()),
            });
        }
        Ok(rows)
    }

    /// Rows for these channels alone.
    pub(crate) fn which(channels: &[Channel], wanted: impl Fn(&Channel) -> bool) -> Arc<Self> {
        let kept: Vec<(usize, &Channel)> =
            channels.iter().enumerate().filter(|(_, channel)| wanted(channel)).collect();
        shared(Arc::new(Self {
            width: channels.len(),
            channels: kept.iter().map(|(place, _)| *place).collect(),
            names: kept.iter().map(|(place, channel)| unique_name(channels, *place, channel)).collect(),
            microvolts: kept.iter().map(|(_, channel)| *channel.unit() == Unit::Microvolt).collect(),
        }))
    }

    pub(crate) fn len(&self) -> usize {
        self.channels.len()
    }

    /// Whether every channel has a row, so that rows lie as channels do.
    pub(crate) fn are_all(&self) -> bool {
        self.channels.len() == self.width
    }
}

/// The 10-20 name if there is one, else the label; with the channel's number from 1 behind it where that is not unique.
fn unique_name(channels: &[Channel], place: usize, channel: &Channel) -> String {
    let shared = channels.iter().filter(|other| other.name() == channel.name()).count() > 1;
    if shared { format!("{} #{}", channel.name(), place + 1) } else { channel.name().to_owned() }
}

/// What an operator has to say that keeps nothing and delays nothing.
macro_rules! no_state {
    () => {
        fn reset(&mut self) {}

        fn latency(&self) -> neuraflow_core::operator::Latency {
            neuraflow_core::operator::Latency::default()
        }

        fn snapshot(&self, _: &mut neuraflow_core::checkpoint::SnapshotWriter) {}

        fn restore(
            &mut self,
            _: &mut neuraflow_core::checkpoint::SnapshotReader<'_>,
        ) -> Result<(), neuraflow_core::checkpoint::RestoreError> {
            Ok(())
        }
    };
}

pub(crate) use no_state;
