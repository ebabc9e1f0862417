//! How an example ends, and what it says where something is wrong: one line on stderr, with the example's name.

use std::error::Error;
use std::fmt::Display;
use std::io::Write;
use std::process::ExitCode;

/// One line on stderr. Where even that is closed there is nobody left to tell.
pub fn complain(about: impl Display) {
    let _ = writeln!(std::io::stderr(), "{}: {about}", env!("CARGO_BIN_NAME"));
}

/// The end of an example.
pub fn end(outcome: Result<(), Box<dyn Error>>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(error);
            ExitCode::FAILURE
        }
    }
}
