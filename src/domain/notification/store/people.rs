//! Those whom an alert may be for.

use std::collections::{HashMap, HashSet};
use std::str::FromStr;

use sea_orm::ConnectionTrait;

use super::{settings, unreadable};
use crate::domain::database::Transaction;
use crate::domain::database::bulk::{self, Columns, Kind, Rows};
use crate::domain::fault::Fault;
use crate::domain::member::ContactStatus;
use crate::primitives::actor::MemberRole;
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::{AccountId, MemberId};

use super::super::model::{AlertKind, Audience, COOLDOWN_MILLIS, LastMail, NotificationSettings};

/// A member who may be told.
#[derive(Clone, Debug)]
pub(in super::super) struct Recipient {
    pub(in super::super) member_id: MemberId,
    pub(in super::super) role: MemberRole,
    pub(in super::super) contact: ContactStatus,
    pub(in super::super) timezone: chrono_tz::Tz,
    pub(in super::super) settings: NotificationSettings,
}

/// Whom an alert of an account may be for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in super::super) struct Addressed {
    pub(in super::super) account_id: AccountId,
    pub(in super::super) audience: Audience,
    pub(in super::super) subject: Option<MemberId>,
}

/// Who alerts go to: the members who are addressed, and the last mail to each of them.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Recipients {
    members: HashMap<Addressed, Vec<Recipient>>,
    pub(in super::super) last_mails: HashMap<(AlertKind, MemberId), LastMail>,
}

impl Recipients {
    /// Returns the members who are addressed. Fails where that was not read.
    pub(in super::super) fn of(&self, addressed: &Addressed) -> Result<&[Recipient], Fault> {
        let members = self.members.get(addressed);
        let unread = || Fault::Internal(format!("the recipients of {addressed:?} were not read"));
        members.map(Vec::as_slice).ok_or_else(unread)
    }
}

/// Reads who alerts of these kinds go to, by the same few statements whatever their number.
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
        kinds.extend(recipients.map(|recipient| (to.account_id, kind, recipient.member_id, now)));
    }
    let last_mails = last_mails(tx, kinds).await?;
    Ok(Recipients { members, last_mails })
}

const TEAMS: Columns = &[
    ("number", Kind::BigInt),
    ("account_id", Kind::BigInt),
    ("everybody", Kind::Bool),
];
const SUBJECTS: Columns = &[
    ("number", Kind::BigInt),
    ("account_id", Kind::BigInt),
    ("member_id", Kind::Uuid),
];

/// For each of these the members of the team who are meant, with their settings. By the same few statements whatever their number.
pub(in super::super) async fn recipients(
    tx: &Transaction,
    addressed: &[Addressed],
) -> Result<Vec<Vec<Recipient>>, Fault> {
    let (mut teams, mut subjects) = (Rows::new(TEAMS), Rows::new(SUBJECTS));
    for (number, to) in (0_i64..).zip(addressed) {
        let account = to.account_id.number();
        if to.audience != Audience::Subject {
            let is_everybody = to.audience == Audience::Everybody;
            teams.push([number.into(), account.into(), is_everybody.into()]);
        }
        if let (Audience::Subject | Audience::SubjectAndAdmins, Some(subject)) = (to.audience, to.subject) {
            subjects.push([number.into(), account.into(), subject.uuid().into()]);
        }
    }
    let mut found = vec![Vec::new(); addressed.len()];
    let of_teams = " AND t.removed_at IS NULL AND (r.everybody OR t.role IN ('OWNER', 'ADMIN'))";
    let of_subjects = " AND t.id = r.member_id AND t.removed_at IS NULL";
    for (rows, condition) in [(teams, of_teams), (subjects, of_subjects)] {
        add_members(tx, &rows, condition, &mut found).await?;
    }
    let members = found.iter().flatten();
    let members = members.map(|recipient: &Recipient| (recipient.settings.account_id, recipient.member_id));
    let said = settings(tx, members).await?;
    for recipient in found.iter_mut().flatten() {
        if let Some(settings) = said.get(&recipient.member_id) {
            recipient.settings = settings.clone();
        }
    }
    Ok(found)
}

