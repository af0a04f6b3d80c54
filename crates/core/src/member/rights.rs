//! Who may see and change members, their contacts and keys.

use crate::primitives::actor::{AccessError, Actor, MemberRole, Permission, Permissions, Side};
use crate::primitives::ids::{AccountId, MemberId, RecipientId};

use super::Member;

/// Returns whether the actor may see all members of the account, beyond those that are named in what it may
/// see.
pub fn require_directory(actor: &Actor, account_id: AccountId) -> Result<(), AccessError> {
    actor
        .require(account_id, Permission::ManageMembers)
        .or_else(|_| actor.require(account_id, Permission::ReadCreditLog))
}

/// Refuses if the member is an owner and the actor is neither an owner nor of the platform.
pub fn require_over(actor: &Actor, member: &Member) -> Result<(), AccessError> {
    require_over_role(actor, member.role)
}

/// Refuses if this is the role of an owner and the actor is neither an owner nor of the platform.
pub fn require_over_role(actor: &Actor, role: MemberRole) -> Result<(), AccessError> {
    if role == MemberRole::Owner && !may_change_owners(actor) {
        return Err(AccessError::OwnersOnly);
    }
    Ok(())
}

/// Refuses unless the actor may see this member's contact and notification settings: the member itself, or with `MANAGE_SETTINGS`.
/// Changing those of an owner also requires [`require_over`].
pub fn require_own_or_settings(
    actor: &Actor,
    account_id: AccountId,
    recipient: impl Into<RecipientId>,
) -> Result<(), AccessError> {
    if actor.reaches(account_id) && actor.member_id().map(RecipientId::Member) == Some(recipient.into()) {
        return Ok(());
    }
    actor.require(account_id, Permission::ManageSettings)
}

/// Refuses unless the actor may change the contact of a member of this role.
pub fn require_to_reach(
    actor: &Actor,
    account_id: AccountId,
    (member_id, role): (MemberId, MemberRole),
) -> Result<(), AccessError> {
    require_own_or_settings(actor, account_id, member_id)?;
    require_over_role(actor, role)
}

/// Returns whether the actor may add, change and remove owners: owners and the platform. A key of the team never may,
/// regardless of its creator. Otherwise an admin could become owner by a key.
pub fn may_change_owners(actor: &Actor) -> bool {
    match actor {
        Actor::Member { role, .. } => *role == MemberRole::Owner,
        Actor::ApiKey { .. } | Actor::System => actor.side() == Side::Platform,
    }
}

/// Returns whether the actor may vouch for addresses. A team never may, because it enters those addresses
/// itself.
pub fn may_vouch(actor: &Actor) -> bool {
    actor.side() == Side::Platform
}

/// Returns the first of `permissions` that this actor does not have, and so cannot give to a key.
pub fn beyond_own(actor: &Actor, permissions: Permissions) -> Option<Permission> {
    let own = actor.permissions();
    permissions.iter().find(|permission| !own.has(*permission))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::primitives::ids::ApiKeyId;

    #[test]
    fn owners_are_changed_by_owners_and_the_platform_only() {
        let member = |role| Actor::Member {
            account_id: AccountId::from_number(1),
            member_id: MemberId::from_uuid(uuid::Uuid::nil()),
            role,
        };
        let key = |side| Actor::ApiKey {
            account_id: AccountId::from_number(1),
            api_key_id: ApiKeyId::from_uuid(uuid::Uuid::nil()),
            side,
            permissions: Permissions::all(),
        };
        let cases = [
            (member(MemberRole::Member), false),
            (member(MemberRole::Admin), false),
            (member(MemberRole::Owner), true),
            (key(Side::Team), false),
            (key(Side::Platform), true),
            (Actor::System, true),
        ];
        for (actor, expected) in cases {
            assert_eq!(may_change_owners(&actor), expected, "{actor:?}");
        }
    }
}
