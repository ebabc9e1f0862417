//! Writing: rows go out in requests of bounded size, and entries that fail for now go out again, and nothing else.

use std::ops::Range;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use bigtable_rs::google::bigtable::v2::mutate_rows_request::Entry;
use bigtable_rs::google::bigtable::v2::mutation::{self, SetCell};
use bigtable_rs::google::bigtable::v2::{MutateRowsRequest, Mutation};
use tokio::time::timeout;
use tonic::Code;

use super::Inner;
use super::status::{of_client, of_code, of_status, unavailable};
use crate::table::{Batch, Cell, Row, TableError};

/// The most cells of one request, as Bigtable has it.
const MAX_CELLS: usize = 100_000;

type Answer = Result<(), TableError>;

pub(super) fn put(inner: &Arc<Inner>, batch: &Batch) -> Vec<Answer> {
    let (rows, config) = (batch.rows(), &inner.config);
    let until = Instant::now() + config.deadline;
    let silent = unavailable(config, "write", format!("no answer within {:?}", config.deadline));
    let mut answers = vec![Err(silent); rows.len()];
    let mut left: Vec<usize> = (0..rows.len()).collect();
    for attempt in 0..config.attempts {
        if attempt > 0 {
            let pause = inner.pause(attempt - 1);
            if Instant::now() + pause >= until {
                break;
            }
            thread::sleep(pause);
        }
        let requests = requests(&left, rows, config.request_bytes).into_iter();
        let requests = requests.map(|range| Request::new(&left[range], rows)).collect();
        // The call ends by itself at the deadline, with what was answered until then; the engine's own is only a net below it.
        let net = until.saturating_duration_since(Instant::now()) + Duration::from_secs(1);
        match inner.engine.run(net, send(Arc::clone(inner), requests, until)) {
            Ok(answered) => answered.into_iter().for_each(|(number, answer)| answers[number] = answer),
            Err(stuck) => {
                let told = stuck.tell(config, "write");
                left.iter().for_each(|number| answers[*number] = Err(told.clone()));
                break;
            }
        }
        left.retain(|number| matches!(&answers[*number], Err(TableError::Unavailable { .. })));
        if left.is_empty() {
            break;
        }
    }
    answers
}

/// Some of the rows of a batch, and which these are.
struct Request {
    numbers: Vec<usize>,
    entries: Vec<Entry>,
}

impl Request {
    fn new(numbers: &[usize], rows: &[Row]) -> Self {
        let entries = numbers.iter().map(|number| entry(&rows[*number])).collect();
        Self { numbers: numbers.to_vec(), entries }
    }
}

fn entry(row: &Row) -> Entry {
    let mutation = |cell: &Cell| Mutation {
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
fn size(row: &Row) -> usize {
    row.key.len() + row.cells.iter().map(|cell| cell.value.len() + cell.qualifier.len() + 24).sum::<usize>()
}

/// Sends requests, one after another until the time is up, and gives what was answered to each entry.
async fn send(inner: Arc<Inner>, requests: Vec<Request>, until: Instant) -> Vec<(usize, Answer)> {
    let mut answers = Vec::with_capacity(requests.iter().map(|request| request.numbers.len()).sum());
    for request in requests {
        let left = until.saturating_duration_since(Instant::now());
        // Where the table does not answer at all, the requests that follow need not wait for it as well.
        if timeout(left, call(&inner, request, &mut answers)).await != Ok(true) {
            break;
        }
    }
    answers
}

/// Sends one, and takes down the answers; false where the call as a whole has failed.
async fn call(inner: &Inner, request: Request, answers: &mut Vec<(usize, Answer)>) -> bool {
    let (config, Request { numbers, entries }) = (&inner.config, request);
    let request = MutateRowsRequest {
        table_name: inner.table_name(),
        app_profile_id: config.app_profile.clone(),
        entries,
        ..MutateRowsRequest::default()
    };
    // An entry is answered once, whatever a server says.
    let (mut open, mut count) = (vec![true; numbers.len()], numbers.len());
    let failure = match inner.client.clone().mutate_rows(request).await {
        Err(error) => of_client(config, "write", &error),
        Ok(mut stream) => loop {
            match stream.message().await {
                Err(status) => break of_status(config, "write", &status),
                Ok(None) => break unavailable(config, "write", "no answer for this entry".into()),
                Ok(Some(message)) => {
                    for answer in message.entries {
                        let Ok(index) = usize::try_from(answer.index) else { continue };
                        let (Some(open), Some(number)) = (open.get_mut(index), numbers.get(index)) else {
                            continue;
                        };
                        if !std::mem::take(open) {
                            continue;
                        }
                        count -= 1;
                        let status = answer.status.unwrap_or_default();
                        let answer = match Code::from(status.code) {
                            Code::Ok => Ok(()),
                            code => Err(of_code(config, "write", code, &status.message)),
                        };
                        answers.push((*number, answer));
                    }
                    if count == 0 {
                        return true;
                    }
                }
            }
        },
    };
    let unanswered = numbers.iter().zip(open).filter(|(_, open)| *open);
    answers.extend(unanswered.map(|(number, _)| (*number, Err(failure.clone()))));
    count < numbers.len()
}

/// Cuts what is left into requests.
fn requests(left: &[usize], rows: &[Row], bytes: usize) -> Vec<Range<usize>> {
    let (mut requests, mut begun, mut held, mut cells) = (Vec::new(), 0, 0, 0);
    for (place, number) in left.iter().enumerate() {
        let (size, count) = (size(&rows[*number]), rows[*number].cells.len());
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
    use crate::table::Family;

    #[test]
    fn requests_are_bounded_and_hold_everything_once() {
        let row = |bytes: usize| Row { key: vec![0; bytes], cells: Vec::new() };
        let rows = [10, 10, 10, 500, 10, 95, 10].map(row);
        let cut = |left: &[usize]| requests(left, &rows, 100);
        assert_eq!(cut(&[0, 1, 2, 3, 4, 5, 6]), [0..3, 3..4, 4..5, 5..6, 6..7]);
        assert_eq!(cut(&[0, 2, 3]), [0..2, 2..3]);
        assert!(cut(&[]).is_empty());
        let cell = Cell { family: Family::Features, qualifier: Vec::new(), timestamp: 0, value: Vec::new() };
        let many = |cells| Row { key: Vec::new(), cells: vec![cell.clone(); cells] };
        let rows = [60_000, 40_000, 1].map(many);
        assert_eq!(requests(&[0, 1, 2], &rows, usize::MAX), [0..2, 2..3]);
    }
}