/// Adds the members that rows name, each where the row's number says, unless they are there.
async fn add_members(
    tx: &Transaction,
    rows: &Rows,
    condition: &str,
    found: &mut [Vec<Recipient>],
) -> Result<(), Fault> {
    if rows.is_empty() {
        return Ok(());
    }
    let backend = tx.get_database_backend();
    let sql = format!(
        "SELECT r.number, t.account_id, t.id, t.role, c.email_status, c.timezone FROM {} {} \
         JOIN contact c ON c.account_id = t.account_id AND c.member_id = t.id ORDER BY t.created_at, t.id",
        rows.relation(backend, 1),
        bulk::probe(backend, "member", condition)
    );
    for row in &tx.query_all_raw(rows.statement(backend, sql)).await? {
        let number: i64 = row.try_get("", "number")?;
        let (role, status): (String, String) = (row.try_get("", "role")?, row.try_get("", "email_status")?);
        let timezone: String = row.try_get("", "timezone")?;
        let account_id = AccountId::from_number(row.try_get("", "account_id")?);
        let member_id = MemberId::from_uuid(row.try_get("", "id")?);
        let Some(found) = usize::try_from(number).ok().and_then(|number| found.get_mut(number)) else {
            continue;
        };
        if found.iter().any(|recipient| recipient.member_id == member_id) {
            continue;
        }
        found.push(Recipient {
            member_id,
            role: MemberRole::from_text(&role).ok_or_else(|| unreadable("role", &role))?,
            contact: ContactStatus::from_text(&status).ok_or_else(|| unreadable("contact status", &status))?,
            timezone: chrono_tz::Tz::from_str(&timezone).map_err(|_| unreadable("time zone", &timezone))?,
            settings: NotificationSettings::new(account_id, member_id),
        });
    }
    Ok(())
}

const KINDS: Columns = &[
    ("account_id", Kind::BigInt),
    ("kind", Kind::Text),
    ("member_id", Kind::Uuid),
    ("since", Kind::BigInt),
];

/// The last mail of a kind, as far as it matters at an instant, that went or is on its way to a member, for each of these. One row
/// of an index is read for each, however many mails there were.
async fn last_mails(
    tx: &Transaction,
    kinds: Vec<(AccountId, AlertKind, MemberId, Timestamp)>,
) -> Result<HashMap<(AlertKind, MemberId), LastMail>, Fault> {
    let mut rows = Rows::new(KINDS);
    let mut asked = HashSet::new();
    for (account_id, kind, member_id, now) in kinds {
        if asked.insert((kind, member_id)) {
            let since = now.millis() - COOLDOWN_MILLIS;
            rows.push([
                account_id.number().into(),
                kind.as_str().into(),
                member_id.uuid().into(),
                since.into(),
            ]);
        }
    }
    let mut last = HashMap::new();
    if rows.is_empty() {
        return Ok(last);
    }
    let backend = tx.get_database_backend();
    let sql = format!(
        "SELECT t.kind, t.member_id, COALESCE(t.sent_at, t.next_attempt_at, t.created_at) AS at, t.resolved_at \
         FROM {} JOIN delivery t ON t.account_id = r.account_id \
         AND t.id = (SELECT d.id FROM delivery d WHERE d.account_id = r.account_id AND d.member_id = r.member_id \
           AND d.kind = r.kind AND d.created_at > r.since AND d.channel = 'EMAIL' \
           AND d.status IN ('QUEUED', 'SENDING', 'SENT') AND (d.status = 'SENT' OR d.resolved_at IS NULL) \
           ORDER BY d.created_at DESC LIMIT 1)",
        rows.relation(backend, 1),
    );
    for row in &tx.query_all_raw(rows.statement(backend, sql)).await? {
        let kind: String = row.try_get("", "kind")?;
        let kind = AlertKind::from_text(&kind).ok_or_else(|| unreadable("kind of alert", &kind))?;
        let mail = LastMail {
            at: Timestamp::from_millis(row.try_get("", "at")?),
            has_ended: row.try_get::<Option<i64>>("", "resolved_at")?.is_some(),
        };
        last.insert((kind, MemberId::from_uuid(row.try_get("", "member_id")?)), mail);
    }
    Ok(last)
}
