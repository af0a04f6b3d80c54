//! Failing syncs and short writes, at each of the first calls that grants make.
//!
//! `LEDGERBELL_TEST_IO_POINTS` is the number of calls of each kind that fail, one after the other.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::shim::{Calls, Errno, Shim};
use super::{check, stored};
use crate::harness::{Place, Serving, TestDatabase, postgres_server};

const PATIENCE: Duration = Duration::from_secs(20);
const RECOVERS_WITHIN: Duration = Duration::from_secs(10);
/// The number of grants while calls fail: more than needed to reach the last call.
const GRANTS: i32 = 12;

/// The call that fails, and the reported problem; `None` if there is none.
struct Fault {
    name: &'static str,
    calls: Calls,
    error: Errno,
    lasts: i32,
    trouble: Option<&'static str>,
}

const FAULTS: &[Fault] = &[
    Fault {
        name: "a sync fails",
        calls: Calls::Sync,
        error: Errno::Io,
        lasts: 1,
        trouble: Some("io"),
    },
    Fault {
        name: "a write fails",
        calls: Calls::Write,
        error: Errno::Io,
        lasts: 1,
        trouble: Some("io"),
    },
    Fault {
        name: "a write finds no space",
        calls: Calls::Write,
        error: Errno::NoSpace,
        lasts: 1,
        trouble: Some("full"),
    },
    Fault {
        name: "syncs fail for a while",
        calls: Calls::Sync,
        error: Errno::Io,
        lasts: 12,
        trouble: None,
    },
    Fault {
        name: "writes fail for a while",
        calls: Calls::Write,
        error: Errno::Io,
        lasts: 12,
        trouble: None,
    },
    Fault {
        name: "a write is short, and the rest goes",
        calls: Calls::ShortWrite,
        error: Errno::Io,
        lasts: 1,
        trouble: None,
    },
    Fault {
        name: "a write is short, and there is no space for the rest",
        calls: Calls::ShortWrite,
        error: Errno::NoSpace,
        lasts: 2,
        trouble: Some("full"),
    },
];

/// How the process ends after a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// By SIGTERM, after it has recovered.
    Terminated,
    /// By `kill -9`, after it has recovered.
    Killed,
    /// By `kill -9`, without a write after the fault.
    KilledAtOnce,
}

fn points() -> i32 {
    let points = std::env::var("LEDGERBELL_TEST_IO_POINTS").ok();
    points.and_then(|points| points.parse().ok()).unwrap_or(6)
}

/// The responses by the keys of grants.
#[derive(Default)]
struct Answers {
    acknowledged: HashSet<String>,
    refused: HashSet<String>,
    /// Refused, and the process was killed before its next write: the log in the file system may contain the whole grant.
    unknown: HashSet<String>,
}

struct Ground {
    database: TestDatabase,
    shim: Shim,
    plain: Place,
    loaded: Place,
    key: String,
}

impl Ground {
    /// Returns `None` if calls cannot be made to fail.
    async fn make() -> Option<Self> {
        let database = TestDatabase::make().await;
        let shim = Shim::build(database.directory.path())?;
        let plain = Place::new(&database.url);
        let loaded = shim.loaded(&plain, &file_of(&database));
        let key = plain.key(&database);
        Some(Self {
            database,
            shim,
            plain,
            loaded,
            key,
        })
    }

    /// Grants while calls fail, until one grant has failed and some more were sent.
    async fn strike(&self, serving: &Serving, account: &str, name: &str, answers: &mut Answers) -> HashSet<String> {
        let mut refused = HashSet::new();
        for number in 0..GRANTS {
            let key = format!("{name} {number}");
            let answer = serving.grant(account, &key, PATIENCE).await;
            match answer {
                Ok(()) => _ = answers.acknowledged.insert(key),
                Err(answer) => {
                    assert_eq!(
                        answer["errors"][0]["extensions"]["code"], "UNAVAILABLE",
                        "{name}: {answer}"
                    );
                    refused.insert(key);
                }
            }
            if self.shim.fired() > 0 {
                break;
            }
        }
        refused
    }

    fn has_no_violations(&self) {
        let verified = self.plain.print(&self.database, &["verify"]);
        assert!(verified.ends_with(" 0 violations"), "{verified}");
    }
}

fn file_of(database: &TestDatabase) -> PathBuf {
    let path = database.url.trim_start_matches("sqlite://");
    Path::new(path.split('?').next().unwrap_or(path)).to_owned()
}

