//! The thread on which calls run. Whoever asks waits for the answer, on any thread, also on one of an event loop.

use std::future::Future;
use std::io;
use std::sync::mpsc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use super::config::BigtableConfig;
use super::status::{failed, unavailable};
use crate::table::TableError;

pub(super) struct Engine(Option<Runtime>);

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Stuck {
    /// It did not come in time.
    Late(Duration),
    /// The call panicked, or the engine is stopping.
    Gone,
}

impl Stuck {
    pub(super) fn tell(&self, config: &BigtableConfig, action: &'static str) -> TableError {
        match self {
            Self::Late(time) => unavailable(config, action, format!("no answer within {time:?}")),
            Self::Gone => failed(config, action, "the call broke off".into()),
        }
    }
}

impl Engine {
    pub(super) fn start() -> io::Result<Self> {
        let runtime =
            Builder::new_multi_thread().worker_threads(1).thread_name("bigtable").enable_all().build()?;
        Ok(Self(Some(runtime)))
    }

    /// Runs a call, and waits for it no longer than `deadline`.
    pub(super) fn run<F>(&self, deadline: Duration, call: F) -> Result<F::Output, Stuck>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let runtime = self.0.as_ref().ok_or(Stuck::Gone)?;
        let (answer, answered) = mpsc::sync_channel(1);
        runtime.spawn(async move {
            let _ = answer.send(timeout(deadline, call).await); // whoever asks waits for it
        });
        match answered.recv() {
            Ok(Ok(output)) => Ok(output),
            Ok(Err(_)) => Err(Stuck::Late(deadline)),
            Err(_) => Err(Stuck::Gone),
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            // It may be dropped on the thread of an event loop, which must not wait.
            runtime.shutdown_background();
        }
    }
}
