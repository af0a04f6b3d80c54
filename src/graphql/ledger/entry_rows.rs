//! How entries of the credit log, and the objects in them, are written directly as JSON: see [`rows`](crate::graphql::rows).
//!
//! Each type lists the fields that it can write. A field that is missing here is resolved by the executor; a test names plain
//! fields that are missing.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::entry::{Actor, CreditEntry, CreditEntryEdge, CreditEntryKind, PAYMENT_GATEWAY, SYSTEM};
use super::session::{Session, SessionStatus};
use crate::domain::ledger::credit_log::{Name, Names};
use crate::domain::ledger::model::{self, ACCOUNT_CLOSED};
use crate::domain::member::{ApiKeyName, Member};
use crate::domain::notification::Wording;
use crate::graphql::context::Scope;
use crate::graphql::errors::ApiError;
use crate::graphql::member::MemberRole;
use crate::graphql::rows::{Columns, Json, Listed, Narrowest, Row, fields};
use crate::primitives::actor::Cause;
use crate::primitives::ids::{AccountId, ApiKeyId, MemberId, SessionId};

type MemberColumns = Narrowest<Name<MemberId>, Member>;
type SessionColumns = Narrowest<Name<SessionId>, Session>;

fields! {
    /// A field of an entry.
    EntryField {
        Id, Sequence, OccurredAt, Kind, Amount, BalanceBefore, BalanceAfter, Description, Hash,
        Actor(Columns<Actor>), Member(MemberColumns), Session(SessionColumns),
    }

    /// A field of an edge.
    EdgeField {
        Cursor, Node(Columns<CreditEntry>),
    }

    /// A field of who caused an entry.
    ActorField {
        Kind, Id, Label, Member(MemberColumns),
    }

    /// A field of a member that belongs to its name.
    MemberNameField {
        Id, ExternalId, Name,
    }

    /// A field of a session that belongs to its name.
    SessionNameField {
        Id, ExternalId, Title,
    }

    /// A field of a member.
    MemberField {
        Id, ExternalId, Name, Role, RemovedAt, Version,
    }

    /// A field of a session.
    SessionField {
        Id, ExternalId, Title, Status, StartsAt, EndsAt, Booked, Held, Charged, DeductionExpectedBy, BookedAt,
        ResolvedAt, Refunded, CancelReason,
    }
}

impl Row for CreditEntry {
    const TYPE: &'static str = "CreditEntry";
    type Field = EntryField;
    type Related = Related;

    fn write(&self, field: &EntryField, related: &Related, json: &mut Json) {
        let entry = &self.0;
        match field {
            EntryField::Id => json.plain(entry.id.global(entry.account_id)),
            EntryField::Sequence => json.plain(entry.sequence),
            EntryField::OccurredAt => json.plain(entry.occurred_at),
            EntryField::Kind => json.variant(CreditEntryKind::from(entry.kind)),
            EntryField::Amount => json.plain(entry.amount),
            EntryField::BalanceBefore => json.plain(entry.balance_before()),
            EntryField::BalanceAfter => json.plain(entry.balance_after),
            EntryField::Description if self.is_described_by_hand() => json.text(&entry.description),
            EntryField::Description => json.text(&related.words.written(&entry.description)),
            EntryField::Hash => json.plain(self.hash_text()),
            EntryField::Actor(columns) => columns.write(&Actor::new(entry.account_id, entry.cause), related, json),
            EntryField::Member(columns) => related.write_member(entry.member_id, columns, json),
            EntryField::Session(columns) => related.write_session(entry.session_id, columns, json),
        }
    }
}

impl Listed for CreditEntry {
    async fn read(scope: &Scope, entries: &[&Self], columns: &Columns<Self>) -> Option<Related> {
        Related::read(scope, entries, Needs::of(columns.fields())).await
    }
}

impl Row for CreditEntryEdge {
    const TYPE: &'static str = "CreditEntryEdge";
    type Field = EdgeField;
    type Related = Related;

    fn write(&self, field: &EdgeField, related: &Related, json: &mut Json) {
        match field {
            EdgeField::Cursor => json.text(&self.cursor),
            EdgeField::Node(columns) => columns.write(&self.node, related, json),
        }
    }
}

