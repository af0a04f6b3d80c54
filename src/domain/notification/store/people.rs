//! Members and addresses that an alert may be for.

use std::collections::{HashMap, HashSet};

use super::{addresses_of, settings};
use crate::domain::database::Transaction;
use crate::domain::database::bulk::{Record, Rows};
use crate::domain::database::records::{self, FromRow};
use crate::domain::database::scope::AccountScope;
use crate::domain::fault::Fault;
use crate::domain::member::ContactStatus;
use crate::primitives::actor::MemberRole;
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::{AccountId, MemberId, RecipientId};

use super::super::model::{AlertKind, Audience, COOLDOWN_MILLIS, LastMail, NotificationSettings, Party, Wishes};

/// A member or a notification address that an alert may be for.
#[derive(Clone, Debug)]
pub(in super::super) struct Recipient {
    pub(in super::super) id: RecipientId,
    pub(in super::super) party: Party,
    pub(in super::super) contact: ContactStatus,
    pub(in super::super) timezone: chrono_tz::Tz,
    pub(in super::super) wishes: Wishes,
}

/// The possible recipients of an account's alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in super::super) struct Addressed {
    pub(in super::super) account_id: AccountId,
    pub(in super::super) audience: Audience,
    pub(in super::super) subject: Option<MemberId>,
    pub(in super::super) kind: AlertKind,
}

/// The recipients of alerts, with the last mail to each of them.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Recipients {
    members: HashMap<Addressed, Vec<Recipient>>,
    pub(in super::super) last_mails: HashMap<(AlertKind, RecipientId), LastMail>,
}

impl Recipients {
    /// Returns the recipients of an alert. Fails if they were not read.
    pub(in super::super) fn of(&self, addressed: &Addressed) -> Result<&[Recipient], Fault> {
        let members = self.members.get(addressed);
        let unread = || Fault::Internal(format!("the recipients of {addressed:?} were not read"));
        members.map(Vec::as_slice).ok_or_else(unread)
    }
}

/// Reads the recipients of alerts of these kinds. The number of statements does not grow with the number of alerts.
pub(in super::super) async fn read_recipients(
    tx: &Transaction,
    asked: Vec<(Addressed, AlertKind, Timestamp)>,
) -> Result<Recipients, Fault> {
    let mut addressed = Vec::new();
    for (to, ..) in &asked {
        if !addressed.contains(to) {
            addressed.push(*to);
        }
    }
    let found = recipients(tx, &addressed).await?;
    let members: HashMap<Addressed, Vec<Recipient>> = addressed.into_iter().zip(found).collect();
    let mut kinds = Vec::new();
    for (to, kind, now) in asked {
        let recipients = members.get(&to).into_iter().flatten();
        kinds.extend(recipients.map(|recipient| (to.account_id, kind, recipient.id, now)));
    }
    let last_mails = last_mails(tx, kinds).await?;
    Ok(Recipients { members, last_mails })
}

/// The members of an account, or its owners and admins.
#[derive(Record)]
struct Team {
    number: i64,
    account_id: AccountId,
    everybody: bool,
}

#[derive(Record)]
struct Subject {
    number: i64,
    account_id: AccountId,
    member_id: MemberId,
}

/// A member at the index of the alerts that are for them.
#[derive(FromRow)]
struct Found {
    number: i64,
    account_id: AccountId,
    id: MemberId,
    role: MemberRole,
    contact: ContactStatus,
    #[record(text)]
    timezone: chrono_tz::Tz,
}

/// Reads for each of these the intended members, with their settings, and the addresses that chose the kind. The number of statements
/// does not grow with the number of alerts.
pub(in super::super) async fn recipients(
    tx: &Transaction,
    addressed: &[Addressed],
) -> Result<Vec<Vec<Recipient>>, Fault> {
    let (mut teams, mut subjects) = (Vec::new(), Vec::new());
    for (number, to) in (0_i64..).zip(addressed) {
        let account_id = to.account_id;
        if to.audience != Audience::Subject {
            teams.push(Team {
                number,
                account_id,
                everybody: to.audience == Audience::Everybody,
            });
        }
        if let (Audience::Subject | Audience::SubjectAndAdmins, Some(member_id)) = (to.audience, to.subject) {
            subjects.push(Subject {
                number,
                account_id,
                member_id,
            });
        }
    }
    let (teams, subjects) = (Rows::of(teams), Rows::of(subjects));
    let mut found = vec![Vec::new(); addressed.len()];
    let of_teams = "t.removed_at IS NULL AND (r.everybody OR t.role IN ('OWNER', 'ADMIN'))";
    let of_subjects = "t.id = r.member_id AND t.removed_at IS NULL";
    for (rows, condition) in [(teams, of_teams), (subjects, of_subjects)] {
        add_members(tx, &rows, condition, &mut found).await?;
    }
    let members = found.iter().flatten().filter_map(|recipient| match &recipient.wishes {
        Wishes::Member(settings) => Some((settings.account_id, settings.member_id)),
        Wishes::Address(_) => None,
    });
    let stored = settings(tx, members).await?;
    for recipient in found.iter_mut().flatten() {
        if let Some(settings) = recipient.id.member().and_then(|member_id| stored.get(&member_id)) {
            recipient.wishes = Wishes::Member(settings.clone());
        }
    }
    add_addresses(tx, addressed, &mut found).await?;
    Ok(found)
}

