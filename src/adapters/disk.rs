//! Free space for files.

use std::io;
use std::path::Path;

/// The state of a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Bytes that this process may use.
    pub free: u64,
    /// Whether this process can write there.
    pub is_writable: bool,
}

/// Returns the free space of a directory; `None` where the system does not report it.
#[cfg(unix)]
pub fn room(directory: &Path) -> io::Result<Option<Room>> {
    use rustix::fs::{Access, access, statvfs};
    let disk = statvfs(directory)?;
    Ok(Some(Room {
        free: disk.f_bavail.saturating_mul(disk.f_frsize),
        is_writable: access(directory, Access::WRITE_OK | Access::EXEC_OK).is_ok(),
    }))
}

/// Returns the free space of a directory; `None` where the system does not report it.
#[cfg(not(unix))]
pub fn room(directory: &Path) -> io::Result<Option<Room>> {
    directory.metadata().map(|_| None)
}