impl Listed for CreditEntryEdge {
    async fn read(scope: &Scope, edges: &[&Self], columns: &Columns<Self>) -> Option<Related> {
        let nodes = columns.fields().filter_map(|field| match field {
            EdgeField::Cursor => None,
            EdgeField::Node(columns) => Some(columns.fields()),
        });
        let needs = Needs::of(nodes.flatten());
        let entries: Vec<_> = edges.iter().map(|edge| &edge.node).collect();
        Related::read(scope, &entries, needs).await
    }
}

impl Row for Actor {
    const TYPE: &'static str = "Actor";
    type Field = ActorField;
    type Related = Related;

    fn write(&self, field: &ActorField, related: &Related, json: &mut Json) {
        match (field, self.cause) {
            (ActorField::Kind, _) => json.variant(self.actor_kind()),
            (ActorField::Id, Cause::Member(id)) => json.plain(id.global(self.account_id)),
            (ActorField::Id, Cause::ApiKey(id, _)) => {
                json.optional(related.api_keys.get(&id), |json, key| {
                    json.plain(id.global(key.account_id));
                });
            }
            (ActorField::Id, Cause::System | Cause::PaymentGateway) => json.null(),
            (ActorField::Label, Cause::Member(id)) => {
                json.optional(related.names.members.get(&id), |json, name| json.text(&name.text));
            }
            (ActorField::Label, Cause::ApiKey(id, _)) => {
                json.optional(related.api_keys.get(&id), |json, key| json.text(&key.name));
            }
            (ActorField::Label, Cause::System) => json.text(SYSTEM),
            (ActorField::Label, Cause::PaymentGateway) => json.text(&related.words.written(PAYMENT_GATEWAY)),
            (ActorField::Member(columns), cause) => related.write_member(cause.member_id(), columns, json),
        }
    }
}

impl Row for Name<MemberId> {
    const TYPE: &'static str = <Member as Row>::TYPE;
    type Field = MemberNameField;
    type Related = ();

    fn write(&self, field: &MemberNameField, (): &(), json: &mut Json) {
        match field {
            MemberNameField::Id => json.plain(self.id.global(self.account_id)),
            MemberNameField::ExternalId => json.optional(self.external_id.as_deref(), Json::text),
            MemberNameField::Name => json.text(&self.text),
        }
    }
}

impl From<&Member> for Name<MemberId> {
    fn from(member: &Member) -> Self {
        Self {
            account_id: member.account_id,
            id: member.id,
            external_id: member.external_id.clone(),
            text: member.name.clone(),
        }
    }
}

fn name_of(account_id: AccountId, session: &model::Session) -> Name<SessionId> {
    Name {
        account_id,
        id: session.id,
        external_id: session.external_id.clone(),
        text: session.title.clone(),
    }
}

impl Row for Name<SessionId> {
    const TYPE: &'static str = <Session as Row>::TYPE;
    type Field = SessionNameField;
    type Related = ();

    fn write(&self, field: &SessionNameField, (): &(), json: &mut Json) {
        match field {
            SessionNameField::Id => json.plain(self.id.global(self.account_id)),
            SessionNameField::ExternalId => json.optional(self.external_id.as_deref(), Json::text),
            SessionNameField::Title => json.text(&self.text),
        }
    }
}

impl Row for Member {
    const TYPE: &'static str = "Member";
    type Field = MemberField;
    type Related = ();

    fn write(&self, field: &MemberField, (): &(), json: &mut Json) {
        match field {
            MemberField::Id => json.plain(self.id.global(self.account_id)),
            MemberField::ExternalId => json.optional(self.external_id.as_deref(), Json::text),
            MemberField::Name => json.text(&self.name),
            MemberField::Role => json.variant(MemberRole::from(self.role)),
            MemberField::RemovedAt => json.optional(self.removed_at, Json::plain),
            MemberField::Version => json.number(self.version),
        }
    }
}

impl Row for Session {
    const TYPE: &'static str = "Session";
    type Field = SessionField;
    type Related = Words;

