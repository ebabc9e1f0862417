//! What is in the table: every version of every cell, read without any of our own code.

use std::collections::BTreeMap;

use bigtable_rs::google::bigtable::v2::ReadRowsRequest;
use bigtable_rs::google::bigtable::v2::bigtable_client::BigtableClient;
use tonic::transport::Endpoint;

use crate::batch::{Content, Place};
use crate::settings::TABLE;

/// Everything in the table of the emulator at `address`; of each cell all versions.
pub fn everything(address: &str) -> BTreeMap<Place, Vec<Content>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
        let mut client =
            BigtableClient::new(endpoint.connect().await.unwrap()).max_decoding_message_size(256 << 20);
        let (project, instance, table) = TABLE;
        let table_name = format!("projects/{project}/instances/{instance}/tables/{table}");
        let request = ReadRowsRequest { table_name, ..ReadRowsRequest::default() };
        let mut messages = client.read_rows(request).await.unwrap().into_inner();
        let mut cells: BTreeMap<Place, Vec<Content>> = BTreeMap::new();
        let mut place: Place = Place::default();
        while let Some(message) = messages.message().await.unwrap() {
            for chunk in message.chunks {
                assert_eq!(chunk.value_size, 0, "a cell in pieces");
                if !chunk.row_key.is_empty() {
                    place.0 = chunk.row_key;
                }
                if let Some(family) = chunk.family_name {
                    place.1 = family;
                }
                if let Some(qualifier) = chunk.qualifier {
                    place.2 = qualifier;
                }
                cells.entry(place.clone()).or_default().push((chunk.timestamp_micros, chunk.value));
            }
        }
        cells
    })
}
