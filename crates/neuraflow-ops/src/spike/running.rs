//! A detector for every channel of a stream.

use std::sync::Arc;

use neuraflow_core::checkpoint::{RestoreError, SnapshotReader, SnapshotWriter};
use neuraflow_core::model::Window;
use neuraflow_core::operator::OperatorError;

use super::channel::{Channel, Rules, Step};
use crate::shape::{Rows, same_channels, same_length};

/// Every channel's detector, for one stream.
#[derive(Clone, Debug)]
pub(super) struct Running {
    pub(super) rules: Rules,
    pub(super) rows: Arc<Rows>,
    pub(super) channels: Vec<Channel>,
}

impl Running {
    /// Takes in a window; `each` is told what every sample of every row did.
    pub(super) fn take(
        &mut self,
        window: &Window,
        mut each: impl FnMut(usize, Step, f32),
    ) -> Result<(), OperatorError> {
        same_channels(self.rows.width, window.samples.channels())?;
        let Self { rules, rows, channels } = self;
        for (number, sample) in (window.samples.first()..).zip(window.samples.samples()) {
            for (row, (channel, place)) in channels.iter_mut().zip(&rows.channels).enumerate() {
                let value = sample[*place];
                each(row, channel.step(rules, row, number, f64::from(value)), value);
            }
        }
        Ok(())
    }

    pub(super) fn snapshot(&self, writer: &mut SnapshotWriter) {
        // Of the channels around those that it looks at it knows no more than how many there are.
        writer.put(&(self.rows.width as u64));
        writer.put(&self.channels);
    }

    pub(super) fn restore(&mut self, reader: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        same_length("channels", self.rows.width, reader.take::<u64>()? as usize)?;
        let channels: Vec<Channel> = reader.take()?;
        same_length("channels of the spike detector", self.channels.len(), channels.len())?;
        if !channels.iter().all(|channel| channel.is_sound(&self.rules)) {
            let reason = "a spike or threshold that no signal has".to_owned();
            return Err(RestoreError::Encoding { reason });
        }
        self.channels = channels;
        Ok(())
    }
}

/// What an operator says that is used before it is prepared.
pub(super) fn unprepared() -> OperatorError {
    OperatorError::Input {
        what: "order",
        expected: "a spike detector that has been prepared".to_owned(),
        found: "one that has not".to_owned(),
    }
}
