//! Rows of BENCHMARKS.md, recorded in the form of `rows.mjs`.

use std::io::Write;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

/// Records a row: an object with `work`, `value`, `most` or `least`, and `beside` or `unit`.
pub(crate) fn record(row: &Value) -> std::io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let commit = Command::new("git")
        .args(["rev-parse", "--short", "HEAD"])
        .current_dir(root)
        .output()?;
    let processors = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let models: Vec<&str> = processors
        .lines()
        .filter_map(|line| line.strip_prefix("model name"))
        .collect();
    let model = models
        .first()
        .map_or("", |model| model.trim_start_matches([' ', '\t', ':']));
    let mut recorded = json!({
        "date": chrono::Utc::now().date_naive().to_string(),
        "commit": String::from_utf8_lossy(&commit.stdout).trim(),
        "machine": format!("{model}, {} processors", models.len()),
    });
    if let (Some(recorded), Value::Object(row)) = (recorded.as_object_mut(), row) {
        recorded.extend(row.clone());
    }
    let directory = root.join("target").join("bench");
    std::fs::create_dir_all(&directory)?;
    let mut file = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(directory.join("rows.jsonl"))?;
    writeln!(file, "{recorded}")
}
