//! The files of built pages: from the executable, or from a folder.
//!
//! A build without optimization reads them from the source folder each time, so that rebuilt pages are served at once. A missing
//! folder has no files, so that the Rust build does not need npm. The executable contains the compressed files only.

use std::borrow::Cow;
use std::path::{Component, Path, PathBuf};

use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "web/console/dist"]
#[include = "*.br"]
#[include = "*.gz"]
#[allow_missing = true]
struct Console;

#[derive(RustEmbed)]
#[folder = "web/explorer/dist"]
#[include = "*.br"]
#[include = "*.gz"]
#[allow_missing = true]
struct Explorer;

/// Returns a file of the console from the executable.
pub fn console(name: &str) -> Option<Cow<'static, [u8]>> {
    Console::get(name).map(|file| file.data)
}

/// Returns a file of the explorer from the executable.
pub fn explorer(name: &str) -> Option<Cow<'static, [u8]>> {
    Explorer::get(name).map(|file| file.data)
}

/// Returns the files of a folder by name. A name that leads out of the folder has no file.
pub fn in_folder(folder: PathBuf) -> impl Fn(&str) -> Option<Cow<'static, [u8]>> {
    move |name| {
        let is_within = Path::new(name)
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        let read = is_within.then(|| std::fs::read(folder.join(name)));
        read?.ok().map(Cow::Owned)
    }
}
