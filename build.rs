//! Has an optimized build contain the pages as they are now: it is made again when they were built again. Other builds read them from
//! their folders.

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
