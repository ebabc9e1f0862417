//! Where a rat is on its track, decoded from the spikes of its hippocampus as a stream, every 50 ms.
//!
//! Spikes and positions come from `scripts/convert/linear_track.py`, which makes `spikes.npy` and `position.npy` of a recording of nelpy's
//! example data. Then: `cargo run --release --example position -- --train FOLDER --json`. The first half of the running trains and
//! the second half tests; with `--test` another recording tests, as a whole. The last line is one object of JSON.
//!
//! `options.rs` is the command line, `track.rs` where the rat was, `graph.rs` the pipeline that trains and decodes, `outcome.rs` what came of it,
//! `score.rs` how good that is; `settings.rs`, `text.rs` and `write.rs` write it up.

mod graph;
mod options;
mod outcome;
mod score;
mod settings;
#[path = "../shared/mod.rs"]
mod shared;
mod text;
mod track;
mod write;

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use neuraflow::sinks::report::HtmlReport;

use options::Options;
use outcome::Outcome;
use shared::end;

fn main() -> ExitCode {
    end(run(&Options::parse()))
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let page = options.report.as_ref().map(HtmlReport::create).transpose()?;
    let fitted = graph::fit(options)?;
    if let Some(file) = &options.save {
        fitted.model.save(file)?;
    }
    let decoded = graph::decode(options, &fitted)?;
    let outcome = Outcome::new(options, &fitted, &decoded)?;
    if let Some(page) = page {
        let page = page.titled("Position on a track by the spikes of a hippocampus");
        page.command_line(std::env::args());
        for file in options.files() {
            page.input_file(file)?;
        }
        write::fill(&page, options, &fitted, &outcome);
        page.write(&decoded.report)?;
    }
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", text::page(options, &fitted, &outcome))?;
    if options.json {
        writeln!(out, "{}", write::json(options, &fitted, &outcome))?;
    }
    Ok(())
}
