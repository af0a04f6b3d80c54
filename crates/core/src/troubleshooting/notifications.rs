//! Why a recipient was not notified.

use crate::member::ContactStatus;
use crate::notification::{AlertKind, Channel, Delivery, MailFailure, MemberRecipient, Severity};
use crate::primitives::actor::MemberRole;
use crate::primitives::ids::{GlobalId, IdKind, MemberId};
use crate::primitives::timestamp::Timestamp;
use crate::troubleshooting::{Call, Fact, Finding, FindingCode, Remedy, RemedyAction, Snapshot};

use super::account::is_open;

fn of_person(snapshot: &Snapshot, kind: IdKind, person: &MemberRecipient) -> GlobalId {
    GlobalId::new(kind, snapshot.account.account_id, person.member_id.uuid())
}

/// No owner or admin would be notified that credits run low.
pub(super) fn low_balance_muted(snapshot: &Snapshot) -> Vec<Finding> {
    let (account, trigger) = (&snapshot.account, snapshot.trigger());
    let hears = |admin: &MemberRecipient| {
        admin.low_level(trigger).is_some() && admin.would_be_notified(AlertKind::LowBalance, snapshot.now)
    };
    // An account that has never had credits cannot run low.
    if !is_open(snapshot) || account.entry_sequence == 0 || snapshot.admins().any(hears) {
        return Vec::new();
    }
    let muted: Vec<&MemberRecipient> = snapshot
        .admins()
        .filter(|admin| admin.low_level(trigger).is_some())
        .collect();
    let since = snapshot.admins().map(|admin| admin.settings_since).max();
    let since = since.unwrap_or(account.last_at);
    // The app needs only the preference. If no admin is muted, none has a threshold, and a person must choose one.
    let action = RemedyAction::UpdateNotificationSettings;
    let (severity, people): (_, Vec<&MemberRecipient>) = if muted.is_empty() {
        (Severity::Info, snapshot.admins().collect())
    } else {
        (Severity::Warning, muted.clone())
    };
    let ways = ways(people.iter().copied(), |person| {
        let call = Call::HearOfLowBalance(person.member_id, Channel::InApp);
        let remedy = if muted.is_empty() {
            Remedy::by_hand(action)
        } else {
            Remedy::ready(action, call)
        };
        remedy.concerning(person.member_id, person.role)
    });
    let (remedy, others) = ways.unwrap_or_else(|| (Remedy::by_hand(action), None));
    let level = muted.iter().filter_map(|admin| admin.low_level(trigger)).max();
    let names: Vec<&str> = people
        .iter()
        .take(super::MOST_EVIDENCE)
        .map(|person| person.name.as_str())
        .collect();
    let finding = Finding::new(
        account.account_id,
        (FindingCode::LowBalanceMuted, severity),
        since.millis().to_string(),
        since,
        remedy,
    );
    let finding = finding.or(others);
    let finding = finding
        .fact("count", Fact::Count(people.len()))
        .fact("name", Fact::Text(names.join(", ")))
        .fact("available", Fact::Credits(account.available()))
        .maybe("level", level.map(Fact::Credits));
    let settings = people
        .into_iter()
        .map(|person| of_person(snapshot, IdKind::NotificationSettings, person));
    vec![finding.evidence(settings)]
}

/// The remedies for the first of these people. If that is an owner, also for the first who is not, because only owners can
/// change owners. `None` where the list is empty.
fn ways<'a>(
    people: impl Iterator<Item = &'a MemberRecipient> + Clone,
    remedy: impl Fn(&MemberRecipient) -> Remedy,
) -> Option<(Remedy, Option<Remedy>)> {
    let is_owner = |person: &&MemberRecipient| person.role == MemberRole::Owner;
    let first = people.clone().next()?;
    let mut others = people.filter(|person| !is_owner(person));
    let other = others.next().filter(|_| is_owner(&first)).map(&remedy);
    Some((remedy(first), other))
}

fn of_contact(
    snapshot: &Snapshot,
    person: &MemberRecipient,
    (code, severity): (FindingCode, Severity),
    remedy: Remedy,
) -> Finding {
    let remedy = remedy.concerning(person.member_id, person.role);
    let doubted = Doubted {
        id: of_person(snapshot, IdKind::Contact, person),
        name: &person.name,
        email: person.email.as_deref(),
        bounce_message: person.bounce_message.as_deref(),
        since: person.contact_since,
    };
    doubted.finding((code, severity), remedy)
}

/// A recipient whose address is not known to work.
struct Doubted<'a> {
    /// The row that proves it.
    id: GlobalId,
    /// The name of the recipient.
    name: &'a str,
    email: Option<&'a str>,
    bounce_message: Option<&'a str>,
    since: Timestamp,
}

impl Doubted<'_> {
    fn finding(&self, code: (FindingCode, Severity), remedy: Remedy) -> Finding {
        let about = format!("{}:{}", self.id, self.since.millis());
        let finding = Finding::new(self.id.account_id, code, about, self.since, remedy);
        let email = self.email.map(|email| Fact::Text(email.to_owned()));
        finding
            .fact("name", Fact::Text(self.name.to_owned()))
            .fact("at", Fact::At(self.since))
            .maybe("email", email)
            .maybe("reason", self.bounce_message.map(MailFailure::of_contact).map(in_words))
            .evidence([self.id])
    }
}

