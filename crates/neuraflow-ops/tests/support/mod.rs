//! Reading the goldens that `scripts/goldens/generate.py` writes.
#![allow(dead_code, unreachable_pub, reason = "shared by the test binaries, each its own crate")]

use std::path::PathBuf;

use neuraflow_ops::kernel::Response;
use serde_json::Value as Json;

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/goldens").join(name)
}

pub fn json(name: &str) -> Json {
    let text = std::fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// A little-endian, C-ordered `.npy` of f64 or i16 values: shape and values.
pub fn npy(name: &str) -> (Vec<usize>, Vec<f64>) {
    let bytes = std::fs::read(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(&bytes[..8], b"\x93NUMPY\x01\x00", "{name}: expected .npy version 1.0");
    let end = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let header = std::str::from_utf8(&bytes[10..end]).unwrap();
    assert!(header.contains("'fortran_order': False"), "{name}: {header}");
    let shape = header.split(['(', ')']).nth(1).unwrap();
    let shape: Vec<usize> = shape.split(',').filter_map(|part| part.trim().parse().ok()).collect();
    let data = &bytes[end..];
    let values: Vec<f64> = if header.contains("'<f8'") {
        data.as_chunks::<8>().0.iter().map(|chunk| f64::from_le_bytes(*chunk)).collect()
    } else {
        assert!(header.contains("'<i2'"), "{name}: {header}");
        data.as_chunks::<2>().0.iter().map(|chunk| f64::from(i16::from_le_bytes(*chunk))).collect()
    };
    assert_eq!(values.len(), shape.iter().product::<usize>(), "{name}");
    (shape, values)
}

pub fn list<'a>(value: &'a Json, key: &str) -> &'a [Json] {
    value[key].as_array().unwrap_or_else(|| panic!("no list {key}"))
}

pub fn number(value: &Json) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("no number: {value}"))
}

pub fn numbers(value: &Json) -> Vec<f64> {
    value.as_array().unwrap_or_else(|| panic!("no list: {value}")).iter().map(number).collect()
}

pub fn index(value: &Json) -> usize {
    value.as_u64().unwrap_or_else(|| panic!("no index: {value}")) as usize
}

/// The response named by a golden's `type` and `edges`.
pub fn response(golden: &Json) -> Response {
    let edges = numbers(&golden["edges"]);
    match golden["type"].as_str().unwrap() {
        "lowpass" => Response::Lowpass(edges[0]),
        "highpass" => Response::Highpass(edges[0]),
        "bandpass" => Response::Bandpass(edges[0], edges[1]),
        "bandstop" => Response::Bandstop(edges[0], edges[1]),
        other => panic!("unknown type {other}"),
    }
}

/// Greatest difference, relative to the greatest reference.
pub fn error(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let scale = expected.iter().fold(0.0_f64, |scale, value| scale.max(value.abs()));
    let worst = found.iter().zip(expected).fold(0.0_f64, |worst, (f, e)| {
        assert!(f.is_finite() && e.is_finite(), "{f} for {e}");
        worst.max((f - e).abs())
    });
    if worst == 0.0 { 0.0 } else { worst / scale }
}
