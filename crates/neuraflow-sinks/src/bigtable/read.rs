//! Reading: a stream of messages, one at a time, gone on with after the last row where it breaks off.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use bigtable_rs::google::bigtable::v2::row_filter::{Chain, Filter};
use bigtable_rs::google::bigtable::v2::row_range::{EndKey, StartKey};
use bigtable_rs::google::bigtable::v2::{ReadRowsRequest, ReadRowsResponse, RowFilter, RowRange, RowSet};
use tonic::metadata::MetadataValue;
use tonic::{Request, Streaming};

use super::Inner;
use super::assemble::Assembler;
use super::status::{failed, of_status, unavailable};
use crate::table::{Families, Row, Scan, TableError};

/// The rows of a scan of a [`Bigtable`](super::Bigtable). They are read as they are asked for; where it is dropped, the server stops sending.
pub struct BigtableRows {
    inner: Arc<Inner>,
    /// What is still to be read; none at the end.
    left: Option<Scan>,
    stream: Option<(Streaming<ReadRowsResponse>, Assembler)>,
    ready: VecDeque<Row>,
    /// How often it has broken off since the last row.
    broken: u32,
}

impl BigtableRows {
    pub(super) fn new(inner: Arc<Inner>, scan: &Scan) -> Self {
        let left = (!scan.is_empty()).then(|| scan.clone());
        Self { inner, left, stream: None, ready: VecDeque::new(), broken: 0 }
    }

    /// Reads one message; false at the end.
    fn message(&mut self, scan: &Scan) -> Result<bool, TableError> {
        let (inner, this) = (Arc::clone(&self.inner), Arc::clone(&self.inner));
        let config = &this.config;
        let (stream, request) = (self.stream.take(), request(&inner, scan));
        let call = async move {
            let (mut stream, assembler) = match stream {
                Some(begun) => begun,
                None => {
                    let opened = inner.client.clone().get_client().read_rows(request).await?;
                    (opened.into_inner(), Assembler::default())
                }
            };
            let message = stream.message().await?;
            Ok((message, stream, assembler))
        };
        let answered = this.engine.run(config.deadline, call).map_err(|stuck| stuck.tell(config, "read"))?;
        let (message, stream, mut assembler) =
            answered.map_err(|status: tonic::Status| of_status(config, "read", &status))?;
        let Some(message) = message else {
            let cut = assembler.within_row();
            return if cut { Err(unavailable(config, "read", "a row broke off".into())) } else { Ok(false) };
        };
        for chunk in message.chunks {
            let row =
                assembler.push(chunk).map_err(|what| failed(config, "read", format!("it sends {what}")))?;
            if let Some(row) = row {
                self.pass(&row.key, true);
                self.ready.push_back(row);
            }
        }
        if !message.last_scanned_row_key.is_empty() {
            self.pass(&message.last_scanned_row_key, false);
        }
        self.stream = Some((stream, assembler));
        Ok(true)
    }

    /// What is up to `key` need not be read again.
    fn pass(&mut self, key: &[u8], counts: bool) {
        self.broken = 0;
        if let Some(scan) = &mut self.left {
            scan.start = [key, &[0]].concat();
            scan.limit = scan.limit.map(|limit| limit.saturating_sub(usize::from(counts)));
        }
    }
}

fn request(inner: &Inner, scan: &Scan) -> Request<ReadRowsRequest> {
    let (table_name, app_profile_id) = (inner.table_name(), inner.config.app_profile.clone());
    // Names are letters, digits and a few signs, as the settings' check has seen, so that they need no escape but for the slash.
    let route = format!("table_name={}&app_profile_id={app_profile_id}", table_name.replace('/', "%2F"));
    let range = RowRange {
        start_key: Some(StartKey::StartKeyClosed(scan.start.clone())),
        end_key: scan.end.clone().map(EndKey::EndKeyOpen),
    };
    let mut request = Request::new(ReadRowsRequest {
        table_name,
        app_profile_id,
        rows: Some(RowSet { row_keys: Vec::new(), row_ranges: vec![range] }),
        rows_limit: scan.limit.and_then(|limit| i64::try_from(limit).ok()).unwrap_or(0),
        filter: Some(filter(scan.families)),
        ..ReadRowsRequest::default()
    });
    if let Ok(route) = MetadataValue::try_from(route) {
        request.metadata_mut().insert("x-goog-request-params", route);
    }
    request
}

/// These families, and of each cell the newest version: older ones are removed by the server whenever it likes.
fn filter(families: Families) -> RowFilter {
    let of = |filter| RowFilter { filter: Some(filter) };
    let names: Vec<&str> = families.iter().map(|family| family.name()).collect();
    let filters =
        vec![of(Filter::FamilyNameRegexFilter(names.join("|"))), of(Filter::CellsPerColumnLimitFilter(1))];
    of(Filter::Chain(Chain { filters }))
}

impl Iterator for BigtableRows {
    type Item = Result<Row, TableError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(row) = self.ready.pop_front() {
                return Some(Ok(row));
            }
            let scan = self.left.clone().filter(|scan| !scan.is_empty())?;
            match self.message(&scan) {
                Ok(true) => {}
                Ok(false) => self.left = None,
                Err(error) => {
                    self.broken += 1;
                    let again = matches!(error, TableError::Unavailable { .. });
                    if !again || self.broken >= self.inner.config.attempts {
                        self.left = None;
                        return Some(Err(error));
                    }
                    std::thread::sleep(self.inner.pause(self.broken - 1));
                }
            }
        }
    }
}

impl fmt::Debug for BigtableRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BigtableRows").field("left", &self.left).finish_non_exhaustive()
    }
}
