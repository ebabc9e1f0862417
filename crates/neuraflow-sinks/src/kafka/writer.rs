//! The writer: results become records, and are taken once the brokers have them.

use std::io;
use std::marker::PhantomData;
use std::sync::Arc;

use neuraflow_core::model::Positions;
use neuraflow_core::sink::{SinkError, SinkWriter};

use super::client::{Client, Outgoing};
use super::item::{KafkaItem, KafkaRecord};
use super::sink::Settings;
use super::transaction::Transactions;
use super::watch::KafkaSinkWatch;

/// The longest value of a record, in bytes.
const MAX_VALUE: usize = 1 << 20;

/// Writes results into a topic. See [`KafkaSink`](super::KafkaSink).
pub struct KafkaWriter<T> {
    settings: Arc<Settings>,
    watch: KafkaSinkWatch,
    mode: Mode,
    items: PhantomData<fn(T)>,
}

enum Mode {
    /// At least once; without a client after something has failed.
    Plain(Option<Client>),
    Transactions(Transactions),
}

impl<T: KafkaItem> KafkaWriter<T> {
    pub(super) fn open(
        settings: Arc<Settings>,
        watch: KafkaSinkWatch,
        from: Option<&Positions>,
    ) -> Result<Self, SinkError> {
        let mode = if settings.transactional.is_some() {
            Mode::Transactions(Transactions::open(&settings, &watch, from)?)
        } else {
            Mode::Plain(Some(Client::connect(&settings, &watch)?))
        };
        Ok(Self { settings, watch, mode, items: PhantomData })
    }

    /// Takes out what can be records; what cannot is left in `items`, with why.
    fn encode(&self, items: &mut Vec<T>) -> (Vec<T>, Vec<Outgoing>, Option<SinkError>) {
        let (mut taken, mut records, mut refused) = (Vec::new(), Vec::new(), None);
        let mut left = Vec::new();
        for item in items.drain(..) {
            let stream = item.window().stream.key;
            let value = rmp_serde::to_vec_named(&KafkaRecord::of(&item, &self.settings.name));
            let found = match value {
                Ok(value) if value.len() <= MAX_VALUE => {
                    records.push(Outgoing { stream, value });
                    taken.push(item);
                    continue;
                }
                Ok(value) => format!("{} bytes", value.len()),
                Err(error) => error.to_string(),
            };
            left.push(item);
            refused.get_or_insert(SinkError::Layout {
                sink: self.settings.name.to_string(),
                what: "size of a result",
                expected: format!("at most {MAX_VALUE} bytes in MessagePack"),
                found,
            });
        }
        *items = left;
        (taken, records, refused)
    }
}

impl<T: KafkaItem> SinkWriter for KafkaWriter<T> {
    type Item = T;

    fn write(&mut self, items: &mut Vec<T>) -> Result<(), SinkError> {
        let (taken, records, refused) = self.encode(items);
        match &mut self.mode {
            Mode::Transactions(transactions) => transactions.take(records)?,
            Mode::Plain(client) => {
                let (at, fault) = match client {
                    Some(client) => client.send(&records, &self.settings),
                    None => match Client::connect(&self.settings, &self.watch) {
                        Ok(connected) => client.insert(connected).send(&records, &self.settings),
                        Err(error) => {
                            self.watch.change(|stats| stats.failures += 1);
                            items.splice(0..0, taken);
                            return Err(error);
                        }
                    },
                };
                let arrived = at.iter().flatten().count() as u64;
                self.watch.change(|stats| stats.delivered += arrived);
                if let Some(reason) = fault {
                    // It would go on with what is left, after it was offered again.
                    *client = None;
                    let left = taken.into_iter().zip(at).filter(|(_, at)| at.is_none());
                    items.splice(0..0, left.map(|(item, _)| item));
                    return Err(unanswered(&self.settings, &self.watch, reason));
                }
                self.watch.change(|stats| stats.trouble = None);
            }
        }
        refused.map_or(Ok(()), Err)
    }

    fn barrier(&mut self, checkpoint: u64) -> Result<Positions, SinkError> {
        match &mut self.mode {
            Mode::Plain(_) => Ok(Positions::default()),
            // Checkpoints begin at 1.
            Mode::Transactions(_) if checkpoint == 0 => Err(SinkError::Layout {
                sink: self.settings.name.to_string(),
                what: "exactly_once",
                expected: "a pipeline's checkpoints; behind an outbox, leave exactly_once out".into(),
                found: "a barrier of none".into(),
            }),
            Mode::Transactions(transactions) => transactions.commit(),
        }
    }

    fn finish(&mut self) -> Result<(), SinkError> {
        match &mut self.mode {
            Mode::Plain(_) => Ok(()),
            // Whoever finishes cannot be asked again.
            Mode::Transactions(transactions) => transactions
                .commit()
                .or_else(|_| transactions.commit())
                .or_else(|_| transactions.commit())
                .map(drop),
        }
    }
}

/// What was sent has not arrived in time, or not at all: it may be offered again.
pub(super) fn unanswered(settings: &Settings, watch: &KafkaSinkWatch, reason: String) -> SinkError {
    watch.change(|stats| {
        stats.failures += 1;
        stats.trouble = Some(reason.clone());
    });
    SinkError::Io {
        sink: settings.name.to_string(),
        action: "write to",
        target: settings.target(),
        source: io::Error::new(io::ErrorKind::TimedOut, reason),
    }
}
