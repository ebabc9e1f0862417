//! A topic through a pipeline into a table, and onto the live page.

use std::error::Error;
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use clap::Args;
use neuraflow::checkpoint::Config;
use neuraflow::dataflow::Checkpointing;
use neuraflow::prelude::*;
use neuraflow::sinks::feedback::{Feedback, FeedbackConfig, Session};
use neuraflow::sinks::layer::{Outbox, OutboxConfig, OutboxWatch};
use neuraflow::sinks::table::{Table, TableSink};
use neuraflow::sources::kafka::{KafkaSource, KafkaWatch};

use super::{Place, Topic, stage};

#[derive(Args)]
pub struct Options {
    #[command(flatten)]
    place: Place,
    /// The live page; off for none.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8787")]
    listen: String,
    /// Ends where the topic ends now, instead of waiting for more.
    #[arg(long)]
    once: bool,
    /// Worker threads; may be others than before.
    #[arg(long, value_name = "N", default_value_t = 1)]
    workers: usize,
    #[command(flatten)]
    topic: Topic,
}

pub fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let feedback = Feedback::new(FeedbackConfig::default())?;
    let session = feedback.session(&options.topic.topic);
    let server = match options.listen.as_str() {
        "off" => None,
        address => {
            let address: SocketAddr = address
                .parse()
                .map_err(|_| format!("--listen: expected an address and a port, or off, found {address}"))?;
            Some(feedback.serve(address)?)
        }
    };
    if let Some(server) = &server {
        eprintln!("the live page is at http://{}/", server.local_addr());
    }
    match options.place.remote()? {
        Some(table) => process(table, options, &session),
        None => process(options.place.local()?, options, &session),
    }
}

fn process<T: Table>(table: T, options: &Options, session: &Session) -> Result<(), Box<dyn Error>> {
    let folder = &options.place.folder;
    let topic = KafkaSource::new(options.topic.create()?);
    let topic = if options.once { topic.bounded() } else { topic };
    // While the table is away, results wait on the disk; the live page does not notice.
    let outbox =
        Outbox::new(TableSink::new(table, stage()?), folder.join("outbox"), OutboxConfig::default())?;
    let (lag, waiting) = (topic.watch(), outbox.watch());
    let every = Config::every(Duration::from_secs(5))?;
    let pipeline = Pipeline::from(topic)
        .stage(|| Butterworth::bandpass(4, 1.0..40.0))
        .stage(CommonAverage::new)
        .window(Tumbling::millis(50))
        .feature(|| BandPower::bands([("alpha", 8.0..13.0), ("beta", 13.0..30.0)]).over_millis(1_000))
        .branch(|power| power.sink(session.features("band power")))
        .sink(outbox)
        .build()?
        .checkpoints(Checkpointing::in_folder(folder.join("checkpoints"))?.with_config(every))?;
    let running = pipeline.spawn(Workers::new(options.workers))?;
    session.watch(running.watch());
    let stopper = running.stopper();
    ctrlc::set_handler(move || stopper.stop())?;
    let mut told = String::new();
    while !running.is_finished() {
        thread::sleep(Duration::from_millis(200));
        let trouble = trouble(&lag, &waiting);
        if trouble != told {
            eprintln!("{}", if trouble.is_empty() { "all is well again" } else { &trouble });
            told = trouble;
        }
    }
    let report = running.join()?;
    println!(
        "{} windows of {} streams; every sample accounted for: {}",
        report.windows().total(),
        report.streams.len(),
        report.balances()
    );
    let left = waiting.stats();
    if left.waiting_bytes > 0 {
        println!("{} bytes wait in the outbox for the table; the next run hands them on", left.waiting_bytes);
    }
    Ok(())
}

/// What keeps the two ends waiting, if anything.
fn trouble(topic: &KafkaWatch, outbox: &OutboxWatch) -> String {
    let ends = [("Kafka", topic.stats().trouble), ("the table", outbox.stats().trouble)];
    let said = ends.into_iter().filter_map(|(end, said)| Some(format!("waiting for {end}: {}", said?)));
    said.collect::<Vec<_>>().join("; ")
}
