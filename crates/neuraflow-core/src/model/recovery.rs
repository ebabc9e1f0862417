//! What to do after an error: every error type answers it.

/// What to do after an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// Leave this item out and go on; it is counted.
    Skip,
    /// Leave it out, reset the operator and go on; it is counted.
    Reset,
    /// The same call may succeed later.
    Retry,
    /// Stop: nothing sensible can follow.
    Stop,
}
