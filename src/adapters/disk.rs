//! How much room there is for files.

use std::io;
use std::path::Path;

/// What a directory has to offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Bytes that are free for us.
    pub free: u64,
    /// Whether we may write there.
    pub is_writable: bool,
}

/// The room in a directory; `None` where the system does not tell.
#[cfg(unix)]
pub fn room(directory: &Path) -> io::Result<Option<Room>> {
    use rustix::fs::{Access, access, statvfs};
    let disk = statvfs(directory)?;
    Ok(Some(Room {
        free: disk.f_bavail.saturating_mul(disk.f_frsize),
        is_writable: access(directory, Access::WRITE_OK | Access::EXEC_OK).is_ok(),
    }))
}

/// The room in a directory; `None` where the system does not tell.
#[cfg(not(unix))]
pub fn room(directory: &Path) -> io::Result<Option<Room>> {
    directory.metadata().map(|_| None)
}
