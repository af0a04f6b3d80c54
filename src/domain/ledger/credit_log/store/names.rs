//! SQL of the names that entries show.

use uuid::Uuid;

use crate::domain::database::Database;
use crate::domain::database::select::{Condition, Select};
use crate::domain::fault::Fault;
use crate::domain::ledger::credit_log::model::{Name, Names};
use crate::primitives::ids::{AccountId, MemberId, SessionId};

use super::own_condition;

/// Returns the names of members and of sessions, the latter of one member alone if `own` is set. One statement is cheaper than
/// two, and its text is the same whatever is requested.
pub(in crate::domain::ledger::credit_log) async fn of(
    database: &Database,
    account_id: AccountId,
    members: &[MemberId],
    sessions: &[SessionId],
    own: Option<MemberId>,
) -> Result<Names, Fault> {
    let mut names = Names::default();
    if members.is_empty() && sessions.is_empty() {
        return Ok(names);
    }
    let members = Condition::Uuids("id", members.iter().map(|id| id.uuid()).collect());
    let sessions = Condition::Uuids("id", sessions.iter().map(|id| id.uuid()).collect());
    let text = "SELECT true AS is_member, id, external_id, name FROM member WHERE account_id = $1";
    let mut select = Select::of(database, account_id, text);
    select
        .and_all([&members])
        .push(" UNION ALL SELECT false, id, external_id, title FROM session WHERE account_id = $1")
        .and_all([&sessions])
        .and_all(&own_condition(own));
    for (is_member, id, external_id, text) in select.values::<(bool, Uuid, Option<String>, String)>(database).await? {
        if is_member {
            let id = MemberId::from_uuid(id);
            names.members.insert(id, name(account_id, id, external_id, text));
        } else {
            let id = SessionId::from_uuid(id);
            names.sessions.insert(id, name(account_id, id, external_id, text));
        }
    }
    Ok(names)
}

fn name<I>(account_id: AccountId, id: I, external_id: Option<String>, text: String) -> Name<I> {
    Name {
        account_id,
        id,
        external_id,
        text,
    }
}
