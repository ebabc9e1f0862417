//! Pace: when a worker takes its next step.

use timely::worker::Worker;

use super::shared::Shared;
#[cfg(feature = "testing")]
use super::stepped::Batons;

/// What the workers of a run go by.
pub(super) enum Pace {
    /// They sleep while there is nothing to do.
    Parks,
    /// They never sleep.
    Spins,
    /// Each waits until it is told.
    #[cfg(feature = "testing")]
    ByHand(Batons),
}

impl Pace {
    /// Steps, when the time has come. False if the worker is to leave.
    pub(super) fn step(&self, worker: &mut Worker, shared: &Shared) -> bool {
        match self {
            Self::Parks => {
                worker.step_or_park(None);
            }
            Self::Spins => {
                worker.step();
                std::hint::spin_loop();
            }
            #[cfg(feature = "testing")]
            Self::ByHand(batons) => {
                let index = worker.index();
                if !batons.wait(index) || shared.aborted() {
                    return false;
                }
                worker.step();
                batons.done(index, worker.has_dataflows());
            }
        }
        worker.has_dataflows() && !shared.aborted()
    }

    /// A worker has built its graph.
    pub(super) fn built(&self, worker: usize) {
        self.tell(worker, true);
    }

    /// A worker is gone, however that came.
    pub(super) fn left(&self, worker: usize) {
        self.tell(worker, false);
    }

    fn tell(&self, worker: usize, here: bool) {
        #[cfg(feature = "testing")]
        if let Self::ByHand(batons) = self {
            batons.done(worker, here);
        }
        #[cfg(not(feature = "testing"))]
        let _ = (worker, here);
    }

    /// When delayed activations are counted from; by hand no time passes, and they come at once.
    pub(super) fn begins(&self) -> Option<std::time::Instant> {
        match self {
            Self::Parks | Self::Spins => Some(std::time::Instant::now()),
            #[cfg(feature = "testing")]
            Self::ByHand(_) => None,
        }
    }
}
