//! Findings about sessions whose deduction does not show.

use crate::notification::Severity;
use crate::primitives::credits::Credits;
use crate::troubleshooting::{Call, Fact, Finding, FindingCode, OpenSession, Remedy, RemedyAction, Snapshot};

/// Maximum sessions that one call completes.
const MOST_COMPLETED: usize = 100;

/// Sessions whose deduction is pending, and those whose deduction is late.
fn split(snapshot: &Snapshot) -> (Vec<&OpenSession>, Vec<&OpenSession>) {
    let is_late = |session: &&OpenSession| snapshot.expected_by(session.ends_at) < snapshot.now;
    let (late, waiting) = snapshot.sessions.processing.iter().partition(is_late);
    (waiting, late)
}

fn finding(
    snapshot: &Snapshot,
    (code, severity): (FindingCode, Severity),
    sessions: &[&OpenSession],
    remedy: Remedy,
) -> Vec<Finding> {
    let (Some(first), Some(last)) = (sessions.first(), sessions.last()) else {
        return Vec::new();
    };
    let account_id = snapshot.account.account_id;
    let since = if code == FindingCode::SessionsOverdue {
        snapshot.expected_by(first.ends_at)
    } else {
        first.ends_at
    };
    let held: Credits = sessions.iter().map(|session| session.held).sum();
    let finding = Finding::new(account_id, (code, severity), "", since, remedy)
        .fact("count", Fact::Count(sessions.len()))
        .fact("credits", Fact::Credits(held))
        .fact("at", Fact::At(first.ends_at))
        .fact("until", Fact::At(snapshot.expected_by(last.ends_at)))
        .fact("expected", Fact::At(snapshot.expected_by(first.ends_at)))
        .maybe("more", snapshot.sessions.has_more.then_some(Fact::Key("MORE")));
    vec![finding.evidence(sessions.iter().map(|session| session.id.global(account_id)))]
}

/// Deductions within the usual time.
pub(super) fn processing(snapshot: &Snapshot) -> Vec<Finding> {
    let (waiting, _) = split(snapshot);
    let code = (FindingCode::SessionsProcessing, Severity::Info);
    finding(snapshot, code, &waiting, Remedy::by_hand(RemedyAction::Wait))
}

/// Deductions that take longer than usual.
pub(super) fn overdue(snapshot: &Snapshot) -> Vec<Finding> {
    let (_, late) = split(snapshot);
    let ids = late.iter().map(|session| session.id).take(MOST_COMPLETED).collect();
    let remedy = Remedy::ready(RemedyAction::CompleteSessions, Call::CompleteSessions(ids));
    let code = (FindingCode::SessionsOverdue, Severity::Warning);
    finding(snapshot, code, &late, remedy)
}
