//! Google Bigtable, through [`bigtable_rs`].
//!
//! | file | its story |
//! |---|---|
//! | `config` | which table, and how patient to be |
//! | `engine` | the thread on which calls run, each with a deadline |
//! | `write` | batches of rows; what fails for now is tried again, and nothing else |
//! | `read`, `assemble` | rows out of the pieces in which they arrive |
//! | `admin` | makes the table, its families and their garbage collection |
//! | `status` | what an answer means for whoever asked |

mod admin;
mod assemble;
mod config;
mod engine;
mod read;
mod status;
mod write;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use bigtable_rs::bigtable::{BigTable, BigTableConnection};
use gcp_auth::TokenProvider;
use neuraflow_core::resilience::Jitter;

use crate::table::{Batch, Scan, Table, TableError};

pub use config::BigtableConfig;
pub use read::BigtableRows;

use engine::Engine;
use status::{failed, of_client};

/// The largest message that is read, in bytes: Bigtable's largest row.
const MAX_MESSAGE: usize = 256 << 20;

/// A [`Table`] in Google Bigtable.
///
/// Connections are made when they are needed, and made again after they break. A call waits at most as long as
/// [`deadline`](BigtableConfig::deadline) says. Credentials are looked for as Google's own programs do it (`GOOGLE_APPLICATION_CREDENTIALS`, the metadata server,
/// `gcloud`); with the emulator there are none.
///
/// ```no_run
/// use neuraflow_core::model::Features;
/// use neuraflow_sinks::bigtable::{Bigtable, BigtableConfig};
/// use neuraflow_sinks::table::{Stage, TableSink};
/// let table = Bigtable::connect(BigtableConfig::new("my-project", "my-instance", "results"))?;
/// table.create()?; // once; it may be there already
/// let sink = TableSink::<_, Features>::new(table, Stage::new("band power")?);
/// # Ok::<(), neuraflow_sinks::table::TableError>(())
/// ```
#[derive(Clone)]
pub struct Bigtable(Arc<Inner>);

struct Inner {
    engine: Engine,
    client: BigTable,
    /// None for the emulator.
    tokens: Option<Arc<dyn TokenProvider>>,
    config: BigtableConfig,
    jitter: Mutex<Jitter>,
}

impl Bigtable {
    /// Makes ready to talk to a table; see [`create`](Self::create) for making the table itself.
    ///
    /// # Errors
    /// A setting makes no sense, or no credentials are found.
    pub fn connect(config: BigtableConfig) -> Result<Self, TableError> {
        config.check()?;
        let engine = Engine::start().map_err(|error| failed(&config, "connect", error.to_string()))?;
        let (for_task, deadline) = (config.clone(), config.deadline);
        let connecting = async move {
            let BigtableConfig { project, instance, channels, .. } = &for_task;
            if let Some(emulator) = &for_task.emulator {
                let made = BigTableConnection::new_with_emulator(
                    emulator, project, instance, false, *channels, None,
                );
                return made.map(|connection| (connection, None));
            }
            let tokens = gcp_auth::provider().await?;
            let shared = Some(Arc::clone(&tokens));
            BigTableConnection::new_with_token_provider(project, instance, false, *channels, None, tokens)
                .map(|connection| (connection, shared))
        };
        let (mut connection, tokens) = engine
            .run(deadline, connecting)
            .map_err(|stuck| stuck.tell(&config, "connect"))?
            .map_err(|error| of_client(&config, "connect", &error))?;
        connection.configure_inner_client(|client| client.max_decoding_message_size(MAX_MESSAGE));
        let jitter = Mutex::new(Jitter::new(config.seed));
        Ok(Self(Arc::new(Inner { engine, client: connection.client(), tokens, config, jitter })))
    }
}

impl Inner {
    /// How long to wait before try number `tries` (from 0) is repeated.
    fn pause(&self, tries: u32) -> std::time::Duration {
        let mut jitter = self.jitter.lock().unwrap_or_else(PoisonError::into_inner);
        self.config.backoff.spread(tries, &mut jitter)
    }

    fn table_name(&self) -> String {
        self.client.get_full_table_name(&self.config.table)
    }
}

impl Table for Bigtable {
    type Rows = BigtableRows;

    fn name(&self) -> String {
        self.0.config.name()
    }

    fn put(&self, batch: &Batch) -> Vec<Result<(), TableError>> {
        write::put(&self.0, batch)
    }

    fn scan(&self, scan: &Scan) -> BigtableRows {
        BigtableRows::new(Arc::clone(&self.0), scan)
    }

    /// Nothing to do: what Bigtable has acknowledged is durable.
    fn sync(&self) -> Result<(), TableError> {
        Ok(())
    }
}

impl fmt::Debug for Bigtable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bigtable").field("config", &self.0.config).finish_non_exhaustive()
    }
}
