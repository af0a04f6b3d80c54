//! A disk that is full for some time.

use std::collections::HashSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::check;
use crate::harness::{Place, TestDatabase};

const SIZE: &str = "14m";

/// A small separate file system. Dropping it unmounts it.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Returns `None` with a message if this user may not mount.
    fn mount(at: &Path) -> Option<Self> {
        std::fs::create_dir_all(at).expect("a directory");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={SIZE}"), "tmpfs"])
            .arg(at)
            .output();
        if mounted.is_ok_and(|mounted| mounted.status.success()) {
            return Some(Self(at.to_owned()));
        }
        let text = "\n!!! SKIPPED: this user may not mount a small file system, so no disk gets full\n";
        let _ = std::io::stderr().write_all(text.as_bytes());
        None
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }

    fn fill(&self) {
        let mut filler = std::fs::File::create(self.filler()).expect("a file");
        for size in [1 << 16, 1 << 10, 1] {
            let some = vec![7_u8; size];
            while filler.write_all(&some).is_ok() {}
        }
    }

    fn free(&self) {
        std::fs::remove_file(self.filler()).expect("removed");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_acknowledged_before_during_and_after_a_full_disk_is_there() {
    let database = TestDatabase::make_empty().await;
    let Some(disk) = SmallDisk::mount(&database.directory.path().join("disk")) else {
        return;
    };
    let place = Place::new(&format!("sqlite://{}?mode=rwc", disk.0.join("ledger.db").display()));
    let key = place.key(&database);
    let serving = place.serve(&database, &key).await;
    let account = serving.account("full").await;
    let patience = Duration::from_secs(20);
    let mut acknowledged = HashSet::new();
    for number in 0..35 {
        let key = format!("before {number}");
        serving.grant(&account, &key, patience).await.expect("there is space");
        acknowledged.insert(key);
    }
    disk.fill();
    let mut refused = HashSet::new();
    for number in 0..160 {
        let key = format!("full {number}");
        match serving.grant(&account, &key, patience).await {
            Ok(()) => _ = acknowledged.insert(key),
            Err(answer) => {
                assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAVAILABLE", "{answer}");
                refused.insert(key);
            }
        }
    }
    assert!(!refused.is_empty(), "the disk was full");
    let unready = serving.unreadiness().await;
    assert_eq!(unready["status"], "unavailable");
    assert_eq!(unready["trouble"], "full");
    let doctor = place.command(&database, &["doctor"]).output().expect("it runs");
    let report = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(
        doctor.status.code() == Some(2) && report.contains("the disk of the database is full"),
        "{report}"
    );
    let metrics = serving.metrics().await;
    let counted = metrics
        .lines()
        .find(|line| line.starts_with("ledgerbell_database_troubles_total{trouble=\"full\"}"));
    assert!(counted.is_some_and(|line| !line.ends_with(" 0")), "{metrics}");
    assert!(metrics.contains("ledgerbell_database_takes_writes 0"), "{metrics}");
    let freed = Instant::now();
    disk.free();
    let recovered = serving.until_granted(&account, "freed", freed).await;
    acknowledged.insert("freed".to_owned());
    for number in 0..70 {
        let key = format!("after {number}");
        serving
            .grant(&account, &key, patience)
            .await
            .expect("there is space again");
        acknowledged.insert(key);
    }
    assert!(recovered < Duration::from_secs(10), "{recovered:?}");
    // The result of a probe is valid for a second.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert!(serving.is_ready().await);
    let (status, took) = serving.terminate().await;
    assert!(
        status.success() && took < Duration::from_secs(10),
        "{status} after {took:?}"
    );
    let found = super::stored(&place.database_url).await;
    assert!(refused.is_disjoint(&found), "what was refused is not there");
    let rest = format!(
        "{} refused, recovered {} ms after space was freed",
        refused.len(),
        recovered.as_millis()
    );
    check("disk full, then freed", &place.database_url, &acknowledged, &rest).await;
    assert!(place.print(&database, &["verify"]).ends_with(" 0 violations"));
}
