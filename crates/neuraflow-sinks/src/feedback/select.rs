//! The part of a message that is about some channels.

use std::sync::Arc;

use super::encode::Published;
use super::message::{Body, Message, SignalBody, Table};

/// The message with the rows of these channels only; `None` if it has rows, but none of them.
pub(super) fn select(published: &Arc<Published>, channels: &[String]) -> Option<Arc<Published>> {
    let rows = match &published.message.body {
        Body::Features(table) | Body::Quality(table) => &table.rows,
        Body::Signal(signal) => &signal.channels,
        _ => return Some(Arc::clone(published)),
    };
    let kept: Vec<usize> = (0..rows.len()).filter(|row| channels.contains(&rows[*row])).collect();
    if kept.len() == rows.len() {
        return Some(Arc::clone(published));
    }
    if kept.is_empty() {
        return None;
    }
    let names: Arc<[String]> = kept.iter().map(|row| rows[*row].clone()).collect();
    let body = match &published.message.body {
        Body::Features(table) => Body::Features(cut(table, names, &kept)),
        Body::Quality(table) => Body::Quality(cut(table, names, &kept)),
        Body::Signal(signal) => Body::Signal(SignalBody {
            channels: names,
            min: signal.min.select(&kept),
            max: signal.max.select(&kept),
            ..signal.clone()
        }),
        other => other.clone(),
    };
    Some(Published::new(Message { seq: published.message.seq, body }, published.before))
}

fn cut(table: &Table, rows: Arc<[String]>, kept: &[usize]) -> Table {
    Table { rows, values: table.values.select(kept), ..table.clone() }
}
