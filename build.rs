//! Embeds the built pages in an optimized build, which is made again when the pages change. Other builds read the pages from their
//! folders.

fn main() {
    let is_optimized = std::env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let watched: &[&str] = if is_optimized {
        &["web/console", "web/explorer"]
    } else {
        &["build.rs"]
    };
    for path in watched {
        println!("cargo:rerun-if-changed={path}");
    }
}
