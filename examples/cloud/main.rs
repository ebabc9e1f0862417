//! The cloud path in three commands: a recording or a headset into Kafka, Kafka through a pipeline into a table, and a session
//! out of the table as a picture.
//!
//! ```sh
//! scripts/services up                                    # prints where Kafka and the Bigtable emulator are: export that
//! cargo run --release --features cloud --example cloud -- ingest recording.edf --speed real
//! cargo run --release --features cloud --example cloud -- process --folder results
//! cargo run --release --features cloud --example cloud -- query recording --folder results --svg alpha.svg
//! ```
//!
//! Without `--bigtable` the table is a file in the folder, and only Kafka is needed. Any of the commands may be killed and started
//! again: `process` goes on where its newest checkpoint is, and what it had computed and not yet written waits in its outbox.

mod draw;
mod ingest;
mod process;
mod query;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use neuraflow::sinks::bigtable::{Bigtable, BigtableConfig};
use neuraflow::sinks::store::LocalTable;
use neuraflow::sinks::table::Stage;
use neuraflow::sources::kafka::KafkaTopic;

/// Signals through Kafka into a table, and back as a picture.
#[derive(Parser)]
#[command(version)]
struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Puts a recording, or synthetic headsets, into a topic.
    Ingest(ingest::Options),
    /// Computes band power from a topic, and keeps it in a table.
    Process(process::Options),
    /// Reads a session back from the table, and draws it.
    Query(query::Options),
}

/// Which topic.
#[derive(Args)]
struct Topic {
    /// Kafka's address; KAFKA_BROKER unless given.
    #[arg(long, value_name = "HOST:PORT")]
    brokers: Option<String>,
    /// The topic.
    #[arg(long, value_name = "NAME", default_value = "signals")]
    topic: String,
    /// Partitions, where the topic has to be made.
    #[arg(long, value_name = "N", default_value_t = 100)]
    partitions: u32,
}

impl Topic {
    /// The topic, which is there afterwards.
    fn create(&self) -> Result<KafkaTopic, Box<dyn Error>> {
        let brokers = self.brokers.clone().or_else(|| std::env::var("KAFKA_BROKER").ok());
        let brokers = brokers.unwrap_or_else(|| "127.0.0.1:9092".to_owned());
        let topic = KafkaTopic::new(brokers, &self.topic).partitions(self.partitions);
        topic.create()?;
        Ok(topic)
    }
}

/// Which table.
#[derive(Args)]
struct Place {
    /// Where this example keeps its files: the table, unless it is in Bigtable; the outbox; the checkpoints.
    #[arg(long, value_name = "FOLDER", default_value = "cloud")]
    folder: PathBuf,
    /// A table in Bigtable instead of a file; of the emulator where BIGTABLE_EMULATOR_HOST is set.
    #[arg(long, value_name = "PROJECT/INSTANCE/TABLE")]
    bigtable: Option<String>,
}

impl Place {
    fn local(&self) -> Result<LocalTable, Box<dyn Error>> {
        std::fs::create_dir_all(&self.folder)?;
        Ok(LocalTable::open(self.folder.join("results.redb"))?)
    }

    /// The table in Bigtable, which is there afterwards, if it is to be one there.
    fn remote(&self) -> Result<Option<Bigtable>, Box<dyn Error>> {
        let Some(name) = &self.bigtable else { return Ok(None) };
        let parts: Vec<&str> = name.split('/').collect();
        let [project, instance, table] = parts[..] else {
            return Err(format!("--bigtable: expected PROJECT/INSTANCE/TABLE, found {name}").into());
        };
        let table = Bigtable::connect(BigtableConfig::new(project, instance, table))?;
        table.create()?;
        Ok(Some(table))
    }
}

/// What the results of `process` are kept as.
fn stage() -> Result<Stage, Box<dyn Error>> {
    Ok(Stage::new("band power")?)
}

fn main() -> ExitCode {
    let done = match &Options::parse().command {
        Command::Ingest(options) => ingest::run(options),
        Command::Process(options) => process::run(options),
        Command::Query(options) => query::run(options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cloud: {error}");
            ExitCode::FAILURE
        }
    }
}