/// Notification addresses whose contact has this status. The remedy is another mail to the address: if it arrives, its reader confirms
/// the address there.
fn of_addresses(snapshot: &Snapshot, status: ContactStatus, code: (FindingCode, Severity)) -> Vec<Finding> {
    let account_id = snapshot.account.account_id;
    let addresses = snapshot.recipients.addresses.iter().filter(|_| is_open(snapshot));
    let doubted = addresses.filter(|address| address.contact == status);
    let findings = doubted.map(|address| {
        let doubted = Doubted {
            id: address.id.global(account_id),
            name: &address.label,
            email: address.email.as_deref(),
            bounce_message: address.bounce_message.as_deref(),
            since: address.contact_since,
        };
        let call = Call::SendContactVerification(address.id.into());
        let finding = doubted.finding(code, Remedy::ready(RemedyAction::SendContactVerification, call));
        finding.fact("reader", Fact::Key("ADDRESS"))
    });
    findings.collect()
}

/// The failure in the language of the reader.
fn in_words(failure: MailFailure) -> Fact {
    Fact::Word("mail", failure.as_str())
}

fn with_status(snapshot: &Snapshot, status: ContactStatus) -> Vec<&MemberRecipient> {
    let people = snapshot.recipients.people.iter().filter(|_| is_open(snapshot));
    people.filter(|person| person.contact == status).collect()
}

/// Recipients with this status who would get mail: owners and admins, and others who want mail.
fn out_of_reach(snapshot: &Snapshot, status: ContactStatus) -> impl Iterator<Item = &MemberRecipient> {
    let people = with_status(snapshot, status).into_iter();
    people.filter(|person| person.would_be_mailed(snapshot.now))
}

/// A recipient of mail has no address.
pub(super) fn contact_missing(snapshot: &Snapshot) -> Vec<Finding> {
    let people = out_of_reach(snapshot, ContactStatus::None);
    let code = (FindingCode::ContactMissing, Severity::Warning);
    let remedy = Remedy::by_hand(RemedyAction::UpdateContact);
    people
        .map(|person| of_contact(snapshot, person, code, remedy.clone()))
        .collect()
}

/// A recipient of mail has no verified address.
pub(super) fn contact_unverified(snapshot: &Snapshot) -> Vec<Finding> {
    let code = (FindingCode::ContactUnverified, Severity::Warning);
    let people = out_of_reach(snapshot, ContactStatus::Unverified);
    let findings = people.map(|person| {
        let call = Call::SendContactVerification(person.member_id.into());
        let remedy = Remedy::ready(RemedyAction::SendContactVerification, call);
        of_contact(snapshot, person, code, remedy)
    });
    findings
        .chain(of_addresses(snapshot, ContactStatus::Unverified, code))
        .collect()
}

/// Mail to a recipient bounces.
pub(super) fn contact_bouncing(snapshot: &Snapshot) -> Vec<Finding> {
    let people = with_status(snapshot, ContactStatus::Bouncing).into_iter();
    let code = (FindingCode::ContactBouncing, Severity::Critical);
    let remedy = Remedy::by_hand(RemedyAction::UpdateContact);
    // No member of the team reads this address, and the team is notified otherwise.
    let of_addresses = of_addresses(
        snapshot,
        ContactStatus::Bouncing,
        (FindingCode::ContactBouncing, Severity::Warning),
    );
    people
        .map(|person| of_contact(snapshot, person, code, remedy.clone()))
        .chain(of_addresses)
        .collect()
}

/// Mail cannot be sent.
pub(super) fn mail_failing(snapshot: &Snapshot) -> Vec<Finding> {
    let account_id = snapshot.account.account_id;
    let failing = &snapshot.recipients.failing;
    let (Some(first), Some(last)) = (failing.first(), failing.last()) else {
        return Vec::new();
    };
    if !is_open(snapshot) {
        return Vec::new();
    }
    // A person can resend mail that was given up. Other mail is retried automatically.
    let role_of = |member_id: MemberId| {
        let mut people = snapshot.recipients.people.iter();
        let found = people.find(|person| person.member_id == member_id);
        // The list contains all owners and admins. So a member who is not in it has this role.
        found.map_or(MemberRole::Member, |person| person.role)
    };
    let resend = |mail: &Delivery| {
        let remedy = Remedy::ready(RemedyAction::ResendDelivery, Call::ResendDelivery(mail.id));
        match mail.recipient.member() {
            Some(member_id) => remedy.concerning(member_id, role_of(member_id)),
            None => remedy,
        }
    };
    let mut all_given_up = failing.iter().rev().filter(|mail| mail.next_attempt_at.is_none());
    let given_up = all_given_up.next();
    let remedy = given_up.map_or_else(|| Remedy::by_hand(RemedyAction::Wait), resend);
    let is_for_owners = |remedy: &Remedy| remedy.concerns.is_some_and(|(_, role)| role == MemberRole::Owner);
    // Only owners can resend mail to owners.
    let other = all_given_up.map(resend).find(|other| !is_for_owners(other));
    let other = other.filter(|_| is_for_owners(&remedy));
    let about = given_up.unwrap_or(first);
    let finding = Finding::new(
        account_id,
        (FindingCode::EmailDeliveryFailing, Severity::Warning),
        about.id.global(account_id).to_string(),
        first.created_at,
        remedy,
    );
    let finding = finding
        .or(other)
        .fact("count", Fact::Count(failing.len()))
        .fact("at", Fact::At(first.created_at))
        .maybe("reason", last.last_error.map(in_words))
        .maybe("until", last.next_attempt_at.map(Fact::At));
    vec![finding.evidence(failing.iter().rev().map(|mail| mail.id.global(account_id)))]
}
