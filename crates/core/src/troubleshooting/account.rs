//! Findings about the account itself.

use crate::ledger::AccountStatus;
use crate::notification::Severity;
use crate::primitives::ids::GlobalId;
use crate::troubleshooting::{Fact, Finding, FindingCode, Remedy, RemedyAction, Snapshot};

/// Whether new purchases and sessions can start. Where they cannot, only that is reported, and not its consequences.
pub(super) fn is_active(snapshot: &Snapshot) -> bool {
    snapshot.account.status == AccountStatus::Active
}

/// Whether notifications are of use. They are not for a closed account.
pub(super) fn is_open(snapshot: &Snapshot) -> bool {
    snapshot.account.status != AccountStatus::Closed
}

pub(super) fn frozen(snapshot: &Snapshot) -> Vec<Finding> {
    let account = &snapshot.account;
    if account.status != AccountStatus::Frozen {
        return Vec::new();
    }
    let since = account.halted_at.unwrap_or(account.last_at);
    let reason = account.halt_reason.clone().map(Fact::Text);
    let finding = Finding::new(
        account.account_id,
        (FindingCode::AccountFrozen, Severity::Critical),
        since.millis().to_string(),
        since,
        Remedy::by_hand(RemedyAction::ContactSupport),
    );
    let finding = finding.fact("at", Fact::At(since)).maybe("reason", reason);
    vec![finding.evidence([GlobalId::account(account.account_id)])]
}
