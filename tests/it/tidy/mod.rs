//! Rules of the code that the compiler does not check, read from the source.
//!
//! Each arrow of ARCHITECTURE.md ("Who may import whom") is a line here.

mod documents;

use std::fs;
use std::path::{Path, PathBuf};

/// A source file, with its path from the root of the workspace.
struct Source {
    path: String,
    text: String,
}

impl Source {
    /// Returns the part before the unit tests, to which the rules do not apply. By convention they are last in a file.
    fn shipped(&self) -> &str {
        self.text.split("#[cfg(test)]").next().unwrap_or_default()
    }

    fn is_test(&self) -> bool {
        self.path.starts_with("tests/") || self.path.ends_with("tests.rs") || self.path.contains("/tests/")
    }

    /// Returns the lines of that part with their numbers, without comments.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.shipped().lines().enumerate().map(|(at, line)| (at + 1, line));
        lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
    }
}

/// Where the code of what is shipped lives.
const SHIPPED: &[&str] = &["src", "crates", "entity/src", "migration/src"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sources(directories: &[&str], extensions: &[&str]) -> Vec<Source> {
    let mut found = Vec::new();
    for directory in directories {
        collect(&root().join(directory), extensions, &mut found);
    }
    assert!(!found.is_empty(), "nothing found in {directories:?}");
    found
}

fn collect(directory: &Path, extensions: &[&str], found: &mut Vec<Source>) {
    let skipped = ["target", "node_modules", ".git", "build", "data", "tmp"];
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            if !skipped.contains(&name.as_str()) {
                collect(&path, extensions, found);
            }
            continue;
        }
        let extension = path.extension().unwrap_or_default().to_string_lossy().into_owned();
        if extensions.is_empty() || extensions.contains(&extension.as_str()) {
            let inside = path.strip_prefix(root()).expect("inside the workspace");
            found.push(Source {
                path: inside.to_string_lossy().replace('\\', "/"),
                text: fs::read_to_string(&path).unwrap_or_default(),
            });
        }
    }
}

fn complain(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

/// Where code is → the paths that it may not name. A path is forbidden if it, or it with `::` and more, occurs in code.
const FORBIDDEN: &[(&str, &[&str])] = &[
    (
        "crates/core/",
        &[
            "ledgerbell",
            "entity",
            "migration",
            "sea_orm",
            "sea_query",
            "sqlx",
            "async_graphql",
            "axum",
            "tokio",
            "std::fs",
            "std::net",
            "Utc::now",
            "SystemTime::now",
            "Instant::now",
        ],
    ),
    (
        "crates/stripe-simulator/",
        &[
            "ledgerbell",
            "entity",
            "migration",
            "sea_orm",
            "async_graphql",
            "std::fs",
            "Utc::now",
            "SystemTime::now",
        ],
    ),
    (
        "src/primitives/",
        &[
            "crate::domain",
            "crate::adapters",
            "crate::graphql",
            "crate::http",
            "crate::workers",
            "crate::app",
            "crate::commands",
            "crate::config",
            "entity",
            "sea_orm",
            "async_graphql",
            "axum",
        ],
    ),
    (
        "src/domain/",
        &[
            "crate::adapters",
            "crate::graphql",
            "crate::http",
            "crate::workers",
            "crate::app",
            "crate::commands",
            "crate::config",
            "async_graphql",
            "axum",
            "migration",
            "Utc::now",
            "SystemTime::now",
        ],
    ),
    (
        "src/adapters/",
        &[
            "crate::graphql",
            "crate::http",
            "crate::workers",
            "crate::app",
            "crate::commands",
            "crate::config",
            "async_graphql",
            "axum",
        ],
    ),
    (
        "src/graphql/",
        &[
            "crate::adapters",
            "crate::http",
            "crate::workers",
            "crate::app",
            "crate::commands",
            "crate::config",
            "entity",
            "sea_orm",
            "axum",
            "Utc::now",
            "SystemTime::now",
        ],
    ),
    (
        "src/workers/",
        &[
            "crate::adapters",
            "crate::graphql",
            "crate::http",
            "crate::app",
            "crate::commands",
            "crate::config",
            "entity",
            "sea_orm",
            "async_graphql",
            "axum",
            "Utc::now",
            "SystemTime::now",
        ],
    ),
    (
        "src/http/",
        &[
            "crate::adapters",
            "crate::workers",
            "crate::app",
            "crate::commands",
            "crate::config",
            "entity",
            "sea_orm",
        ],
    ),
    ("src/commands/", &["entity", "sea_orm", "async_graphql"]),
    (
        "src/config/",
        &[
            "crate::graphql",
            "crate::workers",
            "crate::app",
            "crate::commands",
            "entity",
            "sea_orm",
        ],
    ),
    ("src/app.rs", &["crate::commands", "entity", "sea_orm"]),
    ("src/app/", &["crate::commands", "entity", "sea_orm"]),
    ("entity/", &["ledgerbell", "migration", "async_graphql"]),
    ("migration/", &["ledgerbell", "entity"]),
];

/// Within the domain: a module → the modules that it may not name. `event ← ledger ← member, top_up ← notification ←
/// troubleshooting`.
const FORBIDDEN_ROOMS: &[(&str, &[&str])] = &[
    (
        "event",
        &[
            "ledger",
            "member",
            "top_up",
            "notification",
            "troubleshooting",
            "forecast",
        ],
    ),
    (
        "quota",
        &[
            "event",
            "ledger",
            "member",
            "top_up",
            "notification",
            "troubleshooting",
            "forecast",
        ],
    ),
    (
        "ledger",
        &["member", "top_up", "notification", "troubleshooting", "forecast"],
    ),
    ("member", &["top_up", "notification", "troubleshooting", "forecast"]),
    ("top_up", &["member", "notification", "troubleshooting", "forecast"]),
    ("notification", &["troubleshooting", "forecast"]),
    ("troubleshooting", &["forecast"]),
    (
        "webhook_endpoint",
        &["member", "top_up", "notification", "troubleshooting", "forecast"],
    ),
    ("forecast", &["member", "notification", "troubleshooting"]),
];

/// Returns whether code on this line names the path, as a whole word.
fn names(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + path.len()..].chars().next();
        let word = |c: char| c.is_alphanumeric() || c == '_';
        let crate_path = path.contains("::") || after == Some(':') || line.trim_start().starts_with("use ");
        !before.is_some_and(|c| word(c) || c == ':' || c == '.' || c == '"')
            && !after.is_some_and(|c| word(c) || c == '"')
            && crate_path
    })
}

