//! The files of built pages: those that the executable contains, or those of a folder.
//!
//! A build without optimization reads them from the source's folder each time, so pages that were built again are served at once. A
//! folder that is not there has no files: nothing of Rust needs npm.

use std::borrow::Cow;
use std::path::{Component, Path, PathBuf};

use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "web/console/dist"]
#[allow_missing = true]
struct Console;

#[derive(RustEmbed)]
#[folder = "web/explorer/dist"]
#[allow_missing = true]
struct Explorer;

/// A file of the console that the executable contains.
pub fn console(name: &str) -> Option<Cow<'static, [u8]>> {
    Console::get(name).map(|file| file.data)
}

/// A file of the explorer that the executable contains.
pub fn explorer(name: &str) -> Option<Cow<'static, [u8]>> {
    Explorer::get(name).map(|file| file.data)
}

/// The files of a folder. A name that leads out of it has none.
pub fn in_folder(folder: PathBuf) -> impl Fn(&str) -> Option<Cow<'static, [u8]>> {
    move |name| {
        let is_within = Path::new(name)
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        let read = is_within.then(|| std::fs::read(folder.join(name)));
        read?.ok().map(Cow::Owned)
    }
}
