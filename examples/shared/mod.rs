//! What the examples share: how they begin and end, values of their command lines, and how decoders of trials are judged.
#![allow(dead_code, unused_imports, reason = "each example takes what it needs")]

mod budget;
mod confusion;
mod interval;
mod program;
mod trials;
mod values;

pub use budget::Budget;
pub use confusion::Confusion;
pub use interval::wilson;
pub use program::{complain, end};
pub use trials::{check_model, load_model, none_found};
pub use values::{class, range};