#[test]
fn imports_follow_the_arrows() {
    let mut complaints = Vec::new();
    for source in sources(SHIPPED, &["rs"]) {
        if source.is_test() || OPTIONAL_PARTS.contains(&source.path.as_str()) {
            continue;
        }
        let rules = FORBIDDEN.iter().filter(|(place, _)| source.path.starts_with(place));
        let paths: Vec<&str> = rules.flat_map(|(_, paths)| paths.iter().copied()).collect();
        for (number, line) in source.code() {
            for path in &paths {
                if names(line, path) {
                    complaints.push(format!("{}:{number} may not name {path}", source.path));
                }
            }
        }
    }
    complain(&complaints);
}

/// What of the core implements traits of other crates, behind a feature.
const OPTIONAL_PARTS: [&str; 2] = [
    "crates/core/src/primitives/record.rs",
    "crates/core/src/primitives/scalars.rs",
];

/// Its tests compile in seconds because of what it does not depend on, unless a feature asks for it.
#[test]
fn the_core_depends_on_no_orm_no_graphql_and_no_runtime() {
    let manifest = fs::read_to_string(root().join("crates/core/Cargo.toml")).expect("the manifest");
    let manifest: toml::Table = manifest.parse().expect("TOML");
    let heavy = [
        "sea-",
        "sqlx",
        "async-graphql",
        "axum",
        "tokio",
        "reqwest",
        "entity",
        "migration",
    ];
    let mut complaints = Vec::new();
    for section in ["dependencies", "dev-dependencies"] {
        let dependencies = manifest[section].as_table().expect("a table");
        for (name, dependency) in dependencies {
            let is_optional = dependency.get("optional").and_then(toml::Value::as_bool) == Some(true);
            if heavy.iter().any(|heavy| name.starts_with(heavy)) && !is_optional {
                complaints.push(format!("{section} of crates/core: {name}"));
            }
        }
    }
    let has_default = manifest["features"].get("default").is_some();
    assert!(!has_default, "its features are off in its own tests");
    complain(&complaints);
}

#[test]
fn rooms_of_the_domain_form_no_circle() {
    let mut complaints = Vec::new();
    for source in sources(&["src/domain"], &["rs"]) {
        let inside = source.path.trim_start_matches("src/domain/");
        for (room, others) in FORBIDDEN_ROOMS {
            if source.is_test() || !(inside.starts_with(&format!("{room}/")) || inside == format!("{room}.rs")) {
                continue;
            }
            for (number, line) in source.code() {
                for other in *others {
                    if names(line, &format!("crate::domain::{other}")) {
                        complaints.push(format!("{}:{number}: {room} may not know {other}", source.path));
                    }
                }
            }
        }
    }
    complain(&complaints);
}

