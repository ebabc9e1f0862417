//! Reads a source without a pipeline: everything it emits, as owned packets.

use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::clock::FakeClock;
use crate::ingest::Ingest;
use crate::model::{Packet, Positions};
use crate::resilience::Clock;
use crate::source::{Polled, Source, SourceContext, SourceError, SourceReader, Waker};

/// Samples asked for at each poll.
const BUDGET: usize = 4_096;
/// Real time that a source may stay idle before a test is told that nobody will wake it.
const PATIENCE: Duration = Duration::from_secs(30);

/// Everything a source emits, each packet with its arrival in nanoseconds of `clock`: opens it as the only worker
/// and polls until it has ended. `clock` moves forward by exactly what the source asks to wait for, so a recording
/// that would take an hour takes as long as its packets need. An endless source never returns.
///
/// An idle source is waited for, so other threads may feed it; 30 s without a wake are an error.
pub fn collect_packets(
    source: &dyn Source,
    clock: &Arc<FakeClock>,
) -> Result<Vec<(u64, Packet)>, SourceError> {
    collect_worker(source, clock, 0, 1)
}

/// What the reader of one worker of several emits; empty where that worker has nothing to read.
pub fn collect_worker(
    source: &dyn Source,
    clock: &Arc<FakeClock>,
    worker: usize,
    workers: usize,
) -> Result<Vec<(u64, Packet)>, SourceError> {
    match Probe::open(source, clock, worker, workers)? {
        Some(mut probe) => probe.finish(),
        None => Ok(Vec::new()),
    }
}

/// A source's reader in the hands of a test, polled one step at a time.
pub struct Probe {
    name: String,
    reader: Box<dyn SourceReader>,
    ingest: Ingest,
    clock: Arc<FakeClock>,
    woken: Arc<(Mutex<u64>, Condvar)>,
}

impl Probe {
    /// Opens `source` as `worker` of `workers`; `None` where that worker has nothing to read.
    pub fn open(
        source: &dyn Source,
        clock: &Arc<FakeClock>,
        worker: usize,
        workers: usize,
    ) -> Result<Option<Self>, SourceError> {
        Self::open_from(source, clock, worker, workers, None)
    }

    /// The same, where reading goes on from positions that [`positions`](Self::positions) told.
    pub fn open_from(
        source: &dyn Source,
        clock: &Arc<FakeClock>,
        worker: usize,
        workers: usize,
        from: Option<Positions>,
    ) -> Result<Option<Self>, SourceError> {
        let woken = Arc::new((Mutex::new(0), Condvar::new()));
        let signal = Arc::clone(&woken);
        let waker = Waker::new(move || {
            *signal.0.lock().unwrap_or_else(PoisonError::into_inner) += 1;
            signal.1.notify_all();
        });
        let clock = Arc::clone(clock);
        let context =
            SourceContext { worker, workers, waker, clock: Arc::clone(&clock) as Arc<dyn Clock>, from };
        let name = source.name();
        let reader = source.open(context)?;
        Ok(reader.map(|reader| Self { name, reader, ingest: Ingest::gathering(), clock, woken }))
    }

    /// One poll at the present of the clock: what came, and what the reader wants next.
    pub fn poll(&mut self, budget: usize) -> Result<(Polled, Vec<(u64, Packet)>), SourceError> {
        self.ingest.set_arrival(self.clock.now());
        let polled = self.reader.poll(&mut self.ingest, budget)?;
        Ok((polled, self.ingest.drain()))
    }

    /// How far the reader is; `None` if it cannot say, or cannot read anything again.
    pub fn positions(&self) -> Option<Positions> {
        self.reader.positions()
    }

    /// Tells the reader that no checkpoint goes back behind these positions.
    pub fn committed(&mut self, positions: &Positions) {
        self.reader.committed(positions);
    }

    /// How often the reader's worker was woken since the last call.
    pub fn wakes(&self) -> u64 {
        std::mem::take(&mut *self.woken.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Polls until the reader has ended, moving the clock forward whenever it asks to wait and nobody woke it.
    pub fn finish(&mut self) -> Result<Vec<(u64, Packet)>, SourceError> {
        let mut all = Vec::new();
        loop {
            let (polled, packets) = self.poll(BUDGET)?;
            all.extend(packets);
            match polled {
                Polled::Ready => {}
                Polled::Ended => return Ok(all),
                Polled::After(wait) => {
                    if self.wakes() == 0 {
                        self.clock.advance(u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX));
                    }
                }
                Polled::Idle => self.wait()?,
            }
        }
    }

    fn wait(&self) -> Result<(), SourceError> {
        let woken = self.woken.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut woken, timeout) = self
            .woken
            .1
            .wait_timeout_while(woken, PATIENCE, |wakes| *wakes == 0)
            .unwrap_or_else(PoisonError::into_inner);
        *woken = 0;
        if timeout.timed_out() {
            return Err(SourceError::Io {
                action: "wait for",
                target: self.name.clone(),
                source: io::Error::new(
                    io::ErrorKind::TimedOut,
                    "it is idle and nobody woke it; feed it or drop its handles",
                ),
            });
        }
        Ok(())
    }
}
