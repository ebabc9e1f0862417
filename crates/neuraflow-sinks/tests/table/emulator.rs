//! Bigtable: the suite on a real emulator, and what only a server does.

use std::time::{Duration, Instant};

use bigtable_rs::bigtable::{BigTableConnection, RowCell};
use bigtable_rs::google::bigtable::v2::ReadRowsRequest;
use googleapis_tonic_google_bigtable_admin_v2::google::bigtable::admin::v2 as api;
use neuraflow_core::model::{Features, Recovery};
use neuraflow_core::sink::{Sink, SinkContext, SinkWriter};
use neuraflow_sinks::bigtable::{Bigtable, BigtableConfig};
use neuraflow_sinks::table::{Batch, Cell, Query, RowKey, Scan, Table, TableError, TableReader, TableSink};

use super::kit::*;
use super::service::Service;
use super::suite::conformance;

fn config(service: &Service) -> BigtableConfig {
    BigtableConfig {
        emulator: Some(service.address()),
        ..BigtableConfig::new("project", "instance", "table")
    }
}

fn created(config: BigtableConfig) -> Bigtable {
    let table = Bigtable::connect(config).unwrap();
    table.create().unwrap();
    table.create().unwrap(); // it is there
    table
}

fn open(test: impl FnOnce(Bigtable)) {
    let Some(service) = Service::start("bigtable") else { return };
    test(created(config(&service)));
}

conformance!(open);

#[test]
fn a_frozen_server_is_waited_for_only_so_long_and_gone_on_with() {
    let Some(service) = Service::start("bigtable") else { return };
    let deadline = Duration::from_millis(300);
    let table = created(BigtableConfig { deadline, ..config(&service) });
    let stream = header(key(1, "session", "headset"), "headset");
    let mut writer = TableSink::new(table.clone(), stage("power")).open(&SinkContext::default()).unwrap();
    writer.write(&mut vec![features(&stream, 0, 0.0)]).unwrap();
    service.freeze();
    let mut items = vec![features(&stream, SECOND, 1.0)];
    let begun = Instant::now();
    let error = writer.write(&mut items).unwrap_err();
    assert!(begun.elapsed() < 10 * deadline, "{:?}", begun.elapsed());
    assert_eq!((error.recovery(), items.len()), (Recovery::Retry, 1), "{error}");
    let found = TableReader::new(table.clone()).read::<Features>(Query::stream(stream.key)).next();
    assert!(matches!(found, Some(Err(TableError::Unavailable { action: "read", .. }))), "{found:?}");
    service.thaw();
    let begun = Instant::now();
    while writer.write(&mut items).is_err() {
        assert!(begun.elapsed() < Duration::from_secs(20), "it does not come back");
    }
    assert_eq!(starts(&read(&table, Query::stream(stream.key))), [SECOND, 0]);
}

#[test]
fn a_server_that_is_started_again_is_connected_to_anew() {
    let Some(mut service) = Service::start("bigtable") else { return };
    let table = created(BigtableConfig { deadline: Duration::from_secs(1), ..config(&service) });
    let stream = header(key(1, "session", "headset"), "headset");
    write(&table, "power", &[features(&stream, 0, 0.0)]).unwrap();
    service.kill();
    let error = write(&table, "power", &[features(&stream, 0, 0.0)]).unwrap_err();
    assert_eq!(error.recovery(), Recovery::Retry, "{error}");
    service.restart(); // it has forgotten everything, the table too
    let begun = Instant::now();
    while let Err(error) = table.create() {
        assert_eq!(error.recovery(), Recovery::Retry, "{error}");
        assert!(begun.elapsed() < Duration::from_secs(20), "{error}");
    }
    write(&table, "power", &[features(&stream, HOP, 0.0)]).unwrap();
    assert_eq!(starts(&read(&table, Query::stream(stream.key))), [HOP]);
}

#[test]
fn a_table_that_is_missing_is_said_to_be() {
    let Some(service) = Service::start("bigtable") else { return };
    let table = Bigtable::connect(config(&service)).unwrap();
    let stream = header(key(1, "session", "headset"), "headset");
    let error = write(&table, "power", &[features(&stream, 0, 0.0)]).unwrap_err();
    assert_eq!(error.recovery(), Recovery::Stop, "{error}");
    assert!(error.to_string().contains("project/instance/table"), "{error}");
    let error = table.scan(&Scan::everything()).next().unwrap().unwrap_err();
    assert!(matches!(error, TableError::Failed { action: "read", .. }), "{error}");
}

