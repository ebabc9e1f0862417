//! From the old layout to this one, while the pipeline runs: nothing is lost at any step, and every step can be taken back.
//!
//! | phase | written to | served from | what is done meanwhile |
//! |---|---|---|---|
//! | [`Old`](Phase::Old) | old | old | |
//! | [`Both`](Phase::Both) | both, behind one outbox | old | [`Backfill`]: what only the old rows have is copied, hour by hour, and compared |
//! | [`Shadow`](Phase::Shadow) | both | old | every read is made from both, and compared |
//! | [`New`](Phase::New) | both | new | as before; when nobody wants to go back any more, an ordinary `TableSink` takes over |
//!
//! | file | its story |
//! |---|---|
//! | `salted` | the old rows |
//! | `state` | the phase and how far the copying has come, in a file that survives `kill -9` |
//! | `dual` | the sink that writes both |
//! | `gate` | whoever writes, and whoever changes the phase, one after the other |
//! | `backfill` | copies and compares |
//! | `shadow` | reads both |

mod backfill;
mod dual;
mod gate;
mod salted;
mod shadow;
mod state;

pub use backfill::{Backfill, Hour};
pub use dual::{DualSink, DualWriter, SaltedSink, SaltedWriter};
pub use salted::{SaltedKey, SaltedLayout, SaltedSession};
pub use shadow::{ShadowReader, ShadowStats};
pub use state::{Migration, MigrationError, Phase};
