//! What a gap policy has made up of a look-back: values like others, and no evidence.

use std::collections::VecDeque;

use neuraflow_core::checkpoint::{RestoreError, SnapshotReader, SnapshotWriter};
use neuraflow_core::model::Window;

/// The windows that reach into a look-back, and what was made up of each.
#[derive(Clone, Debug, Default)]
pub(super) struct MadeUp {
    /// Samples of the look-back.
    length: u64,
    /// Samples, and those made up, oldest window first.
    windows: VecDeque<(u64, u64)>,
    /// Samples of all these windows.
    samples: u64,
}

impl MadeUp {
    pub(super) fn over(length: usize) -> Self {
        Self { length: length as u64, ..Self::default() }
    }

    /// Takes in a window, and forgets those that no sample of the look-back is in any more.
    pub(super) fn push(&mut self, window: &Window) {
        let samples = window.samples.len() as u64;
        if samples == 0 {
            return;
        }
        self.windows.push_back((samples, u64::from(window.info.imputed)));
        self.samples += samples;
        while let Some((oldest, _)) =
            self.windows.front().filter(|(oldest, _)| self.samples - oldest >= self.length)
        {
            self.samples -= oldest;
            self.windows.pop_front();
        }
    }

    /// Samples made up in these windows.
    pub(super) fn count(&self) -> u64 {
        self.windows.iter().map(|(_, made_up)| made_up).sum()
    }

    pub(super) fn reset(&mut self) {
        self.windows.clear();
        self.samples = 0;
    }

    pub(super) fn snapshot(&self, writer: &mut SnapshotWriter) {
        writer.put(&self.windows);
    }

    pub(super) fn restore(&mut self, reader: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        let windows: VecDeque<(u64, u64)> = reader.take()?;
        let samples = windows.iter().try_fold(0_u64, |sum, (samples, _)| sum.checked_add(*samples));
        let made_up = windows.iter().try_fold(0_u64, |sum, (_, made_up)| sum.checked_add(*made_up));
        let (Some(samples), Some(_)) = (samples, made_up) else {
            return Err(RestoreError::Encoding {
                reason: "windows of more samples than can be counted".to_owned(),
            });
        };
        (self.windows, self.samples) = (windows, samples);
        Ok(())
    }
}
