//! News: what the process that keeps a cluster's checkpoints tells the others of them.

use serde::{Deserialize, Serialize};

use super::cut::{Cut, Part};
use super::shared::Shared;

/// What becomes of a checkpoint.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum News {
    /// It was begun. Nothing may cross the cut yet.
    Begun(Cut),
    /// All processes know of it.
    Open { number: u64 },
    /// It is in the store; whether the pipeline is left there.
    Committed { number: u64, last: bool },
    /// It is given up.
    Abandoned { number: u64, reason: String },
}

impl Shared {
    /// Tells the other processes, if there are any.
    pub(super) fn announce(&self, news: &News) {
        self.peers.iter().for_each(|peers| peers.announce(news));
    }

    /// Hears from the process that keeps the checkpoints.
    pub(super) fn hear(&self, news: News) {
        let Some((cuts, peers)) = self.cuts.as_ref().zip(self.peers.as_ref()) else { return };
        match news {
            News::Begun(cut) => {
                let number = cut.number;
                cuts.announce(cut);
                // Not before: whoever is told that all know of it may send what lies beyond.
                peers.know(number);
            }
            News::Open { number } => {
                cuts.open(number);
                self.wake_ingress();
            }
            News::Committed { number, last } => {
                let mut report = self.ledger.write();
                (report.committed, report.newest) = (report.committed + 1, Some(self.clock.now()));
                (report.last, report.trouble, report.suspended) = (Some(number), None, last);
                drop(report);
                if last {
                    self.suspend();
                }
            }
            News::Abandoned { number, reason } => {
                let mut report = self.ledger.write();
                report.abandoned += 1;
                report.trouble = Some(reason);
                drop(report);
                cuts.tell(Part::Release { number });
            }
        }
    }
}