/// Adds the addresses that chose the kind of an alert.
async fn add_addresses(tx: &Transaction, addressed: &[Addressed], found: &mut [Vec<Recipient>]) -> Result<(), Fault> {
    let asked = (0_i64..).zip(addressed).filter(|(_, to)| to.kind.is_for_addresses());
    let asked = asked.map(|(number, to)| (number, to.account_id));
    for (number, address) in addresses_of(tx, asked).await? {
        let at = usize::try_from(number).ok();
        let Some((to, found)) = at.and_then(|at| Some((addressed.get(at)?, found.get_mut(at)?))) else {
            continue;
        };
        if address.wishes.kinds.contains(&to.kind) {
            found.push(Recipient {
                id: address.id.into(),
                party: Party::Address,
                contact: address.contact.email_status,
                timezone: address.contact.timezone,
                wishes: Wishes::Address(address.wishes),
            });
        }
    }
    Ok(())
}

/// Adds the members of rows, each at the index in the row, unless they are there.
async fn add_members(
    tx: &Transaction,
    rows: &Rows,
    condition: &str,
    found: &mut [Vec<Recipient>],
) -> Result<(), Fault> {
    let sql = |scope: AccountScope, relation| {
        let (members, account) = (scope.probe("member", condition), scope.condition("c"));
        format!(
            "SELECT r.number, t.account_id, t.id, t.role, c.email_status, c.timezone FROM {relation} {members} \
             JOIN contact c ON c.account_id = t.account_id AND c.recipient_id = t.id{account} ORDER BY t.created_at, t.id"
        )
    };
    for member in records::read::<Found>(&AccountScope::select(tx, rows, sql).await?)? {
        let at = usize::try_from(member.number).ok();
        let Some(found) = at.and_then(|at| found.get_mut(at)) else {
            continue;
        };
        if found.iter().any(|recipient| recipient.id == member.id.into()) {
            continue;
        }
        found.push(Recipient {
            id: member.id.into(),
            party: Party::Member(member.role),
            contact: member.contact,
            timezone: member.timezone,
            wishes: Wishes::Member(NotificationSettings::new(member.account_id, member.id)),
        });
    }
    Ok(())
}

/// A kind of mail to a recipient.
#[derive(Record)]
struct MailKind {
    account_id: AccountId,
    kind: AlertKind,
    #[record(flatten, prefix = "recipient_")]
    recipient: RecipientId,
    since: Timestamp,
}

#[derive(FromRow)]
struct FoundMail {
    kind: AlertKind,
    #[record(flatten)]
    recipient: RecipientId,
    at: Timestamp,
    resolved_at: Option<Timestamp>,
}

/// Reads for each of these the last mail of a kind to a recipient that matters at an instant. It was sent or is on its way. Each
/// takes one row of an index, for any number of mails.
async fn last_mails(
    tx: &Transaction,
    kinds: Vec<(AccountId, AlertKind, RecipientId, Timestamp)>,
) -> Result<HashMap<(AlertKind, RecipientId), LastMail>, Fault> {
    let mut asked = HashSet::new();
    let kinds = kinds.into_iter();
    let kinds = kinds.filter(|(_, kind, recipient, _)| asked.insert((*kind, *recipient)));
    let rows = Rows::of(kinds.map(|(account_id, kind, recipient, now)| MailKind {
        account_id,
        kind,
        recipient,
        since: Timestamp::from_millis(now.millis() - COOLDOWN_MILLIS),
    }));
    let sql = |scope: AccountScope, relation| {
        let (of_mail, of_last) = (scope.condition("t"), scope.condition("d"));
        format!(
            "SELECT t.kind, r.recipient_kind, r.recipient_id, COALESCE(t.sent_at, t.next_attempt_at, t.created_at) AS at, t.resolved_at \
             FROM {relation} JOIN delivery t ON t.account_id = r.account_id{of_mail} \
             AND t.id = (SELECT d.id FROM delivery d WHERE d.account_id = r.account_id{of_last} AND d.recipient_id = r.recipient_id \
               AND d.kind = r.kind AND d.created_at > r.since AND d.channel = 'EMAIL' \
               AND d.status IN ('QUEUED', 'SENDING', 'SENT') AND (d.status = 'SENT' OR d.resolved_at IS NULL) \
               ORDER BY d.created_at DESC LIMIT 1)"
        )
    };
    let found: Vec<FoundMail> = records::read(&AccountScope::select(tx, &rows, sql).await?)?;
    let last = found.into_iter().map(|mail| {
        let last = LastMail {
            at: mail.at,
            has_ended: mail.resolved_at.is_some(),
        };
        ((mail.kind, mail.recipient), last)
    });
    Ok(last.collect())
}
