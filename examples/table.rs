//! Results in a table: a headset's band power goes into a local store or into Bigtable, and is read back: who was recorded, the latest
//! results, and a stretch of time, drawn.
//!
//! Run it with `cargo run --release --features bigtable --example table`: the table is the file `results.redb`. Run it again, and the
//! same results go to the same places: nothing is there twice.
//! With `--bigtable PROJECT/INSTANCE/TABLE` it is in Bigtable, or in an emulator where `BIGTABLE_EMULATOR_HOST` says so; all else is the same.

#[path = "shared/program.rs"]
mod program;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use neuraflow::model::Id;
use neuraflow::prelude::*;
use neuraflow::sinks::bigtable::{Bigtable, BigtableConfig};
use neuraflow::sinks::store::LocalTable;
use neuraflow::sinks::table::{Query, Stage, Table, TableReader, TableSink};
use neuraflow::source::Source;

use program::end;

/// Band power of a synthetic headset, into a table and back.
#[derive(Parser)]
#[command(version, override_usage = "cargo run --release --features bigtable --example table -- [OPTIONS]")]
struct Options {
    /// The file of the local store.
    #[arg(long, value_name = "FILE", default_value = "results.redb")]
    file: PathBuf,
    /// A table in Bigtable instead, which is made if it is not there.
    #[arg(long, value_name = "PROJECT/INSTANCE/TABLE")]
    bigtable: Option<String>,
    /// Seed of the signal.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Seconds to record.
    #[arg(long, value_name = "S", default_value_t = 60)]
    seconds: i64,
}

fn main() -> ExitCode {
    end(run())
}

fn run() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let Some(name) = &options.bigtable else {
        return record_and_read(LocalTable::open(&options.file)?, &options);
    };
    let [project, instance, table] = name.split('/').collect::<Vec<_>>()[..] else {
        return Err(format!("--bigtable: expected PROJECT/INSTANCE/TABLE, found {name}").into());
    };
    let table = Bigtable::connect(BigtableConfig::new(project, instance, table))?;
    table.create()?;
    record_and_read(table, &options)
}

fn record_and_read(table: impl Table, options: &Options) -> Result<(), Box<dyn Error>> {
    let headset =
        Synthetic::new(4, SamplingRate::hz(250)?).seed(options.seed).until(Span::secs(options.seconds));
    let (tenant, session) =
        Source::streams(&headset).first().map(|h| (h.key.tenant, h.key.session)).unwrap_or_default();
    let report = Pipeline::from(headset)
        .stage(|| Butterworth::bandpass(4, 1.0..40.0))
        .window(Tumbling::millis(50))
        .feature(|| BandPower::bands([("alpha", 8.0..13.0), ("beta", 13.0..30.0)]).over_millis(1_000))
        .sink(TableSink::new(table.clone(), Stage::new("band power")?))
        .build()?
        .run()?;
    println!("{} windows into {}", report.windows().total(), table.name());
    read_back(&TableReader::new(table), tenant, session, options.seconds)
}

fn read_back<T: Table>(
    reader: &TableReader<T>,
    tenant: Id,
    session: Id,
    seconds: i64,
) -> Result<(), Box<dyn Error>> {
    for header in reader.streams(tenant, session)? {
        let channels: Vec<&str> = header.channels.iter().map(Channel::name).collect();
        println!("stream {}: {} at {}", header.name, channels.join(" "), header.rate);
    }
    println!("the latest:");
    for found in reader.read::<Features>(Query::session(tenant, session).latest(3)) {
        let Features { info, values, .. } = found?.item;
        println!("  {} {:8.2?}", info.start, values);
    }
    // The last ten seconds, two windows a second; the newest comes first.
    let from = Timestamp::EPOCH + Span::secs((seconds - 10).max(0));
    let query = Query::session(tenant, session).from(from);
    let found = reader.read::<Features>(query).step_by(10).collect::<Result<Vec<_>, _>>()?;
    println!("alpha of the first channel:");
    for found in found.iter().rev() {
        let power = found.item.values.first().copied().unwrap_or(f64::NAN);
        let bar = "▇".repeat(((power.max(0.0).sqrt() * 4.0) as usize).min(80));
        println!("  {:>7.1} s {power:8.2} µV² {bar}", found.item.info.start.as_secs_f64());
    }
    Ok(())
}
