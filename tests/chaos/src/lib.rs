//! What a storm needs: a process that may be killed, faults, and a batch computation that knows nothing of windows, dataflows,
//! checkpoints, Kafka or sinks.
//!
//! | file | its story |
//! |---|---|
//! | `settings`, `process`, `journal` | the pipeline from Kafka to Bigtable in a process of its own, and what it notes of itself |
//! | `proxy`, `flaky` | what comes between it and the table |
//! | `letters` | records that nobody can read |
//! | `batch`, `scan` | what has to be in the table, computed in one go; and what is |
//! | `verdict` | what became of it all |

pub mod batch;
pub mod flaky;
pub mod journal;
pub mod letters;
pub mod process;
pub mod proxy;
pub mod scan;
pub mod settings;
pub mod verdict;
