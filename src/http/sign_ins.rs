//! Sign-ins of a demo's console: by one click on this machine, or by a link with a code that works once.
//!
//! Only the demo has these. Invariants: codes and sessions are stored only as SHA-256 hashes; a code works once, for some minutes; the
//! credentials of pages expire. Only the operator's credential, the demo's API key, does not expire.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::domain::fault::Fault;
use crate::domain::member::{IssueTokenError, SignIn};
use crate::primitives::clock::{Clock, Timestamp};
use crate::primitives::ids::{AccountId, MemberId};

/// How long a link with a code works.
const CODE_LASTS: Duration = Duration::from_mins(10);
/// The lifetime of a session. Then its browser signs in again.
const SESSION_LASTS: Duration = Duration::from_hours(12);
/// The lifetime of a session's credential. Its page then requests another one.
const TOKEN_LASTS: Duration = Duration::from_hours(1);
/// The maximum number of sessions. One more ends the oldest.
const SESSIONS: usize = 100;

/// A person who can sign in.
#[derive(Clone, Debug)]
pub struct DemoPerson {
    /// The person's role in the demo, which a button of the page names.
    pub role: &'static str,
    /// The person's name.
    pub name: String,
    /// The credential that signs them in.
    pub credential: DemoCredential,
}

/// How a person of the demo signs in.
#[derive(Clone)]
pub enum DemoCredential {
    /// With tokens of a member.
    Member(AccountId, MemberId),
    /// With an API key.
    ApiKey(String),
}

impl std::fmt::Debug for DemoCredential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Member(account_id, member_id) => f.debug_tuple("Member").field(account_id).field(member_id).finish(),
            Self::ApiKey(_) => f.write_str("ApiKey(***)"),
        }
    }
}

/// The sign-ins of a demo.
#[derive(Debug)]
pub struct SignIns {
    account_id: AccountId,
    people: Vec<DemoPerson>,
    clock: Clock,
    moved: Option<MovedClock>,
    kept: Mutex<Kept>,
}

/// The clock of the demo's services, which people may move ahead.
struct MovedClock {
    clock: Clock,
    keep: KeepTime,
}

/// Stores by how many milliseconds the clock is ahead of the machine's, for the next start.
type KeepTime = Box<dyn Fn(i64) -> std::io::Result<()> + Send + Sync>;

impl std::fmt::Debug for MovedClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MovedClock")
            .field("clock", &self.clock)
            .finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct Kept {
    /// The hash and the expiry of the code, until it is used.
    code: Option<([u8; 32], Timestamp)>,
    sessions: HashMap<[u8; 32], Session>,
}

#[derive(Clone, Copy, Debug)]
struct Session {
    /// The index of the person.
    person: usize,
    ends_at: Timestamp,
}

/// A credential for a page.
#[derive(Clone)]
pub(super) struct Credential {
    pub(super) token: String,
    /// When the page has to request another one; `None` for an API key, which does not expire.
    pub(super) expires_at: Option<Timestamp>,
    pub(super) person: DemoPerson,
}

impl SignIns {
    /// Creates sign-ins of these people of an account. A link signs in the first of them.
    pub fn new(account_id: AccountId, people: Vec<DemoPerson>, clock: Clock) -> Self {
        Self {
            account_id,
            people,
            clock,
            moved: None,
            kept: Mutex::default(),
        }
    }

    /// Lets the signed-in people move this clock ahead. `keep` stores by how many milliseconds it is ahead of the machine's, for the next
    /// start. Sessions and codes follow the clock of [`Self::new`], so that moving this one ends no session.
    #[must_use]
    pub fn moving(self, clock: Clock, keep: impl Fn(i64) -> std::io::Result<()> + Send + Sync + 'static) -> Self {
        let keep = Box::new(keep);
        Self {
            moved: Some(MovedClock { clock, keep }),
            ..self
        }
    }

    /// Returns the time of the demo's services, if it can be moved.
    pub(super) fn time(&self) -> Option<Timestamp> {
        self.moved.as_ref().map(|moved| moved.clock.now())
    }

    /// Moves the clock of the demo's services ahead, and returns the new time. `None` if it cannot be moved.
    pub(super) fn move_clock(&self, by: Duration) -> std::io::Result<Option<Timestamp>> {
        let Some(moved) = &self.moved else {
            return Ok(None);
        };
        let Some(ahead) = moved.clock.move_ahead(by) else {
            return Ok(None);
        };
        (moved.keep)(ahead)?;
        Ok(Some(moved.clock.now()))
    }

    /// Creates a code for a link. It replaces the previous code.
    pub fn make_code(&self) -> Result<String, Fault> {
        let code = random()?;
        self.kept().code = Some((digest(&code), self.after(CODE_LASTS)));
        Ok(code)
    }

    pub(super) fn account_id(&self) -> AccountId {
        self.account_id
    }

    pub(super) fn people(&self) -> &[DemoPerson] {
        &self.people
    }

