//! Mail to a server whose responses the test sets.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ledgerbell::primitives::clock::Clock;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::{adjust, deliveries, inbox, kinds};
use crate::harness::{Person, TestApp};

/// The server's response to a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Take,
    /// Refuses the recipient (RCPT).
    Refuse(&'static str),
    /// Accepts it, and disconnects without a response.
    TakeAndDrop,
    /// Accepts it after this time.
    TakeAfter(Duration),
}

/// A mail server on this machine, without encryption.
pub(crate) struct Server {
    url: String,
    answer: Arc<Mutex<Answer>>,
    clock: Arc<Mutex<Option<Clock>>>,
    taken: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("smtp://{}", listener.local_addr().expect("an address"));
        let server = Self {
            url,
            answer: Arc::new(Mutex::new(Answer::Take)),
            clock: Arc::default(),
            taken: Arc::default(),
        };
        let (answer, taken, clock) = (
            Arc::clone(&server.answer),
            Arc::clone(&server.taken),
            Arc::clone(&server.clock),
        );
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (answer, taken, clock) = (Arc::clone(&answer), Arc::clone(&taken), Arc::clone(&clock));
                tokio::spawn(async move { converse(stream, (&answer, &clock), &taken).await });
            }
        });
        server
    }

    pub(crate) fn answer(&self, answer: Answer) {
        *self.answer.lock().expect("not poisoned") = answer;
    }

    pub(crate) fn taken(&self) -> Vec<String> {
        self.taken.lock().expect("not poisoned").clone()
    }
}

/// Serves one connection. Returns `None` at its end.
async fn converse(
    stream: TcpStream,
    (answer, clock): (&Mutex<Answer>, &Mutex<Option<Clock>>),
    taken: &Mutex<Vec<String>>,
) -> Option<()> {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    write.write_all(b"220 test ready\r\n").await.ok()?;
    loop {
        let line = lines.next_line().await.ok()??;
        let wanted = *answer.lock().expect("not poisoned");
        let reply = match (line.split(' ').next()?, wanted) {
            ("EHLO", _) => "250-test\r\n250 8BITMIME".to_owned(),
            ("RCPT", Answer::Refuse(reply)) => reply.to_owned(),
            ("DATA", _) => {
                write.write_all(b"354 go on\r\n").await.ok()?;
                let mut mail = String::new();
                loop {
                    let line = lines.next_line().await.ok()??;
                    if line == "." {
                        break;
                    }
                    mail.push_str(&line);
                    mail.push('\n');
                }
                taken.lock().expect("not poisoned").push(mail);
                if let Answer::TakeAfter(time) = wanted {
                    let clock = clock.lock().expect("not poisoned").clone();
                    clock.expect("a clock").advance(time);
                }
                if wanted == Answer::TakeAndDrop {
                    return None;
                }
                "250 taken".to_owned()
            }
            ("QUIT", _) => {
                write.write_all(b"221 bye\r\n").await.ok()?;
                return None;
            }
            _ => "250 fine".to_owned(),
        };
        write.write_all(format!("{reply}\r\n").as_bytes()).await.ok()?;
    }
}

pub(crate) async fn start() -> (TestApp, Server) {
    let server = Server::start().await;
    let app = TestApp::start_with(&[
        ("mail.smtp_url", &server.url),
        ("mail.from", "Bell <bell@bell.example>"),
    ])
    .await;
    (app, server)
}

/// Requests a test by mail, a minute after the last.
pub(crate) async fn test_by_mail(app: &TestApp, person: &Person) {
    app.advance(Duration::from_mins(1));
    let sent = person
        .client
        .mutate("sendTestNotification", "alert { id }", json!({ "channel": "EMAIL" }))
        .await;
    assert!(sent["alert"]["id"].is_string(), "{sent}");
}

