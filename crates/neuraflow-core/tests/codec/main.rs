//! The signal codec: what is encoded comes back, and what was not encoded is refused.

mod bounds;
mod chunks;
mod frames;
mod goldens;
mod hostile;
mod support;
