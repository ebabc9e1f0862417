//! Which trial is which.

use neuraflow::model::{StreamKey, WindowInfo, WindowStatus};

use super::options::Options;

/// A trial's recording, by its place among all, and its marker's number in it: in the order in which they were recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub recording: usize,
    pub marker: i64,
}

/// The place of the trial that this epoch is; none if the recording cuts it off.
pub fn place(info: &WindowInfo, recordings: &[StreamKey]) -> Option<Place> {
    let recording = recordings.iter().position(|key| *key == info.stream.key)?;
    (info.status != WindowStatus::Partial).then_some(Place { recording, marker: info.index })
}

/// The class of a trial, by its marker.
pub fn truth(info: &WindowInfo, options: &Options) -> Option<usize> {
    let label = &info.marker.as_ref()?.label;
    options.classes.iter().position(|(known, _)| known == label)
}
