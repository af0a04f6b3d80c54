//! No crate of Cargo.lock has a known vulnerability, according to `security/advisories.toml` at its date.

use std::collections::BTreeSet;
use std::fs;

use semver::{Version, VersionReq};
use toml::Table;

/// Advisories that do not affect this project, each with the reason; `deny.toml` has the same list.
const IGNORED: &[(&str, &str)] = &[(
    "RUSTSEC-2026-0253",
    "lru: comes with async-graphql, whose one use of it is a cache of loaders that is never made here",
)];

fn read(path: &str) -> Table {
    let path = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    text.parse().unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn text<'a>(table: &'a Table, key: &str) -> &'a str {
    table[key].as_str().expect("text")
}

/// Returns whether any of these requirements matches. A pre-release counts as its release: requirements never name it
/// otherwise.
fn holds(advisory: &Table, key: &str, version: &Version) -> bool {
    let release = Version::new(version.major, version.minor, version.patch);
    let mut requirements = advisory[key].as_array().expect("a list").iter();
    requirements.any(|requirement| {
        let requirement: VersionReq = requirement.as_str().expect("text").parse().expect("a requirement");
        requirement.matches(version) || requirement.matches(&release)
    })
}

#[test]
fn no_crate_has_a_known_weakness() {
    let known = read("security/advisories.toml");
    let advisories = known["advisory"].as_array().expect("a list");
    println!("{} advisories, as of {}", advisories.len(), text(&known, "date"));
    let lock = read("Cargo.lock");
    let mut affected = BTreeSet::new();
    for package in lock["package"].as_array().expect("a list") {
        let package = package.as_table().expect("a table");
        let version: Version = text(package, "version").parse().expect("a version");
        for advisory in advisories.iter().map(|advisory| advisory.as_table().expect("a table")) {
            let is_about = text(advisory, "crate") == text(package, "name");
            if is_about && !holds(advisory, "patched", &version) && !holds(advisory, "unaffected", &version) {
                affected.insert((text(advisory, "id"), text(package, "name"), version.to_string()));
            }
        }
    }
    let ignored: BTreeSet<&str> = IGNORED.iter().map(|(id, _)| *id).collect();
    let found: BTreeSet<&str> = affected.iter().map(|(id, _, _)| *id).collect();
    assert_eq!(found, ignored, "as of {}: {affected:?}", text(&known, "date"));

    let deny = read("deny.toml");
    let in_deny = deny["advisories"]["ignore"].as_array().expect("a list").iter();
    let in_deny: BTreeSet<&str> = in_deny.map(|ignored| ignored["id"].as_str().expect("an id")).collect();
    assert_eq!(in_deny, ignored, "deny.toml ignores the same");
}

#[test]
fn the_list_knows_a_vulnerable_version_from_a_good_one() {
    let known = read("security/advisories.toml");
    let mut advisories = known["advisory"].as_array().expect("a list").iter();
    let of_lettre = advisories.find(|advisory| advisory["id"].as_str() == Some("RUSTSEC-2026-0141"));
    let of_lettre = of_lettre
        .and_then(|advisory| advisory.as_table())
        .expect("the advisory");
    let is_affected = |version: &str| {
        let version = version.parse().expect("a version");
        !holds(of_lettre, "patched", &version) && !holds(of_lettre, "unaffected", &version)
    };
    assert!(is_affected("0.11.21") && is_affected("0.11.0-beta.1"));
    assert!(!is_affected("0.11.22") && !is_affected("0.10.0"));
}