    /// Starts a session by a code. Returns `None` if the code is wrong, expired or used.
    pub(super) fn exchange(&self, code: &str) -> Result<Option<String>, Fault> {
        let now = self.clock.now();
        let taken = {
            let mut kept = self.kept();
            let is_it = kept
                .code
                .is_some_and(|(known, ends_at)| known == digest(code) && now < ends_at);
            is_it && kept.code.take().is_some()
        };
        if taken { self.begin(0).map(Some) } else { Ok(None) }
    }

    /// Starts a session for the person with this role.
    pub(super) fn sign_in(&self, role: &str) -> Result<Option<String>, Fault> {
        let person = self.people.iter().position(|person| person.role == role);
        person.map(|person| self.begin(person)).transpose()
    }

    fn begin(&self, person: usize) -> Result<String, Fault> {
        let session = random()?;
        let now = self.clock.now();
        let ends_at = self.after(SESSION_LASTS);
        let mut kept = self.kept();
        kept.sessions.retain(|_, session| session.ends_at > now);
        if kept.sessions.len() >= SESSIONS {
            let oldest = kept.sessions.iter().min_by_key(|(_, session)| session.ends_at);
            if let Some(oldest) = oldest.map(|(key, _)| *key) {
                kept.sessions.remove(&oldest);
            }
        }
        kept.sessions.insert(digest(&session), Session { person, ends_at });
        Ok(session)
    }

    /// Returns whether the session exists.
    pub(super) fn has(&self, session: &str) -> bool {
        self.find(session).is_some()
    }

    fn find(&self, session: &str) -> Option<Session> {
        let session = self.kept().sessions.get(&digest(session)).copied();
        session.filter(|session| session.ends_at > self.clock.now())
    }

    /// Returns a new credential for a session, if the session exists.
    pub(super) fn credential(&self, session: &str, sign_in: &SignIn) -> Result<Option<Credential>, IssueTokenError> {
        let Some(session) = self.find(session) else {
            return Ok(None);
        };
        let Some(person) = self.people.get(session.person).cloned() else {
            return Ok(None);
        };
        let (token, expires_at) = match &person.credential {
            DemoCredential::Member(account_id, member_id) => {
                let token = sign_in.issue_token(*account_id, *member_id, TOKEN_LASTS)?;
                (token, Some(self.after(TOKEN_LASTS)))
            }
            DemoCredential::ApiKey(key) => (key.clone(), None),
        };
        Ok(Some(Credential {
            token,
            expires_at,
            person,
        }))
    }

    /// Ends a session.
    pub(super) fn end(&self, session: &str) {
        self.kept().sessions.remove(&digest(session));
    }

    fn after(&self, time: Duration) -> Timestamp {
        let millis = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        self.clock.now().plus_millis(millis)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn digest(secret: &str) -> [u8; 32] {
    Sha256::digest(secret).into()
}

/// Returns a text of 192 random bits for addresses and cookies.
fn random() -> Result<String, Fault> {
    let mut random = [0; 24];
    getrandom::fill(&mut random).map_err(|error| Fault::Internal(format!("no randomness: {error}")))?;
    Ok(data_encoding::BASE64URL_NOPAD.encode(&random))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sign_ins(clock: &Clock) -> SignIns {
        let operator = DemoPerson {
            role: "operator",
            name: "Operator".to_owned(),
            credential: DemoCredential::ApiKey("key".to_owned()),
        };
        SignIns::new(AccountId::PLATFORM, vec![operator], clock.clone())
    }

    #[test]
    fn a_code_works_once_and_for_ten_minutes() {
        let clock = Clock::manual(Timestamp::from_millis(1_800_000_000_000));
        let sign_ins = sign_ins(&clock);
        assert!(
            sign_ins.exchange("").expect("looked up").is_none(),
            "there is no code yet"
        );
        let code = sign_ins.make_code().expect("a code");
        assert!(sign_ins.exchange("another").expect("looked up").is_none());
        assert!(sign_ins.exchange(&code).expect("looked up").is_some());
        assert!(sign_ins.exchange(&code).expect("looked up").is_none(), "it was used");

        let code = sign_ins.make_code().expect("a code");
        let newer = sign_ins.make_code().expect("a code");
        assert!(
            sign_ins.exchange(&code).expect("looked up").is_none(),
            "there is a newer one"
        );
        clock.advance(CODE_LASTS);
        assert!(sign_ins.exchange(&newer).expect("looked up").is_none(), "it is too old");
    }

    #[test]
    fn sessions_are_bounded_and_end() {
        let clock = Clock::manual(Timestamp::from_millis(1_800_000_000_000));
        let sign_ins = sign_ins(&clock);
        for _ in 0..=SESSIONS {
            let begun = sign_ins.sign_in("operator").expect("looked up");
            assert!(begun.is_some());
            clock.advance(Duration::from_secs(1));
        }
        assert_eq!(sign_ins.kept().sessions.len(), SESSIONS);
        assert!(sign_ins.sign_in("nobody").expect("looked up").is_none());
        clock.advance(SESSION_LASTS);
        sign_ins.sign_in("operator").expect("looked up");
        assert_eq!(sign_ins.kept().sessions.len(), 1, "those that have ended are gone");
    }
}
