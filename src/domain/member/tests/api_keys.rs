use std::time::Duration;

use crate::domain::fault::{Refused, UseCaseError};
use crate::primitives::actor::{AccessError, Actor, MemberRole, Permission, Permissions, Side};
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::AccountId;

use super::super::{
    CreateApiKeyRefusal, NewApiKey, NewSecret, Rejection, RevokeApiKeyRefusal, SignInError, SignInSettings,
};
use super::{Room, actor, key};

const FORBIDDEN: AccessError = AccessError::Forbidden(Permission::ManageApiKeys);

fn wanted(account_id: AccountId, permissions: &[Permission]) -> NewApiKey {
    NewApiKey {
        account_id,
        side: None,
        name: "Booking".to_owned(),
        permissions: permissions.iter().copied().collect(),
        expires_at: None,
    }
}

async fn made(room: &Room, account_id: AccountId, expires_at: Option<Timestamp>) -> NewSecret {
    let new = NewApiKey {
        expires_at,
        side: Some(Side::Team),
        ..wanted(account_id, &[Permission::ReadCreditLog, Permission::BuyCredits])
    };
    room.api_keys.create(&Actor::System, new).await.expect("creates")
}

fn unauthenticated(rejection: Rejection) -> SignInError {
    SignInError::Unauthenticated(rejection)
}

#[tokio::test]
async fn a_key_signs_in_as_what_it_was_made_for() {
    let room = Room::open().await;
    let (team, _) = room.team("one").await;
    let made = made(&room, team.id, None).await;
    assert!(made.secret.starts_with(&format!("lb_{}_", made.api_key.prefix)));
    assert!(!format!("{made:?}").contains(&made.secret), "secrets stay out of logs");
    let signed_in = room
        .sign_in(SignInSettings::default())
        .authenticate(&made.secret)
        .await
        .expect("signs in");
    assert_eq!(signed_in.actor, made.api_key.actor());
    assert_eq!(signed_in.expires_at, None);
    assert!(signed_in.actor.permissions().has(Permission::BuyCredits));
    assert!(!signed_in.actor.permissions().has(Permission::ManageCredits));
}

#[tokio::test]
async fn a_key_that_is_not_exactly_right_signs_nobody_in() {
    let room = Room::open().await;
    let (team, _) = room.team("one").await;
    let one = made(&room, team.id, None).await;
    let other = made(&room, team.id, None).await;
    let sign_in = room.sign_in(SignInSettings::default());
    let (head, last) = one.secret.split_at(one.secret.len() - 2);
    let tampered = format!("{head}{}", if last == "0g" { "1g" } else { "0g" });
    let crossed = format!(
        "lb_{}_{}",
        one.api_key.prefix,
        other.secret.rsplit('_').next().expect("a secret")
    );
    let unknown = format!("lb_{}_{}", "0".repeat(16), "0".repeat(52));
    for wrong in [tampered, crossed, unknown] {
        assert_eq!(
            sign_in.authenticate(&wrong).await,
            Err(unauthenticated(Rejection::Refused)),
            "{wrong}"
        );
    }
    for garbage in [
        "lb_",
        "lb_x_y",
        "lb_ö",
        &one.secret.to_uppercase().replacen("LB", "lb", 1),
    ] {
        assert_eq!(
            sign_in.authenticate(garbage).await,
            Err(unauthenticated(Rejection::Malformed)),
            "{garbage}"
        );
    }
}

