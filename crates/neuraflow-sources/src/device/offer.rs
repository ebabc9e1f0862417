//! What a device offers, on its way into the journal, if there is one, and into the queue.

use std::sync::MutexGuard;

use neuraflow_core::model::{Control, Marker, Sequence, StreamHeader, StreamKey};

use super::error::{PushError, Pushed};
use super::journal::{Journal, Place, Told, Writer, size_of, wall};
use super::queue::Verdict;
use super::shared::{Shared, State};

/// Something that is offered.
pub(super) enum Offer<'a> {
    Open(&'a StreamHeader),
    Samples { key: &'a StreamKey, sequence: Sequence, values: &'a [f32] },
    Marker { key: &'a StreamKey, marker: &'a Marker },
    Control { key: &'a StreamKey, control: &'a Control },
    End { key: &'a StreamKey },
}

impl Offer<'_> {
    /// What becomes of it; an error if it cannot be taken at all.
    fn weigh(&self, state: &mut State, writer: Option<&Writer>) -> Result<Verdict, PushError> {
        let queue = &state.alive()?.queue;
        match *self {
            Self::Samples { key, values, .. } => {
                let full = writer.is_some_and(|writer| !writer.has_room(size_of(values.len())));
                return queue.weigh(key, values, full);
            }
            Self::Open(_) => queue.room_for_control()?,
            Self::Marker { key, .. } | Self::Control { key, .. } => {
                queue.next_of(key)?;
                queue.room_for_control()?;
            }
            Self::End { key } => drop(queue.next_of(key)?),
        }
        match writer {
            Some(writer) if writer.is_full() => Err(PushError::JournalFull { max_bytes: writer.max_bytes() }),
            _ => Ok(Verdict::Take),
        }
    }

    /// Queues it.
    fn take(&self, state: &mut State, verdict: Verdict, place: Place) -> Result<Pushed, PushError> {
        let now = state.now();
        let queue = &mut state.alive()?.queue;
        match *self {
            Self::Samples { key, sequence, values } => {
                return queue.take((key, sequence, values), now, verdict, place);
            }
            Self::Open(header) => queue.open(header.clone(), now, place)?,
            Self::Marker { key, marker } => queue.marker(key, marker.clone(), now, place)?,
            Self::Control { key, control } => queue.tell(key, control.clone(), now, place)?,
            Self::End { key } => queue.end(key, now, place)?,
        }
        Ok(Pushed::Queued)
    }

    /// What the journal is told: the stream, and the record. Nothing of samples that it has no room for.
    fn told(
        &self,
        state: &State,
        writer: &Writer,
        verdict: Verdict,
    ) -> Result<Option<(u64, Told<'_>)>, PushError> {
        Ok(Some(match *self {
            Self::Open(header) => (header.key.stable_hash(), Told::Open(header)),
            Self::Marker { key, marker } => (key.stable_hash(), Told::Marker(marker)),
            Self::Control { key, control } => (key.stable_hash(), Told::Control(control)),
            Self::End { key } => (key.stable_hash(), Told::End { next: state.queue.next_of(key)? }),
            Self::Samples { key, sequence, values } if verdict == Verdict::Take => {
                (key.stable_hash(), Told::Samples { sequence, values })
            }
            Self::Samples { .. } if !writer.has_room(size_of(0)) => return Ok(None),
            Self::Samples { key, sequence, values } => {
                let samples = state.queue.samples_in(key, values)?;
                (key.stable_hash(), Told::Dropped { sequence, samples })
            }
        }))
    }
}

impl Shared {
    /// Takes an offer. `Ok(None)` where it has to wait: `wait` then got the locked state, from which it can be waited on without
    /// missing the room that is made.
    pub(super) fn submit<'s>(
        &'s self,
        offer: &Offer<'_>,
        wait: &mut dyn FnMut(MutexGuard<'s, State>),
    ) -> Result<Option<Pushed>, PushError> {
        let Some(journal) = &self.journal else {
            let mut state = self.lock();
            let verdict = offer.weigh(&mut state, None)?;
            if verdict == Verdict::Wait {
                wait(state);
                return Ok(None);
            }
            let pushed = offer.take(&mut state, verdict, Place::default())?;
            Self::release(state);
            return Ok(Some(pushed));
        };
        self.submit_journaled(journal, offer, wait)
    }

    /// The same with a journal. It is held from the weighing to the queueing, so that journal and queue have the same order; the
    /// queue is not, so that no worker waits for a disk.
    fn submit_journaled<'s>(
        &'s self,
        journal: &Journal,
        offer: &Offer<'_>,
        wait: &mut dyn FnMut(MutexGuard<'s, State>),
    ) -> Result<Option<Pushed>, PushError> {
        let mut writer = journal.writer();
        let mut state = self.lock();
        let verdict = offer.weigh(&mut state, Some(&writer))?;
        if verdict == Verdict::Wait {
            drop(writer);
            wait(state);
            return Ok(None);
        }
        let told = offer.told(&state, &writer, verdict)?;
        let now = wall();
        let silences = self.begin_writing(state);
        let written = writer.silences(&silences);
        let silent = written.is_ok();
        let written = written.and_then(|()| match told {
            Some((stream, told)) => writer.append(stream, now, told),
            None => Ok(Place { start: writer.end(), end: writer.end() }),
        });
        // Silences that are not written yet come before whatever is written next.
        let mut state = self.end_writing(if silent { Vec::new() } else { silences });
        let place =
            written.map_err(|error| PushError::Journal { kind: error.kind(), message: error.to_string() })?;
        let pushed = offer.take(&mut state, verdict, place)?;
        Self::release(state);
        Ok(Some(pushed))
    }

    /// Writes down what waits for it without anything being pushed.
    pub(super) fn write_silences(&self) {
        let Some(journal) = &self.journal else { return };
        let mut writer = journal.writer();
        let state = self.lock();
        if state.silences.is_empty() {
            return;
        }
        let silences = self.begin_writing(state);
        let left = match writer.silences(&silences) {
            Ok(()) => Vec::new(),
            Err(error) => {
                tracing::warn!(%error, "a device's journal cannot be written");
                silences
            }
        };
        drop(self.end_writing(left));
    }

    /// From now on the journal is ahead of the queue. Takes the silences, which were emitted before what is written now.
    fn begin_writing(&self, mut state: MutexGuard<'_, State>) -> Vec<(u64, u64)> {
        state.writing = true;
        std::mem::take(&mut state.silences)
    }

    fn end_writing(&self, left: Vec<(u64, u64)>) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        state.writing = false;
        state.silences = left;
        state
    }
}
