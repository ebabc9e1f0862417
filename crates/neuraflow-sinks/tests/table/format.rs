//! The bytes of the layout, which stored tables rely on, and bytes that nobody has written so.

use neuraflow_core::model::{Decision, Features, StableHasher, Window};
use neuraflow_core::testing::{Random, Scratch};
use neuraflow_sinks::store::LocalTable;
use neuraflow_sinks::table::{
    Batch, Cell, Found, Query, Row, RowKey, Table, TableError, TableItem, TableReader,
};

use super::kit::*;

fn open(scratch: &Scratch) -> LocalTable {
    LocalTable::open(scratch.file("table")).unwrap()
}

/// A table with something of everything.
fn filled(scratch: &Scratch) -> LocalTable {
    let table = open(scratch);
    let stream = header(key(1, "session", "headset"), "headset");
    write(&table, "power", &[epoch(&stream, 0, 7, "Ton"), features(&stream, HOP, 1.25)]).unwrap();
    write(&table, "raw", &[window(&stream, 0)]).unwrap();
    write(&table, "intent", &[decision(&stream, 0, Some("左")), decision(&stream, HOP, None)]).unwrap();
    table
}

#[test]
fn rows_are_the_same_bytes_for_ever() {
    let scratch = Scratch::new().unwrap();
    let mut hasher = StableHasher::default();
    let mut count = 0;
    for Row { key, cells } in everything(&filled(&scratch)) {
        hasher.u64(key.len() as u64).bytes(&key);
        for Cell { family, qualifier, timestamp, value } in cells {
            hasher.bytes(family.name().as_bytes()).u64(timestamp as u64);
            for bytes in [qualifier, value] {
                hasher.u64(bytes.len() as u64).bytes(&bytes);
            }
            count += 1;
        }
    }
    assert_eq!(count, 2 + 5);
    // A change of this is a change of the format: it needs a version of its own, and tables of this one are to be read all the same.
    assert_eq!(format!("{:032x}", hasher.finish()), "1d35f36459b2dd851aee1752af8ea91a");
}

#[test]
fn the_value_of_a_cell_byte_by_byte() {
    let scratch = Scratch::new().unwrap();
    let table = open(&scratch);
    let stream = header(key(1, "session", "headset"), "headset");
    write(&table, "intent", &[decision(&stream, HOP, Some("left"))]).unwrap();
    let rows = everything(&table);
    let directory = &rows[0].cells[0];
    assert!(directory.value.starts_with(br#"{"version":1,"content":{"key":{"tenant":1,"#));
    let id = StableHasher::default().bytes(&directory.value).finish() as u64;
    assert_eq!(directory.qualifier, format!("stream {id:016x}").as_bytes());
    let cell = &rows[1].cells[0];
    let mut expected = vec![1, 0, 1]; // version, no flags, gap
    expected.extend(id.to_le_bytes());
    expected.extend(1i64.to_le_bytes()); // number of the window
    expected.extend((2 * HOP).to_le_bytes()); // its end
    expected.extend([13u32, 12, 1].iter().flat_map(|count| count.to_le_bytes()));
    expected.push(0); // an intent
    expected.extend(0.75f64.to_le_bytes());
    expected.extend(b"left");
    let checksum = u32::from_le_bytes(cell.value[expected.len()..].try_into().unwrap());
    assert_eq!(cell.value[..expected.len()], expected);
    assert_ne!(checksum, 0);
    assert_eq!((cell.timestamp, &cell.qualifier[8..]), (100_000, &b"intent"[..]));
    assert_eq!(cell.qualifier[..8], (i64::MAX as u64 - HOP as u64).to_be_bytes());
}

/// Changes bytes, cuts and adds, and puts the checksum right most of the time.
fn damaged(value: &[u8], random: &mut Random, sealed: bool) -> Vec<u8> {
    let mut bytes = value.to_vec();
    if sealed {
        bytes.truncate(bytes.len() - 4);
    }
    for _ in 0..=random.below(3) {
        let at = random.below(bytes.len().max(1));
        match random.below(5) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at.min(bytes.len()), random.below(256) as u8),
            2 if at < bytes.len() => bytes[at] = [0, 1, 127, 128, 255][random.below(5)],
            _ if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            _ => {}
        }
    }
    if sealed && random.chance(80) {
        let checksum = crc32c::crc32c(&bytes);
        bytes.extend(checksum.to_le_bytes());
    }
    bytes
}

fn read_all<I: TableItem>(table: &LocalTable, query: &Query) -> (usize, usize) {
    let found: Vec<Result<Found<I>, TableError>> =
        TableReader::new(table.clone()).read(query.clone()).collect();
    let good = found.iter().filter(|found| found.is_ok()).count();
    (good, found.len() - good)
}

#[test]
fn damaged_cells_and_directories_are_told_or_read_and_never_panic() {
    let seed = 20_261_128;
    println!("seed {seed}");
    let mut random = Random::new(seed);
    let scratch = Scratch::new().unwrap();
    let table = filled(&scratch);
    let rows = everything(&table);
    let stream = key(1, "session", "headset");
    let mut batch = Batch::default();
    for n in 0..4_000u64 {
        for (number, row) in rows.iter().enumerate() {
            let cell = &row.cells[random.below(row.cells.len())];
            let value = damaged(&cell.value, &mut random, number > 0);
            let qualifier = if number == 0 {
                // Under the right name, so that it is read.
                let id = StableHasher::default().bytes(&value).finish() as u64;
                format!("{} {id:016x}", ["stream", "layout"][random.below(2)]).into_bytes()
            } else {
                [&cell.qualifier[..8], format!("damaged {n}").as_bytes()].concat()
            };
            let key = RowKey::parse(&row.key).unwrap();
            batch.add(&key, Cell { qualifier, value, ..cell.clone() }).unwrap();
        }
    }
    assert!(table.put(&batch).into_iter().all(|row| row.is_ok()));
    let query = Query::stream(stream);
    let (windows, features, decisions) = (
        read_all::<Window>(&table, &query),
        read_all::<Features>(&table, &query),
        read_all::<Decision<String>>(&table, &query),
    );
    println!("read and refused: windows {windows:?}, features {features:?}, decisions {decisions:?}");
    assert_eq!([windows, features, decisions].iter().map(|(good, bad)| good + bad).sum::<usize>(), 4_000 + 5);
    for (good, bad) in [windows, features, decisions] {
        assert!(good > 0 && bad > 100);
    }
    let headers = TableReader::new(table).streams(stream.tenant, stream.session).unwrap();
    assert!(headers.len() > 1);
}