async fn newest_mail(app: &TestApp, person: &Person) -> Value {
    let mails = deliveries(app, person).await.into_iter();
    let mut mails = mails.filter(|one| one["channel"] == "EMAIL");
    mails.next().expect("a mail")
}

fn message_id(mail: &str) -> &str {
    mail.lines()
        .find(|line| line.starts_with("Message-ID:"))
        .expect("an id")
}

#[tokio::test]
async fn f58_a_mail_is_handed_over_once_and_after_a_lost_answer_again_under_the_same_id() {
    let (app, server) = start().await;
    let mia = &app.team.member;
    test_by_mail(&app, mia).await;
    app.mail().await;
    assert_eq!(server.taken().len(), 1);
    assert_eq!(newest_mail(&app, mia).await["status"], "SENT");
    server.answer(Answer::TakeAndDrop);
    test_by_mail(&app, mia).await;
    app.mail().await;
    let waiting = newest_mail(&app, mia).await;
    assert_eq!(
        (&waiting["status"], &waiting["attempts"]),
        (&json!("QUEUED"), &json!(1))
    );
    server.answer(Answer::Take);
    app.advance(Duration::from_mins(1));
    app.mail().await;
    assert_eq!(newest_mail(&app, mia).await["status"], "SENT");
    let taken = server.taken();
    assert_eq!(taken.len(), 3);
    assert_eq!(message_id(&taken[1]), message_id(&taken[2]));
    assert_ne!(message_id(&taken[0]), message_id(&taken[1]));
}

