//! What the files of `deploy/`, `compose.yaml` and the `Dockerfile` say about the server, compared with what it does.
//!
//! `scripts/test.sh` also runs `promtool`, `systemd-analyze` and the schemas of Kubernetes and Compose on them.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use ledgerbell::adapters::open_files;
use ledgerbell::config::Settings;
use ledgerbell::workers::Workers;
use reqwest::StatusCode;
use serde_json::Value;

use crate::harness::TestApp;
use crate::metrics::Monitor;
use crate::top_ups::Buyer;

/// Labels of figures whose values are names in the code.
const LABELS: &[&str] = &["worker", "queue", "trouble", "result"];
/// The files that set variables of the environment.
const CONFIGURING: &[&str] = &[
    "Dockerfile",
    "compose.yaml",
    "deploy/ledgerbell.service",
    "deploy/kubernetes/kustomization.yaml",
    "deploy/kubernetes/serve.yaml",
    "deploy/kubernetes/worker.yaml",
    "deploy/kubernetes/migrate.yaml",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Returns the maximal words of these characters that begin with this text.
fn words<'a>(text: &'a str, begin: &'a str, allowed: fn(char) -> bool) -> BTreeSet<&'a str> {
    text.match_indices(begin)
        .filter(|(at, _)| !text[..*at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_'))
        .map(|(at, _)| {
            let rest = &text[at..];
            &rest[..rest.find(|c| !allowed(c)).unwrap_or(rest.len())]
        })
        .collect()
}

fn figures(text: &str) -> BTreeSet<&str> {
    words(text, "ledgerbell_", |c| {
        c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'
    })
}

fn variables(text: &str) -> BTreeSet<&str> {
    words(text, "LEDGERBELL_", |c| c.is_ascii_uppercase() || c == '_')
}

/// Returns the values that matchers or samples of these texts compare a label with.
fn values<'a>(text: &'a str, label: &str) -> BTreeSet<&'a str> {
    ["=~\"", "!~\"", "!=\"", "=\""]
        .iter()
        .flat_map(|operator| text.split(&format!("{label}{operator}")).skip(1).collect::<Vec<_>>())
        .filter_map(|rest| rest.split('"').next())
        .flat_map(|value| value.split('|'))
        .collect()
}

/// Returns the numbers that follow this text, wherever it occurs.
fn numbers(text: &str, key: &str) -> Vec<u64> {
    text.split(key)
        .skip(1)
        .map(|rest| {
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            digits.parse().unwrap_or_else(|_| panic!("a number after {key}"))
        })
        .collect()
}

/// Returns all queries of the dashboard.
fn queries(value: &Value) -> Vec<&str> {
    match value {
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(name, value)| match value {
                Value::String(text) if name == "expr" => vec![text.as_str()],
                _ => queries(value),
            })
            .collect(),
        Value::Array(items) => items.iter().flat_map(queries).collect(),
        _ => Vec::new(),
    }
}

fn dashboard() -> Value {
    serde_json::from_str(&read("deploy/dashboard.json")).expect("JSON")
}

/// Returns all figures that a server can have: also those that need a purchase or a comparison before.
async fn served() -> String {
    let app = TestApp::start().await;
    Buyer::of(&app).buy_with("card_hang", "10").await;
    let since = app.clock.now().plus_millis(-86_400_000);
    app.services().reconciler.reconcile(since).await.expect("compares");
    let workers = Workers::start(app.services());
    let text = Monitor::of(&app).await.older().await;
    workers.stop().await;
    text
}

#[tokio::test]
async fn alerts_and_the_dashboard_name_figures_that_are_served() {
    let text = served().await;
    let samples: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let served: BTreeSet<&str> = samples
        .iter()
        .filter_map(|line| line.split(['{', ' ']).next())
        .collect();
    assert!(served.len() >= 25, "{served:?}");
    let (alerts, dashboard) = (read("deploy/alerts.yaml"), dashboard());
    let shown = queries(&dashboard).join("\n");
    let variables = dashboard["templating"].to_string();
    for (path, text) in [
        ("alerts.yaml", &alerts),
        ("alerts.test.yaml", &read("deploy/alerts.test.yaml")),
        ("dashboard.json", &shown),
        ("the variables of dashboard.json", &variables),
    ] {
        let named = figures(text);
        let unknown: Vec<_> = named.difference(&served).collect();
        assert!(
            !named.is_empty() && unknown.is_empty(),
            "{path}: not served: {unknown:?}"
        );
    }
    let shown_figures = figures(&shown);
    let left_out: Vec<_> = served.difference(&shown_figures).collect();
    assert!(left_out.is_empty(), "not on the dashboard: {left_out:?}");

    let samples = samples.join("\n");
    for label in LABELS {
        let mut known = values(&samples, label);
        // It is announced after the first subscriber, and on Postgres only.
        known.extend((*label == "worker").then_some("bell"));
        for (path, text) in [("alerts.yaml", &alerts), ("dashboard.json", &shown)] {
            let named = values(text, label);
            let unknown: Vec<_> = named.difference(&known).collect();
            assert!(unknown.is_empty(), "{path}: no such {label}: {unknown:?} of {known:?}");
        }
    }
    assert!(values(&alerts, "worker").len() >= 2 && values(&alerts, "queue").len() > 5);
}

