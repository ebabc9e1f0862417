//! What an answer means for whoever asked.

use bigtable_rs::bigtable::Error;
use tonic::{Code, Status};

use super::config::BigtableConfig;
use crate::table::TableError;

pub(super) fn unavailable(config: &BigtableConfig, action: &'static str, reason: String) -> TableError {
    TableError::Unavailable { table: config.name(), action, reason }
}

pub(super) fn failed(config: &BigtableConfig, action: &'static str, reason: String) -> TableError {
    TableError::Failed { table: config.name(), action, reason }
}

/// From a gRPC code and its message.
///
/// A cut connection is `Unknown`, and a server that is being restarted says `Internal` or `Cancelled`: writes are the same when they are
/// repeated, so all of these are worth another try.
pub(super) fn of_code(
    config: &BigtableConfig,
    action: &'static str,
    code: Code,
    message: &str,
) -> TableError {
    let reason = format!("{code:?}: {message}");
    match code {
        Code::InvalidArgument | Code::OutOfRange | Code::FailedPrecondition | Code::AlreadyExists => {
            TableError::Refused { table: config.name(), action, reason }
        }
        Code::NotFound
        | Code::PermissionDenied
        | Code::Unauthenticated
        | Code::Unimplemented
        | Code::DataLoss => failed(config, action, reason),
        _ => unavailable(config, action, reason),
    }
}

pub(super) fn of_status(config: &BigtableConfig, action: &'static str, status: &Status) -> TableError {
    of_code(config, action, status.code(), status.message())
}

/// From an error of the client library.
pub(super) fn of_client(config: &BigtableConfig, action: &'static str, error: &Error) -> TableError {
    match error {
        Error::RpcError(status) => of_status(config, action, status),
        Error::IoError(_) | Error::TransportError(_) | Error::TimeoutError(_) => {
            unavailable(config, action, error.to_string())
        }
        other => failed(config, action, other.to_string()),
    }
}
