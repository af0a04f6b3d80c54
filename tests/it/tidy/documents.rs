//! What documents name exists: tests, links and paths.

use std::fs;
use std::path::Path;

use super::{Source, complain, root, sources};

/// A document that no test sends could become invalid unnoticed.
#[test]
fn every_document_is_sent_by_a_test() {
    let tests: String = sources(&["tests"], &["rs", "ts", "mjs"])
        .into_iter()
        .map(|source| source.text)
        .collect();
    let unsent: Vec<String> = sources(&["tests/documents"], &["graphql"])
        .into_iter()
        .filter(|document| {
            let name = Path::new(&document.path)
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy();
            !tests.contains(&format!("\"{name}\""))
        })
        .map(|document| format!("{} is sent by no test", document.path))
        .collect();
    complain(&unsent);
}

/// Returns the rows of a table whose last cell names tests, and those names.
fn rows_with_tests(table: &str) -> Vec<(&str, Vec<&str>)> {
    let rows = table
        .lines()
        .filter(|line| line.starts_with('|') && !line.starts_with("| |") && !line.starts_with("|--"));
    rows.map(|row| {
        let tests = row.trim_end_matches('|').rsplit('|').next().unwrap_or_default();
        (row, tests.split('`').skip(1).step_by(2).collect())
    })
    .collect()
}

/// Every line of the threat model in SECURITY.md names its tests, and every test that the document names exists.
#[test]
fn every_line_of_the_threat_model_names_tests_that_exist() {
    let document = fs::read_to_string(root().join("SECURITY.md")).expect("SECURITY.md");
    let (_, model) = document.split_once("## Threat model").expect("a threat model");
    let sources = sources(&["src", "crates", "tests"], &["rs"]);
    let mut complaints = Vec::new();
    let mut named = 0;
    for (row, names) in rows_with_tests(model) {
        if names.is_empty() {
            complaints.push(format!("no test: {row}"));
        }
        complaints.extend(missing_tests(&sources, &names));
        named += names.len();
    }
    complain(&complaints);
    assert!(named > 40, "{named} tests");
}

fn missing_tests(sources: &[Source], names: &[&str]) -> Vec<String> {
    let exists = |name: &&&str| {
        let function = format!("fn {name}(");
        !sources.iter().any(|source| source.text.contains(&function))
    };
    let missing = names.iter().filter(exists);
    missing.map(|name| format!("no such test: {name}")).collect()
}

/// docs/faults.md lists each fault once, with tests that exist, and each test that is named after a fault.
#[test]
fn every_fault_is_listed_with_its_tests() {
    let list = fs::read_to_string(root().join("docs/faults.md")).expect("the list");
    let sources = sources(&["src", "crates", "tests"], &["rs"]);
    let rows = rows_with_tests(&list);
    let mut complaints = Vec::new();
    for (at, (row, names)) in rows.iter().enumerate() {
        if !row.starts_with(&format!("| F{} |", at + 1)) {
            complaints.push(format!("F{} is missing before: {row}", at + 1));
        }
        if names.is_empty() && !row.contains("Cannot occur") {
            complaints.push(format!("no test: {row}"));
        }
        complaints.extend(missing_tests(&sources, names));
    }
    assert!(rows.len() >= 67, "{} rows", rows.len());
    for source in &sources {
        for function in source.text.split("fn f").skip(1) {
            let name = function.split('(').next().unwrap_or_default();
            let is_numbered = name
                .as_bytes()
                .get(..3)
                .is_some_and(|start| start[0].is_ascii_digit() && start[1].is_ascii_digit() && start[2] == b'_');
            if is_numbered && !list.contains(&format!("`f{name}`")) {
                complaints.push(format!("{}: f{name} is not in docs/faults.md", source.path));
            }
        }
    }
    complain(&complaints);
}

/// Every target of a link and every path in a code span of a document exists.
#[test]
fn links_and_paths_in_documents_exist() {
    let top = [
        "src/",
        "tests/",
        "docs/",
        "scripts/",
        "benches/",
        "entity/",
        "migration/",
        "crates/",
        "examples/",
        "fuzz/",
        "web/",
        "deploy/",
    ];
    let documents = sources(&["."], &["md"]);
    let mut complaints = Vec::new();
    for document in &documents {
        let beside = root().join(&document.path).parent().expect("a directory").to_path_buf();
        for link in document.text.split("](").skip(1) {
            let target = link.split(')').next().unwrap_or_default();
            let (path, _) = target.split_once('#').unwrap_or((target, ""));
            let is_elsewhere = target.contains("://") || target.starts_with("mailto:");
            if !is_elsewhere && !path.is_empty() && !beside.join(path).exists() {
                complaints.push(format!("{}: no such link: {target}", document.path));
            }
        }
        for span in document.text.split('`').skip(1).step_by(2) {
            let is_path = top.iter().any(|start| span.starts_with(start))
                && !span.contains(|c: char| c.is_whitespace() || "{}*<>…".contains(c));
            if is_path && !root().join(span).exists() {
                complaints.push(format!("{}: no such path: {span}", document.path));
            }
        }
    }
    assert!(documents.len() > 5, "{} documents", documents.len());
    complain(&complaints);
}