/// Fails unless acknowledged grants are stored and refused ones are not.
async fn compare(url: &str, name: &str, answers: &Answers) -> usize {
    let found = stored(url).await;
    let lost: Vec<_> = answers.acknowledged.difference(&found).collect();
    let wrong: Vec<_> = answers.refused.intersection(&found).collect();
    assert!(lost.is_empty(), "{name}: acknowledged and lost: {lost:?}");
    assert!(wrong.is_empty(), "{name}: refused and there: {wrong:?}");
    answers.unknown.intersection(&found).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn whichever_sync_or_write_fails_what_was_acknowledged_is_there_and_what_was_refused_is_not() {
    if postgres_server().is_some() {
        return;
    }
    let Some(ground) = Ground::make().await else { return };
    let url = &ground.database.url;
    let mut answers = Answers::default();
    let (mut account, mut tried, mut longest) = (String::new(), 0, Duration::ZERO);
    for fault in FAULTS {
        for nth in 1..=points() {
            let end = match (nth + tried) % 3 {
                0 => End::Killed,
                1 => End::Terminated,
                _ => End::KilledAtOnce,
            };
            let name = format!("{}, call {nth}", fault.name);
            let serving = ground.loaded.serve(&ground.database, &ground.key).await;
            if account.is_empty() {
                account = serving.account("faults").await;
            }
            ground.shim.arm(fault.calls, nth, fault.error, fault.lasts);
            let refused = ground.strike(&serving, &account, &name, &mut answers).await;
            let has_fired = ground.shim.fired() > 0;
            ground.shim.disarm();
            assert!(has_fired, "{name}: so many calls are made");
            tried += 1;
            if end == End::KilledAtOnce {
                serving.kill_now();
                drop(serving);
                answers.unknown.extend(refused);
            } else {
                let begun = Instant::now();
                let key = format!("{name}, afterwards");
                longest = longest.max(serving.until_granted(&account, &key, begun).await);
                answers.acknowledged.insert(key);
                answers.refused.extend(refused);
                serving.until_ready(RECOVERS_WITHIN).await;
                compare(url, &name, &answers).await;
                if end == End::Killed {
                    serving.kill_now();
                    drop(serving);
                } else {
                    let (status, _) = serving.terminate().await;
                    assert!(status.success(), "{name}: {status}");
                }
            }
            compare(url, &name, &answers).await;
            ground.has_no_violations();
        }
    }
    assert!(longest < RECOVERS_WITHIN, "{longest:?}");
    // Without the library, as after a repair of the disk.
    let serving = ground.plain.serve(&ground.database, &ground.key).await;
    let key = "repaired".to_owned();
    serving.grant(&account, &key, PATIENCE).await.expect("the disk is well");
    answers.acknowledged.insert(key);
    let unknown = compare(url, "at the end", &answers).await;
    let rest = format!(
        "{tried} calls; {} refused and not found; of {} whose process was killed at once {unknown} found; first grant within {} ms",
        answers.refused.len(),
        answers.unknown.len(),
        longest.as_millis()
    );
    check(
        "a sync fails, a write fails or is short",
        url,
        &answers.acknowledged,
        &rest,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_syncs_or_writes_fail_nothing_is_acknowledged_and_readiness_says_so() {
    if postgres_server().is_some() {
        return;
    }
    let Some(ground) = Ground::make().await else { return };
    let serving = ground.loaded.serve(&ground.database, &ground.key).await;
    let account = serving.account("lasting").await;
    let mut answers = Answers::default();
    for fault in FAULTS {
        let Some(trouble) = fault.trouble else { continue };
        ground.shim.arm(fault.calls, 1, fault.error, i32::MAX - 1);
        for number in 0..4 {
            let key = format!("{} {number}", fault.name);
            let refused = serving
                .grant(&account, &key, PATIENCE)
                .await
                .expect_err("the disk fails");
            assert_eq!(refused["errors"][0]["extensions"]["code"], "UNAVAILABLE", "{refused}");
            answers.refused.insert(key);
        }
        serving.until_not_ready(RECOVERS_WITHIN).await;
        let unready = serving.unreadiness().await;
        assert_eq!(unready["status"], "unavailable", "{}", fault.name);
        assert_eq!(unready["trouble"], trouble, "{}", fault.name);
        let metrics = serving.metrics().await;
        let name = format!("ledgerbell_database_troubles_total{{trouble=\"{trouble}\"}}");
        let counted = metrics.lines().find(|line| line.starts_with(&name));
        assert!(counted.is_some_and(|line| !line.ends_with(" 0")), "{metrics}");
        ground.shim.disarm();
        let key = format!("{}, repaired", fault.name);
        let took = serving.until_granted(&account, &key, Instant::now()).await;
        assert!(took < RECOVERS_WITHIN, "{}: {took:?}", fault.name);
        answers.acknowledged.insert(key);
        serving.until_ready(RECOVERS_WITHIN).await;
        compare(&ground.database.url, fault.name, &answers).await;
    }
    // At the end too: everything that closing would write is already in the log.
    ground.shim.arm(Calls::Sync, 1, Errno::Io, i32::MAX - 1);
    let (_, took) = serving.terminate().await;
    assert!(took < Duration::from_secs(10), "{took:?}");
    compare(&ground.database.url, "at the end", &answers).await;
    ground.has_no_violations();
}
