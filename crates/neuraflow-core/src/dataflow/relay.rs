//! The relay: in a process that does not keep the checkpoints itself, the thread that passes on what those parts of the graph say that
//! are here.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::Receiver;

use super::cut::Part;
use super::deliver::panic_message;
use super::error::PipelineError;
use super::outlet::Outlet;
use super::shared::Shared;

/// What it is started with.
pub(super) struct Relay {
    pub(super) shared: Arc<Shared>,
    pub(super) inbox: Receiver<Part>,
    pub(super) outlets: Vec<Arc<dyn Outlet>>,
}

/// Starts the thread. It ends with [`Part::Over`].
pub(super) fn start(relay: Relay) -> Result<JoinHandle<()>, PipelineError> {
    let thread = std::thread::Builder::new().name("checkpoints".to_owned());
    let started = thread.spawn(move || {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| relay.run())) {
            let (place, message) = ("checkpoints".to_owned(), panic_message(&*panic));
            relay.shared.fail(PipelineError::Panicked { place, message });
        }
    });
    started.map_err(|error| PipelineError::Spawn { workers: 1, reason: error.to_string() })
}

impl Relay {
    fn run(&self) {
        let Some(peers) = &self.shared.peers else { return };
        for part in &self.inbox {
            match part {
                Part::Over => return,
                Part::Release { number } => self.outlets.iter().for_each(|outlet| outlet.release(number)),
                // Encoded here, so that no worker is kept waiting for it.
                part => peers.pass_on(&part.encoded()),
            }
        }
    }
}
