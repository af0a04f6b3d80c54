//! Directories and files that only the user of this process can read.
//!
//! The program creates every directory and file through this module, with modes 0700 and 0600, whatever the umask of the
//! process is. They contain names, addresses, codes and keys. On systems without such modes, the defaults of the system apply.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// Permission bits of a directory.
#[cfg(unix)]
const DIRECTORY_MODE: u32 = 0o700;
/// Permission bits of a file.
#[cfg(unix)]
const FILE_MODE: u32 = 0o600;

/// Creates a directory and its parents. An existing directory keeps its mode.
pub fn make_directory(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, DIRECTORY_MODE);
    builder.create(path)
}

/// Creates an empty file. An existing file is not changed.
pub fn make_file(path: &Path) -> io::Result<()> {
    match create_new(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Writes a temporary file and renames it, so that a crash leaves either the old content or the new content.
pub fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".unfinished");
    let beside = path.with_file_name(name);
    // An existing file keeps its mode, so a file that a crash has left is removed first.
    match std::fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    create_new(&beside)?.write_all(content)?;
    std::fs::rename(&beside, path)
}

fn create_new(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, FILE_MODE);
    options.open(path)
}

/// Removes the access of group and others from a file or directory. Returns whether they had access.
#[cfg(unix)]
pub fn tighten(path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt as _;

    let Some(mode) = loose_mode(path)? else {
        return Ok(false);
    };
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode & DIRECTORY_MODE))?;
    Ok(true)
}

/// Removes the access of group and others from a file or directory. Returns whether they had access.
#[cfg(not(unix))]
pub fn tighten(_: &Path) -> io::Result<bool> {
    Ok(false)
}

/// Returns the existing paths that group or others can access, each with its permission bits.
pub fn loose(paths: impl IntoIterator<Item = PathBuf>) -> Vec<(PathBuf, u32)> {
    let found = paths.into_iter().map(|path| {
        let mode = loose_mode(&path).ok().flatten();
        mode.map(|mode| (path, mode))
    });
    found.flatten().collect()
}

/// Returns the permission bits of an existing path that group or others can access.
#[cfg(unix)]
fn loose_mode(path: &Path) -> io::Result<Option<u32>> {
    use std::os::unix::fs::PermissionsExt as _;

    match std::fs::metadata(path) {
        Ok(metadata) => {
            let mode = metadata.permissions().mode() & 0o7777;
            Ok((mode & 0o077 != 0).then_some(mode))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(not(unix))]
fn loose_mode(_: &Path) -> io::Result<Option<u32>> {
    Ok(None)
}
