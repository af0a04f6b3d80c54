//! Who may see and change members, their contacts and keys.

use crate::primitives::actor::{AccessError, Actor, MemberRole, Permission, Permissions, Side};
use crate::primitives::ids::{AccountId, MemberId, RecipientId};

use super::Member;

/// Refuses unless the caller is of the platform and has `permission`.
pub fn require_platform(actor: &Actor, permission: Permission) -> Result<(), AccessError> {
    // The platform is no secret to those who do not belong to it, so this is never "not found".
    actor
        .require(AccountId::PLATFORM, permission)
        .map_err(|_| AccessError::Forbidden(permission))
}

/// Whether the caller may see all members of the account, beyond those named by what they may see anyway.
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

/// Refuses unless the actor may see how this member is reached and what they are notified of: themselves, and `MANAGE_SETTINGS`. To
/// change it for an owner takes [`require_over`] besides.
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

/// Refuses unless the actor may change how a member of this role is reached.
pub fn require_to_reach(
    actor: &Actor,
    account_id: AccountId,
    (member_id, role): (MemberId, MemberRole),
) -> Result<(), AccessError> {
    require_own_or_settings(actor, account_id, member_id)?;
    require_over_role(actor, role)
}

/// Whether the actor may add, change and remove owners: owners and the platform. A key of the team never may, whoever made it:
/// through it an admin could become owner.
pub fn may_change_owners(actor: &Actor) -> bool {
    match actor {
        Actor::Member { role, .. } => *role == MemberRole::Owner,
        Actor::ApiKey { .. } | Actor::System => actor.side() == Side::Platform,
    }
}

/// Whether the actor may vouch for addresses. A team never may: whose addresses it enters it says itself.
pub fn may_vouch(actor: &Actor) -> bool {
    actor.side() == Side::Platform
}

/// The first of `permissions` that this actor does not have, and cannot give to a key.
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