#[test]
fn tables_and_the_orm_are_named_in_stores_alone() {
    let mut complaints = Vec::new();
    let entities = sources(&["entity/src"], &["rs"]);
    let tables: Vec<&str> = entities
        .iter()
        .filter_map(|entity| entity.path.strip_prefix("entity/src/")?.strip_suffix(".rs"))
        .filter(|name| *name != "lib")
        .collect();
    assert!(tables.contains(&"credit_entry"));
    for source in sources(&["src"], &["rs"]) {
        let keeper = source.path.ends_with("store.rs")
            || source.path.contains("/store/")
            || source.path.starts_with("src/domain/database")
            || source.path == "src/domain/fault.rs"
            || source.path.starts_with("src/adapters/database")
            || source.path.starts_with("src/adapters/bus/");
        if keeper || source.is_test() {
            continue;
        }
        for (number, line) in source.code() {
            for path in ["entity", "sea_orm", "sea_query"] {
                if names(line, path) {
                    complaints.push(format!("{}:{number} names {path}, which only stores may", source.path));
                }
            }
            complaints.extend(
                tables
                    .iter()
                    .filter(|table| is_in_sql(line, table))
                    .map(|table| format!("{}:{number} has SQL on {table}, which only stores may", source.path)),
            );
        }
    }
    complain(&complaints);
}

/// Whether a line of code has SQL that reads or writes the table.
fn is_in_sql(line: &str, table: &str) -> bool {
    let before = ["FROM ", "INTO ", "UPDATE ", "JOIN ", "table: \""];
    before.iter().any(|before| {
        let named = format!("{before}{table}");
        line.match_indices(&named).any(|(at, _)| {
            let next = line[at + named.len()..].chars().next();
            next.is_none_or(|next| !next.is_alphanumeric() && next != '_')
        })
    })
}

#[test]
fn every_room_says_what_it_is_for() {
    let heads = ["mod.rs", "lib.rs", "main.rs"];
    let sources = sources(&["src", "crates", "entity/src", "migration/src", "tests"], &["rs"]);
    let rooms = sources
        .iter()
        .filter(|source| heads.iter().any(|name| source.path.ends_with(&format!("/{name}"))));
    let silent = rooms.filter(|source| !source.text.starts_with("//! "));
    complain(
        &silent
            .map(|source| format!("{} does not open with //!", source.path))
            .collect::<Vec<_>>(),
    );
}

#[test]
fn no_file_grows_beyond_600_lines() {
    let sources = sources(
        &["src", "crates", "entity/src", "migration/src", "tests", "benches"]
            .map(|name| if root().join(name).exists() { name } else { "src" }),
        &["rs"],
    );
    let long = sources.iter().filter(|source| source.text.lines().count() > 600);
    complain(
        &long
            .map(|source| format!("{} has {} lines", source.path, source.text.lines().count()))
            .collect::<Vec<_>>(),
    );
}

#[test]
fn nothing_shipped_unwraps_or_waits_to_be_done() {
    let mut complaints = Vec::new();
    for source in sources(SHIPPED, &["rs"]) {
        if source.is_test() {
            continue;
        }
        for (number, line) in source.code() {
            for word in [".unwrap()", "todo!(", "unimplemented!(", "dbg!(", "process::exit("] {
                if line.contains(word) {
                    complaints.push(format!("{}:{number} has {word}", source.path));
                }
            }
        }
        for (at, line) in source.text.lines().enumerate() {
            if ["TODO", "FIXME"].iter().any(|word| line.contains(word)) {
                complaints.push(format!("{}:{} leaves something to be done", source.path, at + 1));
            }
        }
    }
    complain(&complaints);
}

/// One module decides on the modes of written files.
#[test]
fn files_and_directories_are_made_by_private_files_alone() {
    let mut complaints = Vec::new();
    for source in sources(&["src"], &["rs"]) {
        if source.is_test() || source.path == "src/adapters/private_files.rs" {
            continue;
        }
        for (number, line) in source.code() {
            for word in [
                "fs::write(",
                "create_dir",
                "File::create",
                "fs::OpenOptions",
                "DirBuilder",
                "fs::copy(",
            ] {
                if line.contains(word) {
                    complaints.push(format!(
                        "{}:{number} has {word}: use adapters::private_files",
                        source.path
                    ));
                }
            }
        }
    }
    complain(&complaints);
}

#[test]
fn nothing_points_outside_the_project() {
    // Concatenated here, so that this file does not contain them.
    let words = [["shared", "/design"].concat(), ["../", "shared"].concat()];
    let mut complaints = Vec::new();
    for source in sources(&["."], &[]) {
        for (at, line) in source.text.lines().enumerate() {
            for word in words.iter().filter(|word| line.contains(word.as_str())) {
                complaints.push(format!("{}:{} mentions {word}", source.path, at + 1));
            }
        }
    }
    complain(&complaints);
}

#[test]
fn lock_files_of_npm_name_no_registry() {
    for source in sources(&["examples", "tests", "web"], &["json"]) {
        let named = source.path.ends_with("package-lock.json") && source.text.contains("\"resolved\": \"http");
        assert!(!named, "{} says where packages were downloaded from", source.path);
    }
}
