//! A session out of the table: what there is, and how one band's power went.

use std::error::Error;
use std::fmt::Write as _;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;

use clap::Args;
use neuraflow::model::Id;
use neuraflow::prelude::*;
use neuraflow::sinks::table::{Query, Table, TableReader};

use super::draw::{Line, sparkline, svg};
use super::{Place, stage};

#[derive(Args)]
pub struct Options {
    /// The session: a recording's file name without its ending, or what the host called it.
    session: String,
    /// Which band.
    #[arg(long, value_name = "BAND", default_value = "alpha")]
    band: String,
    /// Only the newest so many windows of each stream.
    #[arg(long, value_name = "N")]
    latest: Option<usize>,
    /// Only from this second of the session on.
    #[arg(long, value_name = "S", default_value_t = 0.0)]
    from: f64,
    /// Only before this second.
    #[arg(long, value_name = "S")]
    until: Option<f64>,
    /// Draws it into this file too.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
}

pub fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    match options.place.remote()? {
        Some(table) => query(table, options),
        None => query(options.place.local()?, options),
    }
}

fn query<T: Table>(table: T, options: &Options) -> Result<(), Box<dyn Error>> {
    let reader = TableReader::new(table);
    let (tenant, session) = (Id::default(), Id::of_name(&options.session));
    let streams = reader.streams(tenant, session)?;
    if streams.is_empty() {
        return Err(format!("no session {} in this table", options.session).into());
    }
    let (mut lines, mut text) = (Vec::new(), String::new());
    for header in &streams {
        let at = |second: f64| match Span::from_secs_f64(second) {
            Some(span) => Ok(header.t0 + span),
            None => Err(format!("expected seconds, found {second}")),
        };
        let mut query = Query::stream(header.key).from(at(options.from)?).of_stage(stage()?);
        if let Some(until) = options.until {
            query = query.until(at(until)?);
        }
        if let Some(count) = options.latest {
            query = query.latest(count);
        }
        let mut windows = Vec::new();
        for found in reader.read::<Features>(query) {
            windows.push(found?.item);
        }
        windows.reverse(); // a table gives the newest first
        writeln!(text, "{}: {} windows of {:?}", header.name, windows.len(), options.band)?;
        lines.extend(of_channels(header, &windows, &options.band)?);
    }
    let width = lines.iter().map(|line| line.name.chars().count()).max().unwrap_or(0);
    for line in &lines {
        let peak = line.points.iter().map(|(_, power)| *power).fold(0.0, f64::max);
        writeln!(text, "{:>width$} {} up to {peak:.1} µV²", line.name, sparkline(line, 64))?;
    }
    if let Some(file) = &options.svg {
        std::fs::write(file, svg(&format!("{} · {} power", options.session, options.band), &lines))?;
        writeln!(text, "drawn in {}", file.display())?;
    }
    // Whoever reads may have seen enough: `query … | head`.
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// The band's power in every channel, over the seconds of the session.
fn of_channels(header: &StreamHeader, windows: &[Features], band: &str) -> Result<Vec<Line>, String> {
    let Some(first) = windows.first() else { return Ok(Vec::new()) };
    let columns = &first.spec.columns;
    let column = columns.iter().position(|name| name == band);
    let column = column.ok_or_else(|| format!("--band: expected one of {columns:?}, found {band}"))?;
    let mut lines: Vec<Line> =
        first.spec.rows.iter().map(|name| Line { name: name.clone(), points: Vec::new() }).collect();
    for window in windows {
        let second = (window.info.end - header.t0).as_secs_f64();
        for (line, (_, row)) in lines.iter_mut().zip(window.rows()) {
            line.points
                .extend(row.get(column).filter(|power| power.is_finite()).map(|power| (second, *power)));
        }
    }
    Ok(lines)
}
