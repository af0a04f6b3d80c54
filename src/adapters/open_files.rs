//! The number of files and connections that the process may have open.

/// Descriptors that are reserved for the database, files, health checks and everything else that is not a client's connection.
pub const RESERVE: u64 = 64;

/// Raises the soft limit to the hard limit and returns it; `None` where the system has no such limit.
#[cfg(unix)]
pub fn raise() -> Option<u64> {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    let soft = limit.current;
    if limit.current == limit.maximum {
        return limit.current;
    }
    limit.current = limit.maximum;
    match setrlimit(Resource::Nofile, limit) {
        Ok(()) => limit.current,
        // Some systems report a hard limit above what they allow.
        Err(_) => soft,
    }
}

/// Raises the soft limit to the hard limit and returns it; `None` where the system has no such limit.
#[cfg(not(unix))]
pub const fn raise() -> Option<u64> {
    None
}
