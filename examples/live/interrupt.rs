//! Ctrl-C. The first drains instead of killing, also one that comes before there is a pipeline; the second ends at once.

use std::error::Error;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};

use neuraflow::dataflow::{Running, Stopper};

pub struct Interrupt {
    state: Arc<Mutex<State>>,
    came: Receiver<()>,
}

#[derive(Default)]
struct State {
    asked: bool,
    stopper: Option<Stopper>,
}

impl Interrupt {
    /// Listens from here on.
    pub fn listen() -> Result<Self, Box<dyn Error>> {
        let (state, (tell, came)) = (Arc::<Mutex<State>>::default(), channel());
        let interrupt = Self { state: Arc::clone(&state), came };
        ctrlc::set_handler(move || {
            let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
            if std::mem::replace(&mut state.asked, true) {
                std::process::exit(130); // what shells expect after Ctrl-C
            }
            state.stopper.iter().for_each(Stopper::stop);
            let _ = tell.send(()); // nobody listens any more once the program is about to end
        })?;
        Ok(interrupt)
    }

    /// Stops this pipeline: when it comes, or now if it has come already.
    pub fn stops(&self, running: &Running) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.asked {
            running.stop();
        }
        state.stopper = Some(running.stopper());
    }

    /// Waits for it, unless it has come already.
    pub fn wait(&self) {
        let _ = self.came.recv(); // an error means that nothing can come any more
    }
}