/// Makes the table behind our back: these families, with these rules of garbage collection.
async fn make_by_hand(service: &Service, families: &[&str], rule: Option<api::gc_rule::Rule>) {
    use api::bigtable_table_admin_client::BigtableTableAdminClient;
    let address = format!("http://{}", service.address());
    let channel = tonic::transport::Endpoint::from_shared(address).unwrap().connect_lazy();
    let gc_rule = rule.map(|rule| api::GcRule { rule: Some(rule) });
    let family = || api::ColumnFamily { gc_rule: gc_rule.clone(), ..api::ColumnFamily::default() };
    let column_families = families.iter().map(|name| ((*name).to_owned(), family())).collect();
    let request = api::CreateTableRequest {
        parent: "projects/project/instances/instance".into(),
        table_id: "table".into(),
        table: Some(api::Table { column_families, ..api::Table::default() }),
        ..api::CreateTableRequest::default()
    };
    BigtableTableAdminClient::new(channel).create_table(request).await.unwrap();
}

fn event_loop() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn a_family_with_another_rule_is_refused_and_left_as_it_is() {
    let Some(service) = Service::start("bigtable") else { return };
    // Callers on an event loop's thread are served as well.
    event_loop().block_on(async {
        make_by_hand(&service, &["f"], Some(api::gc_rule::Rule::MaxNumVersions(7))).await;
        let error = Bigtable::connect(config(&service)).unwrap().create().unwrap_err();
        assert!(
            error.to_string().contains("family f: expected garbage collection to keep 1 version"),
            "{error}"
        );
    });
}

#[test]
fn families_that_are_missing_are_made() {
    let Some(service) = Service::start("bigtable") else { return };
    event_loop().block_on(make_by_hand(&service, &["f"], Some(api::gc_rule::Rule::MaxNumVersions(1))));
    let table = created(BigtableConfig { channels: 3, ..config(&service) });
    let stream = header(key(1, "session", "headset"), "headset");
    write(&table, "power", &[features(&stream, 0, 0.0)]).unwrap();
    assert_eq!(starts(&read(&table, Query::stream(stream.key))), [0]);
}

/// All versions of all cells, as they are in a table whose garbage is not collected.
fn versions(service: &Service) -> Vec<(Vec<u8>, Vec<u8>, i64)> {
    event_loop().block_on(async {
        let connection =
            BigTableConnection::new_with_emulator(&service.address(), "project", "instance", true, 1, None);
        let mut client = connection.unwrap().client();
        let table_name = client.get_full_table_name("table");
        let request = ReadRowsRequest { table_name, ..ReadRowsRequest::default() };
        let rows = client.read_rows(request).await.unwrap();
        let cells = |(key, cells): (Vec<u8>, Vec<RowCell>)| {
            cells.into_iter().map(move |cell| (key.clone(), cell.qualifier, cell.timestamp_micros))
        };
        rows.into_iter().flat_map(cells).collect()
    })
}

#[test]
fn what_is_written_again_leaves_no_second_version() {
    let Some(service) = Service::start("bigtable") else { return };
    event_loop().block_on(make_by_hand(&service, &["h", "w", "f", "d"], None));
    let table = Bigtable::connect(config(&service)).unwrap();
    let stream = header(key(1, "session", "headset"), "headset");
    let items: Vec<Features> = (-10..30).map(|n| features(&stream, n * HOP, n as f64)).collect();
    for part in [40, 7, 1] {
        for items in items.chunks(part) {
            write(&table, "power", items).unwrap();
        }
    }
    assert_eq!(versions(&service).len(), 40 + 2, "the windows, a header and a layout");
    // That another timestamp would show.
    let mut batch = Batch::default();
    let row = RowKey::of_time(stream.key, items[39].info.start);
    let cell = everything(&table)[1].cells[0].clone();
    batch.add(&row, Cell { timestamp: cell.timestamp + 1_000, ..cell }).unwrap();
    assert_eq!(table.put(&batch), [Ok(())]);
    assert_eq!(versions(&service).len(), 40 + 3);
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let good = BigtableConfig { emulator: Some("localhost:1".into()), ..BigtableConfig::new("p", "i", "t") };
    for bad in [
        BigtableConfig { project: String::new(), ..good.clone() },
        BigtableConfig { table: "a/b".into(), ..good.clone() },
        BigtableConfig { emulator: Some("no address".into()), ..good.clone() },
        BigtableConfig { channels: 0, ..good.clone() },
        BigtableConfig { attempts: 0, ..good.clone() },
        BigtableConfig { deadline: Duration::ZERO, ..good.clone() },
        BigtableConfig { deadline: Duration::MAX, ..good },
    ] {
        let error = Bigtable::connect(bad).unwrap_err();
        assert!(matches!(error, TableError::Setting { .. }), "{error}");
    }
}