    fn write(&self, field: &SessionField, words: &Words, json: &mut Json) {
        let session = &self.view.session;
        match field {
            SessionField::Id => json.plain(session.id.global(self.account_id)),
            SessionField::ExternalId => json.optional(session.external_id.as_deref(), Json::text),
            SessionField::Title => json.text(&session.title),
            SessionField::Status => json.variant(SessionStatus::from(self.view.status)),
            SessionField::StartsAt => json.plain(session.starts_at),
            SessionField::EndsAt => json.plain(session.ends_at),
            SessionField::Booked => json.plain(session.booked),
            SessionField::Held => json.plain(self.view.held),
            SessionField::Charged => json.optional(session.charged, Json::plain),
            SessionField::DeductionExpectedBy => json.optional(self.view.deduction_expected_by, Json::plain),
            SessionField::BookedAt => json.plain(session.booked_at),
            SessionField::ResolvedAt => json.optional(session.resolved_at, Json::plain),
            SessionField::Refunded => json.plain(session.refunded),
            SessionField::CancelReason => match session.cancel_reason.as_deref() {
                Some(ACCOUNT_CLOSED) => json.text(&words.written(ACCOUNT_CLOSED)),
                reason => json.optional(reason, Json::text),
            },
        }
    }
}

/// The language of the viewer. It is absent if no selected text depends on it.
#[derive(Default)]
pub(crate) struct Words(Option<(Arc<dyn Wording>, String)>);

impl Words {
    fn written(&self, english: &str) -> String {
        match &self.0 {
            Some((wording, locale)) => wording.fixed(english, locale),
            None => english.to_owned(),
        }
    }
}

/// What the entries of a page refer to. They are of one account.
#[derive(Default)]
pub(crate) struct Related {
    names: Names,
    members: HashMap<MemberId, Member>,
    sessions: HashMap<SessionId, Session>,
    api_keys: HashMap<ApiKeyId, ApiKeyName>,
    words: Words,
}

/// How a related object is shown. One object may be shown in both ways.
#[derive(Clone, Copy, Default)]
struct Forms {
    by_name: bool,
    whole: bool,
}

impl Forms {
    fn add<N: Row, R: Row>(&mut self, columns: &Narrowest<N, R>) {
        match columns {
            Narrowest::Narrow(_) => self.by_name = true,
            Narrowest::Whole(_) => self.whole = true,
        }
    }
}

/// Which related objects the columns contain.
#[derive(Clone, Copy, Default)]
struct Needs {
    members: Forms,
    members_who_acted: Forms,
    labels: bool,
    api_keys: bool,
    sessions: Forms,
    words: bool,
}

impl Needs {
    fn of<'a>(fields: impl Iterator<Item = &'a EntryField>) -> Self {
        let mut needs = Self::default();
        for field in fields {
            match field {
                EntryField::Description => needs.words = true,
                EntryField::Member(columns) => needs.members.add(columns),
                EntryField::Session(columns) => {
                    needs.sessions.add(columns);
                    if let Narrowest::Whole(columns) = columns {
                        let mut fields = columns.fields();
                        needs.words |= fields.any(|field| matches!(field, SessionField::CancelReason));
                    }
                }
                EntryField::Actor(columns) => needs.add_actor(columns),
                _ => {}
            }
        }
        needs
    }

    fn add_actor(&mut self, columns: &Columns<Actor>) {
        for field in columns.fields() {
            match field {
                ActorField::Kind => {}
                ActorField::Id => self.api_keys = true,
                ActorField::Label => {
                    self.labels = true;
                    self.api_keys = true;
                    self.words = true;
                }
                ActorField::Member(columns) => self.members_who_acted.add(columns),
            }
        }
    }
}

/// The ids of related objects.
#[derive(Default)]
struct Ids {
    members: HashSet<MemberId>,
    sessions: HashSet<SessionId>,
    named_members: HashSet<MemberId>,
    named_sessions: HashSet<SessionId>,
    /// Members whose names are labels. They are also among those that are named.
    labeled_members: HashSet<MemberId>,
    api_keys: HashSet<ApiKeyId>,
}

