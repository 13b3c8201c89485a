//! The errors that the client does not have, and those that do not mean that the server is away.

use std::io;

use redis::RedisError;

/// The server takes no more entries. It still finds those that it has.
pub(crate) fn is_out_of_memory(error: &RedisError) -> bool {
    // Before version 7, a script had its error in the message of another one.
    error.code() == Some("OOM") || error.detail().is_some_and(|detail| detail.contains("OOM command"))
}

pub(crate) fn closed() -> RedisError {
    io::Error::other("there is no thread that talks to it").into()
}
