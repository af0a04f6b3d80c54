//! What the system does to a process: signals, and few open files.

use std::process::Command;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;

use crate::harness::{Place, TestDatabase};

const PATIENCE: Duration = Duration::from_secs(20);

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_that_goes_away_ends_a_server_as_an_orchestrator_does() {
    let database = TestDatabase::make().await;
    let place = Place::new(&database.url);
    let key = place.key(&database);
    let serving = place.serve(&database, &key).await;
    let account = serving.account("hang-up").await;
    serving.grant(&account, "one", PATIENCE).await.expect("granted");
    let log = serving.log.clone();
    let (status, took) = serving.end_by("HUP").await;
    assert!(status.success(), "{status}");
    assert!(took < Duration::from_secs(10), "{took:?}");
    let text = std::fs::read_to_string(log).expect("a log");
    assert!(text.contains("stopping"), "{text}");
    assert!(super::stored(&database.url).await.contains("one"));
}

/// With a low hard limit the process cannot raise the limit. With a low soft limit it raises the limit.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn however_few_files_may_be_open_health_answers_beside_idle_connections() {
    let database = TestDatabase::make().await;
    for (limit, is_capped) in [("ulimit -n 128", true), ("ulimit -S -n 128", false)] {
        let place = Place::new(&database.url);
        let key = place.key(&database);
        let serving = place.start_by(&database, &key, |command| {
            let mut limited = Command::new("sh");
            limited
                .args(["-c", &format!("{limit}; exec \"$0\" \"$@\"")])
                .arg(command.get_program())
                .args(command.get_args());
            limited
        });
        serving.until_ready(Duration::from_secs(30)).await;
        let address = place.listen.as_str();
        let mut idle = Vec::new();
        for _ in 0..140 {
            // Connections beyond the limit wait in the system, or are closed.
            if let Ok(Ok(connection)) = tokio::time::timeout(Duration::from_secs(1), TcpStream::connect(address)).await
            {
                idle.push(connection);
            }
        }
        assert!(idle.len() >= 128, "{limit}: {}", idle.len());
        let begun = Instant::now();
        let is_well = serving.is_live().await && serving.is_ready().await;
        let log = std::fs::read_to_string(&serving.log).expect("a log");
        assert!(is_well, "{limit}: {log}");
        assert!(
            begun.elapsed() < Duration::from_secs(5),
            "{limit}: {:?}",
            begun.elapsed()
        );
        drop(idle);
        let log = std::fs::read_to_string(&serving.log).expect("a log");
        assert_eq!(log.contains("open_files=128"), is_capped, "{limit}: {log}");
        assert!(serving.terminate().await.0.success(), "{limit}");
    }
}
