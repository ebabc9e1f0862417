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

/// What clap says is wrong, and what it would have taken instead, without the usage that follows.
pub fn in_one_line(text: &str) -> String {
    let said =
        text.split("\n\n").take_while(|part| !part.starts_with("Usage:") && !part.starts_with("For more"));
    let said: Vec<&str> = said.flat_map(str::lines).map(str::trim).filter(|line| !line.is_empty()).collect();
    format!("{}; see --help", said.join(" ").trim_start_matches("error: "))
}