#[tokio::test]
async fn f58_what_a_slow_server_keeps_waiting_is_left_to_whoever_comes_next() {
    let (app, server) = start().await;
    let (olga, adam, mia) = (&app.team.owner, &app.team.admin, &app.team.member);
    *server.clock.lock().expect("not poisoned") = Some(app.clock.clone());
    server.answer(Answer::TakeAfter(Duration::from_mins(9)));
    for person in [olga, adam, mia] {
        test_by_mail(&app, person).await;
    }
    let outbox = &app.services().outbox;
    assert_eq!(outbox.send_due(20).await, Ok(3), "all are claimed");
    // The first mail took so long that the claims of the others would have expired during the sending.
    assert_eq!(server.taken().len(), 1);
    for person in [adam, mia] {
        let waiting = newest_mail(&app, person).await;
        assert_eq!(
            (&waiting["status"], &waiting["attempts"]),
            (&json!("QUEUED"), &json!(0))
        );
    }
    server.answer(Answer::Take);
    app.mail().await;
    let mut ids: Vec<_> = server.taken().iter().map(|mail| message_id(mail).to_owned()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!((server.taken().len(), ids.len()), (3, 3), "each once");
}

#[tokio::test]
async fn what_is_refused_for_now_is_tried_for_a_day_and_what_is_the_operators_fault_is_no_bounce() {
    let (app, server) = start().await;
    let mia = &app.team.member;
    test_by_mail(&app, mia).await;
    for (reply, attempts) in [("451 later", 1), ("450 busy", 2), ("530 sign in first", 3)] {
        server.answer(Answer::Refuse(reply));
        app.mail().await;
        let waiting = newest_mail(&app, mia).await;
        assert_eq!(
            (&waiting["status"], &waiting["attempts"]),
            (&json!("QUEUED"), &json!(attempts)),
            "{reply}"
        );
        // The response of the mail system is in the log.
        let reason = "The mail system temporarily refused the mail.";
        assert_eq!(waiting["lastError"], reason, "{reply}");
        app.advance(Duration::from_hours(3));
    }
    for _ in 0..8 {
        app.mail().await;
        app.advance(Duration::from_hours(3));
    }
    let given_up = newest_mail(&app, mia).await;
    assert_eq!(
        (&given_up["status"], &given_up["nextAttemptAt"]),
        (&json!("FAILED"), &Value::Null)
    );
    assert_eq!(server.taken().len(), 0);
    let contact = mia
        .client
        .query("{ viewer { member { contact { emailStatus } } } }", json!({}))
        .await;
    assert_eq!(contact.at("/viewer/member/contact/emailStatus"), "UNVERIFIED");
}

#[tokio::test]
async fn f60_a_bounce_is_told_holds_back_what_is_not_critical_and_ends_with_another_address() {
    let (app, server) = start().await;
    let (olga, mia) = (&app.team.owner, &app.team.member);
    super::verify(&app, mia).await;
    server.answer(Answer::Refuse("550 5.1.1 no such user here"));
    test_by_mail(&app, mia).await;
    app.mail().await;
    assert_eq!(newest_mail(&app, mia).await["status"], "BOUNCED");
    let query = "{ viewer { member { contact { emailStatus bounceMessage } } } }";
    let contact = mia.client.query(query, json!({})).await;
    assert_eq!(contact.at("/viewer/member/contact/emailStatus"), "BOUNCING");
    assert_eq!(
        contact.at("/viewer/member/contact/bounceMessage"),
        "The receiving mail system does not know this mailbox."
    );
    for person in [olga, mia] {
        let (alerts, _) = inbox(&person.client).await;
        assert_eq!(
            (&alerts[0]["kind"], &alerts[0]["title"]),
            (&json!("CONTACT_BOUNCING"), &json!("Mail to Mia bounces"))
        );
    }
    assert_eq!(kinds(&app.team.admin).await, ["CONTACT_BOUNCING"]);

    // Mail that is not critical is postponed; a test is sent, so that a member can find the problem.
    let on = json!({ "preferences": [{ "kind": "SESSION_CHARGED", "channel": "EMAIL", "enabled": true }] });
    super::set(mia, on).await;
    app.top_up(10).await;
    super::complete(&app, &app.team, "s").await;
    adjust(&app, "1").await;
    let held = super::mail_of(&app, mia, "SESSION_CHARGED").await;
    assert_eq!(held, (json!("SUPPRESSED"), json!("CONTACT_BOUNCING")));
    server.answer(Answer::Take);
    test_by_mail(&app, mia).await;
    app.mail().await;
    assert_eq!(newest_mail(&app, mia).await["status"], "SENT");

    mia.client
        .mutate("updateContact", "", json!({ "email": "mia@new.example" }))
        .await;
    app.evaluate().await;
    let (alerts, _) = inbox(&mia.client).await;
    let told = alerts
        .iter()
        .find(|alert| alert["kind"] == "CONTACT_BOUNCING")
        .expect("told");
    assert!(told["resolvedAt"].is_string(), "{told}");
}

/// Holds for a mail of any age: the day begins when a member has it sent again.
#[tokio::test]
async fn a_mail_that_is_sent_again_days_later_is_tried_for_a_whole_day() {
    let (app, server) = start().await;
    let olga = &app.team.owner;
    super::verify(&app, olga).await;
    test_by_mail(&app, olga).await;
    app.mail().await;
    let before = server.taken().len();
    app.advance(Duration::from_hours(30));
    server.answer(Answer::Refuse("451 4.7.1 try again later"));
    let resend = json!({ "deliveryId": newest_mail(&app, olga).await["id"] });
    let resent = olga
        .client
        .mutate("resendDelivery", "delivery { status }", resend)
        .await;
    assert_eq!(resent["delivery"]["status"], "QUEUED", "{resent}");
    for hour in 0..23 {
        app.mail().await;
        assert_eq!(newest_mail(&app, olga).await["status"], "QUEUED", "after {hour} h");
        app.advance(Duration::from_hours(1));
    }
    assert!(newest_mail(&app, olga).await["attempts"].as_i64() >= Some(10));
    app.advance(Duration::from_hours(2));
    app.mail().await;
    assert_eq!(newest_mail(&app, olga).await["status"], "FAILED", "a day has passed");
    assert_eq!(server.taken().len(), before);
}