impl Ids {
    fn of(entries: &[&CreditEntry], needs: Needs) -> Self {
        let mut ids = Self::default();
        for CreditEntry(entry) in entries {
            for (id, shown) in [
                (entry.member_id, needs.members),
                (entry.cause.member_id(), needs.members_who_acted),
            ] {
                ids.members.extend(id.filter(|_| shown.whole));
                ids.named_members.extend(id.filter(|_| shown.by_name));
            }
            ids.sessions.extend(entry.session_id.filter(|_| needs.sessions.whole));
            ids.named_sessions
                .extend(entry.session_id.filter(|_| needs.sessions.by_name));
            match entry.cause {
                Cause::Member(id) if needs.labels => {
                    ids.labeled_members.insert(id);
                }
                Cause::ApiKey(id, _) if needs.api_keys => {
                    ids.api_keys.insert(id);
                }
                _ => {}
            }
        }
        ids.named_members.extend(&ids.labeled_members);
        ids
    }
}

impl Related {
    /// Reads what these fields need. `None` if something cannot be read, or a row that must exist does not.
    async fn read(scope: &Scope, entries: &[&CreditEntry], needs: Needs) -> Option<Self> {
        let Some(CreditEntry(first)) = entries.first() else {
            return Some(Self::default());
        };
        let account_id = first.account_id;
        let ids = Ids::of(entries, needs);
        let loaders = &scope.loaders;
        // What is read whole has its name.
        let named_members = &ids.named_members - &ids.members;
        let named_sessions = &ids.named_sessions - &ids.sessions;
        let read = tokio::try_join!(
            loaders.names_now(account_id, &named_members, &named_sessions),
            loaders.members_now(account_id, &ids.members),
            loaders.sessions_now(account_id, &ids.sessions),
            loaders.api_key_names_now(&ids.api_keys),
            Words::read(scope, needs.words),
        );
        let (mut names, members, sessions, api_keys, words) = read.ok()?;
        let whole = ids.named_members.iter().filter_map(|id| members.get(id));
        names
            .members
            .extend(whole.map(|member| (member.id, Name::from(member))));
        let whole = ids.named_sessions.iter().filter_map(|id| sessions.get(id));
        names
            .sessions
            .extend(whole.map(|view| (view.session.id, name_of(account_id, &view.session))));
        let has_all = ids.labeled_members.iter().all(|id| names.members.contains_key(id))
            && ids.api_keys.iter().all(|id| api_keys.contains_key(id));
        let sessions = sessions.into_iter();
        has_all.then(|| Self {
            names,
            members,
            sessions: sessions
                .map(|(id, view)| (id, Session::new(account_id, view)))
                .collect(),
            api_keys,
            words,
        })
    }

    fn write_member(&self, id: Option<MemberId>, columns: &MemberColumns, json: &mut Json) {
        match columns {
            Narrowest::Narrow(columns) => {
                let name = id.and_then(|id| self.names.members.get(&id));
                json.optional(name, |json, name| columns.write(name, &(), json));
            }
            Narrowest::Whole(columns) => {
                let member = id.and_then(|id| self.members.get(&id));
                json.optional(member, |json, member| columns.write(member, &(), json));
            }
        }
    }

    fn write_session(&self, id: Option<SessionId>, columns: &SessionColumns, json: &mut Json) {
        match columns {
            Narrowest::Narrow(columns) => {
                let name = id.and_then(|id| self.names.sessions.get(&id));
                json.optional(name, |json, name| columns.write(name, &(), json));
            }
            Narrowest::Whole(columns) => {
                let session = id.and_then(|id| self.sessions.get(&id));
                json.optional(session, |json, session| columns.write(session, &self.words, json));
            }
        }
    }
}

impl Words {
    async fn read(scope: &Scope, are_needed: bool) -> Result<Self, ApiError> {
        if !are_needed {
            return Ok(Self(None));
        }
        let locale = scope.reader().await?.locale.clone();
        Ok(Self(Some((Arc::clone(&scope.services.wording), locale))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graphql::rows::tests::left_to_the_executor;

    #[test]
    fn every_plain_field_is_written_directly() {
        // These need a statement of their own; metadata has any form.
        assert_eq!(left_to_the_executor::<CreditEntry>(), ["reversedByCount"]);
        assert_eq!(left_to_the_executor::<Session>(), ["entryCount", "metadata"]);
        // This needs a permission.
        assert_eq!(left_to_the_executor::<Member>(), ["unreadAlertCount"]);
        assert!(left_to_the_executor::<Actor>().is_empty());
        assert!(left_to_the_executor::<CreditEntryEdge>().is_empty());
    }
}