/// Returns the fragments of the headings of a document.
fn headings(document: &str) -> BTreeSet<String> {
    let heading = |line: &str| Some(line.trim_start_matches('#').strip_prefix(' ')?.to_lowercase());
    let lines = document.lines().filter(|line| line.starts_with('#'));
    lines
        .filter_map(heading)
        .map(|text| {
            let kept = text.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

#[test]
fn each_alert_says_what_is_wrong_and_what_to_do_and_is_tested() {
    let (alerts, tests) = (read("deploy/alerts.yaml"), read("deploy/alerts.test.yaml"));
    let sections = headings(&read("docs/operating.md"));
    let blocks: Vec<&str> = alerts.split("- alert: ").skip(1).collect();
    assert!(blocks.len() >= 25, "{} alerts", blocks.len());
    for block in blocks {
        let name = block.lines().next().unwrap_or_default();
        for part in ["\n        for: ", "labels: { severity: ", "summary: ", "description: "] {
            assert!(block.contains(part), "{name} has no {part}");
        }
        let severe = ["severity: critical", "severity: warning"];
        assert!(
            severe.iter().any(|part| block.contains(part)),
            "{name}: another severity"
        );
        let (_, runbook) = block.split_once("runbook: ../docs/operating.md#").expect("a runbook");
        let section = runbook.lines().next().unwrap_or_default();
        assert!(
            sections.contains(section),
            "{name}: no section {section} of {sections:?}"
        );
        let fires = format!("alertname=\"{name}\", alertstate=\"firing\"");
        assert!(tests.contains(&fires), "no test has {name} fire");
    }
}

/// Asked of `promtool`, if it exists; `LEDGERBELL_TEST_PROMTOOL` names another path.
#[test]
fn tools_accept_each_query_of_the_dashboard() {
    let dashboard = dashboard();
    let rules: Vec<Value> = queries(&dashboard)
        .iter()
        .enumerate()
        .map(|(at, query)| {
            let query = query.replace("$__rate_interval", "5m");
            serde_json::json!({ "record": format!("query_{at}"), "expr": query })
        })
        .collect();
    assert!(rules.len() > 30, "{} queries", rules.len());
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("queries.yaml");
    // JSON is YAML.
    let groups = serde_json::json!({ "groups": [{ "name": "dashboard", "rules": rules }] });
    fs::write(&file, groups.to_string()).expect("written");
    let promtool = std::env::var("LEDGERBELL_TEST_PROMTOOL").unwrap_or_else(|_| "promtool".to_owned());
    match Command::new(&promtool).args(["check", "rules"]).arg(&file).output() {
        Ok(checked) => assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr)),
        Err(error) => {
            let text = format!("\n!!! SKIPPED: {promtool} cannot be run ({error}), so it is not asked\n");
            let _ = std::io::stderr().write_all(text.as_bytes());
        }
    }
}

fn default_settings() -> Settings {
    let flags = vec![("mode", Some("development".to_owned()))];
    Settings::load(None, [], flags).expect("the settings are valid")
}

#[test]
fn grace_periods_are_longer_than_the_drain_and_files_suffice_for_connections() {
    let settings = default_settings();
    let drain = settings.http.drain.as_secs_f64() * 1.25 + 3.0;
    let unit = read("deploy/ledgerbell.service");
    let serve = read("deploy/kubernetes/serve.yaml");
    let before_stop = numbers(&serve, "preStop: { sleep: { seconds: ")[0];
    for (place, seconds) in [
        ("ledgerbell.service", numbers(&unit, "TimeoutStopSec=")),
        ("compose.yaml", numbers(&read("compose.yaml"), "stop_grace_period: ")),
        (
            "worker.yaml",
            numbers(
                &read("deploy/kubernetes/worker.yaml"),
                "terminationGracePeriodSeconds: ",
            ),
        ),
        (
            "serve.yaml",
            vec![numbers(&serve, "terminationGracePeriodSeconds: ")[0] - before_stop],
        ),
    ] {
        let seconds = u32::try_from(seconds[0]).expect("small");
        assert!(
            f64::from(seconds) > drain,
            "{place}: {seconds} s, but the drain takes {drain} s"
        );
    }
    let connections = u64::try_from(settings.http.max_connections).expect("a number");
    let needed = connections + open_files::RESERVE + 2 * u64::from(settings.database.max_connections);
    assert!(numbers(&unit, "LimitNOFILE=")[0] >= needed, "{needed} files are needed");
    let near = u64::try_from(settings.http.max_connections * 4 / 5).expect("a number");
    assert_eq!(
        numbers(&read("deploy/alerts.yaml"), "ledgerbell_open_connections > "),
        [near]
    );
}

#[test]
fn each_variable_is_a_setting() {
    let unknown = [("LEDGERBELL_NO_SETTING".to_owned(), String::new())];
    let refused = Settings::load(None, unknown, Vec::new())
        .expect_err("no setting")
        .to_string();
    let mut known = variables(&refused);
    known.remove("LEDGERBELL_NO_SETTING");
    assert!(known.len() > 50, "{refused}");
    for path in CONFIGURING {
        let text = read(path);
        for name in variables(&text) {
            let setting = name.strip_suffix("_FILE").unwrap_or(name);
            assert!(known.contains(setting), "{path}: {name} is no setting");
        }
    }
}

#[test]
fn containers_agree_about_the_user_the_ports_and_the_version() {
    let dockerfile = read("Dockerfile");
    assert!(dockerfile.contains("\nUSER 10001:10001\n") && dockerfile.contains("\nEXPOSE 8080\n"));
    let compose = read("compose.yaml");
    assert!(compose.contains("uid=10001,gid=10001") && compose.contains("LEDGERBELL_METRICS_LISTEN: 0.0.0.0:9464"));
    assert!(read("deploy/prometheus.yaml").contains("ledgerbell:9464"));
    for name in ["serve", "worker", "migrate"] {
        let pod = read(&format!("deploy/kubernetes/{name}.yaml"));
        for part in [
            "runAsUser: 10001",
            "runAsGroup: 10001",
            "runAsNonRoot: true",
            "readOnlyRootFilesystem: true",
            "capabilities: { drop: [ALL] }",
            "mountPath: /data",
        ] {
            assert!(pod.contains(part), "{name}: {part}");
        }
        let is_scraped = pod.contains("prometheus.io/port: \"9464\"") && pod.contains("containerPort: 9464");
        assert!(is_scraped || name == "migrate", "{name}");
    }
    let network = read("deploy/kubernetes/network.yaml");
    assert!(network.contains("port: 8080 }") && network.contains("port: 9464 }"));
    let kustomization = read("deploy/kubernetes/kustomization.yaml");
    for part in [
        "LEDGERBELL_LISTEN=0.0.0.0:8080",
        "LEDGERBELL_METRICS_LISTEN=0.0.0.0:9464",
        "LEDGERBELL_DATA_DIR=/data",
        concat!("newTag: ", env!("CARGO_PKG_VERSION"), "\n"),
    ] {
        assert!(kustomization.contains(part), "{part}");
    }
    let folder = fs::read_dir(root().join("deploy/kubernetes")).expect("a folder");
    let files: Vec<PathBuf> = folder.map(|entry| entry.expect("an entry").path()).collect();
    for file in &files {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let is_listed = name == "kustomization.yaml" || kustomization.contains(&format!("  - {name}\n"));
        assert!(is_listed, "{name} is no resource of the kustomization");
    }
}

#[tokio::test]
async fn probes_ask_for_paths_that_answer() {
    let app = TestApp::start().await;
    let monitor = Monitor::of(&app).await;
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let (serve, worker) = (
        read("deploy/kubernetes/serve.yaml"),
        read("deploy/kubernetes/worker.yaml"),
    );
    for (pod, port, base) in [
        (serve, "http", app.base().to_owned()),
        (worker, "metrics", monitor.base()),
    ] {
        let asked: Vec<&str> = pod.split("httpGet: { path: ").skip(1).collect();
        assert_eq!(asked.len(), 3, "startup, liveness and readiness");
        for probe in asked {
            let (path, rest) = probe.split_once(", port: ").expect("a port");
            assert!(rest.starts_with(port), "{path} at {rest}");
            let answer = client.get(format!("{base}{path}")).send().await.expect("answers");
            assert_eq!(answer.status(), StatusCode::OK, "{path}");
        }
    }
}
