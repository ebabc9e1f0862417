//! Writing: rows go out in requests of bounded size, and entries that fail for now go out again, and nothing else.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bigtable_rs::google::bigtable::v2::mutate_rows_request::Entry;
use bigtable_rs::google::bigtable::v2::mutation::{self, SetCell};
use bigtable_rs::google::bigtable::v2::{MutateRowsRequest, Mutation};
use tokio::time::{Instant, sleep, timeout};
use tonic::Code;

use super::Inner;
use super::status::{of_client, of_code, of_status, unavailable};
use crate::table::{Batch, Row, TableError};

/// The most cells of one request, as Bigtable has it.
const MAX_CELLS: usize = 100_000;

type Answer = Result<(), TableError>;

pub(super) fn put(inner: &Arc<Inner>, batch: &Batch) -> Vec<Answer> {
    let entries: Vec<Entry> = batch.rows().iter().map(entry).collect();
    let (count, deadline) = (entries.len(), inner.config.deadline);
    let call = Put { inner: Arc::clone(inner), entries, answers: Vec::new() };
    // The call ends by itself at the deadline, with what was answered until then; the engine's own is only a net below it.
    match inner.engine.run(deadline + Duration::from_secs(1), call.run(deadline)) {
        Ok(answers) => answers,
        Err(stuck) => vec![Err(stuck.tell(&inner.config, "write")); count],
    }
}

fn entry(row: &Row) -> Entry {
    let mutation = |cell: &crate::table::Cell| Mutation {
        mutation: Some(mutation::Mutation::SetCell(SetCell {
            family_name: cell.family.name().to_owned(),
            column_qualifier: cell.qualifier.clone(),
            timestamp_micros: cell.timestamp,
            value: cell.value.clone(),
        })),
    };
    Entry {
        row_key: row.key.clone(),
        mutations: row.cells.iter().map(mutation).collect(),
        ..Entry::default()
    }
}

/// About as many bytes as it has in a request.
fn size(entry: &Entry) -> usize {
    let cell = |mutation: &Mutation| match &mutation.mutation {
        Some(mutation::Mutation::SetCell(cell)) => cell.value.len() + cell.column_qualifier.len() + 24,
        _ => 0,
    };
    entry.row_key.len() + entry.mutations.iter().map(cell).sum::<usize>()
}

struct Put {
    inner: Arc<Inner>,
    entries: Vec<Entry>,
    answers: Vec<Answer>,
}

impl Put {
    async fn run(mut self, deadline: Duration) -> Vec<Answer> {
        let until = Instant::now() + deadline;
        let silent = unavailable(&self.inner.config, "write", format!("no answer within {deadline:?}"));
        self.answers = vec![Err(silent); self.entries.len()];
        let mut left: Vec<usize> = (0..self.entries.len()).collect();
        for attempt in 0..self.inner.config.attempts {
            if attempt > 0 {
                let pause = self.inner.pause(attempt - 1);
                if Instant::now() + pause >= until {
                    break;
                }
                sleep(pause).await;
            }
            for request in requests(&left, &self.entries, self.inner.config.request_bytes) {
                // Where the table does not answer at all, the requests that follow need not wait for it as well.
                if timeout(until - Instant::now(), self.send(&left[request])).await != Ok(true) {
                    break;
                }
            }
            left.retain(|entry| matches!(&self.answers[*entry], Err(TableError::Unavailable { .. })));
            if left.is_empty() {
                break;
            }
        }
        self.answers
    }

    /// Sends some of the entries, and takes down the answers; false where the call as a whole has failed.
    async fn send(&mut self, numbers: &[usize]) -> bool {
        let config = &self.inner.config;
        let request = MutateRowsRequest {
            table_name: self.inner.table_name(),
            app_profile_id: config.app_profile.clone(),
            entries: numbers.iter().map(|number| self.entries[*number].clone()).collect(),
            ..MutateRowsRequest::default()
        };
        let mut open: Vec<usize> = numbers.to_vec();
        let failure = match self.inner.client.clone().mutate_rows(request).await {
            Err(error) => of_client(config, "write", &error),
            Ok(mut stream) => loop {
                match stream.message().await {
                    Err(status) => break of_status(config, "write", &status),
                    Ok(None) => break unavailable(config, "write", "no answer for this entry".into()),
                    Ok(Some(message)) => {
                        for answer in message.entries {
                            let index = usize::try_from(answer.index).ok();
                            let Some(number) = index.and_then(|index| numbers.get(index)) else { continue };
                            let status = answer.status.unwrap_or_default();
                            self.answers[*number] = match Code::from(status.code) {
                                Code::Ok => Ok(()),
                                code => Err(of_code(config, "write", code, &status.message)),
                            };
                            open.retain(|other| other != number);
                        }
                        if open.is_empty() {
                            return true;
                        }
                    }
                }
            },
        };
        let whole = open.len() == numbers.len();
        for number in open {
            self.answers[number] = Err(failure.clone());
        }
        !whole
    }
}

/// Cuts what is left into requests.
fn requests(left: &[usize], entries: &[Entry], bytes: usize) -> Vec<Range<usize>> {
    let (mut requests, mut begun, mut held, mut cells) = (Vec::new(), 0, 0, 0);
    for (place, number) in left.iter().enumerate() {
        let (size, count) = (size(&entries[*number]), entries[*number].mutations.len());
        if place > begun && (held + size > bytes || cells + count > MAX_CELLS) {
            requests.push(begun..place);
            (begun, held, cells) = (place, 0, 0);
        }
        (held, cells) = (held + size, cells + count);
    }
    if begun < left.len() {
        requests.push(begun..left.len());
    }
    requests
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_bounded_and_hold_everything_once() {
        let entry = |bytes: usize| Entry { row_key: vec![0; bytes], ..Entry::default() };
        let entries: Vec<Entry> = [10, 10, 10, 500, 10, 95, 10].map(entry).into();
        let cut = |left: &[usize]| requests(left, &entries, 100);
        assert_eq!(cut(&[0, 1, 2, 3, 4, 5, 6]), [0..3, 3..4, 4..5, 5..6, 6..7]);
        assert_eq!(cut(&[0, 2, 3]), [0..2, 2..3]);
        assert!(cut(&[]).is_empty());
        let many = |cells| Entry { mutations: vec![Mutation::default(); cells], ..Entry::default() };
        let entries = [60_000, 40_000, 1].map(many);
        assert_eq!(requests(&[0, 1, 2], &entries, 100), [0..2, 2..3]);
    }
}
