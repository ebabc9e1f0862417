//! Reading `FACTS.json`.
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used)]

use serde_json::Value;

/// `found` printed to `digits` significant digits is the number printed in the facts.
pub fn agrees(found: f64, fact: &Value, digits: usize) -> bool {
    let printed: f64 = format!("{found:.*e}", digits - 1).parse().unwrap();
    printed == fact.as_f64().unwrap()
}

pub fn list<'v>(facts: &'v Value, name: &str) -> &'v [Value] {
    facts.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}
