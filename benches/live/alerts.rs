//! Measures from a posting to its alert: a session is completed, and a socket receives the member's alert.

use std::time::Instant;

use serde_json::{Value, json};

use crate::fleet::Target;
use crate::post::Failure;
use crate::server::Server;

/// A server whose subscribers receive alerts.
pub(crate) struct Alerting<'a> {
    server: &'a Server,
    /// The member of each account, in the same order.
    members: Vec<String>,
}

impl<'a> Alerting<'a> {
    /// Adds a member and credits to each account.
    pub(crate) async fn prepare(server: &'a Server) -> Result<Self, Failure> {
        let mut members = Vec::new();
        for account in server.accounts() {
            let add = "mutation A($i: AddMemberInput!) { addMember(input: $i) { member { id } } }";
            let input = json!({"i": {"accountId": account, "externalId": "one", "name": "One"}});
            let added: Value = serde_json::from_str(&server.ask(add, &input).await?)?;
            let id = added["data"]["addMember"]["member"]["id"].as_str();
            members.push(id.ok_or_else(|| added.to_string())?.to_owned());
            let grant = "mutation G($i: GrantCreditsInput!) { grantCredits(input: $i) { userErrors { code } } }";
            let input = json!({"i": {"accountId": account, "credits": "100000", "description": "Bench", "idempotencyKey": "grant"}});
            accepted(&server.ask(grant, &input).await?)?;
        }
        Ok(Self { server, members })
    }
}

impl Target for Alerting<'_> {
    fn address(&self) -> &str {
        self.server.address()
    }

    fn credential(&self) -> &str {
        self.server.credential()
    }

    fn accounts(&self) -> &[String] {
        self.server.accounts()
    }

    fn subscription(&self, account: &str) -> Value {
        let query = "subscription S($id: ID!) { alertRaised(accountId: $id) { cursor signal alert { kind body } } }";
        json!({"query": query, "variables": {"id": account}})
    }

    /// Books a session with the mark as its name, and completes it.
    async fn post(&self, account: &str, mark: &str) -> Result<Instant, Failure> {
        let at = self.accounts().iter().position(|one| one == account);
        let member = at.and_then(|at| self.members.get(at)).ok_or("no such account")?;
        let key = uuid::Uuid::new_v4().to_string();
        let book = "mutation B($i: BookSessionInput!) { bookSession(input: $i) { userErrors { code } } }";
        let input = json!({"i": {"accountId": account, "memberId": member, "externalId": key, "title": mark, "credits": "1",
            "startsAt": "2099-01-01T10:00:00Z", "endsAt": "2099-01-01T11:00:00Z", "idempotencyKey": key}});
        accepted(&self.server.ask(book, &input).await?)?;
        let complete = "mutation C($i: CompleteSessionInput!) { completeSession(input: $i) { userErrors { code } } }";
        let done = format!("{key} is done");
        let input = json!({"i": {"accountId": account, "externalId": key, "idempotencyKey": done}});
        accepted(&self.server.ask(complete, &input).await?)?;
        Ok(Instant::now())
    }

    fn resident_kib(&self) -> Option<u64> {
        self.server.resident_kib()
    }
}

fn accepted(answer: &str) -> Result<(), Failure> {
    if answer.contains("\"userErrors\":[]") {
        return Ok(());
    }
    Err(format!("a request was refused: {answer}").into())
}