#[tokio::test]
async fn a_key_ends_at_its_expiry_and_when_revoked() {
    let room = Room::open().await;
    let (team, owner) = room.team("one").await;
    let sign_in = room.sign_in(SignInSettings::default());
    let expires_at = room.clock.now().plus_millis(60_000);
    let expiring = made(&room, team.id, Some(expires_at)).await;
    let signed_in = sign_in.authenticate(&expiring.secret).await.expect("signs in");
    assert_eq!(signed_in.expires_at, Some(expires_at));
    room.clock.advance(Duration::from_mins(1));
    assert_eq!(
        sign_in.authenticate(&expiring.secret).await,
        Err(unauthenticated(Rejection::Expired))
    );

    let revoked = made(&room, team.id, None).await;
    let first = room
        .api_keys
        .revoke(&actor(&owner), team.id, revoked.api_key.id)
        .await
        .expect("revokes");
    assert_eq!(first.revoked_at, Some(room.clock.now()));
    assert_eq!(
        sign_in.authenticate(&revoked.secret).await,
        Err(unauthenticated(Rejection::Refused))
    );
    room.clock.advance(Duration::from_secs(1));
    assert_eq!(
        room.api_keys.revoke(&actor(&owner), team.id, revoked.api_key.id).await,
        Ok(first)
    );

    let late = NewApiKey {
        expires_at: Some(room.clock.now()),
        ..wanted(team.id, &[Permission::ReadCreditLog])
    };
    match room.api_keys.create(&actor(&owner), late).await {
        Err(UseCaseError::Invalid(invalid)) => assert_eq!(invalid.field, "expiresAt"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn who_may_make_and_revoke_keys() {
    let room = Room::open().await;
    let (team, owner) = room.team("one").await;
    let (other, stranger) = room.team("two").await;
    let admin = room.member(team.id, "admin", MemberRole::Admin).await;
    let plain = room.member(team.id, "plain", MemberRole::Member).await;
    let with_keys = [Permission::ManageApiKeys, Permission::ReadCreditLog];
    let cases = [
        (actor(&stranger), Some(AccessError::NotFound)),
        (key(other.id, &Permission::ALL), Some(AccessError::NotFound)),
        (actor(&plain), Some(FORBIDDEN)),
        (key(team.id, &[Permission::ReadCreditLog]), Some(FORBIDDEN)),
        (actor(&admin), None),
        (actor(&owner), None),
        (room.key(team.id, Side::Team, &with_keys).await, None),
        (room.key(team.id, Side::Platform, &with_keys).await, None),
        (room.key(AccountId::PLATFORM, Side::Platform, &with_keys).await, None),
    ];
    let standing = made(&room, team.id, None).await.api_key.id;
    for (caller, refusal) in cases {
        let created = room
            .api_keys
            .create(&caller, wanted(team.id, &[Permission::ReadCreditLog]))
            .await;
        assert_eq!(created.err(), refusal.map(UseCaseError::Access), "{caller:?}");
        let listed = room.api_keys.list(&caller, team.id).await;
        assert_eq!(listed.is_err(), refusal.is_some(), "{caller:?}");
        let found = room.api_keys.find(&caller, team.id, standing).await.expect("reads");
        assert_eq!(found.is_none(), refusal.is_some(), "{caller:?}");
        let revoked = room.api_keys.revoke(&caller, team.id, standing).await;
        assert_eq!(revoked.err(), refusal.map(UseCaseError::Access), "{caller:?}");
    }
    let platform = wanted(AccountId::PLATFORM, &[Permission::ReadCreditLog]);
    for weak in [actor(&owner), key(team.id, &Permission::ALL)] {
        let refused = room.api_keys.create(&weak, platform.clone()).await;
        assert_eq!(refused.err(), Some(UseCaseError::Access(FORBIDDEN)));
        assert!(room.api_keys.list(&weak, AccountId::PLATFORM).await.is_err());
    }
    assert!(room.api_keys.create(&Actor::System, platform).await.is_ok());
    let foreign = made(&room, other.id, None).await.api_key.id;
    assert_eq!(
        room.api_keys.revoke(&actor(&owner), team.id, foreign).await,
        Err(Refused(RevokeApiKeyRefusal::NotFound))
    );
    let nowhere = wanted(AccountId::from_number(999), &[Permission::ReadCreditLog]);
    let refused = room.api_keys.create(&Actor::System, nowhere).await;
    assert_eq!(refused.err(), Some(UseCaseError::Access(AccessError::NotFound)));
}

#[tokio::test]
async fn a_key_never_may_more_than_its_maker() {
    let room = Room::open().await;
    let (team, owner) = room.team("one").await;
    let admin = room.member(team.id, "admin", MemberRole::Admin).await;
    let permissions = [Permission::ManageApiKeys, Permission::BookSessions];
    let narrow = room.key(team.id, Side::Platform, &permissions).await;
    let permissions = [Permission::ManageApiKeys, Permission::ManageMembers];
    let of_team = room.key(team.id, Side::Team, &permissions).await;
    let beyond_side = |permission| Some(Refused(CreateApiKeyRefusal::BeyondSide(permission)));
    let beyond_own = |permission| Some(Refused(CreateApiKeyRefusal::BeyondOwn(permission)));
    let cases = [
        (
            actor(&owner),
            Permission::ManageCredits,
            beyond_side(Permission::ManageCredits),
        ),
        (
            actor(&owner),
            Permission::BookSessions,
            beyond_side(Permission::BookSessions),
        ),
        (
            of_team.clone(),
            Permission::RefundTopUps,
            beyond_side(Permission::RefundTopUps),
        ),
        (of_team, Permission::ManageMembers, None),
        (actor(&owner), Permission::ManageMembers, None),
        (actor(&admin), Permission::ManageMembers, None),
        (actor(&admin), Permission::BuyCredits, None),
        (narrow.clone(), Permission::BookSessions, None),
        (
            narrow.clone(),
            Permission::SettleSessions,
            beyond_own(Permission::SettleSessions),
        ),
        (narrow, Permission::ReadCreditLog, beyond_own(Permission::ReadCreditLog)),
        (Actor::System, Permission::ManageAccounts, None),
    ];
    for (caller, permission, refusal) in cases {
        let created = room.api_keys.create(&caller, wanted(team.id, &[permission])).await;
        assert_eq!(created.err(), refusal, "{caller:?} {permission:?}");
    }
    match room.api_keys.create(&actor(&owner), wanted(team.id, &[])).await {
        Err(UseCaseError::Invalid(invalid)) => assert_eq!(invalid.field, "permissions"),
        other => panic!("{other:?}"),
    }
    let all: Permissions = Permissions::all();
    assert_eq!(Permissions::from_bits(all.bits()), all);
}

#[tokio::test]
async fn last_use_is_written_by_the_flush() {
    let room = Room::open().await;
    let (team, _) = room.team("one").await;
    let sign_in = room.sign_in(SignInSettings::default());
    let one = made(&room, team.id, None).await;
    let other = made(&room, team.id, None).await;
    room.api_keys.flush_last_used().await.expect("nothing to write");
    for _ in 0..2 {
        room.clock.advance(Duration::from_secs(5));
        sign_in.authenticate(&one.secret).await.expect("signs in");
        room.api_keys.flush_last_used().await.expect("writes");
    }
    let found = room
        .api_keys
        .find_by_ids(&[one.api_key.id, other.api_key.id])
        .await
        .expect("reads");
    assert_eq!(found[&one.api_key.id].last_used_at, Some(room.clock.now()));
    assert_eq!(found[&other.api_key.id].last_used_at, None);
    let listed = room.api_keys.list(&Actor::System, team.id).await.expect("lists");
    assert_eq!(listed.len(), 2);
}

#[tokio::test]
async fn a_key_is_not_made_by_a_maker_that_has_ended_meanwhile() {
    let room = Room::open().await;
    let (team, owner) = room.team("one").await;
    let permissions = [Permission::ManageApiKeys, Permission::ReadCreditLog];
    let maker = room.key(team.id, Side::Team, &permissions).await;
    let Actor::ApiKey { api_key_id, .. } = maker else {
        panic!("a key");
    };
    let admin = room.member(team.id, "admin", MemberRole::Admin).await;
    // Both have signed in before.
    let makers = [maker, actor(&admin)];
    let revoked = room.api_keys.revoke(&actor(&owner), team.id, api_key_id).await;
    revoked.expect("revoked");
    room.members
        .remove(&actor(&owner), team.id, admin.id)
        .await
        .expect("removed");
    let before = room.api_keys.list(&Actor::System, team.id).await.expect("lists");
    for maker in makers {
        let new = wanted(team.id, &[Permission::ReadCreditLog]);
        let refused = room.api_keys.create(&maker, new).await;
        assert_eq!(refused.err(), Some(UseCaseError::Access(FORBIDDEN)), "{maker:?}");
    }
    assert_eq!(room.api_keys.list(&Actor::System, team.id).await, Ok(before));
}
