//! The engine from outside: graphs, workers, failures and flow control.

mod failures;
mod flow;
mod graphs;
mod parts;
